"""Netlink sockets to the kernel's XFRM: how they are opened, and what may come out of one.

Rules of this file: no message is looked into. What the kernel refuses is an error that says what is missing.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rri_bgp.errors import NetlinkError, UnreachableError

__all__ = ["LostError", "drain", "failure", "opened", "readable", "receive"]

_NETLINK_XFRM = 6
_SO_RCVBUFFORCE = 33
_CLONE_NEWNET = 0x40000000
_NAMED = Path("/run/netns")
"""Where ip-netns(8) keeps the network namespaces that have a name."""

_CHUNK = 1 << 17
"""Bytes of a datagram, at most: the kernel makes those of a dump as large as the reader's buffer, up to 32 KiB."""


class LostError(Exception):
    """What is known of the kernel is not to be relied on any more; a dump tells."""


@contextmanager
def opened(netns: str, groups: tuple[int, ...] = (), buffer: int = 0) -> Iterator[socket.socket]:
    """A socket that never blocks, subscribed to ``groups``; ``buffer`` is what may queue, in bytes.

    Raises:
        UnreachableError: the kernel refuses; also for what fails on the socket while it is open.
    """
    try:
        with _in_namespace(netns) if netns else _socket() as made:
            if buffer:
                made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
            made.bind((0, sum(1 << (group - 1) for group in groups)))
            made.setblocking(False)
            yield made
    except OSError as error:
        raise failure(error.errno or 0, netns) from error


def failure(number: int, netns: str = "") -> UnreachableError:
    """What an errno of the kernel's means, in one line."""
    what = os.strerror(number)
    if number in (errno.EPERM, errno.EACCES):
        what += "; it takes CAP_NET_ADMIN" + (f", and CAP_SYS_ADMIN to enter {netns}" if netns else "")
    elif number == errno.EPROTONOSUPPORT:
        what += "; this kernel has no xfrm_user"
    elif number == errno.ENOENT and netns:
        what = f"there is no network namespace {netns}; `ip netns` lists them"
    return UnreachableError(f"cannot read the kernel's SAs: {what}", where="xfrm")


def _socket() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_XFRM)


def _in_namespace(netns: str) -> socket.socket:
    """A socket stays in the namespace that it was made in: a thread goes there, makes it, and ends."""

    def make() -> socket.socket:
        with (_NAMED / netns).open("rb") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)  # os.setns is of Python 3.12
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
        return _socket()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(make).result()


def receive(opened: socket.socket) -> bytes | None:
    """The next datagram, None where there is none now, an empty one in the place of what is not the kernel's.

    Raises:
        LostError: the kernel had to drop some.
        NetlinkError: it is larger than any should be.
    """
    try:
        datagram, _, flags, sender = opened.recvmsg(_CHUNK)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno == errno.ENOBUFS:
            raise LostError("the kernel's buffer was full") from None
        raise
    if sender[0] != 0:
        return b""
    if flags & socket.MSG_TRUNC:
        raise NetlinkError("a netlink datagram that is larger than any should be")
    return datagram


def drain(events: socket.socket) -> None:
    """Throws away what is queued: it is older than the dump that follows. What was dropped before it is told first."""
    while True:
        try:
            if receive(events) is None:
                return
        except (LostError, NetlinkError):
            continue


async def readable(opened: socket.socket) -> None:
    """Until there is something to receive."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(opened, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(opened)
