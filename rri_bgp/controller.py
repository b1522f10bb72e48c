"""Joins the parts: sources tell the controller, the RIB decides, sinks are told where to look again.

Nothing here waits: an SA event runs through the RIB to the sinks' queues in one call, and each sink drains in its own
task. A slow sink delays itself only. A large snapshot is taken in pieces, with turns for everybody between them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, replace

from rri_bgp.backlog import PIECE, Backlog, Changes
from rri_bgp.model import Destination, SaPair
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
        """Those that are fed, and those whose other side has gone, until one of the same name takes their place."""
        self._fed: set[str] = set()
        self._bound: set[str] = set()
        """Sinks that may not withdraw yet."""
        self._backlog = Backlog(self.rib.sa)
        self._turn: asyncio.Handle | None = None
        """When the next piece of the backlog is taken."""
        self._has_caught_up = False
        self.policy_error = ""
        """Why the last policy could not be taken; the one before it holds."""
        self.changes = 0
        """How often a route came, went or changed its path; only grows."""
        self._sources = tuple(sources)
        self._status = {source.name: SourceStatus(source.name) for source in sources}

    def add_sink(self, sink: Sink) -> None:
        """Feeds a sink from now on, beginning with all there is. It takes the place of one of the same name."""
        self.sinks = [other for other in self.sinks if other.name != sink.name] + [sink]
        self._fed.add(sink.name)
        if len(self.rib):
            sink.changed(self.rib.destinations())
        self._bound.add(sink.name)
        if self.is_caught_up:
            self._allow_withdraw()

    def has_sink(self, name: str) -> bool:
        """Whether a sink of that name is fed."""
        return name in self._fed

    async def drain(self, sink: Sink) -> None:
        """Feeds a sink until its other side is gone, or cancelled."""
        self.add_sink(sink)
        try:
            await sink.run()
        finally:
            self._fed.discard(sink.name)

    async def finish(self) -> None:
        """Told to end: each sink leaves its routes or withdraws them, as its settings say."""
        async with asyncio.TaskGroup() as group:
            for sink in self._live():
                group.create_task(sink.finish())

    def take_policy(self, policy: Policy) -> None:
        """Applies another policy as one change: only differences go out (rule E4)."""
        self.policy_error = ""
        changed = self.rib.take_policy(policy)
        log.info("policy taken: %d routes change, %d are there now", len(changed), len(self.rib))
        for sink in self._live():
            sink.take_settings(policy)
        self._tell_sinks(changed, moves=True)

    def refuse_policy(self, why: str) -> None:
        """A policy could not be read: the last good one holds."""
        self.policy_error = why
        log.error("the policy is not taken, the one before it holds: %s", why)

    def _live(self) -> list[Sink]:
        return [sink for sink in self.sinks if sink.name in self._fed]

    @property
    def complete(self) -> bool:
        """Whether every source has given its first snapshot."""
        return all(status.complete for status in self._status.values())

    @property
    def is_caught_up(self) -> bool:
        """Whether all that complete sources have said is in the RIB: only then may anything be withdrawn."""
        return self.complete and not self._backlog

    @property
    def is_settled(self) -> bool:
        """Whether all there is to say has been said: every source complete, a sink there, none with anything to do."""
        statuses = [sink.status() for sink in self._live()]
        return self.is_caught_up and bool(statuses) and all(status.ready and not status.pending for status in statuses)

    def sources(self) -> tuple[SourceStatus, ...]:
        """The state of each source."""
        return tuple(self._status.values())

    async def run(self, sinks: Awaitable[None]) -> None:
        """Follows the sources while ``sinks`` runs: a call of ``drain``, or something that makes such calls."""
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(source.run(self), name=source.name) for source in self._sources]
            await sinks
            for reader in readers:
                reader.cancel()

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> None:
        """See ``SaObserver``."""
        status = self._status[source]
        self._status[source] = replace(status, complete=True, connected=True, snapshots=status.snapshots + 1, why="")
        self._backlog.take_snapshot(source, self.rib.difference(source, sas))
        if self._turn is not None or len(self._backlog) > PIECE:
            self._next_turn()
        else:
            self._catch_up()

    def update(self, source: str, changes: Changes) -> None:
        """See ``SaObserver``."""
        self._status[source] = replace(self._status[source], updates=self._status[source].updates + 1)
        self._tell_sinks(self.rib.update(self._backlog.overtake(changes)))

    def _catch_up(self) -> None:
        """Takes a piece of the backlog."""
        is_bulk = len(self._backlog) > PIECE or self._turn is not None
        self._turn = None
        self._tell_sinks(self.rib.update(self._backlog.next_piece()), bulk=is_bulk)
        if self._backlog:
            self._next_turn()
        elif self.complete:
            if not self._has_caught_up:
                self._has_caught_up = True
                log.info("all sources complete: %d SA pairs, %d routes", len(self.rib.sas()), len(self.rib))
            self._allow_withdraw()

    def _allow_withdraw(self) -> None:
        for sink in self._live():
            if sink.name in self._bound:
                self._bound.discard(sink.name)
                sink.allow_withdraw()

    def _next_turn(self) -> None:
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._catch_up)

    def lost(self, source: str, why: str) -> None:
        """See ``SaObserver``."""
        status = self._status[source]
        if status.connected or not status.why:
            log.warning("source %s lost: %s; its %d routes stay", source, why, len(self.rib))
        self._status[source] = replace(status, connected=False, losses=status.losses + 1, why=why)

    def _tell_sinks(self, changed: set[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        if not changed:
            return
        self.changes += len(changed)
        for sink in self._live():
            sink.changed(changed, bulk=bulk, moves=moves)
