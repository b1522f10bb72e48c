"""rtnetlink as bytes, as far as addresses and links go: datagrams in, values out; and the requests for a dump.

Rules of this file: no I/O. Numbers and layouts are the kernel's (linux/netlink.h, rtnetlink.h, if_addr.h, if_link.h),
in the byte order of the machine; an attribute that is not known is skipped, a message that does not fit is an error.
Why it is ours: docs/decisions/0006-read-rtnetlink-ourselves.md.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from rri_bgp import netlink
from rri_bgp.errors import NetlinkError
from rri_bgp.model import Address, Prefix
from rri_bgp.netlink import HEADER, REQUEST_DUMP, Found, attributes, number, value

__all__ = ["ADDRESSES", "GROUPS", "LINKS", "AddressNews", "Dump", "LinkNews", "News", "read"]

GROUPS = 0x1 | 0x10 | 0x100
"""What to bind to: RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR. Nobody needs a right for that."""

_ADDRESS = Struct("=BBBBI")
_LINK = Struct("=BxHiII")

_NEW_LINK, _DEL_LINK, _GET_LINK = 16, 17, 18
_NEW_ADDRESS, _DEL_ADDRESS, _GET_ADDRESS = 20, 21, 22

_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFLA_MASTER, _IFLA_LINKINFO, _IFLA_EXT_MASK = 10, 18, 29
_KIND, _DATA, _VRF_TABLE = 1, 2, 1
_SKIP_STATS = 8

_OPTIMISTIC, _DAD_FAILED, _TENTATIVE = 0x04, 0x08, 0x40
_VERSIONS = {2: 4, 10: 6}
_SIZES = {4: 4, 6: 16}
_LONGEST = 64
"""Of an address that is none, how much is shown."""

ADDRESSES = HEADER.pack(HEADER.size + _ADDRESS.size, _GET_ADDRESS, REQUEST_DUMP, 1, 0) + bytes(_ADDRESS.size)
"""Asks for every address."""

LINKS = (
    HEADER.pack(HEADER.size + _LINK.size + 8, _GET_LINK, REQUEST_DUMP, 2, 0)
    + bytes(_LINK.size)
    + Struct("=HHI").pack(8, _IFLA_EXT_MASK, _SKIP_STATS)
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
    for kind, flags, _sequence, _port, start, end in netlink.messages(datagram):
        if flags & netlink.DUMP_INTERRUPTED:
            yield Dump.INTERRUPTED
        news = _message(kind, datagram, start, end)
        if news is not None:
            yield news


def _message(kind: int, data: bytes, start: int, end: int) -> News | None:
    if kind in {_NEW_ADDRESS, _DEL_ADDRESS}:
        return _address(data, start, end, gone=kind == _DEL_ADDRESS)
    if kind in {_NEW_LINK, _DEL_LINK}:
        return _link(data, start, end, gone=kind == _DEL_LINK)
    if kind in {netlink.DONE, netlink.ERROR}:
        errno = netlink.code(kind, data, start, end)
        if errno:
            raise NetlinkError("the kernel refuses the request", code=errno)
        return Dump.DONE if kind == netlink.DONE else None
    if kind == netlink.OVERRUN:
        raise NetlinkError("the kernel says that messages were lost")
    return None


def _address(data: bytes, start: int, end: int, *, gone: bool) -> AddressNews | None:
    if end - start < _ADDRESS.size:
        raise NetlinkError(f"{end - start} bytes are no address")
    family, length, flags, _scope, index = _ADDRESS.unpack_from(data, start)
    version = _VERSIONS.get(family)
    if version is None:
        return None
    found = attributes(data, start + _ADDRESS.size, end)
    local, other = (data[slice(*value(data, found, kind))] for kind in (_IFA_LOCAL, _IFA_ADDRESS))
    local, other = local or other, other or local
    size = _SIZES[version]
    if not len(local) == len(other) == size or length > 8 * size:
        raise NetlinkError(f"no IPv{version} address: {local.hex()[:_LONGEST]}, {other.hex()[:_LONGEST]}/{length}")
    if _IFA_FLAGS in found:
        flags = number(data, found, _IFA_FLAGS)
    host = 8 * size - length
    network = Prefix(version, int.from_bytes(other, "big") >> host << host, length)
    usable = not flags & _DAD_FAILED and (not flags & _TENTATIVE or bool(flags & _OPTIMISTIC))
    return AddressNews(index, ipaddress.ip_address(local), network, usable, gone)


def _link(data: bytes, start: int, end: int, *, gone: bool) -> LinkNews | None:
    if end - start < _LINK.size:
        raise NetlinkError(f"{end - start} bytes are no link")
    family, _type, index, _flags, _change = _LINK.unpack_from(data, start)
    if family:  # a bridge speaks of its ports in the same words: one that leaves it is not gone
        return None
    found = attributes(data, start + _LINK.size, end)
    table = _vrf_table(data, found) if _IFLA_LINKINFO in found else 0
    return LinkNews(index, number(data, found, _IFLA_MASTER), table, gone)


def _vrf_table(data: bytes, found: Found) -> int:
    """The table of a VRF device, from its IFLA_LINKINFO; 0 where it is none."""
    info = attributes(data, *value(data, found, _IFLA_LINKINFO))
    if data[slice(*value(data, info, _KIND))].rstrip(b"\0") != b"vrf":
        return 0
    return number(data, attributes(data, *value(data, info, _DATA)), _VRF_TABLE)
