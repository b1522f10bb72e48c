"""Two sources joined: in which order their observer hears of it, and when (rules E7, E8, G7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

import pytest

from rri_bgp.model import SaKey, SaPair
from rri_bgp.rri import witness as core
from rri_bgp.sources import SaObserver
from rri_bgp.sources import witness as shell
from rri_bgp.sources.witness import witnessed
from tests.values import sa

DEADLINE = 10.0


class Scripted:
    """A source that says what the test says."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.suspects = False
        self.observer: SaObserver | None = None
        self.started = asyncio.Event()

    def watch_suspects(self, wanted: bool) -> None:
        self.suspects = wanted

    async def run(self, observer: SaObserver) -> None:
        self.observer = observer
        self.started.set()
        await asyncio.Event().wait()

    def snapshot(self, *sas: SaPair) -> None:
        assert self.observer is not None
        self.observer.snapshot(self.name, iter(sas))

    def update(self, *sas: SaPair, gone: Iterable[SaKey] = ()) -> None:
        assert self.observer is not None
        self.observer.update(self.name, {**{one.key: one for one in sas}, **dict.fromkeys(gone)})

    def lost(self, why: str) -> None:
        assert self.observer is not None
        self.observer.lost(self.name, why)


class Observer:
    """Writes down what it hears: kind, source, unique ids."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, object]] = []
        self.sas: dict[SaKey, SaPair] = {}
        self._news = asyncio.Event()

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> None:
        found = list(sas)
        self.sas = {key: one for key, one in self.sas.items() if key.source != source}
        self.sas.update((one.key, one) for one in found)
        self._note("snapshot", source, [one.key.uniqueid for one in found])

    def update(self, source: str, changes: Mapping[SaKey, SaPair | None]) -> None:
        for key, one in changes.items():
            assert key.source == source
            if one is None:
                del self.sas[key]
            else:
                self.sas[key] = one
        self._note("update", source, [key.uniqueid for key in changes])

    def lost(self, source: str, why: str) -> None:
        self._note("lost", source, why)

    def _note(self, kind: str, source: str, what: object) -> None:
        self.heard.append((kind, source, what))
        self._news.set()

    @property
    def missing(self) -> set[int]:
        return {key.uniqueid for key, one in self.sas.items() if one.not_in_kernel}

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self._news.clear()
                await self._news.wait()


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "GRACE", 0.05)
    monkeypatch.setattr(shell, "_AT_ONCE", 2)


@asynccontextmanager
async def stage() -> AsyncIterator[tuple[Scripted, Scripted, Observer]]:
    vici, xfrm, observer = Scripted("vici"), Scripted("xfrm"), Observer()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run(observer)) for one in witnessed([vici, xfrm], {"vici"}, {"xfrm"})]
        await vici.started.wait()
        await xfrm.started.wait()
        yield vici, xfrm, observer
        for task in tasks:
            task.cancel()


def installed(uniqueid: int, *remote: str) -> SaPair:
    return sa(uniqueid, *(remote or ("10.1.0.0/16",)))


def carried(uniqueid: int, *remote: str) -> SaPair:
    return sa(uniqueid, *(remote or ("10.1.0.0/16",)), source="xfrm")


async def test_e8_what_the_kernel_has_lost_is_told_after_a_while_and_back_at_once() -> None:
    async with stage() as (vici, xfrm, observer):
        vici.snapshot(installed(1))
        xfrm.snapshot(carried(1))
        assert observer.heard == [("snapshot", "vici", [1]), ("snapshot", "xfrm", [])]
        xfrm.update(gone=[SaKey("xfrm", 1)])
        assert len(observer.heard) == 2
        await observer.until(lambda: observer.missing == {1})
        xfrm.update(carried(2))
        assert observer.missing == set()
        assert observer.heard[2:] == [("update", "vici", [1]), ("update", "vici", [1])]


async def test_e8_many_at_once_are_told_in_pieces() -> None:
    async with stage() as (vici, xfrm, observer):
        vici.snapshot(*(installed(number, f"10.{number}.0.0/16") for number in range(1, 6)))
        xfrm.snapshot()
        await observer.until(lambda: len(observer.missing) == 5)
        assert [what for kind, _, what in observer.heard if kind == "update"] == [[3, 4], [5, 1], [2]]


async def test_g7_what_a_dead_daemon_has_left_is_told_before_its_own_goes() -> None:
    async with stage() as (vici, xfrm, observer):
        vici.snapshot(installed(1))
        xfrm.snapshot(carried(1))
        vici.lost("charon closed the connection")
        vici.snapshot()
        vici.update(installed(2))
        assert observer.heard[2:] == [
            ("lost", "vici", "charon closed the connection"),
            ("update", "xfrm", [1]),
            ("snapshot", "vici", []),
            ("update", "vici", [2]),
            ("update", "xfrm", [1]),
        ]
        assert list(observer.sas) == [SaKey("vici", 2)]


async def test_g7_at_the_start_the_kernels_own_pairs_come_before_the_daemon_is_complete() -> None:
    async with stage() as (vici, xfrm, observer):
        xfrm.snapshot(carried(1), carried(2, "10.2.0.0/16"))
        vici.snapshot(installed(1))
        assert observer.heard == [("snapshot", "xfrm", []), ("update", "xfrm", [2]), ("snapshot", "vici", [1])]


async def test_e7_a_snapshot_of_the_daemons_that_has_its_pair_takes_it_from_the_kernel_afterwards() -> None:
    async with stage() as (vici, xfrm, observer):
        vici.snapshot()
        xfrm.snapshot(carried(1))
        vici.snapshot(installed(1))
        assert observer.heard[1:] == [
            ("snapshot", "xfrm", [1]),
            ("snapshot", "vici", [1]),
            ("update", "xfrm", [1]),
        ]


async def test_e8_nothing_is_missing_while_the_kernel_is_not_seen() -> None:
    async with stage() as (vici, xfrm, observer):
        vici.snapshot(installed(1))
        xfrm.snapshot()
        await observer.until(lambda: observer.missing == {1})
        xfrm.lost("xfrm: no")
        assert observer.missing == set()
        assert observer.heard[-2:] == [("lost", "xfrm", "xfrm: no"), ("update", "vici", [1])]
        xfrm.snapshot(carried(1))
        assert (observer.missing, observer.heard[-1]) == (set(), ("snapshot", "xfrm", []))


async def test_only_those_that_are_named_are_joined() -> None:
    vici, xfrm, other = Scripted("vici"), Scripted("xfrm"), Scripted("other")
    joined = witnessed([vici, xfrm, other], {"vici"}, {"xfrm"})
    assert ([one.name for one in joined], joined[2] is other) == (["vici", "xfrm", "other"], True)
    joined[0].watch_suspects(True)
    assert (vici.suspects, xfrm.suspects) == (True, False)


async def test_no_timer_is_left_when_the_sources_have_ended() -> None:
    async with stage() as (vici, xfrm, observer):
        vici.snapshot(installed(1))
        xfrm.snapshot()
    heard = list(observer.heard)
    await asyncio.sleep(0.1)
    assert observer.heard == heard
