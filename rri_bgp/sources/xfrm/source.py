"""The kernel as a source of SA state: two sockets, and the order that loses nothing.

Rules of this file: the event socket is open and subscribed before the dump begins, and is not read until the dump is
in the table; all that queued meanwhile is then replayed, and only then is anything told. When the kernel says that it
lost messages (ENOBUFS, then what was left in the buffer), or tells of a flush or a migration, all of it is drained,
thrown away and dumped again; so it is every ``resync`` seconds. A dump of SAs never says that it was interrupted, so
the events are the only protection against that. However much there is, everybody else has a turn between two pieces.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

from rri_bgp.errors import RriError, UnreachableError
from rri_bgp.policy.config import XfrmSettings
from rri_bgp.sources import SaObserver
from rri_bgp.sources.xfrm.sockets import LostError, drain, failure, opened, readable, receive
from rri_bgp.sources.xfrm.table import XfrmTable
from rri_bgp.sources.xfrm.wire import Done, Failed, dump_request, parse
from rri_bgp.turns import turn

__all__ = ["XfrmSource"]

log = logging.getLogger(__name__)

_GROUPS = (2, 3, 4, 7)  # XFRMNLGRP_EXPIRE, _SA, _POLICY, _MIGRATE; AEVENTS (5) come with every burst of traffic
_BUFFER = 32 * 1024 * 1024
"""Bytes for what queues during a dump, as the kernel counts them: some 25,000 events."""

_AT_ONCE = 200
"""Events that are read, and pairs that are looked at, between two turns of everybody else: a few milliseconds."""

_PATIENCE = 30.0
"""Seconds for the next datagram of a dump. The kernel makes it while it is read."""

_RETRY = 2.0
"""Seconds before a session is tried again."""


class XfrmSource:
    """Follows the SAs of the kernel. See ``rri_bgp.sources.Source``. Needs CAP_NET_ADMIN.

    ``buffer`` is what may queue, in bytes as the kernel counts them; ``retry`` is in seconds.
    """

    def __init__(self, settings: XfrmSettings, *, buffer: int = _BUFFER, retry: float = _RETRY) -> None:
        self._settings = settings
        self._buffer = buffer
        self._retry = retry
        self._table = XfrmTable(settings.name)

    @property
    def name(self) -> str:
        """See ``Source``."""
        return self._settings.name

    def watch_suspects(self, wanted: bool) -> None:
        """See ``Source``. The kernel does not know who answers."""

    async def run(self, observer: SaObserver) -> None:
        """See ``Source``."""
        while True:
            try:
                with opened(self._settings.netns, _GROUPS, self._buffer) as events:
                    await self._follow(events, observer)
            except RriError as error:
                observer.lost(self.name, error.line)
            await asyncio.sleep(self._retry)

    async def _follow(self, events: socket.socket, observer: SaObserver) -> None:
        """Dumps and follows, again and again."""
        while True:
            try:
                await self._dump()
                while self._read_queued(events):  # a piece each time
                    await turn()
                self._table.changes(_now(), _AT_ONCE)
                while self._table.is_behind:
                    await turn()
                    self._table.changes(_now(), _AT_ONCE)
                observer.snapshot(self.name, self._table.sas())
                await self._listen(events, observer)
            except LostError as lost:
                log.info("%s: all SAs are read again: %s", self.name, lost)
            drain(events)

    async def _listen(self, events: socket.socket, observer: SaObserver) -> None:
        """Until it is time to dump again."""
        resync = _now() + self._settings.resync
        while (now := _now()) < resync:
            due = now if self._table.is_behind else min(resync, self._table.due or resync)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await readable(events)
            self._read_queued(events)
            changes = self._table.changes(_now(), _AT_ONCE)
            if changes:
                observer.update(self.name, changes)

    def _read_queued(self, events: socket.socket) -> bool:
        """Whether there may be more.

        Raises:
            LostError: only a dump can tell what is now.
        """
        for _ in range(_AT_ONCE):
            datagram = receive(events)
            if datagram is None:
                return False
            for message in parse(datagram):
                why = self._table.take(message)
                if why:
                    raise LostError(why)
        return True

    async def _dump(self) -> None:
        """All SAs, then all policies: a policy whose SA has come since is found served by the event."""
        self._table.restart()
        with opened(self._settings.netns) as asking:
            for sequence, policies in enumerate((False, True), 1):
                asking.send(dump_request(policies=policies, sequence=sequence))
                is_over = False
                while not is_over:
                    is_over = self._take_dump(await _next(asking))
                    await turn()

    def _take_dump(self, datagram: bytes) -> bool:
        """Whether that was the end."""
        for message in parse(datagram):
            if isinstance(message, Done):
                return True
            if isinstance(message, Failed):
                raise failure(message.errno)
            self._table.take(message)
        return False


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _next(asking: socket.socket) -> bytes:
    try:
        async with asyncio.timeout(_PATIENCE):
            while (datagram := receive(asking)) is None:
                await readable(asking)
    except TimeoutError:
        raise UnreachableError(f"the kernel has not answered for {_PATIENCE:g} s", where="xfrm") from None
    return datagram
