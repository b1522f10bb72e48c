"""rtnetlink as bytes, as far as routes, and what leads to them, go: datagrams in, values out.

Rules of this file: no I/O. Numbers and layouts are of linux/rtnetlink.h, if_link.h and if_tunnel.h, in the byte order
of the machine. What is not known is passed over; a message that does not fit raises ``NetlinkError``. What is sent is
made in ``requests.py``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_address
from struct import Struct
from typing import NamedTuple

from rri_bgp import netlink
from rri_bgp.errors import NetlinkError
from rri_bgp.model import Address, Prefix
from rri_bgp.netlink import Found, attributes, number, value
from rri_bgp.rri.reconcile import Place

__all__ = [
    "BLACKHOLE",
    "UNICAST",
    "Ack",
    "Done",
    "Failed",
    "Interrupted",
    "LinkNews",
    "News",
    "Nexthop",
    "RouteNews",
    "Underlay",
    "Via",
    "read",
    "via_of",
]

UNICAST, BLACKHOLE = 1, 6
"""RTN_UNICAST, RTN_BLACKHOLE."""

_NEW_LINK, _DEL_LINK, _NEW_ROUTE, _DEL_ROUTE = 16, 17, 24, 25
_ROUTE = Struct("=BBBBBBxBI")  # family, destination's length, source's, TOS, table, protocol, type, flags
_NEXTHOP = Struct("=HBBi")  # length, flags, weight, device
_LINK = Struct("=B3xiI4x")  # family, index, flags
_FAMILY = Struct("=H")
_BIG_U32 = Struct("!I")
_MESSAGE = Struct("=I")

_DST, _OIF, _GATEWAY, _PRIORITY, _MULTIPATH, _TABLE, _VIA = 1, 4, 5, 6, 9, 15, 18
_IFNAME, _MASTER, _LINKINFO = 3, 10, 18
_KIND, _DATA = 1, 2
_VRF_TABLE, _XFRM_IF_ID, _VTI_OKEY = 1, 2, 3
_ERROR_TEXT = 1

_CLONED = 0x200
_ONLINK = 0x4
_UP = 0x1 | 0x10000
"""IFF_UP, IFF_LOWER_UP: somebody wants it up, and it has a carrier."""
_CAPPED, _WITH_TEXT = 0x100, 0x200
"""NLM_F_CAPPED, NLM_F_ACK_TLVS."""

_VERSIONS = {2: 4, 10: 6}
_BITS = {4: 32, 6: 128}
_SIZES = frozenset((4, 16))
_LONGEST_TEXT = 200
"""Bytes of a text that are read: the kernel's own are shorter."""
_ALIKE = 8192
"""How many ways of the last ones are kept: the routes of a hub lead over few."""


class Nexthop(NamedTuple):
    """A way out: ``device`` is an index, 0 where the kernel does not say (a nexthop object that it keeps to itself).

    ``onlink``: the gateway counts as a neighbour though no network of the device has it.
    """

    gateway: Address | None
    device: int
    onlink: bool = False


Via = tuple[Nexthop, ...]
"""Where a route leads; nowhere if it is a blackhole. Several share the traffic, and stand as ``via_of`` puts them."""


def via_of(ways: Iterable[Nexthop]) -> Via:
    """Each once, in an order of their own: the kernel gives those of an IPv6 route in one that changes."""
    return tuple(sorted(set(ways), key=_order))


def _order(way: Nexthop) -> tuple[int, int, int, bool]:
    gateway, device, onlink = way
    return (0, 0, device, onlink) if gateway is None else (gateway.version, int(gateway), device, onlink)


class RouteNews(NamedTuple):
    """A route is there, or ``gone``: in an event, in a dump, or in answer to a lookup.

    ``protocol`` says whose it is (rtm_protocol), ``kind`` what it does (rtm_type). ``sequence`` and ``port`` are of
    the request that caused it: 0 where the kernel did it by itself.

    IPv6: of a route that had several ways the one that went is told as ``gone``, and the others are still there.
    """

    place: Place
    protocol: int
    via: Via
    kind: int
    gone: bool
    sequence: int
    port: int


class LinkNews(NamedTuple):
    """A link came, changed, or went.

    ``link`` is its index, ``master`` that of the link that it belongs to. ``vrf_table`` is a VRF device's table,
    ``if_id`` an xfrm interface's id, ``mark`` what a vti device marks packets with (its okey); each 0 where there is
    none.
    """

    link: int
    name: str
    is_up: bool
    master: int
    vrf_table: int
    if_id: int
    mark: int
    gone: bool


class Underlay(enum.Enum):
    """Something changed that lookups may depend on; what it is now is for them to say."""

    ADDRESSES = "addresses"
    RULES = "rules"


class Done(NamedTuple):
    """The dump of this request is over."""

    sequence: int


class Interrupted(NamedTuple):
    """Something changed while the dump of this request ran: it may have holes. It goes on until ``Done``."""

    sequence: int


class Ack(NamedTuple):
    """This request was carried out."""

    sequence: int


class Failed(NamedTuple):
    """This request was refused; ``text`` is what the kernel says besides, mostly empty. A dump ends with it."""

    sequence: int
    errno: int
    text: str


News = RouteNews | LinkNews | Underlay | Done | Interrupted | Ack | Failed

_UNDERLAY = {20: Underlay.ADDRESSES, 21: Underlay.ADDRESSES, 32: Underlay.RULES, 33: Underlay.RULES}


def read(datagram: bytes, *, skip_port: int = 0) -> Iterator[News]:
    """What one datagram says, in order.

    Left out are routes that compete with none of ours: those for a TOS or of a source, and those that the kernel made
    of others for itself, unless it was asked. ``skip_port``: leaves out what requests of this port caused.

    Raises:
        NetlinkError: it is malformed, or says that something was lost; what came before is valid.
    """
    for kind, flags, sequence, port, start, end in netlink.messages(datagram):
        if skip_port and port == skip_port:
            continue
        if flags & netlink.DUMP_INTERRUPTED:
            yield Interrupted(sequence)
        news: News | None
        if kind in (_NEW_ROUTE, _DEL_ROUTE):
            news = _route(datagram, start, end, gone=kind == _DEL_ROUTE, sequence=sequence, port=port)
        elif kind in (_NEW_LINK, _DEL_LINK):
            news = _link(datagram, start, end, gone=kind == _DEL_LINK)
        else:
            news = _UNDERLAY.get(kind) or _answer(kind, flags, sequence, datagram, start, end)
        if news is not None:
            yield news


def _route(data: bytes, start: int, end: int, *, gone: bool, sequence: int, port: int) -> RouteNews | None:
    if end - start < _ROUTE.size:
        raise NetlinkError(f"{end - start} bytes are no route")
    family, length, source, tos, table, protocol, kind, flags = _ROUTE.unpack_from(data, start)
    version = _VERSIONS.get(family)
    if version is None or source or tos or (flags & _CLONED and not sequence):
        return None
    found = attributes(data, start + _ROUTE.size, end)
    if _TABLE in found:
        table = number(data, found, _TABLE)
    place = Place(table, _prefix(version, length, data, found), number(data, found, _PRIORITY))
    return RouteNews(place, protocol, _via(kind, flags, data, found), kind, gone, sequence, port)


def _prefix(version: int, length: int, data: bytes, found: Found) -> Prefix:
    bits = _BITS[version]
    start, end = value(data, found, _DST)
    if length > bits or (end - start) << 3 != (bits if start else 0) or (length and not start):
        raise NetlinkError(f"no IPv{version} prefix: {data[start:end].hex()[:64]}/{length}")
    host = bits - length
    return Prefix(version, int.from_bytes(data[start:end], "big") >> host << host, length)


def _via(kind: int, flags: int, data: bytes, found: Found) -> Via:
    if kind == BLACKHOLE:
        return ()
    if _MULTIPATH not in found:
        return _one_way(_gateway(data, found), number(data, found, _OIF), bool(flags & _ONLINK))
    start, end = value(data, found, _MULTIPATH)
    ways: list[Nexthop] = []
    while end - start >= _NEXTHOP.size:
        length, flags, _weight, device = _NEXTHOP.unpack_from(data, start)
        if not _NEXTHOP.size <= length <= end - start:
            raise NetlinkError(f"a next hop of {length} bytes where there are {end - start}")
        inner = attributes(data, start + _NEXTHOP.size, start + length)
        ways += _one_way(_gateway(data, inner), device, bool(flags & _ONLINK))
        start += length + 3 & ~3
    return via_of(ways) or _one_way(b"", 0, False)


def _gateway(data: bytes, found: Found) -> bytes:
    """The gateway's address as bytes, none where there is none. RTA_VIA has one of the other family."""
    start, end = value(data, found, _GATEWAY)
    if start == end and _VIA in found:
        start, end = value(data, found, _VIA)
        start += _FAMILY.size
    if start != end and end - start not in _SIZES:
        raise NetlinkError(f"a gateway of {end - start} bytes")
    return data[start:end]


@lru_cache(_ALIKE)
def _one_way(gateway: bytes, device: int, onlink: bool) -> Via:
    """One tuple for all routes that lead the same way: there are many, and they compare by being the same."""
    return (Nexthop(ip_address(gateway) if gateway else None, device, onlink),)


def _link(data: bytes, start: int, end: int, *, gone: bool) -> LinkNews | None:
    if end - start < _LINK.size:
        raise NetlinkError(f"{end - start} bytes are no link")
    family, index, flags = _LINK.unpack_from(data, start)
    if family:  # a bridge speaks of its ports in the same words: one that leaves it is not gone
        return None
    found = attributes(data, start + _LINK.size, end)
    vrf_table = if_id = mark = 0
    if _LINKINFO in found:
        info = attributes(data, *value(data, found, _LINKINFO))
        kind, inner = _text(data, info, _KIND), attributes(data, *value(data, info, _DATA))
        if kind == "vrf":
            vrf_table = number(data, inner, _VRF_TABLE)
        elif kind == "xfrm":
            if_id = number(data, inner, _XFRM_IF_ID)
        elif kind in ("vti", "vti6"):
            mark = _big(number(data, inner, _VTI_OKEY))
    is_up = flags & _UP == _UP
    return LinkNews(
        index, _text(data, found, _IFNAME), is_up, number(data, found, _MASTER), vrf_table, if_id, mark, gone
    )


def _big(found: int) -> int:
    """A number that is in network byte order."""
    return int(_BIG_U32.unpack(_MESSAGE.pack(found))[0])


def _text(data: bytes, found: Found, kind: int) -> str:
    """A text of the kernel's, without the zero at its end. A link's name may be any bytes."""
    start, end = value(data, found, kind)
    text = data[start:end].partition(b"\0")[0][:_LONGEST_TEXT].decode("utf-8", "backslashreplace")
    return text if text.isprintable() else ascii(text)[1:-1]


def _answer(kind: int, flags: int, sequence: int, data: bytes, start: int, end: int) -> News | None:
    if kind == netlink.OVERRUN:
        raise NetlinkError("the kernel says that messages were lost")
    if kind not in (netlink.ERROR, netlink.DONE):
        return None
    errno = netlink.code(kind, data, start, end)
    if errno:
        return Failed(sequence, errno, _why(kind, flags, data, start, end) if flags & _WITH_TEXT else "")
    return Done(sequence) if kind == netlink.DONE else Ack(sequence)


def _why(kind: int, flags: int, data: bytes, start: int, end: int) -> str:
    """The kernel's own words (NLMSGERR_ATTR_MSG): after the errno, and of an error after the request or its header."""
    start += 4
    if kind == netlink.ERROR and end - start >= netlink.HEADER.size:
        (length,) = _MESSAGE.unpack_from(data, start)
        start += netlink.HEADER.size if flags & _CAPPED else length + 3 & ~3
    return _text(data, attributes(data, start, end), _ERROR_TEXT)
