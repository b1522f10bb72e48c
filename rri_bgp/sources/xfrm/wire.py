"""What NETLINK_XFRM says: datagrams in, values out. No I/O, and nothing here reads a key.

Rules of this file: events and dumps carry key material, so of each attribute only those named here are looked at, those
of algorithms for their presence alone, and no error or value holds raw bytes. What is truncated, too long or nested
wrongly raises ``NetlinkError`` before anything of its message is believed; what is unknown is passed over. Layouts and
numbers are of linux/netlink.h and linux/xfrm.h (64-bit; a 32-bit process on such a kernel sees others).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import NamedTuple

from rri_bgp.errors import NetlinkError
from rri_bgp.model import ANY_PORT, Address, Mode, Prefix, TrafficSelector
from rri_bgp.netlink import ATTRIBUTE, DONE, ERROR, HEADER, OVERRUN, REQUEST_DUMP, Found, attributes, code, number

__all__ = [
    "Direction",
    "Done",
    "Ends",
    "Failed",
    "Message",
    "Policy",
    "PolicyGone",
    "PolicyKey",
    "Resync",
    "Sa",
    "SaGone",
    "Selector",
    "StateKey",
    "Template",
    "address",
    "dump_request",
    "mirrored",
    "parse",
    "selectors",
]

_HEAD = Struct("=IH10x")  # of nlmsghdr what matters here: length, type

_NEWSA, _DELSA, _GETSA, _NEWPOLICY, _DELPOLICY, _GETPOLICY = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
_EXPIRE, _UPDPOLICY, _UPDSA, _POLEXPIRE, _FLUSHSA, _FLUSHPOLICY, _MIGRATE = 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x21

_ALG_AEAD = 18
_ALGORITHMS = frozenset((1, 2, _ALG_AEAD, 20))  # XFRMA_ALG_AUTH, _CRYPT, _AEAD, _AUTH_TRUNC
_TMPL, _POLICY, _POLICY_TYPE, _MARK, _IF_ID = 5, 7, 16, 21, 31

_TWO_U32 = Struct("=II")
_SELECTOR = Struct("=16s16s4s4sHBBB")  # daddr, saddr, ports with their masks, family, prefix lengths, protocol
_SELECTOR_CHECKED = Struct("=HBB")  # family and prefix lengths, at 40
_PORT = Struct("!HH")  # a port and its mask
_USERSA = Struct("=56x16sIB3x16s112xIHB9x")  # daddr, spi, protocol, saddr, reqid, family, mode
_USERSA_ID = Struct("=16sIHBx")  # daddr, spi, family, protocol
_TEMPLATE = Struct("=16sIB3xH2x16sIB15x")  # daddr, spi, protocol, family, saddr, reqid, mode
_POLICY_SIZE, _DIRECTION, _ACTION = 168, 160, 161  # xfrm_userpolicy_info, and offsets in it

_INET, _INET6 = 2, 10
_BITS = {_INET: 32, _INET6: 128}
_MODES = {0: Mode.TRANSPORT, 1: Mode.TUNNEL, 4: Mode.BEET, 5: Mode.TUNNEL}  # XFRM_MODE_*; 5 is IPTFS
_TUNNEL_PROTOCOLS = frozenset((50, 51))  # ESP and AH; IPComp (108) wraps nothing for anybody else
_NO_MARK = (0, 0)


class Direction(enum.IntEnum):
    """XFRM_POLICY_IN, _OUT, _FWD; higher ones are of sockets."""

    IN = 0
    OUT = 1
    FWD = 2


_FWD = int(Direction.FWD)


class Ends(NamedTuple):
    """Where an SA or a template goes: family and both addresses as the kernel has them, see ``address``."""

    family: int
    source: bytes
    destination: bytes
    reqid: int

    @property
    def mirrored(self) -> Ends:
        """The other direction."""
        return Ends(self.family, self.destination, self.source, self.reqid)


class StateKey(NamedTuple):
    """What names an SA in the kernel (RFC 4301 §4.1; linux xfrm_state_lookup); ``mark`` is (value, mask).

    ``spi`` is the number that its four bytes make in this machine's order: equal or not is all that matters here.
    """

    destination: bytes
    spi: int
    protocol: int
    mark: tuple[int, int] = _NO_MARK


class Sa(NamedTuple):
    """An SA of the kernel, half of a pair. ``is_live``: it has keys; one that is yet to be negotiated has none."""

    key: StateKey
    ends: Ends
    mode: Mode | None
    if_id: int
    is_live: bool


class Template(NamedTuple):
    """What a policy asks for (xfrm_user_tmpl); ``spi`` 0 where any SA of these ends will do."""

    ends: Ends
    spi: int
    protocol: int
    mode: Mode | None


Selector = bytes
"""The part of an xfrm_selector that names traffic, as the kernel has it: there are many, and few are ever read."""


class PolicyKey(NamedTuple):
    """What names a policy in the kernel."""

    direction: int
    selector: Selector
    """See ``mirrored`` and ``selectors``."""
    if_id: int
    mark: tuple[int, int]


class Policy(NamedTuple):
    """A policy that lets packets through (``template`` None: unprotected), or blocks them."""

    key: PolicyKey
    allows: bool
    template: Template | None


class SaGone(NamedTuple):
    """The SA is no more: deleted, or its hard lifetime is over."""

    key: StateKey


class PolicyGone(NamedTuple):
    """The policy is no more."""

    key: PolicyKey


@dataclass(frozen=True, slots=True)
class Resync:
    """Something changed that only a dump can tell: a flush, a migration, an overrun."""

    why: str


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a dump."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The kernel refused a request, with this errno."""

    errno: int


Message = Sa | SaGone | Policy | PolicyGone | Resync | Done | Failed

_RESYNCS = {
    _FLUSHSA: "the SAs were flushed",
    _FLUSHPOLICY: "the policies were flushed",
    _MIGRATE: "an SA has migrated",
    OVERRUN: "the kernel lost messages",
}


def dump_request(*, policies: bool, sequence: int) -> bytes:
    """Asks for all SAs, or all policies."""
    return HEADER.pack(HEADER.size, _GETPOLICY if policies else _GETSA, REQUEST_DUMP, sequence, 0)


def parse(datagram: bytes) -> Iterator[Message]:
    """The messages of a datagram that say something about SAs and policies.

    Raises:
        NetlinkError: the datagram is malformed; what came before is valid.
    """
    start, end = 0, len(datagram)  # not by way of netlink.messages, which is some per cent slower: dumps are long
    while start < end:
        if end - start < _HEAD.size:
            raise NetlinkError("a netlink header is cut off")
        length, kind = _HEAD.unpack_from(datagram, start)
        if not _HEAD.size <= length <= end - start:
            raise NetlinkError(f"a netlink message of {length} bytes in the {end - start} that are left")
        body, reader = start + 16, _READERS.get(kind)
        if reader is None:
            message = _other(kind, datagram, body, start + length)
        else:
            read, size = reader
            if length - 16 < size:
                raise NetlinkError(f"a message of type {kind:#x} with {length - 16} bytes, which are too few")
            message = read(datagram, body, attributes(datagram, body + size, start + length))
        if message is not None:
            yield message
        start += length + 3 & ~3


def _other(kind: int, data: bytes, start: int, end: int) -> Message | None:
    """What says nothing of one SA or policy."""
    if kind in _RESYNCS:
        return Resync(_RESYNCS[kind])
    if kind == DONE:
        return Done()
    if kind == ERROR:
        return Failed(code(kind, data, start, end))
    return None


def _value(data: bytes, found: Found, kind: int, size: int) -> int | None:
    """Where the value of an attribute begins, None where it is not there; it has ``size`` bytes at the least."""
    place = found.get(kind)
    if place is None:
        return None
    length = ATTRIBUTE.unpack_from(data, place)[0] - 4
    if length < size:
        raise NetlinkError(f"attribute {kind} with {length} bytes, which are too few")
    return place + 4


def _new_sa(data: bytes, start: int, found: Found) -> Sa | None:
    destination, spi, protocol, source, reqid, family, mode = _USERSA.unpack_from(data, start)
    key = _state_key(family, destination, spi, protocol, data, found)
    if key is None:
        return None
    ends = Ends(family, source, destination, reqid)
    is_live = _ALG_AEAD in found or not _ALGORITHMS.isdisjoint(found)
    if_id = number(data, found, _IF_ID) if _IF_ID in found else 0
    return Sa(key, ends, _MODES.get(mode), if_id, is_live)


def _gone_sa(data: bytes, start: int, found: Found) -> SaGone | None:
    destination, spi, family, protocol = _USERSA_ID.unpack_from(data, start)
    return _sa_gone(_state_key(family, destination, spi, protocol, data, found))


def _expired_sa(data: bytes, start: int, found: Found) -> SaGone | None:
    """A hard expiry deletes the SA, without another message; a soft one only asks for a rekey."""
    if not data[start + _USERSA.size]:
        return None
    destination, spi, protocol, _, _, family, _ = _USERSA.unpack_from(data, start)
    return _sa_gone(_state_key(family, destination, spi, protocol, data, found))


def _sa_gone(key: StateKey | None) -> SaGone | None:
    return None if key is None else SaGone(key)


def _new_policy(data: bytes, start: int, found: Found) -> Policy | None:
    """None for the policies of sockets, and of other types than the main one."""
    direction = data[start + _DIRECTION]
    kind = _value(data, found, _POLICY_TYPE, 1) if _POLICY_TYPE in found else None
    if direction > _FWD or (kind is not None and data[kind]):
        return None
    if_id = number(data, found, _IF_ID) if _IF_ID in found else 0
    mark = _mark(data, found) if _MARK in found else _NO_MARK
    key = PolicyKey(direction, _read_selector(data, start), if_id, mark)
    return Policy(key, data[start + _ACTION] == 0, _template(data, found))


def _gone_policy(data: bytes, _start: int, found: Found) -> PolicyGone | None:
    """The body may hold an index alone; the policy itself is an attribute."""
    inner = _value(data, found, _POLICY, _POLICY_SIZE)
    policy = None if inner is None else _new_policy(data, inner, found)
    return None if policy is None else PolicyGone(policy.key)


def _expired_policy(data: bytes, start: int, found: Found) -> PolicyGone | None:
    policy = _new_policy(data, start, found) if data[start + _POLICY_SIZE] else None
    return None if policy is None else PolicyGone(policy.key)


_READERS: dict[int, tuple[Callable[[bytes, int, Found], Message | None], int]] = {
    _NEWSA: (_new_sa, _USERSA.size),
    _UPDSA: (_new_sa, _USERSA.size),
    _DELSA: (_gone_sa, _USERSA_ID.size),
    _EXPIRE: (_expired_sa, _USERSA.size + 8),
    _NEWPOLICY: (_new_policy, _POLICY_SIZE),
    _UPDPOLICY: (_new_policy, _POLICY_SIZE),
    _DELPOLICY: (_gone_policy, 64),
    _POLEXPIRE: (_expired_policy, _POLICY_SIZE + 8),
}
"""Each with the size of what stands before the attributes, all multiples of four.

An inbound SA arrives as UPDSA, since it completes a reserved SPI; Libreswan sends every policy as UPDPOLICY.
"""


def _state_key(family: int, destination: bytes, spi: int, protocol: int, data: bytes, found: Found) -> StateKey | None:
    """None where it is no SA for traffic: still without an SPI, or of another protocol than ESP and AH."""
    if not spi or protocol not in _TUNNEL_PROTOCOLS:
        return None
    if family not in _BITS:
        raise NetlinkError(f"an address of family {family}; allowed: {_INET} (IPv4), {_INET6} (IPv6)")
    return StateKey(destination, spi, protocol, _mark(data, found) if _MARK in found else _NO_MARK)


def _template(data: bytes, found: Found) -> Template | None:
    """The outermost one that is ESP or AH: IPComp may stand before it."""
    start = found.get(_TMPL)
    if start is None:
        return None
    end = start + int(ATTRIBUTE.unpack_from(data, start)[0])
    for place in range(start + 4, end - _TEMPLATE.size + 1, _TEMPLATE.size):
        destination, spi, protocol, family, source, reqid, mode = _TEMPLATE.unpack_from(data, place)
        if protocol in _TUNNEL_PROTOCOLS and family in _BITS:
            return Template(Ends(family, source, destination, reqid), spi, protocol, _MODES.get(mode))
    return None


def _read_selector(data: bytes, start: int) -> Selector:
    family, length_d, length_s = _SELECTOR_CHECKED.unpack_from(data, start + 40)
    if family not in _BITS and (family or any(data[start : start + 32])):
        raise NetlinkError(f"an address of family {family}; allowed: {_INET} (IPv4), {_INET6} (IPv6)")
    bits = _BITS.get(family, 0)
    if length_d > bits or length_s > bits:
        raise NetlinkError(f"a prefix of {max(length_d, length_s)} bits in a selector of family {family}")
    return data[start : start + _SELECTOR.size]


def mirrored(selector: Selector) -> Selector:
    """The selector of the traffic that comes back."""
    daddr, saddr, dport, sport, family, length_d, length_s, protocol = _SELECTOR.unpack(selector)
    return _SELECTOR.pack(saddr, daddr, sport, dport, family, length_s, length_d, protocol)


def selectors(selector: Selector) -> tuple[TrafficSelector, TrafficSelector]:
    """The packets' source and destination."""
    daddr, saddr, dport, sport, family, length_d, length_s, protocol = _SELECTOR.unpack(selector)
    source = _traffic_selector(family or _INET, saddr, length_s, protocol, *_PORT.unpack(sport))
    return source, _traffic_selector(family or _INET, daddr, length_d, protocol, *_PORT.unpack(dport))


def _traffic_selector(family: int, raw: bytes, length: int, protocol: int, port: int, mask: int) -> TrafficSelector:
    bits = _BITS[family]
    first = int.from_bytes(raw[: bits >> 3], "big") & ~((1 << (bits - length)) - 1)
    ports = (port & mask, port & mask | ~mask & 0xFFFF) if mask else ANY_PORT
    return TrafficSelector.from_prefix(Prefix(4 if family == _INET else 6, first, length), protocol, ports)


def address(family: int, raw: bytes) -> Address:
    """An address as the kernel has it: 16 bytes, of which IPv4 uses four."""
    return IPv4Address(raw[:4]) if family == _INET else IPv6Address(raw)


def _mark(data: bytes, found: Found) -> tuple[int, int]:
    place = _value(data, found, _MARK, 8)
    if place is None:
        return _NO_MARK
    value, mask = _TWO_U32.unpack_from(data, place)
    return value, mask
