"""The kernel routes that should exist, as the policy means them (rules N1-N4, N6, N7).

Rules of this file: pure, and symbolic. A hop says what a route leads to, the peer say, and not by which gateway and
device: that depends on the machine's other routes and follows them, and is resolved where the kernel is (rule N5).
``intended`` is the plain form, of all there is. ``KernelTable`` says the same of one place when it is asked, and which
places to ask about when something has changed; a property test holds the two equal over random histories.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from rri_bgp.model import Address, Claim, Destination, FlowRule, Owner, Prefix, VrfPrefix, prefix_of
from rri_bgp.rri.best import Claims, sharing
from rri_bgp.rri.entries import MapEntry, ReverseRoute
from rri_bgp.rri.rib import Rib
from rri_bgp.rri.tracker import Whereabouts

__all__ = [
    "Bearing",
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

    def __hash__(self) -> int:
        return int(self.address)  # an address itself is hashed by its text, and each route asks for its peer's


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


class KernelRoute(NamedTuple):
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


class Bearing(NamedTuple):
    """Where a kernel route leads, whoever wants it: all of it that is asked for often.

    ``vrf`` is the one in which what the hops name is found (rule N6). ``is_to_peer``: it is a route to a peer itself
    (rules N2, N4), and not to what is behind one.
    """

    distance: int
    hops: tuple[Hop, ...]
    vrf: str
    is_to_peer: bool


class _Pointing(NamedTuple):
    """Where the routes of an entry point: what is the same for all of them.

    ``rule`` is N1, N2, N3 or N4. ``to_network`` None: to the owner's peer, or into the device of its SA. ``to_peer``
    None: there is no route to the peer itself.
    """

    rule: str
    to_network: Hop | None
    to_peer: Hop | None
    vrf: str
    front_vrf: str
    distance: int


def _pointing(entry: MapEntry) -> _Pointing:
    settings = entry.reverse_route or ReverseRoute()
    remote = settings.remote_peer
    more = entry.vrf, entry.front_vrf, settings.distance
    if remote is None:
        return _Pointing("N1", None, None, *more)
    if remote.address is None:
        return _Pointing("N2", None, Interface(entry.interface), *more)
    hop = Gateway(remote.address)
    return _Pointing("N4", None, hop, *more) if remote.gateway else _Pointing("N3", hop, None, *more)


def pointing_rule(entry: MapEntry) -> str:
    """The rule by which the routes of an entry point where they do: N1, N2, N3 or N4."""
    return _pointing(entry).rule


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
    claims = rib.claims(destination)
    if isinstance(destination, FlowRule) or not claims:
        return None
    return _proxy_route(rib, _pointing(rib.policy.entries[claims[0].rank]), claims)


def _proxy_route(rib: Rib, pointing: _Pointing, claims: Claims) -> KernelRoute:
    """``pointing`` is that of the first claim's entry, and so of all that share the route."""
    return KernelRoute(
        pointing.vrf,
        prefix_of(claims[0].destination),
        _hops(rib, pointing, claims),
        pointing.distance,
        tuple([claim.owner for claim in claims]),
        _rules(pointing, pointing.vrf),
    )


def _hops(rib: Rib, pointing: _Pointing, claims: Claims) -> tuple[Hop, ...]:
    """Where a route of these claims leads, each hop once."""
    if len(claims) == 1:  # as most are
        hop = _hop(pointing, rib.whereabouts(claims[0].owner))
        return () if hop is None else (hop,)
    hops = dict.fromkeys([_hop(pointing, rib.whereabouts(claim.owner)) for claim in sharing(rib.policy, claims)])
    return tuple([hop for hop in hops if hop is not None])


def _hop(pointing: _Pointing, owner: Whereabouts | None) -> Hop | None:
    """Where traffic goes for one of the destinations of an owner that is there; None only for no owner."""
    if pointing.to_network is not None or owner is None:
        return pointing.to_network
    peer, if_id, mark = owner
    if if_id:
        return IfId(if_id)
    return Mark(mark, peer) if mark else Peer(peer)


def _rules(pointing: _Pointing, vrf: str) -> tuple[str, ...]:
    """What makes a route in that VRF so."""
    return (pointing.rule, "N6", "N7") if vrf else (pointing.rule, "N7")


def peer_routes(rib: Rib) -> Iterator[KernelRoute]:
    """The routes to the peers themselves, in the outer VRF (rules N2, N4, N6).

    One for each peer that has a route, owned by all that want one of its routes; the entry tried first says where to.
    """
    pointings = tuple(map(_pointing, rib.policy.entries))
    wanted: dict[KernelKey, dict[Owner, int]] = {}
    for destination in rib.destinations():
        for key, claim in _to_peers(rib, pointings, destination):
            wanted.setdefault(key, {})[claim.owner] = claim.rank
    return (_peer_route(pointings, key, owners) for key, owners in wanted.items())


def _to_peers(rib: Rib, pointings: Sequence[_Pointing], destination: Destination) -> Iterator[tuple[KernelKey, Claim]]:
    """The places of the routes to peers that a destination's claims want beside its own, each with its claim."""
    for claim in () if isinstance(destination, FlowRule) else rib.claims(destination):
        pointing = pointings[claim.rank]
        owner = None if pointing.to_peer is None else rib.whereabouts(claim.owner)
        if owner is not None:
            peer = owner.peer
            yield KernelKey(pointing.front_vrf, Prefix(peer.version, int(peer), peer.max_prefixlen)), claim


def _peer_route(pointings: Sequence[_Pointing], key: KernelKey, owners: Mapping[Owner, int]) -> KernelRoute:
    """``owners`` are at least one, each with its rank."""
    pointing = pointings[min(owners.values())]
    hops = () if pointing.to_peer is None else (pointing.to_peer,)
    return KernelRoute(key.vrf, key.prefix, hops, pointing.distance, tuple(sorted(owners)), _rules(pointing, key.vrf))


_Ranked = tuple[int, _Pointing]
"""An entry, by its rank: equal ones of two policies come to the same."""


class KernelTable:
    """What ``intended`` says, place by place. It knows of no route until it is told to look at its destination."""

    def __init__(self, rib: Rib) -> None:
        self._rib = rib
        self._peers: dict[KernelKey, dict[Destination, _Ranked]] = {}
        """The places of routes to peers: the destinations beside which such a route is wanted, with the least rank."""
        self._beside: dict[Destination, tuple[KernelKey, ...]] = {}
        """The other way round; only those that are wanted beside a destination now."""
        self.take_policy()

    def take_policy(self) -> None:
        """Another policy holds. All destinations are to be looked at, and those that have gone, in pieces of any size.

        What needs no more is right at once: a place is where its destination is. Until all have been looked at, there
        may be no word of a route to a peer that another destination than before wants.
        """
        self._pointings = tuple(map(_pointing, self._rib.policy.entries))
        self._has_peers = any(pointing.to_peer is not None for pointing in self._pointings)

    def changed(self, destinations: Iterable[Destination]) -> set[KernelKey]:
        """Looks again at these: ``rib.take_touched()``, at first all. Returns the places to ask about again.

        Every place is among them whose route leads elsewhere now, has another distance, came or went; that the owners
        are others is not told.
        """
        found: set[KernelKey] = set()
        for destination in destinations:
            key = key_of(destination)
            if key is not None:
                found.add(key)
                if self._has_peers or self._beside:
                    self._look(destination, found)
        return found

    def _look(self, destination: Destination, found: set[KernelKey]) -> None:
        """Notes which routes to peers are wanted beside a destination now, and in ``found`` those that this changes."""
        new: dict[KernelKey, _Ranked] = {}
        for key, claim in _to_peers(self._rib, self._pointings, destination):
            new.setdefault(key, (claim.rank, self._pointings[claim.rank]))  # claims come by rank
        for key in self._beside.pop(destination, ()):
            wanted = self._peers[key]
            if wanted[destination] != new.get(key):
                if wanted.pop(destination) not in wanted.values():
                    found.add(key)
                if not wanted:
                    del self._peers[key]
        for key, ranked in new.items():
            wanted = self._peers.setdefault(key, {})
            if ranked not in wanted.values():
                found.add(key)
            wanted[destination] = ranked
        if new:
            self._beside[destination] = tuple(new)

    def route(self, key: KernelKey) -> KernelRoute | None:
        """The route that should be there, None for none. It is worked out each time, from what is so now."""
        owners = {
            claim.owner: claim.rank
            for destination in self._peers.get(key, ())
            for place, claim in _to_peers(self._rib, self._pointings, destination)
            if place == key
        }
        if owners:
            return _peer_route(self._pointings, key, owners)
        claims = self._rib.claims(destination_of(key))
        return _proxy_route(self._rib, self._pointings[claims[0].rank], claims) if claims else None

    def bearing(self, key: KernelKey) -> Bearing | None:
        """Where the route leads that should be there, None for none: a part of ``route``, in half the time."""
        beside = self._peers.get(key)
        if beside is not None:
            _, pointing = min(beside.values(), key=itemgetter(0))
            hops = () if pointing.to_peer is None else (pointing.to_peer,)
            return Bearing(pointing.distance, hops, key.vrf, is_to_peer=True)
        claims = self._rib.claims(destination_of(key))
        if not claims:
            return None
        pointing = self._pointings[claims[0].rank]
        return Bearing(pointing.distance, _hops(self._rib, pointing, claims), pointing.front_vrf, is_to_peer=False)

    def keys(self) -> Iterator[KernelKey]:
        """All places where a route should be, in no order."""
        yield from self._peers
        for destination in self._rib.destinations():
            key = key_of(destination)
            if key is not None and key not in self._peers:
                yield key
