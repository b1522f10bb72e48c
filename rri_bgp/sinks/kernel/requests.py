"""What we ask of the kernel: to add, replace and delete routes, what leads to an address, and for dumps.

Rules of this file: no I/O; one call is one message of rtnetlink, as long as a multiple of four, so that many may be
joined and sent at once. pyroute2 encodes it, once for each shape, with marks where the values go; the values are then
written over the marks (docs/decisions/0011-routes-are-encoded-once.md). Importing this imports pyroute2: only what
changes the kernel may.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from struct import Struct
from typing import Any, NamedTuple

from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from rri_bgp.model import Address, Prefix
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel.wire import BLACKHOLE, UNICAST, Nexthop, Via

__all__ = ["AT_ONCE", "Template", "add", "delete", "dump_links", "dump_routes", "lookup", "template"]

_NEW_ROUTE, _DEL_ROUTE, _GET_ROUTE, _GET_LINK = 24, 25, 26, 18
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_REPLACE, _EXCL, _CREATE = 0x100, 0x200, 0x400
_ONLINK = 0x4
_LINK_SCOPE, _NO_SCOPE = 253, 255
_LOOKUP_FLAGS = {4: 0x1000 | 0x2000, 6: 0x2000}
"""RTM_F_LOOKUP_TABLE, which IPv6 does without and knows not, and RTM_F_FIB_MATCH."""
_SKIP_STATS = 8

AT_ONCE = 100
"""How many requests are sent at once. From 30 on it costs no less time a route, and 100 take a millisecond. Where all
of them fail, the answers still fit into a socket's buffer of the default size."""

_FAMILIES = {4: 2, 6: 10}
_SIZES = {4: 4, 6: 16}
_SHAPES = 2048
"""Encoded messages that are kept, one for each prefix length, verb and kind of next hop that is in use."""


def add(
    place: Place,
    via: Via,
    protocol: int,
    sequence: int,
    *,
    replace: bool = False,
    ack: bool = True,
    nowhere: int = BLACKHOLE,
) -> bytes:
    """A request for a route (RTM_NEWROUTE). ``nowhere``: the type of one that leads nowhere (RTN_*).

    Where there is a route at this place already it fails with EEXIST, whoever's that is; ``replace`` takes the place of
    whatever is there, also of somebody else's. An IPv6 route of metric 0 gets 1024.

    Raises:
        ValueError: an IPv6 route through an IPv4 gateway, which the kernel does not have.
    """
    return template(place, via, protocol, replace=replace, nowhere=nowhere).filled(place.prefix, sequence, ack=ack)


def template(place: Place, via: Via, protocol: int, *, replace: bool = False, nowhere: int = BLACKHOLE) -> Template:
    """What ``add`` makes of all places that differ from this one in the network alone.

    Raises:
        ValueError: as ``add``.
    """
    flags = _REQUEST | _CREATE | (_REPLACE if replace else _EXCL)
    version, network, length = place.prefix
    ways = tuple(_Way(way.gateway.version if way.gateway else 0, way.device != 0, way.onlink) for way in via)
    values = [place.table, place.metric, *([network] if length else [])]
    for gateway, device, _ in via:
        if gateway is not None:
            values.append(int(gateway))
        if device:
            values.append(device)
    shape = _route(_NEW_ROUTE, flags, version, length, protocol, ways, nowhere)
    return Template(shape.filled(0, values), shape.holes[2].start if length else 0)


def delete(place: Place, protocol: int, sequence: int, *, way: Nexthop | None = None, ack: bool = True) -> bytes:
    """A request that the route of this protocol at this place be gone (RTM_DELROUTE); ESRCH where there is none.

    IPv4 takes metric 0 for any: of several routes of this protocol the one of the lowest metric goes. IPv6 makes one
    route of all of a place, with the ways of each, and takes all of it, also what is of other protocols; of this
    ``way``, one with a gateway, it takes that alone.
    """
    version, network, length = place.prefix
    values = [place.table, place.metric, *([network] if length else [])]
    flags = _REQUEST | (_ACK if ack else 0)
    if way is None or way.gateway is None:
        return _route(_DEL_ROUTE, flags, version, length, protocol, None).filled(sequence, values)
    shape = _route(_DEL_ROUTE, flags, version, length, protocol, (_Way(way.gateway.version, True, False),))
    return shape.filled(sequence, [*values, int(way.gateway), way.device])


def lookup(address: Address, device: int, sequence: int) -> bytes:
    """A question for the route that leads to an address, through this device where it is not 0 (RTM_GETROUTE).

    A VRF's device asks for what leads there in the VRF. The answer is the entry of the table that matches, with its
    own prefix, protocol and table; or an error: ENETUNREACH where there is none.
    """
    values = [int(address), *([device] if device else [])]
    return _lookup(address.version, device != 0).filled(sequence, values)


def dump_routes(version: int, table: int, protocol: int, sequence: int) -> bytes:
    """A request for the routes of a table, 0 for all, that are of a protocol, 0 for all.

    The kernel looks at neither unless the socket has NETLINK_GET_STRICT_CHK. A table that does not exist is answered
    with ENOENT.
    """
    message = _rtmsg(_GET_ROUTE, _REQUEST | _DUMP, version)
    message["proto"] = protocol
    message["attrs"] = [("RTA_TABLE", table)] if table else []
    return _encoded(message, sequence)


def dump_links(sequence: int) -> bytes:
    """A request for all links, without their counters."""
    message = ifinfmsg()
    message["header"]["type"], message["header"]["flags"] = _GET_LINK, _REQUEST | _DUMP
    message["attrs"] = [("IFLA_EXT_MASK", _SKIP_STATS)]
    return _encoded(message, sequence)


class Template(NamedTuple):
    """A message with all its values but the network, which is written at ``start`` (0: it is a default route)."""

    message: bytes
    start: int

    def filled(self, prefix: Prefix, sequence: int, *, ack: bool) -> bytes:
        """The message for this prefix, of the same version and length."""
        found = bytearray(self.message)
        _SEQUENCE.pack_into(found, _SEQUENCE_AT, sequence)
        if self.start:
            size = _SIZES[prefix.version]
            found[self.start : self.start + size] = prefix.network.to_bytes(size, "big")
        if ack:
            found[_FLAGS_AT] |= _ACK
        return bytes(found)


class _Hole(NamedTuple):
    """Where a value goes in a message: ``size`` bytes, addresses in network byte order, numbers in the machine's."""

    start: int
    size: int
    order: Any


class _Shape(NamedTuple):
    """An encoded message and its holes, in the order in which values are given."""

    message: bytes
    holes: tuple[_Hole, ...]

    def filled(self, sequence: int, values: Iterable[int]) -> bytes:
        """The message with these values."""
        found = bytearray(self.message)
        _SEQUENCE.pack_into(found, _SEQUENCE_AT, sequence)
        for (start, size, order), value in zip(self.holes, values, strict=True):
            found[start : start + size] = value.to_bytes(size, order)
        return bytes(found)


_SEQUENCE, _SEQUENCE_AT = Struct("=I"), 8
_FLAGS_AT = 6 if sys.byteorder == "little" else 7
"""Where the low byte of a message's flags is."""


class _Marks:
    """Values that are found again in an encoded message: each is there once."""

    def __init__(self) -> None:
        self._marks: list[tuple[bytes, Any]] = []

    def number(self) -> int:
        """A 32-bit number; positive also where it is taken for a signed one."""
        return int.from_bytes(self._mark(4, sys.byteorder), sys.byteorder)

    def address(self, version: int) -> str:
        """An address."""
        return str(ip_address(self._mark(_SIZES[version], "big")))

    def _mark(self, size: int, order: str) -> bytes:
        mark = (b"\x5a" + len(self._marks).to_bytes(2) + b"\x5a").rjust(size, b"\x2a")
        self._marks.append((mark, order))
        return mark

    def shape(self, message: bytes) -> _Shape:
        """Finds them in the message."""
        assert all(message.count(mark) == 1 for mark, _ in self._marks)  # noqa: S101
        return _Shape(message, tuple(_Hole(message.index(mark), len(mark), order) for mark, order in self._marks))


class _Way(NamedTuple):
    """The shape of a next hop: the version of its gateway, 0 for none."""

    gateway: int
    has_device: bool
    onlink: bool


@lru_cache(_SHAPES)
def _route(
    kind: int,
    flags: int,
    version: int,
    length: int,
    protocol: int,
    ways: tuple[_Way, ...] | None,
    nowhere: int = BLACKHOLE,
) -> _Shape:
    """``ways``: None for those of any route, none of them for one that leads nowhere."""
    marks, message = _Marks(), _rtmsg(kind, flags, version)
    message["dst_len"], message["proto"] = length, protocol
    message["attrs"] = [("RTA_TABLE", marks.number()), ("RTA_PRIORITY", marks.number())]
    if length:
        message["attrs"].append(("RTA_DST", marks.address(version)))
    if ways is None:
        message["scope"] = _NO_SCOPE
        return marks.shape(_encoded(message))
    message["type"] = UNICAST if ways else nowhere
    if len(ways) == 1:
        (way,) = ways
        message["scope"] = 0 if way.gateway else _LINK_SCOPE
        message["flags"] = _ONLINK if way.onlink else 0
        message["attrs"] += _gateway(marks, version, way)
        if way.has_device:
            message["attrs"].append(("RTA_OIF", marks.number()))
    elif ways:
        message["attrs"].append(("RTA_MULTIPATH", [_nexthop(marks, version, way) for way in ways]))
    return marks.shape(_encoded(message))


def _nexthop(marks: _Marks, version: int, way: _Way) -> dict[str, Any]:
    attributes = _gateway(marks, version, way)
    device = marks.number() if way.has_device else 0
    return {"flags": _ONLINK if way.onlink else 0, "oif": device, "attrs": attributes}


def _gateway(marks: _Marks, version: int, way: _Way) -> list[tuple[str, Any]]:
    if not way.gateway:
        return []
    address = marks.address(way.gateway)
    if way.gateway == version:
        return [("RTA_GATEWAY", address)]
    if version == 6:
        raise ValueError("the kernel has no IPv6 route through an IPv4 gateway")
    return [("RTA_VIA", {"family": _FAMILIES[way.gateway], "addr": address})]


@lru_cache
def _lookup(version: int, has_device: bool) -> _Shape:
    marks, message = _Marks(), _rtmsg(_GET_ROUTE, _REQUEST, version)
    message["dst_len"], message["flags"] = 8 * _SIZES[version], _LOOKUP_FLAGS[version]
    message["attrs"] = [("RTA_DST", marks.address(version))]
    if has_device:
        message["attrs"].append(("RTA_OIF", marks.number()))
    return marks.shape(_encoded(message))


def _rtmsg(kind: int, flags: int, version: int) -> rtmsg:
    message = rtmsg()
    message["header"]["type"], message["header"]["flags"] = kind, flags
    message["family"] = _FAMILIES[version]
    return message


def _encoded(message: nlmsg, sequence: int = 0) -> bytes:
    message["header"]["sequence_number"] = sequence
    message.encode()
    return bytes(message.data)
