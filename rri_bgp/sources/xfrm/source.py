"""The kernel as a source of SA state: two sockets, and the order that loses nothing.

Rules of this file: the event socket is open and subscribed before the dump begins, and is not read until the dump is
in the table; what queued meanwhile is then replayed. When the kernel says that it lost messages (ENOBUFS, then what was
left in the buffer), or tells of a flush or a migration, all of it is drained, thrown away and dumped again. A dump of
SAs never says that it was interrupted, so the events are the only protection against that. The sender is checked: any
process may send to a netlink socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from rri_bgp.errors import RriError, UnreachableError, XfrmError
from rri_bgp.policy.config import XfrmSettings
from rri_bgp.sources import SaObserver
from rri_bgp.sources.xfrm.table import XfrmTable
from rri_bgp.sources.xfrm.wire import Done, Failed, dump_request, parse

__all__ = ["XfrmSource"]

log = logging.getLogger(__name__)

_NETLINK_XFRM = 6
_GROUPS = (2, 3, 4, 7)  # XFRMNLGRP_EXPIRE, _SA, _POLICY, _MIGRATE; AEVENTS (5) come with every burst of traffic
_SO_RCVBUFFORCE = 33
_BUFFER = 32 * 1024 * 1024
"""Bytes for what queues during a dump, as the kernel counts them: some 25,000 events."""

_CHUNK = 1 << 17
"""Bytes of a datagram, at most: the kernel makes those of a dump as large as the reader's buffer, up to 32 KiB."""

_AT_ONCE = 200
"""Datagrams that are read between two turns of everybody else."""

_RETRY = 2.0
"""Seconds before a session is tried again."""


class _Lost(Exception):
    """What the table holds is not to be relied on any more."""


class XfrmSource:
    """Follows the SAs of the kernel. See ``rri_bgp.sources.Source``. Needs CAP_NET_ADMIN."""

    def __init__(self, settings: XfrmSettings) -> None:
        self._settings = settings
        self._table = XfrmTable(settings.name)

    @property
    def name(self) -> str:
        """See ``Source``."""
        return self._settings.name

    async def run(self, observer: SaObserver) -> None:
        """See ``Source``."""
        while True:
            try:
                with _opened(self._settings.netns, _GROUPS) as events:
                    await self._follow(events, observer)
            except RriError as error:
                observer.lost(self.name, error.line)
            await asyncio.sleep(_RETRY)

    async def _follow(self, events: socket.socket, observer: SaObserver) -> None:
        """Dumps and follows, again and again where the kernel lost something."""
        while True:
            await self._dump()
            try:
                self._read_queued(events)
                self._table.changes(_now())
                observer.snapshot(self.name, self._table.sas())
                await self._listen(events, observer)
            except _Lost as lost:
                log.info("%s: reading all SAs again: %s", self.name, lost)
                _drain(events)

    async def _listen(self, events: socket.socket, observer: SaObserver) -> None:
        resync = _now() + self._settings.resync
        while _now() < resync:
            due = min(resync, self._table.due or resync)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await _readable(events)
            self._read_queued(events)
            changes = self._table.changes(_now())
            if changes:
                observer.update(self.name, changes)
        raise _Lost("it is time")

    def _read_queued(self, events: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            datagram = _receive(events)
            if datagram is None:
                return
            for message in parse(datagram):
                why = self._table.take(message)
                if why:
                    raise _Lost(why)

    async def _dump(self) -> None:
        """All SAs, then all policies: a policy whose SA has come since is found served by the event."""
        self._table.restart()
        with _opened(self._settings.netns) as asking:
            for sequence, policies in enumerate((False, True), 1):
                asking.send(dump_request(policies=policies, sequence=sequence))
                while self._take_dump(await _next(asking)):
                    pass

    def _take_dump(self, datagram: bytes) -> bool:
        """Whether more is to come."""
        for message in parse(datagram):
            if isinstance(message, Done):
                return False
            if isinstance(message, Failed):
                raise _failure(message.errno)
            self._table.take(message)
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()


@contextmanager
def _opened(netns: str, groups: tuple[int, ...] = ()) -> Iterator[socket.socket]:
    try:
        with _in_namespace(netns) if netns else _socket() as opened:
            if groups:
                opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            opened.bind((0, sum(1 << (group - 1) for group in groups)))
            opened.setblocking(False)
            yield opened
    except OSError as error:
        raise _failure(error.errno or 0) from error


def _socket() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_XFRM)


def _in_namespace(netns: str) -> socket.socket:
    """A socket stays in the namespace that it was made in: a thread goes there, makes it, and ends."""
    from pyroute2.netns import setns  # noqa: PLC0415  # slow to import, and seldom needed

    def make() -> socket.socket:
        setns(netns)
        return _socket()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(make).result()


def _failure(number: int) -> UnreachableError:
    hint = "the controller needs CAP_NET_ADMIN" if number in (errno.EPERM, errno.EACCES) else ""
    return UnreachableError(
        f"cannot read the kernel's SAs: {errno.errorcode.get(number, number)}", where="xfrm", hint=hint
    )


def _receive(events: socket.socket) -> bytes | None:
    """The next datagram of the kernel's, None where there is none now.

    Raises:
        _Lost: the kernel had to drop some.
    """
    while True:
        try:
            datagram, _, flags, sender = events.recvmsg(_CHUNK)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise _Lost("the kernel's buffer was full") from None
            raise
        if flags & socket.MSG_TRUNC:
            raise XfrmError("a netlink datagram that is larger than any should be")
        if sender[0] == 0:
            return datagram


def _drain(events: socket.socket) -> None:
    """Throws away what is queued: it is older than the dump that follows."""
    while True:
        try:
            if not events.recv(_CHUNK):
                return
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


async def _readable(events: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(events, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(events)


async def _next(asking: socket.socket) -> bytes:
    while (datagram := _receive(asking)) is None:
        await _readable(asking)
    return datagram
