"""Names are asked for in threads, few at a time, and nobody waits for them for ever."""

from __future__ import annotations

import asyncio
import socket
import threading
from ipaddress import ip_address

import pytest

from rri_bgp.model import Address
from rri_bgp.surroundings import resolver as module
from rri_bgp.surroundings.names import NameTable
from rri_bgp.surroundings.resolver import Resolver, resolve

PEER = ip_address("203.0.113.2")
DEADLINE = 10.0


class NameServer:
    """Answers when it is told to, or at once."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.asked: list[str] = []
        self.at_once = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, name: str) -> tuple[Address, ...]:
        with self._lock:
            self.asked.append(name)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.go.wait(DEADLINE)
        with self._lock:
            self.at_once -= 1
        if name.startswith("no."):
            raise socket.gaierror(-2, "Name or service not known")
        if name.startswith("odd."):
            raise UnicodeError("label too long")
        return (PEER,)


class World:
    def __init__(self, *names: str, interval: float = 600.0) -> None:
        self.server = NameServer()
        self.table = NameTable(3600.0)
        self.table.take_names(names)
        self.changes = 0
        self.resolver = Resolver(self.table, self._changed, interval, lookup=self.server)

    def _changed(self) -> None:
        self.changes += 1

    @property
    def reasons(self) -> dict[str, str]:
        return {state.name: state.reason for state in self.table.states()}

    async def until_resolved(self, *names: str) -> None:
        async with asyncio.timeout(DEADLINE):
            while set(self.table.resolved) != set(names):  # noqa: ASYNC110
                await asyncio.sleep(0.005)


async def test_names_are_resolved_and_failures_say_why() -> None:
    world = World("a.example", "no.example", "odd.example")
    await world.resolver.ask(world.table.names)
    assert world.table.resolved == {"a.example": (PEER,)}
    assert world.reasons == {
        "a.example": "", "no.example": "Name or service not known", "odd.example": "label too long"
    }  # fmt: skip
    assert world.changes == 3


async def test_no_name_needs_no_thread() -> None:
    world = World()
    await world.resolver.ask([])
    assert world.server.asked == []


async def test_few_are_asked_for_at_a_time() -> None:
    world = World(*(f"{number}.example" for number in range(40)))
    await world.resolver.ask(world.table.names)
    assert len(world.table.resolved) == 40
    assert world.server.most <= 4


async def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    monkeypatch.setattr(module, "_ROUND", 0.2)
    world = World(*(f"{number}.example" for number in range(9)))
    world.server.go.clear()
    await world.resolver.ask(world.table.names)
    assert world.table.resolved == {}
    assert sorted(world.reasons.values()) == [""] * 5 + ["no answer within 0.05 s"] * 4
    assert len(world.server.asked) == 4, "the others wait for their turn, and then nobody asks for them"
    world.server.go.set()
    await world.until_resolved(*world.server.asked)
    await world.resolver.ask(world.table.names)
    assert len(world.table.resolved) == 9


async def test_nobody_asks_for_a_name_twice_at_a_time() -> None:
    world = World(*(f"{number}.example" for number in range(5)))
    world.server.go.clear()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(world.resolver.ask(world.table.names))
        for _ in range(10):
            await asyncio.sleep(0)
        world.server.go.set()
    assert len(world.table.resolved) == 5
    assert world.server.asked.count("0.example") == 1


async def test_it_asks_again_and_again() -> None:
    world = World("a.example", interval=0.01)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.resolver.run())
        async with asyncio.timeout(DEADLINE):
            while len(world.server.asked) < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        task.cancel()
    assert world.table.resolved == {"a.example": (PEER,)}


def test_an_answer_after_the_loop_has_ended_hurts_nobody() -> None:
    world: World | None = None

    async def ask() -> None:
        nonlocal world
        world = World("a.example")
        world.server.go.clear()
        world.resolver._begin("a.example")

    asyncio.run(ask())
    assert world is not None
    before = {thread.name for thread in threading.enumerate()}
    assert "resolve a.example" in before
    world.server.go.set()
    for thread in threading.enumerate():
        if thread.name == "resolve a.example":
            thread.join(DEADLINE)
    assert "resolve a.example" not in {thread.name for thread in threading.enumerate()}


def test_the_system_resolves_what_it_knows_itself() -> None:
    assert ip_address("127.0.0.1") in resolve("localhost")
    assert resolve("203.0.113.2") == (PEER,)


def test_an_address_with_a_zone_is_no_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET6, 0, 0, "", ("fe80::1%2", 0, 0, 2)), (socket.AF_INET, 0, 0, "", ("203.0.113.2", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert resolve("hub.example") == (PEER,)
