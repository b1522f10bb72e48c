"""The least of BGP that a counting router needs (RFC 4271, RFC 4760, RFC 6793): bytes in, events out, no I/O.

Rules of this file: what is malformed is a ``BgpError`` and never a wrong count. Path attributes are skipped but for
MP_REACH_NLRI and MP_UNREACH_NLRI; of those only IPv6 unicast is read.
"""

from __future__ import annotations

import enum
import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rri_bgp.model import Prefix

__all__ = ["BgpError", "Kind", "Splitter", "Update", "keepalive", "open_message", "parse_update"]

MARKER = b"\xff" * 16
HEADER = 19
LONGEST = 4096
VERSION = 4
AS_TRANS = 23456
_MP_REACH, _MP_UNREACH = 14, 15
_EXTENDED_LENGTH = 0x10
_IPV6_UNICAST = (2, 1)


class BgpError(ValueError):
    """Not BGP, or not BGP that this file reads."""


class Kind(enum.IntEnum):
    """Message types, RFC 4271 §4.1."""

    OPEN = 1
    UPDATE = 2
    NOTIFICATION = 3
    KEEPALIVE = 4
    ROUTE_REFRESH = 5


@dataclass(frozen=True, slots=True)
class Update:
    """What one UPDATE says; both empty is an End-of-RIB marker (RFC 4724 §2)."""

    announced: tuple[Prefix, ...]
    withdrawn: tuple[Prefix, ...]


class Splitter:
    """A byte stream to messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """The messages that these bytes complete: type and body.

        Raises:
            BgpError: no marker, a length that cannot be, or an unknown type.
        """
        data, at = self._rest + data, 0
        try:
            while len(data) - at >= HEADER:
                length, kind = _header(data, at)
                if len(data) - at < length:
                    break
                at += length
                yield kind, data[at - length + HEADER : at]
        finally:
            self._rest = data[at:]


def open_message(asn: int, router_id: str, hold_time: int) -> bytes:
    """An OPEN with IPv4 and IPv6 unicast and four-octet AS numbers."""
    capabilities = b"".join((
        struct.pack("!BBHBB", 1, 4, 1, 0, 1),
        struct.pack("!BBHBB", 1, 4, 2, 0, 1),
        struct.pack("!BBI", 65, 4, asn),
    ))  # fmt: skip
    options = bytes((2, len(capabilities))) + capabilities
    two_octets = asn if asn <= 0xFFFF else AS_TRANS
    identifier = int(ipaddress.IPv4Address(router_id))
    fields = struct.pack("!BHHIB", VERSION, two_octets, hold_time, identifier, len(options))
    return _message(Kind.OPEN, fields + options)


def keepalive() -> bytes:
    """A KEEPALIVE."""
    return _message(Kind.KEEPALIVE, b"")


def parse_update(body: bytes) -> Update:
    """The prefixes of an UPDATE's body.

    Raises:
        BgpError: its lengths contradict each other, or a prefix cannot be.
    """
    withdrawn_field, rest = _counted(body)
    attributes, nlri = _counted(rest)
    announced = [*_prefixes(4, nlri)]
    withdrawn = [*_prefixes(4, withdrawn_field)]
    for code, value in _attributes(attributes):
        if code == _MP_REACH and _family(value) == _IPV6_UNICAST:
            announced.extend(_prefixes(6, _after_next_hop(value)))
        elif code == _MP_UNREACH and _family(value) == _IPV6_UNICAST:
            withdrawn.extend(_prefixes(6, value[3:]))
    return Update(tuple(announced), tuple(withdrawn))


def _message(kind: Kind, body: bytes) -> bytes:
    return MARKER + struct.pack("!HB", HEADER + len(body), kind) + body


def _header(data: bytes, at: int) -> tuple[int, Kind]:
    if data[at : at + 16] != MARKER:
        raise BgpError("no marker where a message should begin")
    length, kind = struct.unpack_from("!HB", data, at + 16)
    if not HEADER <= length <= LONGEST:
        raise BgpError(f"a message of {length} octets")
    try:
        return length, Kind(kind)
    except ValueError:
        raise BgpError(f"message type {kind}") from None


def _counted(data: bytes) -> tuple[bytes, bytes]:
    """A field with its length in two octets before it, and what follows it."""
    if len(data) < 2:
        raise BgpError("an UPDATE that ends in a length")
    end = 2 + int.from_bytes(data[:2], "big")
    if end > len(data):
        raise BgpError("an UPDATE that is shorter than it says")
    return data[2:end], data[end:]


def _prefixes(version: int, data: bytes) -> Iterator[Prefix]:
    bits = 32 if version == 4 else 128
    at = 0
    while at < len(data):
        length = data[at]
        size = (length + 7) // 8
        if length > bits or at + 1 + size > len(data):
            raise BgpError(f"a prefix of {length} bits in {len(data) - at - 1} octets")
        number = int.from_bytes(data[at + 1 : at + 1 + size], "big") << (bits - 8 * size)
        yield Prefix(version, number >> (bits - length) << (bits - length), length)
        at += 1 + size


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        long = len(data) > at and bool(data[at] & _EXTENDED_LENGTH)
        start = at + (4 if long else 3)
        if start > len(data):
            raise BgpError("a path attribute that ends in its header")
        end = start + int.from_bytes(data[at + 2 : start], "big")
        if end > len(data):
            raise BgpError("a path attribute that is shorter than it says")
        yield data[at + 1], data[start:end]
        at = end


def _family(value: bytes) -> tuple[int, int]:
    if len(value) < 3:
        raise BgpError("a multiprotocol attribute without a family")
    return int.from_bytes(value[:2], "big"), value[2]


def _after_next_hop(value: bytes) -> bytes:
    """The NLRI of MP_REACH_NLRI: after the family, the next hop and a reserved octet."""
    start = 5 + value[3] if len(value) > 3 else len(value) + 1
    if start > len(value):
        raise BgpError("a next hop that is shorter than it says")
    return value[start:]
