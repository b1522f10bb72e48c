"""What NETLINK_XFRM says: datagrams in, values out. No I/O, and nothing here reads a key.

Rules of this file: events and dumps carry key material, so of each attribute only those named here are looked at, those
of algorithms for their presence alone, and no error or value holds raw bytes. What is truncated, too long or nested
wrongly raises ``XfrmError`` before anything of its message is believed; what is unknown is passed over. Layouts and
numbers are of linux/netlink.h and linux/xfrm.h (64-bit; a 32-bit process on such a kernel sees others).
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import NamedTuple

from rri_bgp.errors import XfrmError
from rri_bgp.model import ANY_PORT, Address, Mode, Prefix, TrafficSelector

__all__ = [
    "Direction",
    "Done",
    "Failed",
    "Message",
    "Policy",
    "PolicyGone",
    "PolicyKey",
    "Resync",
    "Sa",
    "SaGone",
    "StateKey",
    "Template",
    "dump_request",
    "parse",
]

_HEADER = Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_ATTRIBUTE = Struct("=HH")  # nlattr: length with this header, type
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_NLMSG_ERROR, _NLMSG_DONE, _NLMSG_OVERRUN = 2, 3, 4
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH

_NEWSA, _DELSA, _GETSA, _NEWPOLICY, _DELPOLICY, _GETPOLICY = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
_EXPIRE, _UPDPOLICY, _UPDSA, _POLEXPIRE, _FLUSHSA, _FLUSHPOLICY, _MIGRATE = 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x21

_ALGORITHMS = frozenset((1, 2, 18, 20))  # XFRMA_ALG_AUTH, _CRYPT, _AEAD, _AUTH_TRUNC
_TMPL, _SA, _POLICY, _POLICY_TYPE, _MARK, _IF_ID, _SA_DIR = 5, 6, 7, 16, 21, 31, 33
_WANTED = _ALGORITHMS | {_TMPL, _SA, _POLICY, _POLICY_TYPE, _MARK, _IF_ID, _SA_DIR}

_U32, _TWO_U32 = Struct("=I"), Struct("=II")
_SELECTOR = Struct("=16s16s8sH3B11x")  # daddr, saddr, ports with masks, family, prefix lengths, protocol
_PORTS = Struct("!4H")  # dport and its mask, sport and its mask
_USERSA = Struct("=56x16s4sB3x16s112xIHB9x")  # daddr, spi, protocol, saddr, reqid, family, mode
_USERSA_ID = Struct("=16s4sHBx")  # daddr, spi, family, protocol
_USERPOLICY = Struct("=56s96xIIBB6x")  # selector, priority, index, direction, action
_TEMPLATE = Struct("=16s4sB3xH2x16sIB15x")  # daddr, spi, protocol, family, saddr, reqid, mode
_HARD = Struct("=B7x")

_INET, _INET6 = 2, 10
_MODES = {0: Mode.TRANSPORT, 1: Mode.TUNNEL, 4: Mode.BEET, 5: Mode.TUNNEL}  # XFRM_MODE_*; 5 is IPTFS
_TUNNEL_PROTOCOLS = frozenset((50, 51))  # ESP and AH; IPComp (108) wraps nothing for anybody else
_NO_MARK = (0, 0)


class Direction(enum.IntEnum):
    """XFRM_POLICY_IN, _OUT, _FWD; higher ones are of sockets."""

    IN = 0
    OUT = 1
    FWD = 2


class StateKey(NamedTuple):
    """What names an SA in the kernel (RFC 4301 §4.1; linux xfrm_state_lookup); ``mark`` is (value, mask)."""

    destination: Address
    spi: int
    protocol: int
    mark: tuple[int, int] = _NO_MARK


@dataclass(frozen=True, slots=True)
class Sa:
    """An SA of the kernel, half of a pair. ``is_live``: it has keys; one that is yet to be negotiated has none."""

    key: StateKey
    source: Address
    reqid: int
    mode: Mode | None
    if_id: int
    is_live: bool


@dataclass(frozen=True, slots=True)
class Template:
    """What a policy asks for (xfrm_user_tmpl); ``spi`` 0 where any SA of that ``reqid`` will do."""

    source: Address
    destination: Address
    spi: int
    protocol: int
    reqid: int
    mode: Mode | None


class PolicyKey(NamedTuple):
    """What names a policy in the kernel; the selectors are those of the packet's source and destination."""

    direction: Direction
    source: TrafficSelector
    destination: TrafficSelector
    if_id: int
    mark: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that lets packets through (``template`` None: unprotected), or blocks them."""

    key: PolicyKey
    allows: bool
    template: Template | None


@dataclass(frozen=True, slots=True)
class SaGone:
    """The SA is no more: deleted, or its hard lifetime is over."""

    key: StateKey


@dataclass(frozen=True, slots=True)
class PolicyGone:
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
    _NLMSG_OVERRUN: "the kernel lost messages",
}


def dump_request(*, policies: bool, sequence: int) -> bytes:
    """Asks for all SAs, or all policies."""
    return _HEADER.pack(_HEADER.size, _GETPOLICY if policies else _GETSA, _DUMP, sequence, 0)


def parse(datagram: bytes) -> Iterator[Message]:
    """The messages of a datagram that say something about SAs and policies.

    Raises:
        XfrmError: the datagram is malformed; what came before is valid.
    """
    view, start = memoryview(datagram), 0
    while start < len(view):
        if len(view) - start < _HEADER.size:
            raise XfrmError("a netlink header is cut off")
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(view, start)
        if not _HEADER.size <= length <= len(view) - start:
            raise XfrmError(f"a netlink message of {length} bytes in the {len(view) - start} that are left")
        message = _message(kind, view[start + _HEADER.size : start + length])
        if message is not None:
            yield message
        start += _aligned(length)


def _message(kind: int, body: memoryview) -> Message | None:
    if kind in _RESYNCS:
        return Resync(_RESYNCS[kind])
    if kind == _NLMSG_DONE:
        return Done()
    try:
        if kind == _NLMSG_ERROR:
            return Failed(-Struct("=i").unpack_from(body)[0])
        reader = _READERS.get(kind)
        return None if reader is None else reader(body)
    except struct.error:
        raise XfrmError(f"a message of type {kind:#x} with {len(body)} bytes, which are too few") from None


def _new_sa(body: memoryview) -> Sa | None:
    return _read_sa(body, _attributes(body, _USERSA.size))


def _gone_sa(body: memoryview) -> SaGone | None:
    destination, spi, family, protocol = _USERSA_ID.unpack_from(body)
    found = _attributes(body, _USERSA_ID.size)
    return _sa_gone(_address(family, destination), spi, protocol, found)


def _expired_sa(body: memoryview) -> SaGone | None:
    """A hard expiry deletes the SA, without another message; a soft one only asks for a rekey."""
    (hard,) = _HARD.unpack_from(body, _USERSA.size)
    destination, spi, protocol, _, _, family, _ = _USERSA.unpack_from(body)
    if not hard:
        return None
    found = _attributes(body, _USERSA.size + _HARD.size)
    return _sa_gone(_address(family, destination), spi, protocol, found)


def _new_policy(body: memoryview) -> Policy | None:
    return _read_policy(body, _attributes(body, _USERPOLICY.size))


def _gone_policy(body: memoryview) -> PolicyGone | None:
    """The body may hold an index alone; the policy itself is an attribute."""
    found = _attributes(body, 64)
    inner = found.get(_POLICY)
    policy = None if inner is None else _read_policy(inner, found)
    return None if policy is None else PolicyGone(policy.key)


def _expired_policy(body: memoryview) -> PolicyGone | None:
    (hard,) = _HARD.unpack_from(body, _USERPOLICY.size)
    policy = _read_policy(body, _attributes(body, _USERPOLICY.size + _HARD.size))
    return PolicyGone(policy.key) if hard and policy is not None else None


_READERS = {
    _NEWSA: _new_sa,
    _UPDSA: _new_sa,
    _DELSA: _gone_sa,
    _EXPIRE: _expired_sa,
    _NEWPOLICY: _new_policy,
    _UPDPOLICY: _new_policy,
    _DELPOLICY: _gone_policy,
    _POLEXPIRE: _expired_policy,
}
"""An inbound SA arrives as UPDSA, since it completes a reserved SPI; Libreswan sends every policy as UPDPOLICY."""


def _attributes(body: memoryview, start: int) -> dict[int, memoryview]:
    """The attributes that we look at, from an offset on. Of several of one type the first counts."""
    found: dict[int, memoryview] = {}
    start = _aligned(start)
    while start + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, start)
        if not _ATTRIBUTE.size <= length <= len(body) - start:
            raise XfrmError(f"an attribute of {length} bytes in the {len(body) - start} that are left")
        kind &= _TYPE_MASK
        if kind in _WANTED:
            found.setdefault(kind, body[start + _ATTRIBUTE.size : start + length])
        start += _aligned(length)
    return found


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _read_sa(body: memoryview, found: dict[int, memoryview]) -> Sa | None:
    destination, spi, protocol, source, reqid, family, mode = _USERSA.unpack_from(body)
    key = _state_key(_address(family, destination), spi, protocol, found)
    if key is None:
        return None
    is_live = not _ALGORITHMS.isdisjoint(found)
    return Sa(key, _address(family, source), reqid, _MODES.get(mode), _number(found, _IF_ID), is_live)


def _state_key(destination: Address, spi: bytes, protocol: int, found: dict[int, memoryview]) -> StateKey | None:
    """None where it is no SA for traffic: still without an SPI, or of another protocol than ESP and AH."""
    number = int.from_bytes(spi, "big")
    if number == 0 or protocol not in _TUNNEL_PROTOCOLS:
        return None
    return StateKey(destination, number, protocol, _mark(found))


def _sa_gone(destination: Address, spi: bytes, protocol: int, found: dict[int, memoryview]) -> SaGone | None:
    key = _state_key(destination, spi, protocol, found)
    return None if key is None else SaGone(key)


def _read_policy(body: memoryview, found: dict[int, memoryview]) -> Policy | None:
    """None for the policies of sockets, and of other types than the main one."""
    selector, _priority, _index, direction, action = _USERPOLICY.unpack_from(body)
    if direction > Direction.FWD or found.get(_POLICY_TYPE, b"\0")[0] != 0:
        return None
    source, destination = _selectors(selector)
    key = PolicyKey(Direction(direction), source, destination, _number(found, _IF_ID), _mark(found))
    return Policy(key, action == 0, _template(found.get(_TMPL)))


def _template(found: memoryview | None) -> Template | None:
    """The outermost one that is ESP or AH: IPComp may stand before it."""
    if found is None:
        return None
    for start in range(0, len(found) - _TEMPLATE.size + 1, _TEMPLATE.size):
        destination, spi, protocol, family, source, reqid, mode = _TEMPLATE.unpack_from(found, start)
        if protocol in _TUNNEL_PROTOCOLS:
            ends = _address(family, source), _address(family, destination)
            return Template(*ends, int.from_bytes(spi, "big"), protocol, reqid, _MODES.get(mode))
    return None


def _selectors(raw: bytes) -> tuple[TrafficSelector, TrafficSelector]:
    """Source and destination of an xfrm_selector."""
    daddr, saddr, ports, family, length_d, length_s, protocol = _SELECTOR.unpack(raw)
    dport, dmask, sport, smask = _PORTS.unpack(ports)
    if family == 0 and not any(daddr) and not any(saddr):
        family = _INET  # all zero: any
    source = _selector(family, saddr, length_s, protocol, sport, smask)
    return source, _selector(family, daddr, length_d, protocol, dport, dmask)


def _selector(family: int, raw: bytes, length: int, protocol: int, port: int, mask: int) -> TrafficSelector:
    address = _address(family, raw)
    bits = address.max_prefixlen
    if length > bits:
        raise XfrmError(f"a prefix of {length} bits in a selector of family {family}")
    host = (1 << (bits - length)) - 1
    prefix = Prefix(address.version, int(address) & ~host, length)
    ports = ANY_PORT if mask == 0 else (port & mask, (port & mask) | (~mask & 0xFFFF))
    return TrafficSelector.from_prefix(prefix, protocol, ports)


def _address(family: int, raw: bytes) -> Address:
    if family == _INET:
        return IPv4Address(raw[:4])
    if family == _INET6:
        return IPv6Address(raw)
    raise XfrmError(f"an address of family {family}; allowed: {_INET} (IPv4), {_INET6} (IPv6)")


def _number(found: dict[int, memoryview], kind: int) -> int:
    raw = found.get(kind)
    return 0 if raw is None else int(_U32.unpack_from(raw)[0])


def _mark(found: dict[int, memoryview]) -> tuple[int, int]:
    raw = found.get(_MARK)
    if raw is None:
        return _NO_MARK
    value, mask = _TWO_U32.unpack_from(raw)
    return value, mask
