"""The policy as the core sees it: crypto map entries in the order in which they are tried, and what they name.

The YAML reader (``rri_bgp.policy``) makes these; everything in them has been checked and every name resolved, but for
host names of peers, which ``Surroundings`` resolves.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from rri_bgp.model import ANY_PORT, Address, Attributes, Prefix

__all__ = [
    "AccessList",
    "AclLine",
    "AllowRule",
    "DefaultProxies",
    "EntryKind",
    "Group",
    "Guard",
    "MapEntry",
    "Match",
    "NeighborPolicy",
    "Overlap",
    "Policy",
    "PortProxies",
    "RemotePeer",
    "ReverseRoute",
    "Special",
    "Vrf",
    "tag_attributes",
]

_T = TypeVar("_T")


class EntryKind(enum.Enum):
    """A static entry names its peers, a dynamic one takes whoever negotiates (rules E1, E2)."""

    STATIC = "static"
    DYNAMIC = "dynamic"


class DefaultProxies(enum.Enum):
    """What a proxy 0.0.0.0/0 or ::/0 makes: nothing, itself, or its two halves (rule E10)."""

    SKIP = "skip"
    ROUTE = "route"
    HALVES = "halves"


class PortProxies(enum.Enum):
    """What a proxy that is limited to a protocol or ports makes: nothing, a route, a FlowSpec rule (rule E11)."""

    SKIP = "skip"
    ROUTE = "route"
    FLOWSPEC = "flowspec"


class Overlap(enum.Enum):
    """Who of several owners of one rank wins a destination; ``ecmp``: all, the newest first (rule E13)."""

    NEWEST = "newest"
    OLDEST = "oldest"
    ECMP = "ecmp"


class Special(enum.Enum):
    """Destinations that a peer may not propose unless ``guard.allow-special`` names them (rule G1)."""

    PEER = "peer"
    NEIGHBOR = "neighbor"
    LOCAL = "local"
    MULTICAST = "multicast"
    BROADCAST = "broadcast"
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class AclLine:
    """One line of an access list, its names resolved (rule E9).

    ``protocol`` 0 is ``ip``. ``source`` is this gateway's side and ``destination`` the peer's, as in a crypto map; each
    is a set of prefixes of one or both families (a wildcard mask may make several), ``any`` being both defaults.
    ``text`` is the line as written, ``where`` its ``file:line``.
    """

    permit: bool
    source: tuple[Prefix, ...]
    destination: tuple[Prefix, ...]
    where: str
    text: str
    protocol: int = 0
    source_ports: tuple[int, int] = ANY_PORT
    ports: tuple[int, int] = ANY_PORT


@dataclass(frozen=True, slots=True)
class AccessList:
    """A named access list. What no line permits is denied, as ever."""

    name: str
    lines: tuple[AclLine, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Which SA pairs an entry takes, besides its peers and access list; None is any.

    ``connection``, ``child`` and ``identity`` are shell globs. ``mark`` is (value, mask).
    """

    connection: str = "*"
    child: str = "*"
    identity: str = "*"
    if_id: int | None = None
    mark: tuple[int, int] | None = None
    vrf: str | None = None


@dataclass(frozen=True, slots=True)
class RemotePeer:
    """``remote-peer`` (no address: rule N2), ``remote-peer A`` (N3), ``remote-peer A gateway`` (N4)."""

    address: Address | None = None
    gateway: bool = False


@dataclass(frozen=True, slots=True)
class ReverseRoute:
    """What an entry injects. ``distance`` 1..255 (rule N7), ``tag`` 0..2**32-1 or None (rule N8)."""

    static: bool = False
    tag: int | None = None
    remote_peer: RemotePeer | None = None
    distance: int = 1


@dataclass(frozen=True, slots=True)
class AllowRule:
    """What a peer may propose: prefixes within ``prefix`` whose length is ``least``..``most``."""

    prefix: Prefix
    least: int
    most: int

    def takes(self, prefix: Prefix) -> bool:
        """Whether it allows a prefix."""
        return self.least <= prefix.length <= self.most and self.prefix.contains(prefix)


@dataclass(frozen=True, slots=True)
class Guard:
    """What a peer is not believed (rule G1). ``allow`` None is all; ``lengths`` by IP version, both bounds inside.

    ``max_routes_per_peer`` and ``max_routes`` (of the entry) are None for no limit.
    """

    allow: tuple[AllowRule, ...] | None = None
    lengths: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    max_routes_per_peer: int | None = None
    max_routes: int | None = None
    allow_special: frozenset[Special] = frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """A redundancy group (rule G2): its virtual addresses, at most one per family, first is first.

    ``standby_med`` None: the standby is silent; otherwise it announces with that MED and its own next hop.
    """

    name: str
    addresses: tuple[Address, ...]
    standby_med: int | None = None


@dataclass(frozen=True, slots=True)
class Vrf:
    """A VRF (rules N6, N10). ``rd`` as ExaBGP writes it, ``route_targets`` as on the wire (RFC 4360).

    ``label`` has 20 bits. ``rd`` empty: its routes do not go upstream as VPN routes, only in a session of their own
    (``NeighborPolicy``).
    """

    name: str
    table: int
    rd: str = ""
    route_targets: tuple[int, ...] = ()
    label: int = 0


@dataclass(frozen=True, slots=True)
class NeighborPolicy:
    """What one BGP neighbour is given. ``entries`` are ranks, ``tags`` the tags themselves; None is all of them.

    ``vrf`` not None: it is given that VRF's routes, as plain unicast, and no others (rule N10).
    """

    address: Address
    entries: frozenset[int] | None = None
    tags: frozenset[int | None] | None = None
    vrf: str | None = None


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One numbered entry of a crypto map.

    ``peers`` is empty on a dynamic entry; host names are text, first is first. ``reverse_route`` None: it takes its SAs
    and injects nothing. ``next_hops`` by IP version (4, 6); a version that is not there has no next hop; None: the peer
    itself. ``next_hop_self`` is true where they are this gateway's own (``next-hop: self``) and false where the entry
    fixes them or has the peer: in a redundancy group the virtual address stands in for them only where they are
    ``self`` (rules N9, G2). ``attributes`` are those of its tag. ``degrade_med`` None: a suspected peer changes nothing
    (rule G5). Delays are in seconds (rule G4). ``vrf`` and ``front_vrf`` are names, empty for the default VRF;
    ``interface`` is the one that carries the map, empty where the policy does not say.
    """

    map_name: str
    seq: int
    kind: EntryKind
    where: str
    """``file:line`` of the entry, for people."""
    peers: tuple[Address | str, ...] = ()
    match: Match = Match()
    access_list: AccessList | None = None
    reverse_route: ReverseRoute | None = ReverseRoute()
    next_hops: Mapping[int, Address] | None = field(default_factory=dict)
    next_hop_self: bool = True
    attributes: Attributes = field(default_factory=Attributes)
    allow_default: DefaultProxies = DefaultProxies.SKIP
    port_proxies: PortProxies = PortProxies.SKIP
    overlap: Overlap = Overlap.NEWEST
    guard: Guard = Guard()
    vrf: str = ""
    front_vrf: str = ""
    interface: str = ""
    redundancy: str = ""
    withdraw_delay: float = 0.0
    announce_delay: float = 0.0
    degrade_med: int | None = None

    @property
    def name(self) -> str:
        """``map seq``, as Cisco's commands print it."""
        return f"{self.map_name} {self.seq}"

    @property
    def tag(self) -> int | None:
        """The tag of its routes."""
        return None if self.reverse_route is None else self.reverse_route.tag


@dataclass(frozen=True, slots=True)
class Policy:
    """All map entries, the one that is tried first at index 0: an entry's index is its rank.

    ``guard`` holds for all entries together: ``max_routes`` in all. Groups and VRFs are by name. ``believe_kernel`` are
    the sources whose SA pairs have no routes for what no kernel carries (``SaPair.not_in_kernel``, rule E8).
    """

    entries: tuple[MapEntry, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    vrfs: Mapping[str, Vrf] = field(default_factory=dict)
    neighbors: tuple[NeighborPolicy, ...] = ()
    max_routes: int | None = None
    believe_kernel: frozenset[str] = frozenset()


def tag_attributes(asn: int, tag: int | None, table: Mapping[int, Attributes]) -> Attributes:
    """What a tag becomes upstream (rule N8).

    A 16-bit tag under a 2-byte AS gives the standard community ``asn:tag``; every tag gives the large community
    ``asn:1:tag``; what ``table`` holds for the tag is added. No tag (None) gives nothing: tag 0 is a tag.
    """
    if tag is None:
        return Attributes()
    more = table.get(tag, Attributes())
    standard = ((asn, tag),) if asn <= 0xFFFF and tag <= 0xFFFF else ()
    return Attributes(
        communities=_union(standard, more.communities),
        large_communities=_union(((asn, 1, tag),), more.large_communities),
        med=more.med,
        local_preference=more.local_preference,
        extended_communities=more.extended_communities,
        as_path_prepend=more.as_path_prepend,
    )


def _union(first: tuple[_T, ...], second: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys((*first, *second)))
