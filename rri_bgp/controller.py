"""Joins the parts: sources tell the controller, the RIB decides, sinks are told where to look again.

Nothing here waits: an SA event runs through the RIB to the sinks' queues in one call, and each sink drains in its own
task. A slow sink delays itself only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rri_bgp.model import Prefix, SaKey, SaPair
from rri_bgp.rri import Policy, Rib
from rri_bgp.sinks import Sink
from rri_bgp.sources import Source

__all__ = ["Controller", "SourceStatus"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What a source has said: ``complete`` after its first snapshot, ``connected`` while it can see."""

    name: str
    complete: bool = False
    connected: bool = False
    snapshots: int = 0
    updates: int = 0
    losses: int = 0
    why: str = ""


class Controller:
    """One set of sources, one RIB, some sinks. It is the sources' ``SaObserver``."""

    def __init__(self, policy: Policy, sources: Sequence[Source]) -> None:
        self.rib = Rib(policy)
        self.sinks: list[Sink] = []
        self.changes = 0
        """How often a route came, went or changed its path; only grows."""
        self._sources = tuple(sources)
        self._status = {source.name: SourceStatus(source.name) for source in sources}

    def add_sink(self, sink: Sink) -> None:
        """Registers a sink; before ``run``."""
        self.sinks.append(sink)

    @property
    def complete(self) -> bool:
        """Whether every source has given its first snapshot: only then may anything be withdrawn."""
        return all(status.complete for status in self._status.values())

    def sources(self) -> tuple[SourceStatus, ...]:
        """The state of each source."""
        return tuple(self._status.values())

    async def run(self) -> None:
        """Runs sources and sinks until a sink ends (its other side is gone) or cancelled."""
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(source.run(self), name=source.name) for source in self._sources]
            drains = [group.create_task(sink.run(), name=sink.name) for sink in self.sinks]
            await asyncio.wait(drains, return_when=asyncio.FIRST_COMPLETED)
            for task in (*readers, *drains):
                task.cancel()

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> None:
        """See ``SaObserver``."""
        was_complete = self.complete
        status = self._status[source]
        self._status[source] = replace(status, complete=True, connected=True, snapshots=status.snapshots + 1, why="")
        self._tell_sinks(self.rib.snapshot(source, sas))
        if self.complete and not was_complete:
            log.info("all sources complete: %d SA pairs, %d routes", len(self.rib.sas()), len(self.rib))
            for sink in self.sinks:
                sink.allow_withdraw()

    def update(self, source: str, changes: Mapping[SaKey, SaPair | None]) -> None:
        """See ``SaObserver``."""
        self._status[source] = replace(self._status[source], updates=self._status[source].updates + 1)
        self._tell_sinks(self.rib.update(changes))

    def lost(self, source: str, why: str) -> None:
        """See ``SaObserver``."""
        status = self._status[source]
        if status.connected or not status.why:
            log.warning("source %s lost: %s; its %d routes stay", source, why, len(self.rib))
        self._status[source] = replace(status, connected=False, losses=status.losses + 1, why=why)

    def _tell_sinks(self, changed: set[Prefix]) -> None:
        if not changed:
            return
        self.changes += len(changed)
        for sink in self.sinks:
            sink.changed(changed)
