"""A speaker, of either ExaBGP version, with several routers beside it: each is an ExaBGP 5 that tells what it learns.

The speaker's helper is a relay, so the test holds the helper's side itself, as in ``pair``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from rri_bgp.demo.daemon import Daemon, accepting, free_port, running
from rri_bgp.policy.config import ExabgpSettings
from rri_bgp.sinks.exabgp.sink import ExabgpSink
from rri_bgp.sinks.exabgp.streams import Streams
from tests.integration.pair import DEADLINE
from tests.wanted import Wanted

__all__ = ["Router", "World", "world"]

SPEAKER = "127.0.0.1"
FAMILIES = ("ipv4 unicast", "ipv6 unicast", "ipv4 mpls-vpn", "ipv6 mpls-vpn", "ipv4 flow", "ipv6 flow")
ASN = 65000
_PATIENCE = DEADLINE / 2


@dataclass
class Router:
    """What a router is, and what it has learnt: ``table`` by family and NLRI, each with next hop and attributes."""

    address: str
    asn: int = ASN
    families: tuple[str, ...] = FAMILIES
    add_path: bool = False
    table: dict[tuple[str, str], tuple[str, dict[str, Any]]] = field(default_factory=dict)
    updates: int = 0
    is_up: bool = False

    def take(self, line: str) -> None:
        """A line that its ExaBGP tells."""
        event = json.loads(line)
        neighbor = event.get("neighbor", {})
        if event.get("type") == "state":
            self.is_up = neighbor["state"] == "up"
            if not self.is_up:
                self.table.clear()
        update = neighbor.get("message", {}).get("update")
        if update is None:
            return
        self.updates += 1
        for family, entries in update.get("withdraw", {}).items():
            for entry in entries:
                self.table.pop((family, nlri(entry)), None)
        for family, hops in update.get("announce", {}).items():
            for hop, entries in hops.items():
                for entry in entries:
                    self.table[family, nlri(entry)] = (hop, update.get("attribute", {}))

    def prefixes(self, family: str = "ipv4 unicast") -> dict[str, str]:
        """Its routes of a family, each with its next hop. A route's name is its NLRI without braces."""
        return {name: hop for (found, name), (hop, _) in self.table.items() if found == family}

    def attributes(self, name: str, family: str = "ipv4 unicast") -> dict[str, Any]:
        """What came with a route."""
        return self.table[family, name][1]


def nlri(entry: dict[str, Any]) -> str:
    """``10.1.0.0/16``, with more words where there is more: ``10.1.0.0/16 rd 65000:1 label 100``, or a flow's own."""
    if "string" in entry:
        return str(entry["string"]).partition(" next-hop ")[0]
    words = [entry["nlri"]]
    if entry.get("path-information", "0.0.0.0") != "0.0.0.0":  # noqa: S104  # no address, an identifier
        words.append(f"path {entry['path-information']}")
    if "rd" in entry:
        words.append(f"rd {entry['rd']}")
    return " ".join(words)


@dataclass
class World:
    """All of it."""

    routers: tuple[Router, ...]
    helpers: asyncio.Queue[Streams]

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Waits for a condition over what the routers have."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not condition():  # noqa: ASYNC110  # it depends on several processes
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{what}: {[router.table for router in self.routers]}") from None

    @contextlib.asynccontextmanager
    async def sinking(self, wanted: Wanted) -> AsyncIterator[ExabgpSink]:
        """Our sink as the speaker's helper; its stream is closed at the end, as when the process dies."""
        reader, writer = await asyncio.wait_for(self.helpers.get(), DEADLINE)
        sink = ExabgpSink(wanted, reader, writer, ExabgpSettings(30.0))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(sink.run())
            try:
                await self.until(lambda: sink.status().ready, "the sink is ready")
                sink.changed(wanted.destinations())
                yield sink
            finally:
                task.cancel()
                writer.close()

    async def settled(self, sink: ExabgpSink, *expected: tuple[Router, str, dict[str, str]]) -> None:
        """Waits until each router has exactly these routes of a family."""
        await self.until(
            lambda: not sink.status().pending and all(one.prefixes(family) == table for one, family, table in expected),
            f"{sink.status()}",
        )


@dataclass(frozen=True, slots=True)
class _Written(Daemon):
    """A daemon whose configuration is given."""

    text: str = ""

    def config(self) -> str:
        """The text of its configuration file."""
        return self.text


def _section(router: Router, name: str, session: str, *, local: str, peer: str, api: str) -> str:
    asns = (router.asn, ASN) if local == router.address else (ASN, router.asn)
    return f"""neighbor {peer} {{
    router-id {local};
    local-address {local};
    local-as {asns[0]};
    peer-as {asns[1]};
    hold-time 180;
    {session}
    capability {{ {"add-path send/receive;" if router.add_path else ""} }}
    family {{ {" ".join(f"{family};" for family in router.families)} }}
    api {{ processes [ {name} ]; {api} }}
}}
"""


@contextlib.asynccontextmanager
async def world(folder: FilePath, *routers: Router, program: FilePath | None = None) -> AsyncIterator[World]:
    """Starts all and waits for the sessions. ``program`` is that of ExaBGP 4.2, where the speaker is one."""
    from tests.integration.test_exabgp4 import running4  # noqa: PLC0415  # that one imports this package too

    port = free_port(routers[0].address)
    async with contextlib.AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for router in routers:
            path = folder / f"{router.address}.sock"
            listeners = await stack.enter_async_context(accepting(path))
            api = "neighbor-changes; receive { parsed; update; }"
            text = _process("listener", path) + _section(
                router, "listener", "passive true;", local=router.address, peer=SPEAKER, api=api
            )
            daemon = _Written(f"router-{router.address}", router.address, SPEAKER, port, (), listen=True, text=text)
            await stack.enter_async_context(running(daemon, folder))
            reader, _writer = await asyncio.wait_for(listeners.get(), DEADLINE)
            stack.callback(group.create_task(_follow(router, reader)).cancel)
        helpers = await stack.enter_async_context(accepting(folder / "speaker.sock"))
        text = _process("speaker", folder / "speaker.sock") + "".join(
            _section(router, "speaker", f"connect {port};", local=SPEAKER, peer=router.address, api="neighbor-changes;")
            for router in routers
        )
        level = {"exabgp.log.level": "ERR"} if program else {}
        speaker = _Written("speaker", SPEAKER, routers[0].address, port, (), environment=level, text=text)
        await stack.enter_async_context(running(speaker, folder) if not program else running4(program, speaker, folder))
        this = World(routers, helpers)
        await this.until(lambda: all(router.is_up for router in routers), "sessions are up")
        yield this


def _process(name: str, path: FilePath) -> str:
    return f"process {name} {{\n    run {sys.executable} -m rri_bgp.demo.listener {path};\n    encoder json;\n}}\n"


async def _follow(router: Router, reader: asyncio.StreamReader) -> None:
    while line := await reader.readline():
        router.take(line.decode())
