"""All of it together: what is told, when, and how often."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from rri_bgp.model import Address
from rri_bgp.policy.config import Config, NotifySettings, ReplaySettings, ResolveSettings, ViciSettings
from rri_bgp.rri.entries import Group, Policy, Vrf
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.sinks import NeighborState, SinkStatus
from rri_bgp.surroundings import look_now, lookout, neighbors_of
from rri_bgp.surroundings import resolver as resolver_module
from rri_bgp.surroundings.links import Table
from rri_bgp.surroundings.lookout import Lookout
from rri_bgp.surroundings.netlink import read
from rri_bgp.surroundings.redundancy import Role
from tests.unit.surroundings.messages import deladdr, newaddr, newlink
from tests.values import pfx

DEADLINE = 10.0
VIRTUAL = ip_address("192.168.0.3")
LOOPBACK = ip_address("127.0.0.1")
PEER = ip_address("203.0.113.2")


def config(
    *,
    groups: Mapping[str, Address] | None = None,
    notify: Mapping[str, NotifySettings] | None = None,
    names: Iterable[str] = (),
    vrfs: Iterable[Vrf] = (),
) -> Config:
    policy = Policy(
        groups={name: Group(name, (address,)) for name, address in (groups or {}).items()},
        vrfs={vrf.name: vrf for vrf in vrfs},
    )
    return Config(
        file=Path("hub.yaml"), asn=65000, policy=policy, sources=(), names=frozenset(names), groups=notify or {},
        resolve=ResolveSettings(interval=600.0),
    )  # fmt: skip


class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Surroundings] = []
        self.told_when_complete = -1
        self.news = asyncio.Event()

    def take_surroundings(self, surroundings: Surroundings) -> None:
        self.told.append(surroundings)
        self.news.set()

    def surroundings_complete(self) -> None:
        self.told_when_complete = len(self.told)
        self.news.set()

    @property
    def now(self) -> Surroundings:
        return self.told[-1]

    @property
    def is_complete(self) -> bool:
        return self.told_when_complete >= 0

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self.news.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self.news.wait()


class FakeKernel:
    """Says nothing by itself."""

    resyncs = 0

    def __init__(self, *_: object) -> None:
        pass

    async def run(self) -> None:
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def looking(
    settings: Config, *, neighbors: Callable[[], Iterable[Address]] = tuple
) -> AsyncIterator[tuple[Lookout, Observer]]:
    observer = Observer()
    made = Lookout(settings, observer, neighbors)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.run())
        yield made, observer
        task.cancel()


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "KernelWatch", FakeKernel)


def table(*datagrams: bytes) -> Table:
    made = Table()
    for datagram in datagrams:
        for news in read(datagram):
            made.take(news)
    return made


HERE = table(newaddr("192.168.0.3/24"))
AWAY = table(newaddr("192.168.0.1/24"))


async def test_g7_it_is_complete_once_all_has_been_looked_at() -> None:
    settings = config(groups={"group1": LOOPBACK, "group2": PEER}, names=["localhost"])
    async with looking(settings) as (made, observer):
        await observer.until(lambda: observer.is_complete)
        assert LOOPBACK in observer.now.addresses
        assert observer.now.held == {"group1"}
        assert LOOPBACK in observer.now.names["localhost"]
        assert made.status().is_complete
        assert made.status().surroundings == observer.now
        assert made.status().resyncs == 1


async def test_g7_nothing_is_told_before_the_first_look(kernel: None) -> None:
    async with looking(config(groups={"group1": VIRTUAL})) as (made, observer):
        for _ in range(20):
            made._changed()
            await asyncio.sleep(0)
        assert not observer.told
        made._take_table(HERE)
        await observer.until(lambda: observer.is_complete)
        assert [one.held for one in observer.told] == [{"group1"}]


async def test_g7_a_kernel_that_says_nothing_is_no_reason_to_wait_for_ever(
    kernel: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with looking(config(groups={"group1": VIRTUAL})) as (made, observer):
        made._lost("Address family not supported by protocol")
        made._lost("Address family not supported by protocol")
        await observer.until(lambda: observer.is_complete)
        assert observer.told == [Surroundings()]
        assert made.status().kernel == "Address family not supported by protocol"
        made._take_table(HERE)
        await observer.until(lambda: observer.now.held == {"group1"})
        assert made.status().kernel == ""
        made._lost("No buffer space available")
        assert observer.now.held == {"group1"}, "what was seen last holds"
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    why = "the kernel's addresses cannot be seen"
    assert said == [
        f"{why}: Address family not supported by protocol; rules G1 and G2 know nothing of them",
        f"{why}: No buffer space available; what was seen last holds",
    ]


async def test_g2_a_loss_is_told_at_once_and_a_gain_once_a_turn(kernel: None) -> None:
    async with looking(config(groups={"group1": VIRTUAL})) as (made, observer):
        made._take_table(HERE)
        await observer.until(lambda: observer.is_complete)
        told = len(observer.told)
        made._take_table(AWAY)
        assert observer.now.held == frozenset(), "in the same call"
        assert len(observer.told) == told + 1
        for _ in range(5):
            made._take_table(HERE)
            made._take_table(table(newaddr("192.168.0.3/24"), newaddr("10.0.0.1/24")))
        assert len(observer.told) == told + 1
        await observer.until(lambda: observer.now.held == {"group1"})
        assert len(observer.told) == told + 2
        assert pfx("10.0.0.0/24") in observer.now.networks


async def test_what_is_no_change_is_not_told(kernel: None) -> None:
    async with looking(config()) as (made, observer):
        made._take_table(HERE)
        await observer.until(lambda: observer.is_complete)
        told = len(observer.told)
        for _ in range(3):
            made._take_table(HERE)
            await asyncio.sleep(0)
        assert len(observer.told) == told


async def test_g2_keepalived_has_a_say(kernel: None, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    notify = {"group1": NotifySettings(path, "VI_1")}
    async with looking(config(groups={"group1": VIRTUAL, "group2": VIRTUAL}, notify=notify)) as (made, observer):
        made._take_table(AWAY)
        await observer.until(lambda: observer.is_complete)
        made._take_table(HERE)
        await observer.until(lambda: observer.now.held == {"group2"})
        states = {state.name: state.role for state in made.status().groups}
        assert states == {"group1": Role.UNCONFIRMED, "group2": Role.HOLDER}
        writer = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            os.write(writer, b'junk\nINSTANCE "VI_1" MASTER 100\n')
            await observer.until(lambda: observer.now.held == {"group1", "group2"})
            os.write(writer, b'INSTANCE "VI_1" FAULT 100\n')
            await observer.until(lambda: observer.now.held == {"group2"})
        finally:
            os.close(writer)
        (fifo,) = made.status().fifos
        assert (fifo.path, fifo.problem, fifo.junk) == (path, "", 1)


async def test_g2_g7_a_notify_fifo_that_cannot_be_read_is_shown_and_the_address_decides_at_first(
    kernel: None, tmp_path: Path
) -> None:
    notify = {"group1": NotifySettings(tmp_path / "missing" / "fifo", "VI_1")}
    async with looking(config(groups={"group1": VIRTUAL}, notify=notify)) as (made, observer):
        made._take_table(HERE)
        await observer.until(lambda: observer.is_complete)
        assert observer.now.held == {"group1"}
        assert made.status().fifos[0].problem == "No such file or directory"


async def test_g2_another_policy_is_looked_at_before_it_holds(kernel: None, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    before = config(groups={"group1": VIRTUAL}, notify={"group1": NotifySettings(first, "VI_1")})
    after = config(groups={"group1": PEER, "group2": VIRTUAL}, notify={"group2": NotifySettings(second, "VI_2")})
    async with looking(before) as (made, observer):
        made._take_table(HERE)
        await observer.until(lambda: observer.is_complete)
        await made.prepare(after)
        assert observer.now.held == {"group1", "group2"}, "what holds counts, and what will hold"
        await observer.until(second.is_fifo)
        made.take_config(after)
        assert observer.now.held == {"group2"}
        assert [fifo.path for fifo in made.status().fifos] == [second]
        made.take_config(config())
        assert observer.now.held == frozenset()


async def test_another_policy_before_anything_is_known_is_waited_for_all_the_same(kernel: None) -> None:
    async with looking(config()) as (made, observer):
        after = config(groups={"group1": VIRTUAL}, vrfs=[Vrf("red", 10)])
        await made.prepare(after)
        made.take_config(after)
        assert not observer.told
        made._take_table(HERE)
        await observer.until(lambda: observer.is_complete)
        assert observer.now.held == {"group1"}


async def test_n6_another_policy_has_other_vrfs(kernel: None) -> None:
    async with looking(config()) as (made, observer):
        made._take_table(table(*_in_a_vrf()))
        await observer.until(lambda: observer.is_complete)
        assert not observer.now.networks
        made.take_config(config(vrfs=[Vrf("red", 10)]))
        assert [str(network) for network in observer.now.networks] == ["10.0.0.0/24 vrf red"]


def _in_a_vrf() -> tuple[bytes, ...]:
    return newlink(9, table=10), newlink(3, master=9), newaddr("10.0.0.1/24", 3)


async def test_a_new_name_is_resolved_before_the_policy_is_taken(kernel: None) -> None:
    before, after = config(names=["localhost"]), config(names=["localhost", "127.0.0.1.invalid"])
    async with looking(before) as (made, observer):
        made._take_table(HERE)
        await observer.until(lambda: observer.is_complete)
        await made.prepare(before)
        await made.prepare(after)
        made.take_config(after)
        states = {state.name: state for state in made.status().names}
        assert states["localhost"].addresses
        assert not states["127.0.0.1.invalid"].addresses
        assert states["127.0.0.1.invalid"].reason


async def test_g7_a_name_server_that_is_away_holds_up_no_rule_but_the_withdraws(
    kernel: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    go = asyncio.Event()

    async def ask(self: object, names: Iterable[str]) -> None:
        asked.set()
        await go.wait()

    monkeypatch.setattr(resolver_module.Resolver, "ask", ask)
    async with looking(config(groups={"group1": VIRTUAL}, names=["hub.example"])) as (made, observer):
        made._take_table(HERE)
        await asyncio.wait_for(asked.wait(), DEADLINE)
        assert observer.now.held == {"group1"}
        assert not observer.is_complete
        go.set()
        await observer.until(lambda: observer.is_complete)


async def test_g1_bgp_neighbors_are_told_when_they_are_known(kernel: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "_NEIGHBORS", {False: 0.01, True: 0.02})
    known: set[Address] = set()
    async with looking(config(), neighbors=lambda: known) as (made, observer):
        made._take_table(HERE)
        await observer.until(lambda: observer.is_complete)
        known.add(PEER)
        await observer.until(lambda: observer.now.neighbors == {PEER})
        known.add(VIRTUAL)
        await observer.until(lambda: observer.now.neighbors == {PEER, VIRTUAL})


async def test_g1_a_recording_is_of_another_hub(kernel: None) -> None:
    for sources, ours in (((ReplaySettings(),), False), ((ReplaySettings(), ViciSettings()), True), ((), True)):
        settings = replace(config(groups={"group1": VIRTUAL}), sources=sources)
        async with looking(settings) as (made, observer):
            made._take_table(HERE)
            await observer.until(lambda watched=observer: watched.is_complete)  # type: ignore[misc]
            assert bool(observer.now.addresses and observer.now.networks) is ours
            assert observer.now.held == {"group1"}


def test_g1_the_sinks_know_the_neighbors() -> None:
    def status(*peers: str) -> SinkStatus:
        neighbors = tuple(NeighborState("192.0.2.1", peer, "up") for peer in peers)
        return SinkStatus("exabgp", ready=True, confirmed=0, pending=0, refused=0, neighbors=neighbors)

    found = neighbors_of([status("203.0.113.2", "what"), status("2001:db8::2", "203.0.113.2"), status()])
    assert found == {PEER, ip_address("2001:db8::2")}


# ---- one look


def test_one_look_tells_what_is_here() -> None:
    policy = Policy(groups={"here": Group("here", (LOOPBACK,)), "away": Group("away", (PEER,))})
    found = look_now(policy)
    assert LOOPBACK in found.addresses
    assert found.held == {"here"}
    assert not look_now().held


def test_one_look_that_fails_knows_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: object) -> object:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(socket, "socket", refuse)
    assert look_now() == Surroundings()
    assert "Address family not supported by protocol" in caplog.text


def test_the_messages_of_a_loss_and_a_gain_differ() -> None:
    """So that the tables above are what they say."""
    assert VIRTUAL in HERE.links({}).here
    assert VIRTUAL not in table(newaddr("192.168.0.3/24"), deladdr("192.168.0.3/24")).links({}).here
