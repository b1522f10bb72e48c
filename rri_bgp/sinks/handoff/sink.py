"""The hand-off table as a sink: what is wanted goes there as it changes, and what others do to it is undone.

Rules of this file: a change is made in the call that brings it; a large one in pieces, with turns for everybody between
them. First it listens, then it reads what an earlier life has left, and only then it changes anything. It reads again
when something was not heard, and every minute, a cheap net under everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rri_bgp.errors import RriError
from rri_bgp.model import Destination, Prefix
from rri_bgp.policy.config import HandOffSettings, OnExit
from rri_bgp.rri.entries import Policy
from rri_bgp.sinks import RouteState, SinkRoute, SinkStatus, Wanted
from rri_bgp.sinks.handoff.ledger import Change, Ledger
from rri_bgp.sinks.handoff.marks import Mark, mark_of
from rri_bgp.sinks.handoff.table import BATCH, LostError, Table, opened

__all__ = ["HandOffSink"]

log = logging.getLogger(__name__)

_RESYNC = 60.0
"""Seconds between two readings of the table."""

_BACKOFF = 0.5
"""Seconds before the next try after something went wrong."""


class HandOffSink:
    """See ``rri_bgp.sinks.Sink`` for the contract. Needs CAP_NET_ADMIN."""

    def __init__(
        self,
        wanted: Wanted,
        settings: HandOffSettings,
        *,
        name: str = "hand-off",
        released: Callable[[Iterable[Destination]], None] | None = None,
    ) -> None:
        """``released`` is called with what is in the table no more."""
        self._wanted = wanted
        self._released = released
        self._settings = settings
        self._name = name
        self._ledger = Ledger(self._desired)
        self._table: Table | None = None
        """Where changes may go; None before it has been read, and while it cannot be spoken with."""
        self._why = "it has not been read yet"
        self._turn: asyncio.Handle | None = None
        self._idle = asyncio.Event()
        self._trouble: asyncio.Future[None] | None = None
        """Ends the session with what went wrong."""
        self._counters: Counter[str] = Counter(added=0, deleted=0, repaired=0, readings=0)

    @property
    def name(self) -> str:
        """See ``Sink``."""
        return self._name

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        """See ``Sink``. Nothing is withdrawn for a move: another tag is another route first."""
        self._ledger.changed((one for one in destinations if isinstance(one, Prefix)), bulk=bulk)
        self._pump()

    def allow_withdraw(self) -> None:
        """See ``Sink``."""
        self._ledger.allow_delete()
        self._pump()

    def take_settings(self, policy: Policy) -> None:
        """See ``Sink``. Its own settings are those of the start."""
        log.debug("%s takes a policy of %d entries", self._name, len(policy.entries))
        self.retry()

    def retry(self) -> None:
        """See ``Sink``."""
        self._ledger.retry()
        self._pump()

    def holds(self, destination: Destination, /) -> bool:
        """See ``Sink``."""
        return self._table is not None and isinstance(destination, Prefix) and bool(self._ledger.marks(destination))

    def route(self, destination: Destination, /) -> SinkRoute:
        """See ``Sink``."""
        if not isinstance(destination, Prefix):
            return SinkRoute(RouteState.ABSENT, reason="only prefixes of the default VRF are handed off")
        path = self._wanted.path(destination)
        if refusal := self._ledger.refusal(destination):
            return SinkRoute(RouteState.REFUSED, reason=refusal)
        marks, mark = self._ledger.marks(destination), self._desired(destination)
        if self._ledger.is_pending(destination) or marks != (() if mark is None else (mark,)):
            return SinkRoute(RouteState.PENDING)
        return SinkRoute(RouteState.ABSENT if mark is None else RouteState.CONFIRMED, path)

    def status(self) -> SinkStatus:
        """See ``Sink``."""
        ledger = self._ledger
        return SinkStatus(
            name=self._name,
            ready=self._table is not None,
            confirmed=ledger.confirmed,
            pending=ledger.pending,
            refused=ledger.refused,
            counters=tuple(sorted(self._counters.items())),
            detail=self._why or f"table {self._settings.table}",
        )

    async def run(self) -> None:
        """See ``Sink``. Runs until cancelled.

        Raises:
            EnvironmentProblem: this process may not change routes.
        """
        while True:
            try:
                with opened(self._settings) as table:
                    await self._session(table)
            except LostError as lost:
                log.warning("%s: table %d is read again: %s", self._name, self._settings.table, lost)
                self._why = f"table {self._settings.table} cannot be changed: {lost}"
            finally:
                self._table = None
            await asyncio.sleep(_BACKOFF)

    async def finish(self) -> None:
        """See ``Sink``."""
        if self._settings.on_exit is OnExit.WITHDRAW:
            self._ledger.delete_all()
            self._idle.clear()
            self._pump()
            if self._table is not None:
                await self._idle.wait()

    # -- work --------------------------------------------------------------------------------------------------------

    def _desired(self, prefix: Prefix) -> Mark | None:
        route = self._wanted.route(prefix)
        return None if route is None else mark_of(self._wanted.policy.entries[route.claims[0].rank].tag)

    async def _session(self, table: Table) -> None:
        """Follows the table until something goes wrong."""
        loop = asyncio.get_running_loop()
        trouble = self._trouble = loop.create_future()
        loop.add_reader(table.events, self._listen, table)
        try:
            while True:
                self._ledger.begin()
                self._ledger.adopt(await table.read())
                self._counters["readings"] += 1
                self._table, self._why = table, ""
                self._pump()
                await asyncio.wait((trouble,), timeout=_RESYNC)
                if trouble.done():
                    trouble.result()
        finally:
            loop.remove_reader(table.events)
            self._table = None

    def _listen(self, table: Table) -> None:
        """Others have changed something, perhaps of ours."""
        self._hear(table)
        self._pump()

    def _hear(self, table: Table) -> None:
        try:
            for prefix, mark, gone in table.heard():
                self._counters["repaired"] += 1
                self._ledger.heard(prefix, mark, gone=gone)
        except (OSError, RriError, LostError) as error:
            self._fails(error)

    def _pump(self) -> None:
        """Makes a piece of what is to be done now, unless it has to wait for its turn."""
        if self._turn is None:
            self._work()

    def _work(self) -> None:
        self._turn = None
        table = self._table
        if table is None:
            return
        self._hear(table)
        changes = self._ledger.next_batch(BATCH)
        if changes:
            self._change(table, changes)
        if self._ledger.pending:
            self._idle.clear()
            self._turn = asyncio.get_running_loop().call_soon(self._work)
        else:
            self._idle.set()

    def _change(self, table: Table, changes: Sequence[Change]) -> None:
        try:
            failures = table.change(changes)
        except (OSError, RriError, LostError) as error:
            self._ledger.unanswered()
            self._fails(error)
            return
        self._ledger.answered(failures)
        gone = sum(change.gone for change in changes)
        self._counters["deleted"] += gone
        self._counters["added"] += len(changes) - gone
        if gone and self._released is not None:
            self._released([change.prefix for change in changes if change.gone])

    def _fails(self, error: Exception) -> None:
        """Ends the session: all is read again, or it is said why it cannot be."""
        self._table = None
        if self._trouble is not None and not self._trouble.done():
            self._trouble.set_exception(error)
