"""Where relays attach: each is a sink of its own, and what one does wrong is nobody else's trouble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path as FilePath

import pytest

from rri_bgp.controller import Controller
from rri_bgp.policy.config import ExabgpSettings
from rri_bgp.sinks import RouteState
from rri_bgp.sinks.exabgp import attach
from tests.unit.test_controller import Scripted
from tests.values import pfx, policy, sa

DEADLINE = 60.0
NEIGHBORS = (
    '[{"fsm": "ESTABLISHED", "local": {"address": "a"}, "peer": {"address": "b"}, "families": ["ipv4 unicast"]}]'
)
OPENING = ["reset", "enable-ack", "version"]
ANNOUNCE = "announce attributes next-hop 198.51.100.1 nlri"


@dataclass
class Relay:
    """The relay's end of a connection, and behind it an ExaBGP that the test plays."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\n" for line in lines).encode())

    async def expect(self, *lines: str) -> None:
        for line in lines:
            assert (await asyncio.wait_for(self.reader.readline(), DEADLINE)).decode() == f"{line}\n"

    async def is_hung_up(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(1), DEADLINE) == b""
        except ConnectionResetError:
            return True

    async def open(self, name: str, *held: str) -> None:
        self.say(f"attach {name}")
        await self.expect(*OPENING)
        self.say("done", "exabgp 5.0.15", "done")
        await self.expect("show neighbor summary json")
        self.say(NEIGHBORS, "done")
        await self.expect("show adj-rib out extensive")
        self.say(*(f"neighbor b local-ip a ipv4 unicast {route}" for route in held), "done")

    def leave(self) -> None:
        self.writer.close()


@dataclass
class Hub:
    """A controller that listens for relays."""

    controller: Controller
    path: FilePath
    relays: list[Relay] = field(default_factory=list)

    async def relay(self) -> Relay:
        relay = Relay(*await asyncio.open_unix_connection(self.path))
        self.relays.append(relay)
        return relay

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110  # what it depends on has no event
                await asyncio.sleep(0.002)

    def state(self, name: str, prefix: str) -> RouteState:
        (sink,) = (one for one in self.controller.sinks if one.name == name)
        return sink.route(pfx(prefix)).state


@contextlib.asynccontextmanager
async def hub(folder: FilePath) -> AsyncIterator[Hub]:
    (folder / "run").mkdir(mode=0o750)
    controller = Controller(policy(), [Scripted("vici")])
    this = Hub(controller, folder / "run" / "exabgp.sock")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(
            attach.accept_exabgps(controller, controller.rib, this.path, ExabgpSettings(ack_timeout=DEADLINE))
        )
        try:
            await this.until(this.path.exists)
            yield this
        finally:
            task.cancel()
            for relay in this.relays:
                relay.leave()
                with contextlib.suppress(OSError):
                    await relay.writer.wait_closed()
    assert not this.path.exists()


async def test_hello_makes_a_sink_of_that_name(tmp_path: FilePath) -> None:
    async with hub(tmp_path) as this:
        relay = await this.relay()
        await relay.open("edge-1.example_net")
        this.controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
        await relay.expect(f"{ANNOUNCE} 10.1.0.0/16")
        relay.say("done")
        await this.until(lambda: this.controller.is_settled)
        assert [sink.name for sink in this.controller.sinks] == ["edge-1.example_net"]
        assert this.state("edge-1.example_net", "10.1.0.0/16") is RouteState.CONFIRMED


async def test_a_hello_in_pieces_is_a_hello(tmp_path: FilePath) -> None:
    async with hub(tmp_path) as this:
        relay = await this.relay()
        for piece in (b"att", b"ach e", b"dge\n"):
            relay.writer.write(piece)
            await relay.writer.drain()
        await relay.expect(*OPENING)


async def test_a_silent_client_is_let_go(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attach, "_PATIENCE", 0.2)
    async with hub(tmp_path) as this:
        relay = await this.relay()
        assert await relay.is_hung_up()
        assert not this.controller.sinks


@pytest.mark.parametrize(
    "hello",
    [
        b"\n",
        b"attach\n",
        b"attach \n",
        b"attach a b\n",
        b"attach " + b"a" * 65 + b"\n",
        b"attach caf\xc3\xa9\n",
        b"attach a\r\n",
        b"GET / HTTP/1.1\r\n",
        b"x" * 200_000,
    ],
)
async def test_who_does_not_say_hello_is_let_go_and_the_next_is_not(tmp_path: FilePath, hello: bytes) -> None:
    async with hub(tmp_path) as this:
        wrong = await this.relay()
        wrong.writer.write(hello)
        assert await wrong.is_hung_up()
        assert not this.controller.sinks
        await (await this.relay()).open("edge")


async def test_a_client_that_hangs_up_at_once_is_nobody(tmp_path: FilePath) -> None:
    async with hub(tmp_path) as this:
        (await this.relay()).leave()
        await (await this.relay()).open("edge")
        assert [sink.name for sink in this.controller.sinks] == ["edge"]


async def test_a_name_is_taken_once_at_a_time(tmp_path: FilePath, caplog: pytest.LogCaptureFixture) -> None:
    async with hub(tmp_path) as this:
        first = await this.relay()
        await first.open("edge")
        second = await this.relay()
        second.say("attach edge")
        assert await second.is_hung_up()
        assert "an ExaBGP named edge is attached already; `rri-bgp attach --name` gives another one" in caplog.messages
        this.controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
        await first.expect(f"{ANNOUNCE} 10.1.0.0/16")


async def test_two_exabgps_each_with_its_own_state(tmp_path: FilePath) -> None:
    async with hub(tmp_path) as this:
        one, other = await this.relay(), await this.relay()
        await one.open("one", "10.1.0.0/16 next-hop 198.51.100.1", "10.9.0.0/16 next-hop 198.51.100.1")
        await other.open("other")
        await this.until(lambda: all(sink.status().ready for sink in this.controller.sinks))
        this.controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
        await one.expect("withdraw attributes next-hop 198.51.100.1 nlri 10.9.0.0/16")
        await other.expect(f"{ANNOUNCE} 10.1.0.0/16")
        other.say("error")
        one.say("done")
        await this.until(lambda: this.state("other", "10.1.0.0/16") is RouteState.REFUSED)
        assert this.state("one", "10.1.0.0/16") is RouteState.CONFIRMED


async def test_one_leaves_and_the_other_is_fed_on(tmp_path: FilePath) -> None:
    async with hub(tmp_path) as this:
        one, other = await this.relay(), await this.relay()
        await one.open("one")
        await other.open("other")
        one.leave()
        await this.until(lambda: not this.controller.has_sink("one"))
        this.controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
        await other.expect(f"{ANNOUNCE} 10.1.0.0/16")
        other.say("done")
        await this.until(lambda: this.controller.is_settled)
        assert sorted(sink.name for sink in this.controller.sinks) == ["one", "other"], "the one that left is shown"


async def test_g7_who_comes_back_under_its_name_is_asked_and_told_the_difference(tmp_path: FilePath) -> None:
    async with hub(tmp_path) as this:
        this.controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
        first = await this.relay()
        await first.open("edge")
        await first.expect(f"{ANNOUNCE} 10.1.0.0/16")
        first.say("done")
        first.leave()
        await this.until(lambda: not this.controller.has_sink("edge"))
        this.controller.update("vici", {sa(2).key: sa(2, "10.2.0.0/16")})
        second = await this.relay()
        await second.open("edge", "10.1.0.0/16 next-hop 198.51.100.1")
        await second.expect(f"{ANNOUNCE} 10.2.0.0/16")
        second.say("done")
        await this.until(lambda: this.controller.is_settled)
        assert len(this.controller.sinks) == 1


async def test_an_old_exabgp_ends_its_own_connection_only(tmp_path: FilePath, caplog: pytest.LogCaptureFixture) -> None:
    async with hub(tmp_path) as this:
        good, old = await this.relay(), await this.relay()
        await good.open("good")
        old.say("attach old")
        await old.expect(*OPENING)
        old.say("done", "exabgp 5.0.12", "done")
        assert await old.is_hung_up()
        assert any("ExaBGP 5.0.12 is too old" in message for message in caplog.messages)
        this.controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
        await good.expect(f"{ANNOUNCE} 10.1.0.0/16")


@pytest.mark.parametrize("last_words", ["shutdown 12 11", '{"type": "notification", "notification": "shutdown"}'])
async def test_an_exabgp_that_ends_takes_its_sink_along(tmp_path: FilePath, last_words: str) -> None:
    async with hub(tmp_path) as this:
        relay = await this.relay()
        await relay.open("edge")
        relay.say(last_words)
        assert await relay.is_hung_up()
        assert not this.controller.has_sink("edge")
