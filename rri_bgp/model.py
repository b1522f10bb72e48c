"""The values everybody speaks: addresses, prefixes, traffic selectors, SA pairs, routes.

Rules of this file: values only, immutable, hashable, no I/O; a value that exists is valid. Sources make ``SaPair``s,
the core makes ``Route``s from them, sinks read ``Route``s; nobody else's types cross a folder border.

``Prefix`` is a named tuple and not a dataclass: a controller holds several hundred thousand of them as dictionary
keys, and a tuple hashes and compares in C (docs/decisions/0002-prefix-is-a-tuple.md).
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rri_bgp.reasons import Reason

__all__ = [
    "ANY_PORT",
    "Address",
    "Attributes",
    "Claim",
    "Destination",
    "FlowRule",
    "LineKey",
    "Mode",
    "Owner",
    "Path",
    "Prefix",
    "Refusal",
    "Route",
    "SaKey",
    "SaPair",
    "TrafficSelector",
    "VrfPrefix",
    "order",
    "prefix_of",
    "vrf_of",
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_BITS = {4: 32, 6: 128}
ANY_PORT = (0, 65535)


class Prefix(NamedTuple):
    """An IP prefix without host bits: ``version`` 4 or 6, ``network`` an integer, ``length`` 0..32 or 0..128."""

    version: int
    network: int
    length: int

    @classmethod
    def parse(cls, text: str) -> Prefix:
        """``192.0.2.0/24`` or ``2001:db8::/32``; a bare address is a host prefix.

        Raises:
            ValueError: not a prefix, or host bits are set.
        """
        network = ipaddress.ip_network(text)
        return cls(network.version, int(network.network_address), network.prefixlen)

    @property
    def last(self) -> int:
        """The highest address in it, as an integer."""
        return self.network | ((1 << (_BITS[self.version] - self.length)) - 1)

    def contains(self, other: Prefix) -> bool:
        """Whether ``other`` lies within this prefix, or is this prefix."""
        return (
            self.version == other.version and self.length <= other.length and self.network <= other.network <= self.last
        )

    def has_address(self, address: Address) -> bool:
        """Whether ``address`` lies within this prefix."""
        return address.version == self.version and self.network <= int(address) <= self.last

    def __str__(self) -> str:
        version, number, length = self
        if version == 4:  # not by way of an address object: every route that is announced is written here
            return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}/{length}"
        return f"{_address(version, number)}/{length}"


def _address(version: int, number: int) -> Address:
    return ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number)


def range_to_prefixes(version: int, start: int, end: int) -> Iterator[Prefix]:
    """The least set of prefixes that covers ``start``..``end`` (both inside) and nothing else, ascending."""
    bits = _BITS[version]
    while start <= end:
        aligned = (start & -start).bit_length() - 1 if start else bits
        fits = (end - start + 1).bit_length() - 1
        size = min(aligned, fits)
        yield Prefix(version, start, bits - size)
        start += 1 << size


@dataclass(frozen=True, slots=True)
class TrafficSelector:
    """One traffic selector: an address range, a protocol and a port range (RFC 7296 §3.13.1; RFC 4301 §4.4.1.1).

    ``start`` and ``end`` are integers, both inside the range. ``protocol`` 0 is any. ``ports`` is inclusive;
    for ICMP it holds type and code as RFC 4301 packs them.
    """

    version: int
    start: int
    end: int
    protocol: int = 0
    ports: tuple[int, int] = ANY_PORT

    @classmethod
    def from_prefix(cls, prefix: Prefix, protocol: int = 0, ports: tuple[int, int] = ANY_PORT) -> TrafficSelector:
        """The selector that is exactly ``prefix``."""
        return cls(prefix.version, prefix.network, prefix.last, protocol, ports)

    @property
    def whole(self) -> bool:
        """Whether it takes every protocol and port."""
        return self.protocol == 0 and self.ports == ANY_PORT

    @property
    def prefix(self) -> Prefix | None:
        """The one prefix that has exactly its addresses, None where there is none."""
        host_bits = self.end - self.start
        if host_bits & (host_bits + 1) or self.start & host_bits:
            return None
        return Prefix(self.version, self.start, _BITS[self.version] - host_bits.bit_length())

    def prefixes(self) -> tuple[Prefix, ...]:
        """The exact, least set of prefixes: a range that is no prefix becomes several, ``2 * bits - 2`` at the most."""
        prefix = self.prefix
        return tuple(range_to_prefixes(self.version, self.start, self.end)) if prefix is None else (prefix,)

    def __str__(self) -> str:
        prefixes = self.prefixes()
        text = str(prefixes[0])
        if len(prefixes) > 1:
            text = f"{_address(self.version, self.start)}..{_address(self.version, self.end)}"
        if self.whole:
            return text
        low, high = self.ports
        port = "" if self.ports == ANY_PORT else f"/{low}" if low == high else f"/{low}-{high}"
        return f"{text}[{self.protocol}{port}]"


class VrfPrefix(NamedTuple):
    """A prefix in a VRF that is not the default one (rule N6): the same prefix may live in two VRFs."""

    vrf: str
    prefix: Prefix

    def __str__(self) -> str:
        return f"{self.prefix} vrf {self.vrf}"


class FlowRule(NamedTuple):
    """Traffic to a prefix, of one protocol and to some ports: what a port-limited selector becomes (rule E11).

    ``protocol`` 0 is any; ``ports`` is inclusive, for ICMP type and code as ``TrafficSelector`` has them. ``vrf`` is
    empty for the default VRF. It goes upstream as a FlowSpec rule (RFC 8955).
    """

    prefix: Prefix
    protocol: int
    ports: tuple[int, int]
    vrf: str = ""

    def __str__(self) -> str:
        low, high = self.ports
        port = "" if self.ports == ANY_PORT else f"/{low}" if low == high else f"/{low}-{high}"
        return f"{self.prefix}[{self.protocol}{port}]{f' vrf {self.vrf}' if self.vrf else ''}"


Destination = Prefix | VrfPrefix | FlowRule
"""What a route is for. Most are plain prefixes of the default VRF, so these have no wrapper around them."""


def prefix_of(destination: Destination) -> Prefix:
    """The prefix of a destination."""
    return destination if isinstance(destination, Prefix) else destination.prefix


def vrf_of(destination: Destination) -> str:
    """The VRF of a destination, empty for the default one."""
    return "" if isinstance(destination, Prefix) else destination.vrf


def order(destination: Destination) -> tuple[object, ...]:
    """A sorting key for destinations of all kinds: by VRF, then prefix, flows after their prefix."""
    if isinstance(destination, Prefix):
        return ("", destination, ())
    if isinstance(destination, VrfPrefix):
        return (destination.vrf, destination.prefix, ())
    return (destination.vrf, destination.prefix, (destination.protocol, destination.ports))


class Mode(enum.Enum):
    """How the SA wraps packets (RFC 4301 §3.2). Only tunnels have networks behind the peer."""

    TUNNEL = "tunnel"
    BEET = "beet"
    TRANSPORT = "transport"


class SaKey(NamedTuple):
    """What names an SA pair for its lifetime: the source that saw it, and that source's unique id.

    For VICI the id is the CHILD_SA's ``uniqueid``, never a name: names repeat (docs/reference of strongSwan's VICI).
    """

    source: str
    uniqueid: int


class LineKey(NamedTuple):
    """What names an owner that is no SA: a permit line of a static entry's access list (rule E3).

    ``entry`` is ``map seq``: the space in it keeps it apart from every source's name. ``line`` counts from 0.
    """

    entry: str
    line: int


Owner = SaKey | LineKey
"""Who wants a route."""


@dataclass(frozen=True, slots=True)
class SaPair:
    """An established pair of IPsec SAs (one CHILD_SA), as far as routes care. No key material, ever.

    ``peer`` is the remote tunnel endpoint and ``local`` ours; ``ike_id`` is the unique id of the IKE SA that now
    carries it. A source only hands over pairs that carry traffic (installed, also while being rekeyed).

    ``if_id`` and ``mark`` are the outbound ones (linux/xfrm.h; 0 is none, ``mark`` without its mask), ``vrf`` the VRF
    that the source knows it to be in. ``since`` is when it came up, in seconds since 1970, 0 where the source cannot
    tell; ``first`` the unique id of the first pair of its line, 0 where that is itself: a rekey or reauthentication
    continues a line, and with it its age (rules E6, E13). ``is_suspect`` while its peer does not answer a dead-peer
    check (rule G5). ``is_held``: it has gone, and ``withdraw-delay`` keeps its routes for a while (rule G4); no source
    says that. ``not_in_kernel`` are those of its remote selectors that no kernel carries, though its daemon calls it
    installed (rule E8); where no source shows a kernel nobody knows.
    """

    key: SaKey
    connection: str
    child: str
    peer: Address
    local: Address
    remote_ts: tuple[TrafficSelector, ...]
    local_ts: tuple[TrafficSelector, ...] = ()
    identity: str = ""
    ike_id: int = 0
    reqid: int = 0
    mode: Mode = Mode.TUNNEL
    state: str = "INSTALLED"
    if_id: int = 0
    mark: int = 0
    vrf: str = ""
    since: int = 0
    first: int = 0
    is_suspect: bool = False
    is_held: bool = False
    not_in_kernel: tuple[TrafficSelector, ...] = ()


@dataclass(frozen=True, slots=True)
class Attributes:
    """BGP path attributes of a route, other than the next hop, in wire terms.

    ``communities`` are pairs of 16-bit numbers (RFC 1997), ``large_communities`` triples of 32-bit ones (RFC 8092),
    ``med`` and ``local_preference`` 32-bit numbers (RFC 4271 §5.1.4, §5.1.5), None where not sent.
    ``extended_communities`` are 64-bit numbers as on the wire (RFC 4360), route targets among them.
    ``as_path_prepend`` is how often the local AS stands in AS_PATH before what is there anyway, 0..16.
    """

    communities: tuple[tuple[int, int], ...] = ()
    large_communities: tuple[tuple[int, int, int], ...] = ()
    med: int | None = None
    local_preference: int | None = None
    extended_communities: tuple[int, ...] = ()
    as_path_prepend: int = 0


@dataclass(frozen=True, slots=True)
class Path:
    """What is announced for a prefix. Equal paths go out in one UPDATE, so the core shares one object per entry."""

    next_hop: Address
    attributes: Attributes = field(default_factory=Attributes)
    _hash: int = field(init=False, repr=False, compare=False)
    """Worked out once: paths are few, and each is looked up for each of its prefixes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.next_hop, self.attributes)))

    def __hash__(self) -> int:
        return self._hash


class Claim(NamedTuple):
    """An owner's wish for a destination, because of this map entry and this traffic selector.

    Claims of one destination compare as they win: the least is the one whose path is announced.
    """

    rank: int
    """Rank of the entry in the policy, 0 first: the lower rank wins the destination."""
    turn: int
    """Of one rank the lower wins: by age as ``overlap`` says, suspects after that, held ones last (E13, G4, G5)."""
    owner: Owner
    selector: TrafficSelector | None
    """None where an access list line is the owner."""
    path: Path
    destination: Destination


class Refusal(NamedTuple):
    """Why a destination, or a whole owner or selector (``destination`` None), made no route (rule G8).

    ``about`` is what the words of ``why`` are about. They are put together when somebody asks: a hostile peer can have
    thousands of prefixes refused.
    """

    owner: Owner
    destination: Destination | None
    why: Reason
    about: tuple[object, ...] = ()

    @property
    def rule(self) -> str:
        """The rule that refused it, as ``G1``."""
        return self.why.rule

    @property
    def reason(self) -> str:
        """Why, in words."""
        return self.why.text.format(*self.about, destination=self.destination)

    @property
    def prefix(self) -> Prefix | None:
        """The prefix that was refused, None where it was all of the owner or selector."""
        return None if self.destination is None else prefix_of(self.destination)


@dataclass(frozen=True, slots=True)
class Route:
    """A destination that upstream should have, its paths, and who wants it (all claims, the one that won first).

    ``path`` is the best one; ``alternates`` are the others of equal rank where the entry says ``overlap: ecmp``
    (rule E13), all different from each other and from ``path``.
    """

    destination: Destination
    path: Path
    claims: tuple[Claim, ...]
    alternates: tuple[Path, ...] = ()
