"""A pair of real ExaBGPs on loopback: the speaker's helper is a relay, so the test holds the helper's side itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from rri_bgp.demo.daemon import LISTENER, SPEAKER, Daemon, accepting, free_port, running
from rri_bgp.demo.updates import Change, Upstream
from rri_bgp.policy.config import ExabgpSettings
from rri_bgp.sinks.exabgp.sink import ExabgpSink
from rri_bgp.sinks.exabgp.streams import Streams
from tests.wanted import Wanted

__all__ = ["DEADLINE", "Pair", "Speaker", "Wanted", "pair", "sinking", "upstream"]

DEADLINE = 60.0
"""Seconds that any one condition may take; the machines are shared."""


@dataclass
class Pair:
    """Both ends: ``helpers`` gives the speaker's helper streams, one pair for each start of the helper."""

    folder: FilePath
    helpers: asyncio.Queue[Streams]
    upstream: Upstream = field(default_factory=Upstream)
    history: list[Change] = field(default_factory=list)
    ends: list[tuple[str, int]] = field(default_factory=list)
    """The End-of-RIBs that came: the family, and how many routes there were then."""
    states: list[bool] = field(default_factory=list)
    """Whether the session was up, after each message that said so."""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def helper(self) -> Streams:
        """The streams of the helper that starts next."""
        return await asyncio.wait_for(self.helpers.get(), DEADLINE)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for a condition over what the upstream has; checked at each of its messages and now and then."""
        async with asyncio.timeout(DEADLINE), self._news:
            while not condition():
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.05)

    async def read_upstream(self, reader: asyncio.StreamReader) -> None:
        """Follows the listener."""
        while line := await reader.readline():
            self.history.extend(self.upstream.feed(line.decode()))
            if json.loads(line).get("type") == "state":
                self.states.append(self.upstream.is_up)
            if (family := _end_of_rib(line)) is not None:
                self.ends.append((family, len(self.upstream.routes)))
            async with self._news:
                self._news.notify_all()


def _end_of_rib(line: bytes) -> str | None:
    """Its family, where the message is one (ExaBGP 5.0)."""
    end = json.loads(line).get("neighbor", {}).get("message", {}).get("eor")
    return None if end is None else f"{end['afi']} {end['safi']}"


@dataclass(frozen=True, slots=True)
class Speaker(Daemon):
    """The speaker with more in its configuration: ``more`` lines in each neighbour's section, more ``others``."""

    more: str = ""
    others: tuple[str, ...] = ()

    def config(self) -> str:
        """The text of its configuration file."""
        process, found, section = Daemon.config(self).partition("neighbor ")
        text = section.replace("    family {", f"    {self.more}\n    family {{")
        return process + "".join(
            found + peer + text.removeprefix(self.peer) for peer in (self.peer, *self.others) if peer
        )


@contextlib.asynccontextmanager
async def upstream(
    folder: FilePath, port: int, *, name: str = "listener", local: str = LISTENER
) -> AsyncIterator[Pair]:
    """A listener alone; the speaker is somebody else's."""
    helper = (sys.executable, "-m", "rri_bgp.demo.listener", str(folder / f"{name}.sock"))
    api = ("neighbor-changes;", "receive { parsed; update; }")
    daemon = Daemon(name, local, SPEAKER, port, helper, listen=True, api=api)
    async with (
        accepting(folder / f"{name}.sock") as listeners,
        running(daemon, folder),
        asyncio.TaskGroup() as group,
    ):
        this = Pair(folder, asyncio.Queue())
        reader, _writer = await asyncio.wait_for(listeners.get(), DEADLINE)
        following = group.create_task(this.read_upstream(reader))
        yield this
        following.cancel()


@contextlib.asynccontextmanager
async def pair(folder: FilePath, families: tuple[str, ...] = ("ipv4 unicast", "ipv6 unicast")) -> AsyncIterator[Pair]:
    """Starts both and waits for the session."""
    port = free_port()
    async with (
        accepting(folder / "speaker.sock") as helpers,
        accepting(folder / "listener.sock") as listeners,
        running(_daemon(folder, "listener", port), folder),
        asyncio.TaskGroup() as group,
    ):
        this = Pair(folder, helpers)
        reader, _writer = await asyncio.wait_for(listeners.get(), DEADLINE)
        following = group.create_task(this.read_upstream(reader))
        async with running(_daemon(folder, "speaker", port, families), folder):
            await this.until(lambda: this.upstream.is_up)
            yield this
        following.cancel()


def _daemon(
    folder: FilePath, name: str, port: int, families: tuple[str, ...] = ("ipv4 unicast", "ipv6 unicast")
) -> Daemon:
    helper = (sys.executable, "-m", "rri_bgp.demo.listener", str(folder / f"{name}.sock"))
    if name == "listener":
        api = ("neighbor-changes;", "receive { parsed; update; }")
        return Daemon(name, LISTENER, SPEAKER, port, helper, listen=True, api=api)
    return Daemon(name, SPEAKER, LISTENER, port, helper, families=families)


@contextlib.asynccontextmanager
async def sinking(both: Pair, wanted: Wanted, *, ack_timeout: float = 10.0) -> AsyncIterator[ExabgpSink]:
    """Our sink as the speaker's helper; its stream is closed at the end, as when the process dies."""
    reader, writer = await both.helper()
    sink = ExabgpSink(wanted, reader, writer, ExabgpSettings(ack_timeout))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(sink.run())
        try:
            await both.until(lambda: sink.status().ready)
            yield sink
        finally:
            task.cancel()
            writer.close()
