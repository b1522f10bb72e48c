"""strongSwan as a source of SA state, over VICI.

Rules of this file: the order is connect, register, list everything, say so; then every event leads to a look at the IKE
SA that it names (what it shows is told before), and every ``resync`` seconds everything is listed again (rule E8). Each
look and each listing has a connection of its own, so that one that takes long holds up no other. Another asks who does
not answer a dead-peer check, where somebody wants to know (rule G5). What fails ends the session: the observer hears
that the source is lost, what it said last stays true, and the next session begins from nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from rri_bgp.errors import RriError, UnreachableError, ViciError
from rri_bgp.model import SaKey, SaPair
from rri_bgp.policy.config import ViciSettings
from rri_bgp.sources import SaObserver
from rri_bgp.sources.vici.client import ANSWER_TIMEOUT, Connection, connect
from rri_bgp.sources.vici.sas import EVENTS, HAS_TASKS, IkeSa, Since, read_checking, read_event, read_sas
from rri_bgp.sources.vici.table import Look, SaTable
from rri_bgp.sources.vici.wire import Message
from rri_bgp.turns import turn

__all__ = ["ViciSource"]

log = logging.getLogger(__name__)

_LOOKERS = 8
"""How many looks may be under way. charon answers one at once, unless the IKE SA is busy."""

_BACKOFF = (0.1, 5.0)
"""Seconds before the first and at most before any other try to reconnect."""

_SETTLE = 0.05
"""Seconds to wait before a full listing that a look asked for: the event that makes it needless is often next."""

_PIECE = 100
"""IKE SAs of a listing that are read at once: a few milliseconds."""

_PROBLEMS_KEPT = 1000
"""So many problems are logged, each once, until the controller ends."""

_SCAN_EVERY = 2.0
"""Seconds between two scans for peers that do not answer a dead-peer check (rule G5)."""

_SCAN_AGAIN = 1.1
"""Seconds before the next where there is a suspicion: it takes two looks, a second apart."""

_SCAN_REST = 10.0
"""How many times as long as a scan took it rests at least: charon asks the kernel about each child that it lists."""

_SAME = 2
"""Seconds by which two times at which one child came up may differ: charon says whole seconds, and so do we."""

_Reader = Callable[[Iterable[Message], Since], list[IkeSa]]


class ViciSource:
    """Follows one charon. See ``rri_bgp.sources.Source``."""

    def __init__(self, settings: ViciSettings, *, answer_timeout: float = ANSWER_TIMEOUT) -> None:
        self._settings = settings
        self._answer_timeout = answer_timeout
        self._problems: set[str] = set()
        self._suspecting = asyncio.Event()

    @property
    def name(self) -> str:
        """See ``Source``."""
        return self._settings.name

    async def run(self, observer: SaObserver) -> None:
        """See ``Source``."""
        waits = _backoff()
        table = SaTable(self.name)
        while True:
            session = _Session(self._settings, self._answer_timeout, observer, self._read, self._suspecting, table)
            error = await session.run()
            table = session.table
            observer.lost(self.name, error.line)
            if session.was_complete:
                waits = _backoff()
            await asyncio.sleep(next(waits))

    def watch_suspects(self, wanted: bool) -> None:
        """See ``Source``."""
        if wanted:
            self._suspecting.set()
        else:
            self._suspecting.clear()

    def _read(self, messages: Iterable[Message], since: Since) -> list[IkeSa]:
        found = [ike for message in messages for ike in read_sas(self.name, message, since)]
        for problem in (problem for ike in found for problem in ike.problems):
            if problem not in self._problems and len(self._problems) < _PROBLEMS_KEPT:
                self._problems.add(problem)
                log.warning("%s: left out: %s", self.name, problem)
        return found


def _backoff() -> Iterator[float]:
    """Doubles, with jitter so that the controllers of many hubs do not come back in step."""
    wait, longest = _BACKOFF
    while True:
        yield wait * random.uniform(0.5, 1)  # noqa: S311  # no secret
        wait = min(2 * wait, longest)


class _Session:
    """From one connection to its end. ``earlier`` is what the session before it knew."""

    def __init__(
        self,
        settings: ViciSettings,
        answer_timeout: float,
        observer: SaObserver,
        read: _Reader,
        suspecting: asyncio.Event,
        earlier: SaTable,
    ) -> None:
        self._settings = settings
        self._answer_timeout = answer_timeout
        self._observer = observer
        self._read = read
        self._suspecting = suspecting
        self._earlier = earlier
        self._table = SaTable(settings.name)
        self._to_look = asyncio.Event()
        self._to_list = asyncio.Event()
        self._complete = asyncio.Event()

    @property
    def was_complete(self) -> bool:
        """Whether it came as far as a full listing."""
        return self._complete.is_set()

    @property
    def table(self) -> SaTable:
        """What it knows; what the session before it knew, until it knows something itself."""
        return self._table if self.was_complete else self._earlier

    async def run(self) -> RriError:
        """Until something fails; returns what."""
        hearing = asyncio.Event()
        parts = (self._hear(hearing), self._list(hearing), self._suspect(), *(self._look() for _ in range(_LOOKERS)))
        failed: asyncio.Future[RriError] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_until_it_fails(part, failed)) for part in parts]
            error = await failed
            for task in tasks:
                task.cancel()
        return error

    async def _hear(self, hearing: asyncio.Event) -> None:
        async with connect(self._settings.socket, EVENTS, self._answer_timeout) as events:
            hearing.set()
            while True:
                changes = self._table.heard(read_event(self._settings.name, *await events.event(), self._since_event))
                if self._complete.is_set():
                    self._tell(changes)
                self._wake()

    async def _list(self, hearing: asyncio.Event) -> None:
        """Lists everything: once events are heard, then every ``resync`` seconds or when a look could not tell."""
        await hearing.wait()
        async with self._connect() as connection:
            while True:
                self._table.begin_full()
                found = await self._read_in_pieces(await connection.stream("list-sas", "list-sa", {}))
                self._observer.snapshot(self._settings.name, self._table.full(found))
                self._complete.set()
                self._earlier = self._table
                self._wake()
                await self._time_to_list()

    async def _read_in_pieces(self, messages: Sequence[Message]) -> list[IkeSa]:
        """Reads a long listing without holding up the events that come meanwhile."""
        found: list[IkeSa] = []
        for start in range(0, len(messages), _PIECE):
            found += self._table.recognized(self._read(messages[start : start + _PIECE], self._since_listing))
            await turn()
        return found

    async def _time_to_list(self) -> None:
        try:
            async with asyncio.timeout(self._settings.resync):
                is_time = False
                while not is_time:
                    await self._to_list.wait()
                    await asyncio.sleep(_SETTLE)
                    self._to_list.clear()
                    is_time = self._table.wants_full
        except TimeoutError:
            return

    async def _look(self) -> None:
        """Looks at one IKE SA after another that an event has named, over a connection that it opens when it must."""
        await self._complete.wait()
        while True:
            look = await self._next_look()
            async with self._connect() as connection:
                while await self._has_looked(connection, look):
                    look = await self._next_look()

    async def _has_looked(self, connection: Connection, look: Look) -> bool:
        try:
            found = await self._found(connection, look)
        except UnreachableError as error:
            # Either charon is gone, as the other connections will say, or this IKE SA is busy for long.
            log.warning("%s: IKE SA %d: %s; looking again", self._settings.name, look.ike_id, error.line)
            self._table.look_failed(look)
            return False
        self._tell(self._table.looked(look, found))
        self._wake()
        return True

    async def _next_look(self) -> Look:
        while (look := self._table.next_look()) is None:
            self._to_look.clear()
            await self._to_look.wait()
        return look

    async def _found(self, connection: Connection, look: Look) -> IkeSa | None:
        found = self._read(
            await connection.stream("list-sas", "list-sa", {"ike-id": str(look.ike_id)}), self._since_listing
        )
        if any(ike.ike_id != look.ike_id for ike in found):
            raise ViciError(f"asked for IKE SA {look.ike_id}, charon lists another")
        return found[0] if found else None

    async def _suspect(self) -> None:
        """Looks who does not answer a dead-peer check, as long as somebody wants to know."""
        clock = asyncio.get_running_loop().time
        await self._complete.wait()
        while True:
            await self._suspecting.wait()
            async with self._connect() as connection:
                while self._suspecting.is_set():
                    start = clock()
                    found = await connection.stream("list-sas", "list-sa", {"noblock": "yes"}, HAS_TASKS)
                    self._tell(self._table.scanned(read_checking(found), start))
                    self._wake()
                    pause = _SCAN_AGAIN if self._table.has_suspicion else _SCAN_EVERY
                    await asyncio.sleep(max(pause, _SCAN_REST * (clock() - start)))
            self._tell(self._table.trust_all())

    def _since_event(self, uniqueid: int, installed: int | None, _established: int | None) -> int:
        """When a child came up that an event shows: just now, as charon says."""
        known = self._table.sa(uniqueid)
        if known is not None:
            return known.since
        return 0 if installed is None else int(time.time()) - installed

    def _since_listing(self, uniqueid: int, installed: int | None, established: int | None) -> int:
        """When a child came up that a listing shows. What was said once stays: to count anew may differ by a second.

        At first nobody can tell a child that is new from one that was rekeyed: it is taken to be as old as its IKE SA,
        so that a restart of the controller makes no other the newest (rules E13, G7).
        """
        if (known := self._table.sa(uniqueid)) is not None:
            return known.since
        ages = [age for age in (installed, None if self.was_complete else established) if age is not None]
        since = int(time.time()) - max(ages) if ages else 0
        before = self._earlier.sa(uniqueid)
        return before.since if before is not None and abs(before.since - since) <= _SAME else since

    def _tell(self, changes: Mapping[SaKey, SaPair | None]) -> None:
        if changes:
            self._observer.update(self._settings.name, changes)

    def _connect(self) -> AbstractAsyncContextManager[Connection]:
        return connect(self._settings.socket, ("list-sa",), self._answer_timeout)

    def _wake(self) -> None:
        self._to_look.set()
        if self._table.wants_full:
            self._to_list.set()


async def _until_it_fails(part: Awaitable[None], failed: asyncio.Future[RriError]) -> None:
    # A task group that fails while somebody cancels it forgets the one or the other (3.11), so none of it fails.
    try:
        await part
    except RriError as error:
        if not failed.done():
            failed.set_result(error)
