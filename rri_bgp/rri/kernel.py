"""The kernel routes that should exist, as the policy means them (rules N1-N4, N6, N7).

Rules of this file: pure, and symbolic. A hop says what a route leads to, the peer say, and not by which gateway and
device: that depends on the machine's other routes and follows them, and is resolved where the kernel is (rule N5).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from rri_bgp.model import Address, Claim, FlowRule, LineKey, Owner, Prefix, Route, prefix_of
from rri_bgp.rri.best import sharing
from rri_bgp.rri.entries import MapEntry, RemotePeer, ReverseRoute
from rri_bgp.rri.rib import Rib

__all__ = [
    "Gateway",
    "Hop",
    "IfId",
    "Interface",
    "KernelRoute",
    "Peer",
    "intended",
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


Hop = Peer | Gateway | Interface | IfId


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
    for route in rib.routes():
        found = proxy_route(rib, route)
        if found is not None and (found.vrf, found.prefix) not in to_peers:
            yield found


def proxy_route(rib: Rib, route: Route) -> KernelRoute | None:
    """What a route to what is behind a peer is in the kernel, None for a flow: that has no place in its tables."""
    destination = route.destination
    if isinstance(destination, FlowRule):
        return None
    claims = sharing(rib.policy, route.claims)
    hops = dict.fromkeys(_hop(rib, claim) for claim in claims)
    entry = rib.policy.entries[claims[0].rank]
    settings = entry.reverse_route or ReverseRoute()
    return KernelRoute(
        vrf=entry.vrf,
        prefix=prefix_of(destination),
        hops=tuple(hop for hop in hops if hop is not None),
        distance=settings.distance,
        owners=tuple(claim.owner for claim in route.claims),
        rules=(pointing_rule(settings), *(["N6"] if entry.vrf else []), "N7"),
    )


def peer_routes(rib: Rib) -> Iterator[KernelRoute]:
    """The routes to the peers themselves, in the outer VRF (rules N2, N4, N6).

    One for each peer that has a route, owned by all that want one of its routes; the entry tried first says where to.
    """
    wanted: dict[tuple[str, Prefix], dict[Owner, int]] = {}
    for route in rib.routes():
        if isinstance(route.destination, FlowRule):
            continue
        for claim in route.claims:
            entry, peer = rib.policy.entries[claim.rank], rib.peer(claim.owner)
            if peer is not None and _form(entry.reverse_route or ReverseRoute()) in _TWO_ROUTES:
                host = Prefix(peer.version, int(peer), peer.max_prefixlen)
                wanted.setdefault((entry.front_vrf, host), {})[claim.owner] = claim.rank
    for (vrf, prefix), owners in wanted.items():
        yield _peer_route(rib.policy.entries[min(owners.values())], vrf, prefix, tuple(sorted(owners)))


def _peer_route(entry: MapEntry, vrf: str, prefix: Prefix, owners: tuple[Owner, ...]) -> KernelRoute:
    settings = entry.reverse_route or ReverseRoute()
    remote = settings.remote_peer or RemotePeer()
    return KernelRoute(
        vrf=vrf,
        prefix=prefix,
        hops=(Interface(entry.interface) if remote.address is None else Gateway(remote.address),),
        distance=settings.distance,
        owners=owners,
        rules=(pointing_rule(settings), *(["N6"] if vrf else []), "N7"),
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
    if sa is not None and sa.if_id:
        return IfId(sa.if_id)
    peer = rib.peer(claim.owner)
    return None if peer is None else Peer(peer)
