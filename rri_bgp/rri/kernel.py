"""The kernel routes that should exist, as the policy means them (rules N1-N4, N6, N7).

Rules of this file: pure, and symbolic. A hop says what a route leads to, the peer say, and not by which gateway and
device: that depends on the machine's other routes and follows them, and is resolved where the kernel is (rule N5).
``intended`` is the plain form, of all there is. ``KernelTable`` says the same of one place when it is asked, and which
places to ask about when something has changed; a property test holds the two equal over random histories.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from rri_bgp.model import Address, Claim, Destination, FlowRule, LineKey, Owner, Prefix, VrfPrefix
from rri_bgp.rri.best import sharing
from rri_bgp.rri.entries import MapEntry, Policy, RemotePeer, ReverseRoute
from rri_bgp.rri.rib import Rib

__all__ = [
    "Gateway",
    "Hop",
    "IfId",
    "Interface",
    "KernelKey",
    "KernelRoute",
    "KernelTable",
    "Mark",
    "Peer",
    "destination_of",
    "intended",
    "key_of",
    "peer_routes",
    "pointing_rule",
    "proxy_route",
]


@dataclass(frozen=True, slots=True)
class Peer:
    """To the tunnel endpoint, over whatever leads there."""

    address: Address


@dataclass(frozen=True, slots=True)
class Gateway:
    """To an address that the policy names."""

    address: Address


@dataclass(frozen=True, slots=True)
class Interface:
    """Out of the interface that carries the map; empty where the policy does not say which one that is."""

    name: str


@dataclass(frozen=True, slots=True)
class IfId:
    """Into the xfrm interface of that id (linux/xfrm.h, XFRMA_IF_ID)."""

    number: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Into the vti device whose output key is that mark; where there is none, to the peer (linux/if_tunnel.h, okey)."""

    number: int
    peer: Address


Hop = Peer | Gateway | Interface | IfId | Mark


class KernelKey(NamedTuple):
    """Where a kernel route should be: in the table of a VRF, empty for the default one, for a prefix; never two."""

    vrf: str
    prefix: Prefix


def key_of(destination: Destination) -> KernelKey | None:
    """The place of a destination, None for a flow: that has none."""
    if isinstance(destination, Prefix):
        return KernelKey("", destination)
    return None if isinstance(destination, FlowRule) else KernelKey(destination.vrf, destination.prefix)


def destination_of(key: KernelKey) -> Destination:
    """The destination whose place it is."""
    return VrfPrefix(key.vrf, key.prefix) if key.vrf else key.prefix


@dataclass(frozen=True, slots=True)
class KernelRoute:
    """A route in the table of a VRF, empty for the default one.

    ``hops`` are several where equal owners share it (``overlap: ecmp``), the best first. ``distance`` is the metric
    (rule N7). ``owners`` are all who want it, and ``rules`` what made it so.
    """

    vrf: str
    prefix: Prefix
    hops: tuple[Hop, ...]
    distance: int
    owners: tuple[Owner, ...]
    rules: tuple[str, ...]


def intended(rib: Rib) -> Iterator[KernelRoute]:
    """All of them, in no order: each prefix once in each VRF.

    Where a peer's own address is a proxy too, the route to the peer is the one that counts: a tunnel whose packets are
    routed into the tunnel carries nothing.
    """
    to_peers = {(route.vrf, route.prefix): route for route in peer_routes(rib)}
    yield from to_peers.values()
    for destination in rib.destinations():
        found = proxy_route(rib, destination)
        if found is not None and (found.vrf, found.prefix) not in to_peers:
            yield found


def proxy_route(rib: Rib, destination: Destination) -> KernelRoute | None:
    """What a route to what is behind a peer is in the kernel; None for a flow, and where there is no route."""
    key, claims = key_of(destination), rib.claims(destination)
    if key is None or not claims:
        return None
    hops = dict.fromkeys(_hop(rib, claim) for claim in sharing(rib.policy, claims))
    entry = rib.policy.entries[claims[0].rank]
    settings = entry.reverse_route or ReverseRoute()
    return KernelRoute(
        vrf=entry.vrf,
        prefix=key.prefix,
        hops=tuple(hop for hop in hops if hop is not None),
        distance=settings.distance,
        owners=tuple(claim.owner for claim in claims),
        rules=(pointing_rule(settings), *(["N6"] if entry.vrf else []), "N7"),
    )


def peer_routes(rib: Rib) -> Iterator[KernelRoute]:
    """The routes to the peers themselves, in the outer VRF (rules N2, N4, N6).

    One for each peer that has a route, owned by all that want one of its routes; the entry tried first says where to.
    """
    wanted: dict[KernelKey, dict[Owner, int]] = {}
    for destination in rib.destinations():
        for key, claim in _to_peers(rib, destination):
            wanted.setdefault(key, {})[claim.owner] = claim.rank
    for key, owners in wanted.items():
        yield _peer_route(rib.policy.entries[min(owners.values())], key, owners)


def _to_peers(rib: Rib, destination: Destination) -> Iterator[tuple[KernelKey, Claim]]:
    """The places of the routes to the peers that a destination's claims want beside its own, each with its claim."""
    for claim in () if isinstance(destination, FlowRule) else rib.claims(destination):
        entry = rib.policy.entries[claim.rank]
        peer = rib.peer(claim.owner) if _has_two_routes(entry) else None
        if peer is not None:
            yield KernelKey(entry.front_vrf, Prefix(peer.version, int(peer), peer.max_prefixlen)), claim


def _peer_route(entry: MapEntry, key: KernelKey, owners: Iterable[Owner]) -> KernelRoute:
    settings = entry.reverse_route or ReverseRoute()
    remote = settings.remote_peer or RemotePeer()
    return KernelRoute(
        vrf=key.vrf,
        prefix=key.prefix,
        hops=(Interface(entry.interface) if remote.address is None else Gateway(remote.address),),
        distance=settings.distance,
        owners=tuple(sorted(owners)),
        rules=(pointing_rule(settings), *(["N6"] if key.vrf else []), "N7"),
    )


class _Form(enum.Enum):
    """The forms of ``reverse-route`` that differ in where routes point."""

    PLAIN = enum.auto()
    INTERFACE = enum.auto()
    ADDRESS = enum.auto()
    GATEWAY = enum.auto()


_RULES = {_Form.PLAIN: "N1", _Form.INTERFACE: "N2", _Form.ADDRESS: "N3", _Form.GATEWAY: "N4"}
_TWO_ROUTES = (_Form.INTERFACE, _Form.GATEWAY)


def _form(settings: ReverseRoute) -> _Form:
    remote = settings.remote_peer
    if remote is None:
        return _Form.PLAIN
    if remote.address is None:
        return _Form.INTERFACE
    return _Form.GATEWAY if remote.gateway else _Form.ADDRESS


def _has_two_routes(entry: MapEntry) -> bool:
    return _form(entry.reverse_route or ReverseRoute()) in _TWO_ROUTES


def pointing_rule(settings: ReverseRoute) -> str:
    """The rule by which routes point where they do: N1, N2, N3 or N4."""
    return _RULES[_form(settings)]


def _hop(rib: Rib, claim: Claim) -> Hop | None:
    """Where traffic for a claim's destination goes; None only for a claim of nobody."""
    settings = rib.policy.entries[claim.rank].reverse_route or ReverseRoute()
    if settings.remote_peer is not None and _form(settings) is _Form.ADDRESS:
        address = settings.remote_peer.address
        return None if address is None else Gateway(address)
    sa = None if isinstance(claim.owner, LineKey) else rib.sa(claim.owner)
    if sa is not None and (sa.if_id or sa.mark):
        return IfId(sa.if_id) if sa.if_id else Mark(sa.mark, sa.peer)
    peer = rib.peer(claim.owner)
    return None if peer is None else Peer(peer)


class KernelTable:
    """What ``intended`` says, place by place. It knows of no route until it is told to look at its destination."""

    def __init__(self, rib: Rib) -> None:
        self._rib = rib
        self._peers: dict[KernelKey, dict[Destination, int]] = {}
        """The places of routes to peers: the destinations beside which such a route is wanted, with the least rank."""
        self._beside: dict[Destination, tuple[KernelKey, ...]] = {}
        """The other way round; only those that are wanted beside a destination now."""
        self._take_policy(rib.policy)

    def _take_policy(self, policy: Policy) -> None:
        self._policy = policy
        self._has_peers = any(map(_has_two_routes, policy.entries))

    def changed(self, destinations: Iterable[Destination]) -> set[KernelKey]:
        """Looks again at these, that is at ``rib.take_touched()``. Returns the places to ask about again.

        Every place is among them whose route leads elsewhere now, has another distance, came or went; that the owners
        are others is not told. Where another policy holds, it is ``restart`` too.
        """
        found = self.restart() if self._policy is not self._rib.policy else set()
        for destination in destinations:
            key = key_of(destination)
            if key is not None:
                found.add(key)
                if self._has_peers:
                    self._look(destination, found)
        return found

    def restart(self) -> set[KernelKey]:
        """Looks at everything anew, at once. Returns all places that are, and of routes to peers those that were.

        What another policy has no route for any more is among what ``rib.take_touched()`` returns then.
        """
        found = set(self._peers)
        self._peers.clear()
        self._beside.clear()
        self._take_policy(self._rib.policy)
        return found | self.changed(self._rib.destinations())

    def _look(self, destination: Destination, found: set[KernelKey]) -> None:
        """Notes which routes to peers are wanted beside a destination now, and in ``found`` those that this changes."""
        new: dict[KernelKey, int] = {}
        for key, claim in _to_peers(self._rib, destination):
            new.setdefault(key, claim.rank)  # claims come by rank
        for key in self._beside.pop(destination, ()):
            ranks = self._peers[key]
            if ranks[destination] != new.get(key):
                if ranks.pop(destination) not in ranks.values():
                    found.add(key)
                if not ranks:
                    del self._peers[key]
        for key, rank in new.items():
            ranks = self._peers.setdefault(key, {})
            if rank not in ranks.values():
                found.add(key)
            ranks[destination] = rank
        if new:
            self._beside[destination] = tuple(new)

    def route(self, key: KernelKey) -> KernelRoute | None:
        """The route that should be there, None for none. It is worked out each time, from what is so now."""
        ranks = self._peers.get(key)
        if ranks is None:
            return proxy_route(self._rib, destination_of(key))
        owners = {claim.owner for one in ranks for place, claim in _to_peers(self._rib, one) if place == key}
        return _peer_route(self._rib.policy.entries[min(ranks.values())], key, owners)

    def keys(self) -> Iterator[KernelKey]:
        """All places where a route should be, in no order."""
        yield from self._peers
        for destination in self._rib.destinations():
            key = key_of(destination)
            if key is not None and key not in self._peers:
                yield key
