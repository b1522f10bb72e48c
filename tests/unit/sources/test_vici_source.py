"""The VICI source over a socket: order of events, lost and doubled ones, silent hand-overs, busy IKE SAs, restarts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rri_bgp.model import SaKey, SaPair
from rri_bgp.policy.config import ViciSettings
from rri_bgp.sources.vici import ViciSource
from rri_bgp.sources.vici.client import connect
from tests.unit.sources.charon import Charon, serving
from tests.unit.sources.test_vici_sas import child, ike

DEADLINE = 20.0


class Observer:
    """Keeps what it is told, and how."""

    def __init__(self) -> None:
        self.sas: dict[int, SaPair] = {}
        self.history: list[str] = []
        self.news = asyncio.Event()
        self.watch_suspects: Callable[[bool], None] = lambda wanted: None

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> None:
        self.sas = {sa.key.uniqueid: sa for sa in sas}
        self.told("snapshot")

    def update(self, source: str, changes: Mapping[SaKey, SaPair | None]) -> None:
        for key, sa in changes.items():
            if sa is None:
                del self.sas[key.uniqueid]
            else:
                self.sas[key.uniqueid] = sa
        self.told("update")

    def lost(self, source: str, why: str) -> None:
        self.told(f"lost: {why}")

    def told(self, what: str) -> None:
        self.history.append(what)
        self.news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Checked whenever something is told, and now and then."""
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self.news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.news.wait(), 0.02)

    async def has(self, *uniqueids: int) -> None:
        await self.until(lambda: set(self.sas) == set(uniqueids))


@contextlib.asynccontextmanager
async def following(
    charon: Charon, *, resync: float = 600, answer_timeout: float = DEADLINE, suspects: bool = False
) -> AsyncIterator[Observer]:
    """A source that follows, and its observer."""
    observer = Observer()
    source = ViciSource(ViciSettings(socket=charon.path, resync=resync), answer_timeout=answer_timeout)
    observer.watch_suspects = source.watch_suspects
    source.watch_suspects(suspects)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(source.run(observer))
        try:
            yield observer
        finally:
            task.cancel()


@pytest.fixture
def charon(tmp_path: Path) -> Charon:
    return Charon(tmp_path / "vici")


async def test_first_everything_then_what_events_name(charon: Charon) -> None:
    charon.sas = {1: ike(1, child(1))}
    async with serving(charon), following(charon) as observer:
        await observer.has(1)
        assert observer.history == ["snapshot"]
        charon.sas[2] = ike(2, child(2), child(3))
        charon.say("child-updown", {"up": "yes"} | ike(2, child(2)))
        await observer.has(1, 2, 3)
        charon.sas[2] = ike(2, child(3))
        charon.say("child-updown", ike(2, child(2)))
        await observer.has(1, 3)
        # The event shows child 2, the look after it child 3 too; that child 2 is gone the next event says itself.
        assert observer.history == ["snapshot", "update", "update", "update"]
        assert charon.lists == 1


async def test_what_an_event_shows_is_told_before_charon_has_time_to_be_asked(charon: Charon) -> None:
    charon.sas, charon.busy = {1: ike(1, child(1))}, {1}
    async with serving(charon), following(charon) as observer:
        await observer.has(1)
        charon.say("child-updown", {"up": "yes"} | ike(1, child(2)))
        await observer.has(1, 2)
        charon.say("child-updown", ike(1, child(1)))
        await observer.has(2)


async def test_events_that_come_before_the_registration_is_done_are_kept(charon: Charon) -> None:
    charon.eager = [("ike-updown", {"up": "yes"} | ike(2))]
    async with serving(charon), connect(charon.path, ("ike-updown", "child-updown")) as connection:
        charon.say("child-updown", ike(3, child(7)))
        async with asyncio.timeout(DEADLINE):
            names = [(await connection.event())[0] for _ in range(3)]
        assert names == ["ike-updown", "ike-updown", "child-updown"]


async def test_a_rekey_of_the_ike_sa_hands_children_over_without_a_gap(charon: Charon) -> None:
    charon.sas = {1: ike(1, child(1))}
    async with serving(charon), following(charon) as observer:
        await observer.has(1)
        charon.sas = {2: ike(2, child(1))}
        charon.say("ike-rekey", {"branch1": {"old": ike(1)["branch1"], "new": ike(2)["branch1"]}})
        await observer.until(lambda: observer.sas[1].ike_id == 2)


async def test_an_ikev1_reauthentication_hands_children_over_silently(charon: Charon) -> None:
    charon.sas = {1: ike(1, child(1))}
    async with serving(charon), following(charon) as observer:
        await observer.has(1)
        charon.sas = {1: ike(1, state="REKEYING"), 2: ike(2, child(1))}
        charon.say("ike-updown", ike(1))  # only the old one is named
        await observer.until(lambda: observer.sas[1].ike_id == 2)
        assert charon.lists == 2


async def test_mobike_alone_changes_the_selectors(charon: Charon) -> None:
    charon.sas = {1: ike(1, child(1))}
    async with serving(charon), following(charon) as observer:
        await observer.has(1)
        charon.sas = {1: ike(1, child(1, **{"remote-ts": ["10.1.0.10/32"]}))}
        charon.say("ike-update", {"remote-host": "192.0.2.7"} | ike(1))
        await observer.until(lambda: str(observer.sas[1].remote_ts[0]) == "10.1.0.10/32")


async def test_e8_a_child_that_vanished_without_an_event_is_gone_after_the_next_listing(charon: Charon) -> None:
    charon.sas = {1: ike(1, child(1))}
    async with serving(charon), following(charon, resync=0.05) as observer:
        await observer.has(1)
        charon.sas = {}
        await observer.has()
        await observer.until(lambda: charon.lists > 3)


async def test_a_busy_ike_sa_holds_up_no_other(charon: Charon) -> None:
    charon.busy = {1}
    async with serving(charon), following(charon) as observer:
        await observer.until(lambda: "snapshot" in observer.history)
        charon.sas = {1: ike(1, child(1)), 2: ike(2, child(2))}
        charon.say("ike-update", {"remote-host": "192.0.2.7"} | ike(1))
        charon.say("ike-update", {"remote-host": "192.0.2.7"} | ike(2))
        await observer.has(2)


async def test_a_look_that_never_comes_back_is_done_again(charon: Charon) -> None:
    charon.busy = {1}
    async with serving(charon), following(charon, answer_timeout=0.2) as observer:
        await observer.until(lambda: "snapshot" in observer.history)
        charon.sas = {1: ike(1, child(1))}
        charon.say("ike-update", {"remote-host": "192.0.2.7"} | ike(1))
        await asyncio.sleep(0)
        charon.busy.clear()
        await observer.has(1)
        assert not [line for line in observer.history if line.startswith("lost")]


async def test_charon_dies_and_comes_back_with_its_numbers_from_the_start(charon: Charon) -> None:
    charon.sas = {1: ike(1, child(1))}
    async with following(charon) as observer:
        async with serving(charon):
            await observer.has(1)
        await observer.until(lambda: any(line.startswith("lost") for line in observer.history))
        assert set(observer.sas) == {1}, "what was true last stays"
        charon.sas = {1: ike(1, child(1, **{"remote-ts": ["10.2.0.0/16"]}))}
        async with serving(charon):
            await observer.until(lambda: str(observer.sas[1].remote_ts[0]) == "10.2.0.0/16")


@pytest.mark.parametrize(
    "data",
    [b"\xff" * 8, b"\0\0\0\x01\x09", b"\0\0\0\x01\x01", b"\0\0\0\x0b\x07\x08ike-gone\x01"],
    ids=["length", "type", "answer to nothing", "cut short"],
)
async def test_nonsense_ends_the_session_and_the_next_one_is_well(charon: Charon, data: bytes) -> None:
    charon.sas = {1: ike(1, child(1))}
    async with serving(charon), following(charon) as observer:
        await observer.has(1)
        charon.babble(data)
        await observer.until(lambda: observer.history[-1] == "snapshot" and charon.lists == 2)
        assert [line.partition(":")[0] for line in observer.history] == ["snapshot", "lost", "snapshot"]


async def test_an_event_that_makes_no_sense_leads_to_a_listing(charon: Charon) -> None:
    async with serving(charon), following(charon) as observer:
        await observer.until(lambda: "snapshot" in observer.history)
        charon.sas = {1: ike(1, child(1))}
        charon.say("child-updown", {"branch1": {"uniqueid": "?"}})
        await observer.has(1)


async def test_a_missing_socket_and_an_old_charon_are_said_in_one_line(charon: Charon) -> None:
    async with following(charon) as observer:
        await observer.until(lambda: bool(observer.history))
        assert observer.history[0] == f"lost: {charon.path}: no such file or directory"
        charon.unknown = {"child-rekey"}
        async with serving(charon):
            await observer.until(lambda: "lost: charon does not know the event child-rekey" in observer.history)


async def test_a_storm_ends_as_charon_is(charon: Charon) -> None:
    """Many tunnels come and half of them go, each said twice and in any order."""
    async with serving(charon), following(charon) as observer:
        await observer.until(lambda: "snapshot" in observer.history)
        events: list[dict[str, Any]] = []
        for number in range(1, 301):
            charon.sas[number] = ike(number, child(number))
            events.append({"up": "yes"} | ike(number, child(number)))
        for number in range(1, 301, 2):
            events.append(ike(number, child(number)))
            del charon.sas[number]
        for event in (*reversed(events), *events):
            charon.say("child-updown", event)
        await observer.has(*range(2, 301, 2))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans follow each other at once, and a second is over at once."""
    for name in ("source._SCAN_EVERY", "source._SCAN_AGAIN", "table._SUSPICION"):
        monkeypatch.setattr(f"rri_bgp.sources.vici.{name}", 0.01)


SILENT = {"tasks-active": ["IKE_DPD"]}


@pytest.mark.usefixtures("hurried")
async def test_g5_a_peer_that_does_not_answer_is_suspected_until_it_does(charon: Charon) -> None:
    charon.sas = {1: ike(1, child(1), **SILENT), 2: ike(2, child(2))}
    async with serving(charon), following(charon, suspects=True) as observer:
        await observer.has(1, 2)
        await observer.until(lambda: observer.sas[1].is_suspect)
        assert not observer.sas[2].is_suspect
        charon.busy = {1}  # not listed by a scan, and that says nothing
        scans = charon.scans
        await observer.until(lambda: charon.scans > scans + 3)
        assert observer.sas[1].is_suspect
        charon.sas[1], charon.busy = ike(1, child(1)), set()
        charon.hang_up()  # the look at it would still wait
        await observer.until(lambda: not observer.sas[1].is_suspect)


@pytest.mark.usefixtures("hurried")
async def test_g5_what_answers_is_trusted_after_a_look_and_what_is_gone_is_forgotten(charon: Charon) -> None:
    charon.sas = {1: ike(1, child(1), **SILENT), 2: ike(2, child(2), **SILENT)}
    async with serving(charon), following(charon, suspects=True) as observer:
        await observer.until(lambda: len(observer.sas) == 2 and all(sa.is_suspect for sa in observer.sas.values()))
        charon.sas = {1: ike(1, child(1))}
        await observer.until(lambda: not observer.sas[1].is_suspect)
        charon.say("child-updown", ike(2, child(2)))
        await observer.has(1)
        assert charon.lists == 1


@pytest.mark.usefixtures("hurried")
async def test_g5_nobody_asks_for_suspects_and_nobody_looks(charon: Charon) -> None:
    charon.sas = {1: ike(1, child(1), **SILENT)}
    async with serving(charon), following(charon, resync=0.02) as observer:
        await observer.until(lambda: charon.lists > 3)
        assert (charon.scans, observer.sas[1].is_suspect) == (0, False)
        observer.watch_suspects(True)
        await observer.until(lambda: observer.sas[1].is_suspect)
        observer.watch_suspects(False)
        await observer.until(lambda: not observer.sas[1].is_suspect)
        scans, lists = charon.scans, charon.lists
        await observer.until(lambda: charon.lists > lists + 2)
        assert charon.scans == scans


async def test_e13_when_a_child_came_up_is_said_once_for_all(charon: Charon, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = [1_700_000_000.9]
    monkeypatch.setattr("rri_bgp.sources.vici.source.time.time", lambda: wall[0])
    charon.sas = {1: ike(1, child(1, **{"install-time": "100"}), established="5000"), 2: ike(2, child(2))}
    async with serving(charon), following(charon) as observer:
        await observer.has(1, 2)
        assert (observer.sas[1].since, observer.sas[2].since) == (1_699_995_000, 0), "rekeyed, perhaps"
        new = ike(3, child(3, **{"install-time": "0"}), established="7000")
        charon.sas = {1: ike(1, child(1, **{"install-time": "100"}), established="5001")}
        charon.say("child-updown", {"up": "yes"} | new)
        await observer.has(1, 2, 3)
        assert observer.sas[3].since == 1_700_000_000, "an event says that it is new"
        wall[0] += 10
        charon.sas[4] = ike(4, child(4, **{"install-time": "5"}), established="7000")
        charon.say("ike-updown", {"up": "yes"} | ike(4))
        await observer.has(1, 4)
        assert observer.sas[4].since == 1_700_000_005, "so does a look, when it was not there at first"
        wall[0] += 2
        charon.sas[1] = ike(1, child(1, **{"install-time": "112"}), established="5011")
        lists = charon.lists
        charon.hang_up()
        await observer.until(lambda: charon.lists > lists)
        await observer.has(1, 4)
        assert (observer.sas[1].since, observer.sas[4].since) == (1_699_995_000, 1_699_993_012)
