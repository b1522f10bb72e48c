"""The dialogue against a scripted ExaBGP: the other end of a socket pair, held by the test."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from rri_bgp.errors import EnvironmentProblem
from rri_bgp.model import Attributes, Path, Prefix
from rri_bgp.policy.config import ExabgpSettings
from rri_bgp.sinks import RouteState
from rri_bgp.sinks.exabgp.sink import ExabgpSink
from rri_bgp.sinks.exabgp.streams import connection
from tests.values import HUB4, pfx
from tests.wanted import Wanted

DEADLINE = 20.0
NEIGHBORS = (
    '[{"fsm": "ESTABLISHED", "local": {"address": "a"}, "peer": {"address": "b"}, "families": ["ipv4 unicast"]}]'
)
PROBED = "Peer            AS        up/down state       |     #sent     #recvd"
V4, OTHER = pfx("10.1.0.0/16"), pfx("10.2.0.0/16")
RED = Path(HUB4, Attributes(communities=((65000, 100),)))
ANNOUNCE = "announce attributes next-hop 198.51.100.1 community [ 65000:100 ] nlri"


@dataclass
class Dialogue:
    """``>>`` is what the test's ExaBGP says, ``<<`` what the sink must have written."""

    sink: ExabgpSink
    wanted: Wanted
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    task: asyncio.Task[str]

    async def expect(self, *lines: str) -> None:
        for line in lines:
            assert (await asyncio.wait_for(self.reader.readline(), DEADLINE)).decode() == f"{line}\n"

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\n" for line in lines).encode())

    async def open(self, *held: str) -> None:
        await self.expect("reset", "enable-ack", "version")
        self.say("done", "exabgp 5.0.15", "done")
        await self.expect("show neighbor summary json")
        self.say(NEIGHBORS, "done")
        await self.expect("show adj-rib out extensive")
        self.say(*(f"neighbor b local-ip a ipv4 unicast {route}" for route in held), "done")
        await self.until_ready()

    async def until_ready(self) -> None:
        await self.until(lambda: self.sink.status().ready)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await asyncio.wait([self.task], timeout=0.002)

    def want(self, prefix: Prefix, path: Path | None) -> None:
        if path is None:
            del self.wanted[prefix]
        else:
            self.wanted[prefix] = path
        self.sink.changed([prefix])

    def counter(self, name: str) -> int:
        return dict(self.sink.status().counters).get(name, 0)


@contextlib.asynccontextmanager
async def dialogue(ack_timeout: float = 60.0, settings: ExabgpSettings | None = None) -> AsyncIterator[Dialogue]:
    ours, theirs = socket.socketpair()
    wanted = Wanted()
    async with asyncio.TaskGroup() as group:
        reader, writer = await connection(ours)
        sink = ExabgpSink(wanted, reader, writer, settings or ExabgpSettings(ack_timeout))
        their_reader, their_writer = await asyncio.open_connection(sock=theirs)
        talk = Dialogue(sink, wanted, their_reader, their_writer, group.create_task(_quietly(sink)))
        try:
            yield talk
        finally:
            talk.task.cancel()
            for one in (writer, their_writer):
                one.close()
                await one.wait_closed()


async def _quietly(sink: ExabgpSink) -> str:
    try:
        await sink.run()
    except EnvironmentProblem as problem:
        return str(problem)
    return ""


async def test_a_change_is_written_before_changed_returns() -> None:
    async with dialogue() as talk:
        await talk.open()
        talk.want(V4, RED)
        await talk.expect(f"{ANNOUNCE} 10.1.0.0/16")
        assert talk.sink.route(V4).state is RouteState.PENDING
        talk.say("done")
        talk.want(OTHER, RED)
        await talk.expect(f"{ANNOUNCE} 10.2.0.0/16")
        assert talk.sink.route(V4).state is RouteState.CONFIRMED


async def test_answers_to_an_earlier_life_are_not_taken_for_ours() -> None:
    async with dialogue() as talk:
        talk.say("done", "error", "done")
        await talk.open()
        assert talk.counter("answers to nothing") == 3


async def test_nothing_is_sent_before_the_answer() -> None:
    async with dialogue() as talk:
        await talk.open()
        talk.want(V4, RED)
        talk.want(OTHER, RED)
        await talk.expect(f"{ANNOUNCE} 10.1.0.0/16")
        talk.say("debris", '{"type": "update"}', "done")
        await talk.expect(f"{ANNOUNCE} 10.2.0.0/16")
        assert talk.counter("lines ignored") == 2


async def test_a_withdraw_names_the_path_that_was_announced() -> None:
    """A withdraw without attributes can leave ExaBGP after the announcement that followed it (see ``commands``)."""
    async with dialogue() as talk:
        await talk.open("10.2.0.0/16 next-hop 198.51.100.1 med 7")
        talk.want(V4, RED)
        await talk.expect(f"{ANNOUNCE} 10.1.0.0/16")
        talk.say("done")
        talk.sink.allow_withdraw()
        await talk.expect("withdraw attributes next-hop 198.51.100.1 med 7 nlri 10.2.0.0/16")
        talk.say("done")
        talk.want(V4, None)
        await talk.expect("withdraw attributes next-hop 198.51.100.1 community [ 65000:100 ] nlri 10.1.0.0/16")


async def test_one_bad_route_in_a_group_costs_only_itself() -> None:
    async with dialogue() as talk:
        await talk.open()
        talk.wanted.update({V4: RED, OTHER: RED})
        talk.sink.changed([V4, OTHER])
        await talk.expect(f"{ANNOUNCE} 10.1.0.0/16 10.2.0.0/16")
        talk.say("error")
        await talk.expect(f"{ANNOUNCE} 10.1.0.0/16")
        talk.say("error")
        await talk.expect(f"{ANNOUNCE} 10.2.0.0/16")
        talk.say("done")
        talk.want(V4, Path(HUB4))
        await talk.expect("announce attributes next-hop 198.51.100.1 nlri 10.1.0.0/16")
        talk.say("done", NEIGHBORS)
        assert talk.sink.route(OTHER).state is RouteState.CONFIRMED
        assert talk.counter("errors") == 2


async def test_a_late_answer_is_waited_for() -> None:
    async with dialogue(ack_timeout=0.05) as talk:
        await talk.open()
        talk.want(V4, RED)
        await talk.expect(f"{ANNOUNCE} 10.1.0.0/16", "show neighbor summary")
        assert not talk.sink.status().ready
        assert "has not answered" in talk.sink.status().detail
        talk.say("done", PROBED, "done")
        await talk.until_ready()
        assert talk.sink.route(V4).state is RouteState.CONFIRMED
        assert talk.counter("answers lost") == 0


async def test_a_lost_answer_means_that_the_command_is_done_again() -> None:
    async with dialogue(ack_timeout=0.05) as talk:
        await talk.open()
        talk.want(V4, RED)
        await talk.expect(f"{ANNOUNCE} 10.1.0.0/16", "show neighbor summary")
        talk.say(PROBED, "done")
        await talk.expect(f"{ANNOUNCE} 10.1.0.0/16")
        assert talk.counter("answers lost") == 1
        assert talk.sink.route(V4).state is RouteState.PENDING


@pytest.mark.parametrize("version", ["exabgp 4.1.9", "exabgp 5.0.12"])
async def test_an_old_exabgp_is_named(version: str) -> None:
    async with dialogue() as talk:
        await talk.expect("reset", "enable-ack", "version")
        talk.say("done", version, "done")
        said = await asyncio.wait_for(talk.task, DEADLINE)
        assert said == f"ExaBGP {version.split()[1]} is too old: 4.2.x, or 5.0.13 and later is needed"


@pytest.mark.parametrize(
    "last_words", ["shutdown 12 11\n", '{"type": "notification", "notification": "shutdown"}\n', ""]
)
async def test_it_ends_when_exabgp_does(last_words: str) -> None:
    async with dialogue() as talk:
        await talk.open()
        if last_words:
            talk.writer.write(last_words.encode())
        else:
            talk.writer.close()
        await asyncio.wait_for(talk.task, DEADLINE)
        assert not talk.sink.status().ready


async def test_a_session_that_comes_up_is_asked_for_its_families() -> None:
    async with dialogue() as talk:
        await talk.open()
        talk.say(
            '{"type": "state", "neighbor": {"address": {"local": "a", "peer": "b"}, "state": "down", "reason": "x"}}'
        )
        talk.say('{"type": "state", "neighbor": {"address": {"local": "a", "peer": "b"}, "state": "up"}}')
        await talk.expect("show neighbor summary json")
        talk.say(NEIGHBORS, "done")
        assert [(one.peer, one.state) for one in talk.sink.status().neighbors] == [("b", "up")]
