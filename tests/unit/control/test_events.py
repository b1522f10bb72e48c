"""Following a controller: a snapshot, then what changes; a slow client ends at the truth and delays nobody."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from rri_bgp.control.protocol import Ask, Request
from rri_bgp.control.server import serving
from rri_bgp.controller import Controller
from rri_bgp.model import SaPair
from tests.unit.control.small import DEADLINE, ROUTES, SAS, STATUS, Quiet, small
from tests.unit.control.talk import alone, connected
from tests.values import policy, sa

Item = dict[str, Any]
NOT_ANNOUNCED = ("owners", "sinks", "prefix", "vrf", "flow", "announced")

CHANGES = 5_000
"""Of what they say no socket's buffer holds more than a part."""


class Follower:
    """The asking end, in the test's own loop."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def next(self) -> Item:
        async with asyncio.timeout(DEADLINE):
            item: Item = json.loads(await self._reader.readline())
        return item

    async def snapshot(self) -> list[Item]:
        """All of it; its end is the last."""
        items = [await self.next()]
        while items[-1].get("kind") != "end":
            items.append(await self.next())
        return items

    async def until(self, condition: Callable[[Item], bool]) -> Item:
        while not condition(item := await self.next()):
            pass
        return item


@contextlib.asynccontextmanager
async def following(controller: Controller, path: Path) -> AsyncIterator[Follower]:
    async with serving(controller, path):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(Request(Ask.EVENTS).line())
        yield Follower(reader)
        writer.close()
    await alone()


def told(items: list[Item], kind: str) -> list[Item]:
    """Those of a kind, without when and how."""
    return [
        {name: value for name, value in item.items() if name not in ("time", "origin", "kind")}
        for item in items
        if item.get("kind") == kind
    ]


def as_told(route: Item) -> Item:
    found = {name: value for name, value in route.items() if name not in NOT_ANNOUNCED}
    return {"prefix": route["prefix"], "vrf": "", "flow": None, "route": found}


def change(controller: Controller, *sas: SaPair) -> None:
    controller.update("vici", {one.key: one for one in sas})


async def test_the_snapshot_comes_first_and_has_everything(path: Path) -> None:
    async with following(small()[0], path) as follower:
        header, *items = await follower.snapshot()
    assert header == {"schema": 1}
    assert {item["origin"] for item in items} == {"snapshot"}
    assert told(items, "status") == [{"status": STATUS}]
    assert told(items, "sa") == [{"source": "vici", "uniqueid": one["uniqueid"], "sa": one} for one in SAS]
    assert told(items, "route") == [as_told(route) for route in ROUTES]


async def test_what_changes_is_told_as_it_is_now(path: Path) -> None:
    controller, _ = small()
    async with following(controller, path) as follower:
        await follower.snapshot()
        new = sa(4, "10.4.0.0/16", connection="branch4", peer="203.0.113.4")
        change(controller, new)
        came = [await follower.next(), await follower.next()]
        controller.update("vici", {new.key: None})
        await follower.until(lambda item: item["kind"] == "sa")
        gone = await follower.until(lambda item: item["kind"] == "route")
    assert [(item["origin"], item["kind"]) for item in came] == [("live", "sa"), ("live", "route")]
    assert (came[0]["uniqueid"], came[0]["sa"]["entry"]) == (4, "mymap 20")
    assert (came[1]["prefix"], came[1]["route"]["next_hop"]) == ("10.4.0.0/16", "198.51.100.1")
    assert (gone["prefix"], gone["route"]) == ("10.4.0.0/16", None)


async def test_a_state_that_is_another_is_told(path: Path) -> None:
    controller, _ = small()
    async with following(controller, path) as follower:
        await follower.snapshot()
        controller.lost("vici", "connection refused")
        item = await follower.until(lambda item: item["kind"] == "status")
    assert (item["status"]["well"], item["status"]["sources"][0]["why"]) == (False, "connection refused")


async def test_a_rekey_says_nothing_of_the_route_e6(path: Path) -> None:
    controller, _ = small()
    async with following(controller, path) as follower:
        await follower.snapshot()
        new = sa(9, "10.1.0.0/16")
        change(controller, new)
        controller.update("vici", {sa(1).key: None})
        last = sa(10, "10.99.0.0/16", connection="branch9")
        change(controller, last)
        found = [await follower.next()]
        while found[-1].get("prefix") != "10.99.0.0/16":
            found.append(await follower.next())
    assert [item["prefix"] for item in found if item["kind"] == "route"] == ["10.99.0.0/16"]


async def test_a_client_that_is_slow_ends_at_the_truth_and_is_told_less(path: Path) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [])
    async with serving(controller, path):
        with connected(path) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            slow.sendall(Request(Ask.EVENTS).line())
            while not controller._listeners:  # noqa: ASYNC110  # nobody tells when it is heard
                await asyncio.sleep(0.001)
            for number in range(CHANGES):
                change(controller, sa(number % 50 + 1, f"10.{number % 50}.0.0/16", peer=f"203.0.113.{number % 7 + 1}"))
                if number % 10 == 0:
                    await asyncio.sleep(0)
            change(controller, sa(99, "10.99.0.0/16"))
            lines = await asyncio.to_thread(read_until, slow, b'"10.99.0.0/16","vrf"')
        await alone()
    items = [json.loads(line) for line in lines]
    told = [item for item in items if item.get("kind") == "sa"]
    last = {item["uniqueid"]: item["sa"]["peer"] for item in told}
    now = {sa.key.uniqueid: str(sa.peer) for sa in controller.rib.sas()}
    assert last == now
    assert len(told) < CHANGES


def read_until(connection: socket.socket, mark: bytes) -> list[bytes]:
    received = b""
    while mark not in received:
        received += connection.recv(4096)
    return received.splitlines()[:-1] if not received.endswith(b"\n") else received.splitlines()


async def test_a_client_that_leaves_is_let_go(path: Path) -> None:
    controller, _ = small()
    async with serving(controller, path):
        for _ in range(40):
            with connected(path) as connection:
                connection.sendall(Request(Ask.EVENTS).line())
                assert await asyncio.to_thread(connection.recv, 1) == b"{"
        await alone()
        change(controller, sa(4, "10.4.0.0/16"))


async def test_followers_do_not_keep_the_controller_from_ending(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        async with asyncio.timeout(5), serving(small()[0], path):
            connection = stack.enter_context(connected(path))
            connection.sendall(Request(Ask.EVENTS).line())
            assert await asyncio.to_thread(connection.recv, 1) == b"{"
        await alone()
