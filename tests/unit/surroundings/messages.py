"""rtnetlink messages as the kernel writes them, made by hand: the layouts are those of linux/rtnetlink.h."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address

__all__ = ["attribute", "deladdr", "dellink", "done", "failed", "message", "newaddr", "newlink"]

_FAMILIES = {4: 2, 6: 10}


def message(kind: int, body: bytes, flags: int = 0, *, sequence: int = 1, port: int = 4711) -> bytes:
    """A message, padded."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, port) + body + bytes(-len(body) % 4)


def attribute(name: int, value: bytes) -> bytes:
    """An attribute, padded."""
    return struct.pack("=HH", 4 + len(value), name) + value + bytes(-len(value) % 4)


def _address(
    kind: int, text: str, link: int, flags: int, peer: str, more: Iterable[bytes], message_flags: int
) -> bytes:
    local, _, length = text.partition("/")
    address = ip_address(local)
    body = struct.pack("=BBBBI", _FAMILIES[address.version], int(length), flags & 0xFF, 0, link)
    if address.version == 4 or peer:
        body += attribute(2, address.packed)
    body += attribute(1, ip_address(peer).packed if peer else address.packed)
    return message(kind, body + b"".join(more), message_flags)


def newaddr(
    text: str, link: int = 2, *, flags: int = 0x80, peer: str = "", more: Iterable[bytes] = (), message_flags: int = 0
) -> bytes:
    """RTM_NEWADDR: ``192.0.2.1/24``."""
    return _address(20, text, link, flags, peer, more, message_flags)


def deladdr(text: str, link: int = 2, *, peer: str = "") -> bytes:
    """RTM_DELADDR."""
    return _address(21, text, link, 0x80, peer, (), 0)


def _link(kind: int, link: int, master: int, table: int, family: int) -> bytes:
    body = struct.pack("=BxHiII", family, 1, link, 0x1043, 0) + attribute(3, b"eth0\0")
    if master:
        body += attribute(10, struct.pack("=I", master))
    if table:
        data = attribute(1, struct.pack("=I", table))
        body += attribute(18 | 0x8000, attribute(1, b"vrf\0") + attribute(2 | 0x8000, data))
    else:
        body += attribute(18, attribute(1, b"veth\0"))
    return message(kind, body)


def newlink(link: int, *, master: int = 0, table: int = 0, family: int = 0) -> bytes:
    """RTM_NEWLINK: a VRF device where ``table`` is not 0."""
    return _link(16, link, master, table, family)


def dellink(link: int, *, family: int = 0) -> bytes:
    """RTM_DELLINK."""
    return _link(17, link, 0, 0, family)


def done(code: int = 0) -> bytes:
    """NLMSG_DONE."""
    return message(3, struct.pack("=i", code), 2)


def failed(errno: int) -> bytes:
    """NLMSG_ERROR."""
    return message(2, struct.pack("=i", -errno) + bytes(16))
