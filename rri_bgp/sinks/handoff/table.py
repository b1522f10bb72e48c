"""The hand-off table in the kernel, over rtnetlink: changed, dumped, and listened to.

Rules of this file: the kernel carries out a request before the call that sends it returns, so a batch is sent and
answered in one call. What the kernel says of other tables, and of other people's routes, is passed over.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rri_bgp.errors import EnvironmentProblem, NetlinkError
from rri_bgp.model import Prefix
from rri_bgp.policy.config import HandOffSettings
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.handoff.ledger import Change
from rri_bgp.sinks.handoff.marks import Mark
from rri_bgp.sinks.kernel import requests
from rri_bgp.sinks.kernel.wire import Ack, Done, Failed, Interrupted, News, RouteNews, read

__all__ = ["BATCH", "LostError", "Table", "opened"]

BATCH = 200
"""Prefixes whose routes are changed at once: two milliseconds, and what their answers take fits into a buffer."""

_ROUTE_GROUPS = 0x40 | 0x400  # RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE
_SO_RCVBUFFORCE = 33
_BUFFER = 8 * 1024 * 1024
"""Bytes for what queues, as the kernel counts them: some 10,000 events."""
_SOL_NETLINK, _CAP_ACK, _STRICT = 270, 10, 12
_CHUNK = 1 << 17
_AT_ONCE = 200
"""Events that are read between two turns of everybody else: a millisecond."""
_PATIENCE = 10.0
"""Seconds for the next datagram of a dump. The kernel makes it while it is read."""


class LostError(Exception):
    """What is known of the table is not to be relied on any more; a dump tells."""


class Table:
    """See the head of this file. ``events`` is for an event loop to wait on."""

    def __init__(self, settings: HandOffSettings, asked: socket.socket, events: socket.socket) -> None:
        self._number = settings.table
        self._protocol = settings.protocol
        self._asked = asked
        self._port = int(asked.getsockname()[0])
        self._sequence = 0
        self.events = events

    def change(self, changes: Sequence[Change]) -> dict[int, str]:
        """Carries out these, in order. Those that could not be by their number, and why not.

        Raises:
            LostError: nobody knows what became of them.
            EnvironmentProblem: this process may not.
        """
        first = self._sequence + 1
        self._sequence += len(changes)
        last = self._sequence
        requested = (
            self._request(change, sequence, is_last=sequence == last) for sequence, change in enumerate(changes, first)
        )
        self._asked.send(b"".join(requested))
        failures: dict[int, str] = {}
        is_over = False
        while not is_over:
            for news in self._answers():
                if isinstance(news, (Ack, Failed)):
                    is_over |= news.sequence == last
                if isinstance(news, Failed) and (why := _why(news)):
                    failures[news.sequence - first] = why
        return failures

    def _answers(self) -> Iterator[News]:
        datagram = _receive(self._asked)
        if datagram is None:
            raise LostError("the kernel has not answered")
        return read(datagram)

    def _request(self, change: Change, sequence: int, *, is_last: bool) -> bytes:
        place = Place(self._number, change.prefix, change.mark.metric)
        if change.gone:
            return requests.delete(place, self._protocol, sequence, ack=is_last)
        replace, nowhere = change.replaces, change.mark.kind
        return requests.add(place, (), self._protocol, sequence, replace=replace, ack=is_last, nowhere=nowhere)

    async def dump(self) -> dict[Prefix, tuple[Mark, ...]]:
        """Our routes that are there now.

        Raises:
            LostError: some may be missing.
        """
        found: dict[Prefix, tuple[Mark, ...]] = {}
        for version in (4, 6):
            with _socket(0) as asking:
                asking.setsockopt(_SOL_NETLINK, _STRICT, 1)
                asking.send(requests.dump_routes(version, self._number, self._protocol, version))
                while not self._take_dump(await _next(asking), found):  # noqa: ASYNC110  # a piece each time
                    await asyncio.sleep(0)
        return found

    def _take_dump(self, datagram: bytes, found: dict[Prefix, tuple[Mark, ...]]) -> bool:
        """Whether that was the end."""
        for news in read(datagram):
            match news:
                case RouteNews() if self._is_ours(news):
                    prefix = news.place.prefix
                    found[prefix] = (*found.get(prefix, ()), _mark(news))
                case Interrupted():
                    raise LostError("the table changed while it was read")
                case Failed(errno=errno.ENOENT):
                    return True  # no such table yet
                case Failed():
                    raise LostError(os.strerror(news.errno))
                case Done():
                    return True
                case _:
                    pass
        return False

    def heard(self) -> Iterator[tuple[Prefix, Mark, bool]]:
        """What others have done to our routes since: each with whether it is gone now.

        Raises:
            LostError: something was not heard.
        """
        for _ in range(_AT_ONCE):
            datagram = _receive(self.events)
            if datagram is None:
                return
            for news in read(datagram, skip_port=self._port):
                if isinstance(news, RouteNews) and self._is_ours(news):
                    yield news.place.prefix, _mark(news), news.gone

    def _is_ours(self, news: RouteNews) -> bool:
        return news.place.table == self._number and news.protocol == self._protocol


def _mark(news: RouteNews) -> Mark:
    return Mark(news.kind, news.place.metric)


def _why(failed: Failed) -> str:
    """Why a change could not be; empty where that is well."""
    if failed.errno == errno.ESRCH:
        return ""  # it is gone already
    if failed.errno == errno.EPERM:
        raise EnvironmentProblem(
            "the kernel lets nobody without CAP_NET_ADMIN change routes",
            where="hand-off",
            hint="give it to the service, AmbientCapabilities=CAP_NET_ADMIN, or take hand-off out of `sinks`",
        )
    if failed.errno == errno.EEXIST:
        return "a route of somebody else's is in its place"
    return failed.text or os.strerror(failed.errno)


@contextmanager
def opened(settings: HandOffSettings) -> Iterator[Table]:
    """The table, as long as it is needed.

    Raises:
        LostError: the kernel cannot be spoken with any more; so for what is done with the table.
    """
    try:
        with _socket(0) as asked, _socket(_ROUTE_GROUPS) as events:
            asked.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
            yield Table(settings, asked, events)
    except OSError as error:
        raise LostError(error.strerror or str(error)) from error
    except NetlinkError as error:
        raise LostError(error.what) from error


@contextmanager
def _socket(groups: int) -> Iterator[socket.socket]:
    """One that never blocks."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as made:
        made.setblocking(False)
        try:
            made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except PermissionError:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        made.bind((0, groups))
        yield made


def _receive(opened: socket.socket) -> bytes | None:
    """The next datagram of the kernel's; None where there is none now."""
    while True:
        try:
            datagram, _, _, sender = opened.recvmsg(_CHUNK)
        except BlockingIOError:
            return None
        if sender[0] == 0:
            return datagram


async def _next(asking: socket.socket) -> bytes:
    try:
        async with asyncio.timeout(_PATIENCE):
            while (datagram := _receive(asking)) is None:
                await _readable(asking)
    except TimeoutError:
        raise LostError(f"the kernel has not answered for {_PATIENCE:g} s") from None
    return datagram


async def _readable(opened: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(opened, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(opened)
