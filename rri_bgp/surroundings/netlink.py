"""rtnetlink as bytes, as far as addresses and links go: datagrams in, values out; and the requests for a dump.

Rules of this file: no I/O. Numbers and layouts are the kernel's (linux/netlink.h, rtnetlink.h, if_addr.h, if_link.h),
in the byte order of the machine; an attribute that is not known is skipped, a message that does not fit is an error.
Why it is ours: docs/decisions/0006-read-rtnetlink-ourselves.md.
"""

from __future__ import annotations

import enum
import ipaddress
import struct
from collections.abc import Iterator
from typing import NamedTuple

from rri_bgp.errors import NetlinkError
from rri_bgp.model import Address, Prefix

__all__ = ["ADDRESSES", "GROUPS", "LINKS", "AddressNews", "Dump", "LinkNews", "News", "read"]

GROUPS = 0x1 | 0x10 | 0x100
"""What to bind to: RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR. Nobody needs a right for that."""

_HEADER = struct.Struct("=IHHII")
_ADDRESS = struct.Struct("=BBBBI")
_LINK = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")
_U32 = struct.Struct("=I")

_NOOP, _ERROR, _DONE, _OVERRUN = 1, 2, 3, 4
_NEW_LINK, _DEL_LINK, _GET_LINK = 16, 17, 18
_NEW_ADDRESS, _DEL_ADDRESS, _GET_ADDRESS = 20, 21, 22
_REQUEST_DUMP = 0x1 | 0x300
_DUMP_INTERRUPTED = 0x10
_NESTED = 0x3FFF
"""The bits of an attribute's type that are the type."""

_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFLA_MASTER, _IFLA_LINKINFO, _IFLA_EXT_MASK = 10, 18, 29
_KIND, _DATA, _VRF_TABLE = 1, 2, 1
_SKIP_STATS = 8

_OPTIMISTIC, _DAD_FAILED, _TENTATIVE = 0x04, 0x08, 0x40
_VERSIONS = {2: 4, 10: 6}
_SIZES = {4: 4, 6: 16}

ADDRESSES = _HEADER.pack(_HEADER.size + _ADDRESS.size, _GET_ADDRESS, _REQUEST_DUMP, 1, 0) + bytes(_ADDRESS.size)
"""Asks for every address."""

LINKS = (
    _HEADER.pack(_HEADER.size + _LINK.size + 8, _GET_LINK, _REQUEST_DUMP, 2, 0)
    + bytes(_LINK.size)
    + struct.pack("=HHI", 8, _IFLA_EXT_MASK, _SKIP_STATS)
)
"""Asks for every link, without its counters."""


class AddressNews(NamedTuple):
    """An address of a link (its index) came, changed, or went.

    ``network`` is what it makes on-link: that of the other end where there is one (a point-to-point interface).
    ``usable`` is false while duplicate address detection has not let it through (RFC 4862 §5.4).
    """

    link: int
    address: Address
    network: Prefix
    usable: bool
    gone: bool


class LinkNews(NamedTuple):
    """A link came, changed, or went.

    ``link`` is its index, ``master`` that of the link that it belongs to, 0 for none; ``table`` is the routing table of
    a VRF device, 0 for other links.
    """

    link: int
    master: int
    table: int
    gone: bool


class Dump(enum.Enum):
    """About a dump: it is over, or something changed meanwhile, so that it may have holes."""

    DONE = "done"
    INTERRUPTED = "interrupted"


News = AddressNews | LinkNews | Dump


def read(datagram: bytes) -> Iterator[News]:
    """What one datagram says, in order. What is about neither addresses nor links is left out.

    Raises:
        NetlinkError: it is cut short, or the kernel says that a request failed (``code`` has its errno) or that
            something was lost.
    """
    start = 0
    while start < len(datagram):
        if len(datagram) - start < _HEADER.size:
            raise NetlinkError(f"{len(datagram) - start} bytes are no message")
        length, kind, flags, _sequence, _port = _HEADER.unpack_from(datagram, start)
        if not _HEADER.size <= length <= len(datagram) - start:
            raise NetlinkError(f"a message of {length} bytes where there are {len(datagram) - start}")
        if flags & _DUMP_INTERRUPTED:
            yield Dump.INTERRUPTED
        news = _message(kind, datagram[start + _HEADER.size : start + length])
        if news is not None:
            yield news
        start += length + 3 & ~3


def _message(kind: int, body: bytes) -> News | None:
    if kind in {_NEW_ADDRESS, _DEL_ADDRESS}:
        return _address(body, gone=kind == _DEL_ADDRESS)
    if kind in {_NEW_LINK, _DEL_LINK}:
        return _link(body, gone=kind == _DEL_LINK)
    if kind == _DONE:
        _check(body)
        return Dump.DONE
    if kind == _ERROR:
        _check(body)
    if kind == _OVERRUN:
        raise NetlinkError("the kernel says that messages were lost")
    return None


def _check(body: bytes) -> None:
    """Of an answer: the kernel's errno, negative, 0 where all is well."""
    code = struct.unpack_from("=i", body)[0] if len(body) >= _U32.size else 0
    if code:
        raise NetlinkError("the kernel refuses the request", code=-code)


def _address(body: bytes, *, gone: bool) -> AddressNews | None:
    if len(body) < _ADDRESS.size:
        raise NetlinkError(f"{len(body)} bytes are no address")
    family, length, flags, _scope, index = _ADDRESS.unpack_from(body)
    version = _VERSIONS.get(family)
    if version is None:
        return None
    local = other = b""
    for name, value in _attributes(body[_ADDRESS.size :]):
        if name == _IFA_LOCAL:
            local = value
        elif name == _IFA_ADDRESS:
            other = value
        elif name == _IFA_FLAGS and len(value) == _U32.size:
            (flags,) = _U32.unpack(value)
    local, other = local or other, other or local
    size = _SIZES[version]
    if not len(local) == len(other) == size or length > 8 * size:
        raise NetlinkError(f"no IPv{version} address: {local.hex()}, {other.hex()}/{length}")
    host = 8 * size - length
    network = Prefix(version, int.from_bytes(other) >> host << host, length)
    usable = not flags & _DAD_FAILED and (not flags & _TENTATIVE or bool(flags & _OPTIMISTIC))
    return AddressNews(index, ipaddress.ip_address(local), network, usable, gone)


def _link(body: bytes, *, gone: bool) -> LinkNews | None:
    if len(body) < _LINK.size:
        raise NetlinkError(f"{len(body)} bytes are no link")
    family, _type, index, _flags, _change = _LINK.unpack_from(body)
    if family:  # a bridge speaks of its ports in the same words: one that leaves it is not gone
        return None
    master = table = 0
    for name, value in _attributes(body[_LINK.size :]):
        if name == _IFLA_MASTER and len(value) == _U32.size:
            (master,) = _U32.unpack(value)
        elif name == _IFLA_LINKINFO:
            table = _vrf_table(value)
    return LinkNews(index, master, table, gone)


def _vrf_table(info: bytes) -> int:
    """The table of a VRF device, from its IFLA_LINKINFO; 0 where it is none."""
    found = dict(_attributes(info))
    if found.get(_KIND, b"").rstrip(b"\0") != b"vrf":
        return 0
    table = dict(_attributes(found.get(_DATA, b""))).get(_VRF_TABLE, b"")
    return int(_U32.unpack(table)[0]) if len(table) == _U32.size else 0


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while len(data) - start >= _ATTRIBUTE.size:
        length, name = _ATTRIBUTE.unpack_from(data, start)
        if not _ATTRIBUTE.size <= length <= len(data) - start:
            raise NetlinkError(f"an attribute of {length} bytes where there are {len(data) - start}")
        yield name & _NESTED, data[start + _ATTRIBUTE.size : start + length]
        start += length + 3 & ~3
