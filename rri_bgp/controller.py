"""Joins the parts: sources tell the controller, the RIB decides, sinks are told where to look again.

Nothing here waits: an SA event runs through ``Tunnels`` (what counts when) and the RIB to the sinks in one call, and
each sink drains in its own task. A slow sink delays itself only. What is large (a snapshot, another policy, other
surroundings) is taken in pieces, with turns for everybody between them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from rri_bgp.backlog import PIECE, Backlog, Changes
from rri_bgp.changeover import Changeover, Reviews
from rri_bgp.history import History
from rri_bgp.missing import MissingLog
from rri_bgp.model import Destination, Owner, SaKey, SaPair
from rri_bgp.outlets import Outlets
from rri_bgp.refusals import RefusalLog
from rri_bgp.rri import Policy, Rib
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.rri.tunnels import Tunnels
from rri_bgp.sinks import Sink, Wanted
from rri_bgp.sources import Source
from rri_bgp.turns import turn

__all__ = ["Controller", "Listener", "SourceStatus"]

log = logging.getLogger(__name__)

Listener = Callable[[set[Destination], set[SaKey]], None]
"""Is told which destinations have other paths, and which SA pairs came, changed or went. Returns at once."""

_AT_ONCE = 500
"""SA pairs, or destinations, that need no pieces: a few milliseconds."""

_REFUSALS = 1000
"""So many refusals are looked at, at most, when all of them may be new."""


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
    """One set of sources, one RIB, some sinks. It is the sources' ``SaObserver``, and whoever looks around tells it.

    ``looks_around``: somebody does, and nothing is withdrawn before it has said ``surroundings_complete``.
    """

    def __init__(self, policy: Policy, sources: Sequence[Source], *, looks_around: bool = False) -> None:
        self.rib = Rib(policy)
        self.tunnels = Tunnels(policy)
        self.history = History()
        self.refusals = RefusalLog()
        self.missing = MissingLog()
        self.outlets = Outlets(self.rib, lambda: self.is_caught_up)
        self._backlog = Backlog(self.tunnels.sa)
        self._reviews = Reviews(self.rib)
        self._changeover: Changeover | None = None
        self._moves: deque[Destination] = deque()
        """What another policy has changed and the sinks have yet to be told."""
        self._turn: asyncio.Handle | None = None
        """When the next piece of all that is taken."""
        self._timer: asyncio.TimerHandle | None = None
        """For the next delay that ends."""
        self._listeners: list[Listener] = []
        self._has_caught_up = False
        self._is_surveyed = not looks_around
        self.policy_error = ""
        """Why the last policy could not be taken; the one before it holds."""
        self.changes = 0
        """How often a route came, went or changed its path; only grows."""
        self._sources = tuple(sources)
        self._status = {source.name: SourceStatus(source.name) for source in sources}
        self._watch_suspects(policy)

    @property
    def sinks(self) -> list[Sink]:
        """Those that are fed, and those whose other side has gone, until one of the same name takes their place."""
        return self.outlets.sinks

    @property
    def wanted(self) -> Wanted:
        """What a sink that announces is to read."""
        return self.outlets.wanted

    def add_sink(self, sink: Sink) -> None:
        """Feeds a sink from now on, beginning with all there is. It takes the place of one of the same name."""
        self.outlets.add(sink)

    def has_sink(self, name: str) -> bool:
        """Whether a sink of that name is fed."""
        return self.outlets.is_fed(name)

    async def drain(self, sink: Sink) -> None:
        """Feeds a sink until its other side is gone, or cancelled."""
        self.add_sink(sink)
        try:
            await sink.run()
        finally:
            self.outlets.remove(sink)

    async def finish(self) -> None:
        """Told to end: each sink leaves its routes or withdraws them, as its settings say."""
        await self.outlets.finish()

    def released(self, destinations: Iterable[Destination]) -> None:
        """See ``Feeder``."""
        self.outlets.released(destinations)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tells somebody of every change from now on. Returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def waiting(self, key: SaKey) -> str:
        """Why an SA pair does not count yet, or still counts, for people; empty where no delay holds it (rule G4)."""
        return self.tunnels.waiting(key, time.monotonic())

    # Policy and surroundings -----------------------------------------------------------------------------------------

    def take_policy(self, policy: Policy) -> None:
        """Applies another policy as one change: only differences go out (rule E4). Takes a second at 100,000 SAs."""
        changeover = Changeover(self.rib, policy)
        while changeover.step(_AT_ONCE):
            pass
        self._change_over(changeover, policy)

    async def change_policy(self, policy: Policy) -> bool:
        """As ``take_policy``, with turns for everybody meanwhile; returns when all sinks know what that changes.

        Returns whether it was taken: it was not where another one was meanwhile.
        """
        changeover = self._changeover = Changeover(self.rib, policy)
        while changeover.step(PIECE):
            await turn()
            if self._changeover is not changeover:
                return False
        self._change_over(changeover, policy)
        while self._moves:  # noqa: ASYNC110  # it is told in turns
            await asyncio.sleep(0)
        return True

    def _change_over(self, changeover: Changeover, policy: Policy) -> None:
        self.policy_error = ""
        told = self.tunnels.take_policy(policy, time.monotonic())
        changed = changeover.finish(told)
        self._changeover = None
        self._reviews.clear()
        self._watch_suspects(policy)
        log.info("policy taken: %d routes change, %d are there now", len(changed), len(self.rib))
        self.outlets.take_settings(policy)
        self._note(set(), told.keys())
        self._note_all_refusals()
        self._moves.extend(changed)
        if len(self._moves) > _AT_ONCE:
            self._next_turn()
        else:
            self._tell_moves()
        self._set_timer()

    def refuse_policy(self, why: str) -> None:
        """A policy could not be read: the last good one holds."""
        self.policy_error = why
        log.error("the policy is not taken, the one before it holds: %s", why)

    def take_surroundings(self, surroundings: Surroundings) -> None:
        """What is around now: addresses, neighbours, redundancy groups held, names of peers (rules G1, G2)."""
        before = self.rib.surroundings
        if surroundings == before:
            return
        changed = self._reviews.enter(surroundings)
        if self._changeover is not None:
            self._changeover.take_surroundings(surroundings)
        self._tell_changed(changed, (), bulk=not self._reviews.is_urgent)
        while self._reviews and len(self.rib.sas()) <= _AT_ONCE:
            self._review(_AT_ONCE)
        if self._reviews:
            self._review(PIECE)
            self._next_turn()
        else:
            self._note_all_refusals()
        if surroundings.names != before.names:
            self._take(self.tunnels.take_names(surroundings.names, time.monotonic()))
            self._set_timer()

    def surroundings_complete(self) -> None:
        """Everything around has been looked at once."""
        self._is_surveyed = True
        self._note_progress()

    def _watch_suspects(self, policy: Policy) -> None:
        wanted = any(entry.degrade_med is not None for entry in policy.entries)
        for source in self._sources:
            source.watch_suspects(wanted)

    # State -----------------------------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether every source has given its first snapshot, and everything around has been looked at."""
        return self._is_surveyed and all(status.complete for status in self._status.values())

    @property
    def is_caught_up(self) -> bool:
        """Whether all that complete sources have said is in the RIB: only then may anything be withdrawn."""
        return self.complete and not self._backlog

    @property
    def is_reviewed(self) -> bool:
        """Whether the routes go by the surroundings that were told last: large tables are looked through in pieces."""
        return not self._reviews

    @property
    def is_settled(self) -> bool:
        """Whether all there is to say has been said: every source complete, a sink there, none with anything to do."""
        if not self.is_caught_up or self._reviews or self._moves or self._changeover is not None:
            return False
        statuses = [sink.status() for sink in self.outlets.live]
        return bool(statuses) and all(status.ready and not status.pending for status in statuses)

    def sources(self) -> tuple[SourceStatus, ...]:
        """The state of each source."""
        return tuple(self._status.values())

    # SA pairs --------------------------------------------------------------------------------------------------------

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
        self._backlog.take_snapshot(source, self.tunnels.difference(source, sas))
        if self._turn is not None or len(self._backlog) > PIECE:
            self._next_turn()
        else:
            self._take_piece(is_bulk=False)
            self._note_progress()

    def update(self, source: str, changes: Changes) -> None:
        """See ``SaObserver``."""
        self._status[source] = replace(self._status[source], updates=self._status[source].updates + 1)
        self._hear(self._backlog.overtake(changes), bulk=len(changes) >= PIECE)

    def lost(self, source: str, why: str) -> None:
        """See ``SaObserver``."""
        status = self._status[source]
        if status.connected or not status.why:
            log.warning("source %s lost: %s; its %d routes stay", source, why, len(self.rib))
        self._status[source] = replace(status, connected=False, losses=status.losses + 1, why=why)

    def _catch_up(self) -> None:
        """Takes a piece of what is to be done: what may be urgent first."""
        self._turn = None
        if self._reviews:
            self._review(PIECE)
        elif self._moves:
            self._tell_moves()
        else:
            self._take_piece(is_bulk=True)
        if self._reviews or self._moves or self._backlog:
            self._next_turn()
        else:
            self._note_progress()

    def _next_turn(self) -> None:
        if self._turn is None:  # behind a sink whose answer has come, as with `turns.turn`
            self._turn = asyncio.get_running_loop().call_later(0, self._catch_up)

    def _note_progress(self) -> None:
        if not self.is_caught_up:
            return
        if not self._has_caught_up:
            self._has_caught_up = True
            log.info("all sources complete: %d SA pairs, %d routes", len(self.rib.sas()), len(self.rib))
        self.outlets.allow_withdraw()

    def _take_piece(self, *, is_bulk: bool) -> None:
        self._hear(self._backlog.next_piece(), bulk=is_bulk)

    def _hear(self, changes: Changes, *, bulk: bool = False) -> None:
        """Takes what sources say."""
        now = time.monotonic()
        self.tunnels.epoch = time.time() - now
        for line in self.missing.note(changes, now):
            log.warning("%s", line)
        self._take(self.tunnels.update(changes, now), changes.keys(), bulk=bulk)
        self._set_timer()

    def _take(self, told: Changes, heard: Collection[SaKey] = (), *, bulk: bool = False) -> None:
        """Takes what counts now; ``heard`` are those of which it was said."""
        if not told and not self._listeners:
            return
        changed = self.rib.update(told)
        if self._changeover is not None:
            self._changeover.update(told)
        self._note_refusals(told)
        self._tell_changed(changed, (*heard, *told) if self._listeners else (), bulk=bulk)

    def _set_timer(self) -> None:
        """Comes back when the next delay ends (rule G4)."""
        due = self.tunnels.due
        if self._timer is not None:
            if self._timer.when() == due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._time_out)

    def _time_out(self) -> None:
        self._timer = None
        told = self.tunnels.advance(time.monotonic(), PIECE)
        self._take(told, bulk=len(told) >= PIECE)
        self._set_timer()

    def _review(self, count: int) -> None:
        is_bulk = not self._reviews.is_urgent
        self._tell_changed(self._reviews.step(count), (), bulk=is_bulk)
        if not self._reviews:
            self._note_all_refusals()

    # What is told ----------------------------------------------------------------------------------------------------

    def _tell_moves(self) -> None:
        if not self._moves:
            return
        is_bulk = len(self._moves) > _AT_ONCE
        piece = [self._moves.popleft() for _ in range(min(len(self._moves), PIECE if is_bulk else _AT_ONCE))]
        self.outlets.changed(piece, bulk=is_bulk, moves=True)
        self._note(set(piece), ())

    def _tell_changed(self, changed: set[Destination], keys: Collection[SaKey], *, bulk: bool) -> None:
        self.outlets.changed(changed, bulk=bulk)
        if changed and self._changeover is not None:
            self._changeover.doubt(changed)
        self._note(changed, keys)

    def _note(self, changed: set[Destination], keys: Collection[SaKey]) -> None:
        if changed:
            self.changes += len(changed)
            self.history.note(time.time(), changed, self.rib.path)
        if self._listeners and (changed or keys):
            for listener in tuple(self._listeners):
                listener(changed, set(keys))

    def _note_refusals(self, told: Mapping[SaKey, SaPair | None]) -> None:
        refusals_of = self.rib.refusals_of
        for key, sa in told.items():
            if sa is not None and (refusals := refusals_of(key)):
                for line in self.refusals.note(key, sa, refusals, time.monotonic()):
                    log.warning("%s", line)

    def _note_all_refusals(self) -> None:
        """After another policy or other surroundings: anything may be refused now."""
        owners: dict[Owner, None] = {refusal.owner: None for refusal in islice(self.rib.refusals(), _REFUSALS)}
        for owner in owners:
            sa = self.rib.sa(owner) if isinstance(owner, SaKey) else None
            for line in self.refusals.note(owner, sa, self.rib.refusals_of(owner), time.monotonic()):
                log.warning("%s", line)
