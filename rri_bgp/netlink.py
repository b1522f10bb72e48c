"""What every netlink family has in common, as bytes: the walk over a datagram's messages and a message's attributes.

Rules of this file: no I/O, and no family: which message says what is known to those who read it. Every bound is checked
before anything behind it is believed. Numbers and layouts are of linux/netlink.h, in the byte order of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from rri_bgp.errors import NetlinkError

__all__ = [
    "ATTRIBUTE",
    "DONE",
    "DUMP_INTERRUPTED",
    "ERROR",
    "HEADER",
    "OVERRUN",
    "REQUEST_DUMP",
    "Found",
    "attributes",
    "code",
    "messages",
    "number",
    "value",
    "why",
]

HEADER = Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence, port."""

ATTRIBUTE = Struct("=HH")
"""nlattr: length, with this header, and type."""

ERROR, DONE, OVERRUN = 2, 3, 4
"""NLMSG_ERROR (also an acknowledgement), NLMSG_DONE, NLMSG_OVERRUN."""

REQUEST_DUMP = 0x1 | 0x300
"""NLM_F_REQUEST, NLM_F_ROOT, NLM_F_MATCH."""

DUMP_INTERRUPTED = 0x10
"""NLM_F_DUMP_INTR: something changed since the message before, so the dump may have holes."""

_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_MAX_ERRNO = 4095  # linux/err.h
_I32, _U32 = Struct("=i"), Struct("=I")

Found = dict[int, int]
"""Where each attribute of a message begins. Of several of one type the last counts, as in the kernel."""


def messages(datagram: bytes) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Of each message: type, flags, sequence, port, and where its body begins and ends.

    Raises:
        NetlinkError: the datagram is cut short, or a message is longer than it.
    """
    start, end = 0, len(datagram)
    while start < end:
        if end - start < 16:
            raise NetlinkError(f"{end - start} bytes are no message")
        length, kind, flags, sequence, port = HEADER.unpack_from(datagram, start)
        if not 16 <= length <= end - start:
            raise NetlinkError(f"a message of {length} bytes where there are {end - start}")
        yield kind, flags, sequence, port, start + 16, start + length
        start += length + 3 & ~3


def attributes(data: bytes, start: int, end: int) -> Found:
    """The attributes between two places; also those that are nested in one.

    Raises:
        NetlinkError: one is longer than what there is.
    """
    found = {}
    unpack = ATTRIBUTE.unpack_from
    while end - start >= 4:
        length, kind = unpack(data, start)
        if not 4 <= length <= end - start:
            raise NetlinkError(f"an attribute of {length} bytes where there are {end - start}")
        found[kind & _TYPE_MASK] = start
        start += length + 3 & ~3
    return found


def value(data: bytes, found: Found, kind: int) -> tuple[int, int]:
    """Where the value of an attribute begins and ends; two equal places where there is no such attribute."""
    place = found.get(kind)
    if place is None:
        return 0, 0
    return place + 4, place + int(ATTRIBUTE.unpack_from(data, place)[0])


def number(data: bytes, found: Found, kind: int) -> int:
    """The 32-bit number of an attribute; 0 where there is no such attribute.

    Raises:
        NetlinkError: its value is shorter than four bytes.
    """
    place = found.get(kind)
    if place is None:
        return 0
    length = ATTRIBUTE.unpack_from(data, place)[0]
    if length < 8:
        raise NetlinkError(f"attribute {kind} with {length - 4} bytes, which are too few")
    return int(_U32.unpack_from(data, place + 4)[0])


def code(kind: int, data: bytes, start: int, end: int) -> int:
    """The errno of an ERROR or a DONE, 0 where all is well; an empty DONE is well.

    Raises:
        NetlinkError: it has none, or one that there cannot be.
    """
    if kind == DONE and start == end:
        return 0
    if end - start < 4:
        raise NetlinkError("an error without its number")
    errno = -int(_I32.unpack_from(data, start)[0])
    if not 0 <= errno <= _MAX_ERRNO:
        raise NetlinkError(f"an error with the number {errno}")
    return errno


def why(error: OSError | NetlinkError) -> str:
    """Why the kernel could not be spoken with, for a log."""
    if isinstance(error, NetlinkError):
        return error.what
    return "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
