"""The whole kernel sink as ways to change routes, for ``bench.routes``: a real controller in this namespace.

``FromRib``: the RIB has the routes, and the sink is given them; deleting is the end that ``on-exit: withdraw`` makes.
``FromSas``: a snapshot of a source, and an empty one. Both return when the kernel has acknowledged the last route.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from bench.load import SOURCE, sa
from rri_bgp.controller import Controller
from rri_bgp.model import SaPair, TrafficSelector
from rri_bgp.policy import load
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel.sink import KernelSink
from rri_bgp.sources import SaObserver

__all__ = ["PEERS", "POLICY", "FromRib", "FromSas", "sa_at"]

PEERS = 1_000
"""So many tunnel endpoints the routes are behind, one after another."""

_FIRST_PEER = int(IPv4Address("198.18.0.0"))
_LOOK = 0.002

POLICY = """\
version: 1
local: {{as: 65000, next-hop: 198.51.100.1}}
sources:
  - replay: {{file: "{file}"}}
sinks:
  kernel: {{on-exit: withdraw}}
control: {{socket: "{folder}/control.sock"}}
crypto-maps:
  hub:
    entries: [{{seq: 10, type: dynamic, reverse-route: true}}]
"""


class _Hub:
    """A controller and its kernel sink, which runs once it is fed."""

    def __init__(self, folder: Path, given: Sequence[Place]) -> None:
        file = folder / "policy.yaml"
        file.write_text(POLICY.format(file=folder / "none.jsonl", folder=folder))
        settings = load(file)
        assert settings.kernel is not None  # noqa: S101  # the policy has it
        self._sas = [sa_at(number, one) for number, one in enumerate(given)]
        self.controller = Controller(settings.policy, [_Silent()])
        self.sink = KernelSink(self.controller.rib, settings.kernel, self.controller.outlets)
        self.controller.outlets.lay(self.sink)
        self._running: contextlib.AsyncExitStack = contextlib.AsyncExitStack()

    async def ready(self, given: Sequence[Place]) -> None:
        """See ``Way``: nothing."""

    async def _has(self, count: int) -> None:
        """Until the kernel has so many routes of ours, and nothing is left to do."""
        while not self._is_done(count):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(_LOOK)

    def _is_done(self, count: int) -> bool:
        status = self.sink.status()
        return status.ready and status.confirmed == count and not status.pending and self.controller.is_caught_up

    async def _feed(self) -> None:
        await self._running.enter_async_context(_drained(self.controller, self.sink))


class FromSas(_Hub):
    """See the head of this file."""

    async def ready(self, given: Sequence[Place]) -> None:
        """See ``Way``: an empty table, looked through."""
        await self._feed()
        self.controller.snapshot(SOURCE, ())
        await self._has(0)

    async def add(self, given: Sequence[Place]) -> None:
        """See ``Way``."""
        self.controller.snapshot(SOURCE, self._sas)
        await self._has(len(given))

    async def delete(self, given: Sequence[Place]) -> None:
        """See ``Way``."""
        self.controller.snapshot(SOURCE, ())
        await self._has(0)
        await self._running.aclose()


class FromRib(_Hub):
    """See the head of this file."""

    async def ready(self, given: Sequence[Place]) -> None:
        """See ``Way``: the RIB is full, and no sink is fed."""
        self.controller.snapshot(SOURCE, self._sas)
        while not self.controller.is_caught_up:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(_LOOK)

    async def add(self, given: Sequence[Place]) -> None:
        """See ``Way``."""
        await self._feed()
        await self._has(len(given))

    async def delete(self, given: Sequence[Place]) -> None:
        """See ``Way``."""
        await self.controller.finish()
        await self._running.aclose()


class _Silent:
    """The source: what it says is said for it."""

    name = SOURCE

    def watch_suspects(self, wanted: bool) -> None:
        """See ``Source``."""

    async def run(self, observer: SaObserver) -> None:
        """See ``Source``."""


@contextlib.asynccontextmanager
async def _drained(controller: Controller, sink: KernelSink) -> AsyncIterator[None]:
    """Feeds the sink, with the garbage collector as ``rri-bgp run`` has it."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
    async with asyncio.TaskGroup() as group:
        feeding = group.create_task(controller.drain(sink))
        yield
        feeding.cancel()
    gc.set_threshold(*before)
    gc.unfreeze()


def sa_at(number: int, place: Place, peers: int = PEERS) -> SaPair:
    """SA ``number``, with the prefix of a place behind one of so many peers."""
    peer = IPv4Address(_FIRST_PEER + number % peers)
    return replace(sa(number), peer=peer, remote_ts=(TrafficSelector.from_prefix(place.prefix),))
