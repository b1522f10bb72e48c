"""Routes, links and answers of rtnetlink as the kernel writes them, made by hand (linux/rtnetlink.h, if_link.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel.wire import UNICAST, Nexthop
from tests.unit.surroundings.messages import attribute, message
from tests.values import pfx

__all__ = [
    "DST",
    "GATEWAY",
    "MULTIPATH",
    "NH_ID",
    "OIF",
    "PRIORITY",
    "TABLE",
    "VIA",
    "answer",
    "hop",
    "link",
    "place",
    "route",
    "u32",
    "way",
]

DST, OIF, GATEWAY, PRIORITY, MULTIPATH, TABLE, VIA, NH_ID = 1, 4, 5, 6, 9, 15, 18, 30
_FAMILIES = {4: 2, 6: 10}


def u32(kind: int, number: int) -> bytes:
    """An attribute with a number."""
    return attribute(kind, struct.pack("=I", number))


def place(text: str, metric: int = 1, table: int = 254) -> Place:
    """Where a route is."""
    return Place(table, pfx(text), metric)


def way(gateway: str = "", device: int = 3, *, onlink: bool = False) -> Nexthop:
    """A next hop."""
    return Nexthop(ip_address(gateway) if gateway else None, device, onlink)


def route(  # as many as the header has
    text: str,
    *attributes: bytes,
    kind: int = UNICAST,
    protocol: int = 82,
    table: int = 254,
    tos: int = 0,
    source: int = 0,
    flags: int = 0,
    gone: bool = False,
    message_flags: int = 0,
    sequence: int = 1,
    port: int = 4711,
) -> bytes:
    """RTM_NEWROUTE, or RTM_DELROUTE: the prefix, and what follows it."""
    network = ip_network(text)
    family = _FAMILIES[network.version]
    body = struct.pack("=BBBBBBBBI", family, network.prefixlen, source, tos, table & 255, protocol, 0, kind, flags)
    if network.prefixlen:
        body += attribute(DST, network.network_address.packed)
    body += b"".join(attributes)
    return message(25 if gone else 24, body, message_flags, sequence=sequence, port=port)


def hop(device: int, *attributes: bytes, flags: int = 0) -> bytes:
    """One of the next hops in a MULTIPATH."""
    inner = b"".join(attributes)
    return struct.pack("=HBBi", 8 + len(inner), flags, 0, device) + inner


def link(name: str, index: int, *, flags: int = 0x11043, gone: bool = False, more: Iterable[bytes] = ()) -> bytes:
    """RTM_NEWLINK, or RTM_DELLINK; up and with a carrier unless ``flags`` say otherwise."""
    body = struct.pack("=BxHiII", 0, 1, index, flags, 0) + attribute(3, name.encode() + b"\0")
    return message(17 if gone else 16, body + b"".join(more))


def answer(errno: int, *, text: str = "", request: bytes = b"", capped: bool = False, sequence: int = 1) -> bytes:
    """NLMSG_ERROR to a request (a header alone if none is given), with the kernel's words where there are some."""
    request = request or struct.pack("=IHHII", 16, 24, 5, sequence, 4711)
    body = struct.pack("=i", -errno) + (request[:16] if capped or not errno else request)
    flags = (0x100 if capped else 0) | (0x200 if text else 0)
    if text:
        body += attribute(1, text.encode() + b"\0")
    return message(2, body, flags, sequence=sequence)
