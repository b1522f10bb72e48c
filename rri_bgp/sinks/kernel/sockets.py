"""Sockets to rtnetlink: one for what we ask and change, one that hears what others do, one for each dump.

Rules of this file: what the kernel says is read by ``wire.py``, what it is told is written by ``requests.py``; here are
the sockets. The kernel carries out a request while it takes it, so its answers are there when ``send`` returns: nothing
is waited for, and a socket that has none then is a failure.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence

from rri_bgp.errors import EnvironmentProblem, NetlinkError
from rri_bgp.sinks.kernel import requests
from rri_bgp.sinks.kernel.kernel import Change, Question, Refusal, Verb
from rri_bgp.sinks.kernel.wire import Ack, Done, Failed, Interrupted, LinkNews, News, RouteNews, Via, read

__all__ = ["Answers", "Requests", "dump", "events_socket", "receive"]

_GROUPS = (1, 5, 7, 8, 9, 11, 19)  # RTNLGRP_LINK, IPV4_IFADDR, _ROUTE, _RULE, IPV6_IFADDR, _ROUTE, _RULE
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33
_SOL_NETLINK, _CAP_ACK, _EXT_ACK, _STRICT = 270, 10, 11, 12
_EVENTS, _ANSWERS = 32 << 20, 4 << 20
"""Bytes for what queues, as the kernel counts them: some 40,000 events, and an error for each change of a batch."""

_DATAGRAM = 1 << 17
"""Bytes: the kernel makes 32 KiB at most."""

_TEMPLATES = 4096

_PROBE = struct.pack("=IHHIIB3x", 20, 25, 0x5, 0, 0, 2)
"""A request to delete a route that says nothing of which: RTM_DELROUTE, NLM_F_REQUEST | NLM_F_ACK, AF_INET. Who has the
right is told that it is no request."""


class Requests:
    """Changes and questions. See ``kernel.Kernel``. ``protocol`` is ours, ``sink`` what an error names."""

    def __init__(self, protocol: int, sink: str = "kernel") -> None:
        """Opens the socket.

        Raises:
            EnvironmentProblem: this process may not change routes.
        """
        self._protocol = protocol
        self._sink = sink
        self._sequence = 0
        self._templates: dict[tuple[int, Verb, int, int, int, int, int], tuple[Via, requests.Template]] = {}
        """By the way itself, which is kept beside it: routes share few, and to compare them takes longer."""
        self._socket = _opened(_ANSWERS)
        self.port: int = self._socket.getsockname()[0]
        """By which the kernel says that something was our doing."""
        try:
            self._check_right()
        except EnvironmentProblem:
            self.close()
            raise

    def _check_right(self) -> None:
        self._socket.send(_PROBE)
        refused = [news for news in self._answers() if isinstance(news, Failed)]
        if refused and refused[0].errno in (errno.EPERM, errno.EACCES):
            raise EnvironmentProblem(
                "this user may not change routes: it takes CAP_NET_ADMIN",
                where=f"sinks: {self._sink}",
                hint=f"the drop-in packaging/systemd/kernel.conf gives it; without it leave `{self._sink}` out",
            )

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def change(self, changes: Sequence[Change]) -> Mapping[int, Refusal]:
        """See ``Kernel``. Only the last is to be answered, and whatever fails is."""
        first, last = self._next(len(changes)), len(changes) - 1
        self._socket.send(
            b"".join([self._encoded(change, first + i, ack=i == last) for i, change in enumerate(changes)])
        )
        refused: dict[int, Refusal] = {}
        is_over = False
        while not is_over:
            for news in self._answers():
                if isinstance(news, Ack | Failed) and 0 <= (index := news.sequence - first) <= last:
                    is_over |= index == last
                    if isinstance(news, Failed):
                        refused[index] = Refusal(news.errno, news.text)
        return refused

    def _encoded(self, change: Change, sequence: int, *, ack: bool) -> bytes:
        verb, place, via, nowhere = change
        if verb is Verb.DELETE:
            return requests.delete(place, self._protocol, sequence, way=via[0] if via else None, ack=ack)
        table, prefix, metric = place
        version, _, length = prefix
        key = (id(via), verb, table, metric, version, length, nowhere)
        known = self._templates.get(key)
        if known is None:
            if len(self._templates) > _TEMPLATES:
                self._templates.clear()
            replace = verb is Verb.REPLACE
            made = requests.template(place, via, self._protocol, replace=replace, nowhere=nowhere)
            known = self._templates[key] = (via, made)
        return known[1].filled(prefix, sequence, ack=ack)

    def ask(self, questions: Sequence[Question]) -> Sequence[RouteNews | Refusal]:
        """See ``Kernel``."""
        first = self._next(len(questions))
        self._socket.send(b"".join([requests.lookup(*one, first + i) for i, one in enumerate(questions)]))
        found: dict[int, RouteNews | Refusal] = {}
        while len(found) < len(questions):
            for news in self._answers():
                if not isinstance(news, RouteNews | Failed) or not 0 <= (index := news.sequence - first) < len(
                    questions
                ):
                    continue  # an answer to what was given up
                found[index] = Refusal(news.errno, news.text) if isinstance(news, Failed) else news
        return [found[index] for index in range(len(questions))]

    def _next(self, count: int) -> int:
        """The first of so many new sequence numbers."""
        if self._sequence + count > _LAST:
            self._sequence = 0
        first, self._sequence = self._sequence + 1, self._sequence + count
        return first

    def _answers(self) -> Iterator[News]:
        """What one datagram says; OSError where there is none, or one that cannot be read."""
        try:
            yield from read(self._socket.recv(_DATAGRAM))
        except NetlinkError as error:
            raise OSError(errno.EPROTO, error.what) from None


_LAST = (1 << 32) - 1


@contextlib.contextmanager
def events_socket(but_of: int) -> Iterator[socket.socket]:
    """A socket that hears of links, addresses, routes and rules, but nothing of what the port ``but_of`` does itself.

    A filter in the kernel drops that: it would be an event for each route of ours, to be read and thrown away.

    Raises:
        OSError: this process may not have one.
    """
    with contextlib.closing(_opened(_EVENTS, groups=sum(1 << (group - 1) for group in _GROUPS))) as opened:
        port = int.from_bytes(struct.pack("=I", but_of), "big")  # the filter reads numbers in network byte order
        lines = [(0x20, 0, 0, 12), (0x15, 0, 1, port), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF)]
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))  # nlmsg_pid, is it?
        program = struct.pack("HP", len(lines), ctypes.addressof(code))
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        yield opened


def receive(events: socket.socket) -> bytes | None:
    """The next datagram, None where there is none now.

    Raises:
        OSError: ENOBUFS where the kernel had to drop some.
    """
    try:
        return events.recv(_DATAGRAM)
    except BlockingIOError:
        return None


class Answers:
    """What the kernel has said to one request for a dump; ``is_whole``: nothing changed while it was made."""

    def __init__(self) -> None:
        self.is_whole = True


def dump(request: bytes, answers: Answers) -> Iterator[list[RouteNews | LinkNews]]:
    """Asks for a dump, and gives it a datagram at a time: the kernel makes the next one when it is read.

    Raises:
        OSError: the kernel does not give it.
        NetlinkError: it cannot be read.
    """
    with contextlib.closing(_opened(_ANSWERS)) as asking:
        asking.send(request)
        is_over = False
        while not is_over:
            piece: list[RouteNews | LinkNews] = []
            for news in read(asking.recv(_DATAGRAM)):
                if isinstance(news, RouteNews | LinkNews):
                    piece.append(news)
                elif isinstance(news, Interrupted):
                    answers.is_whole = False
                elif isinstance(news, Failed) and news.errno != errno.ENOENT:
                    raise OSError(news.errno, news.text or os.strerror(news.errno))
                is_over |= isinstance(news, Done | Failed)
            yield piece


def _opened(buffer: int, groups: int = 0) -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        opened.setblocking(False)
        for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
            with contextlib.suppress(PermissionError):
                opened.setsockopt(socket.SOL_SOCKET, option, buffer)
                break
        for option in (_CAP_ACK, _EXT_ACK, _STRICT):
            opened.setsockopt(_SOL_NETLINK, option, 1)
        opened.bind((0, groups))
    except OSError:
        opened.close()
        raise
    return opened
