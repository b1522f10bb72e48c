"""The kernel routes that should exist (rules N2-N7), and those that the kernel has where it is a sink, as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from rri_bgp.control.views.values import Item, owner_fields
from rri_bgp.controller import Controller
from rri_bgp.model import Prefix
from rri_bgp.rri.kernel import (
    Gateway,
    Hop,
    IfId,
    Interface,
    KernelKey,
    KernelRoute,
    Mark,
    Peer,
    destination_of,
    peer_routes,
    proxy_route,
)
from rri_bgp.sinks import KernelEntry

__all__ = ["kernel", "kernel_routes_of"]


def kernel(controller: Controller) -> Iterator[Item]:
    """The answer to ``Ask.KERNEL``: the routes to the peers themselves, and then those to what is behind them."""
    rib = controller.rib
    to_peers = _to_peers(controller)
    for one in to_peers:
        yield _fields(controller, one)
    taken = {(one.vrf, one.prefix) for one in to_peers}  # these count where a peer's own address is a proxy too
    for destination in list(rib.destinations()):
        found = proxy_route(rib, destination)
        if found is not None and (found.vrf, found.prefix) not in taken:
            yield _fields(controller, found)


def kernel_routes_of(controller: Controller, prefix: Prefix, vrf: str) -> list[Item]:
    """Those for exactly this prefix in the table of a VRF."""
    to_peers = [one for one in _to_peers(controller) if (one.vrf, one.prefix) == (vrf, prefix)]
    if to_peers:
        return [_fields(controller, one) for one in to_peers]
    found = proxy_route(controller.rib, destination_of(KernelKey(vrf, prefix)))
    return [] if found is None else [_fields(controller, found)]


def _to_peers(controller: Controller) -> list[KernelRoute]:
    """The routes to the peers themselves. Walks the whole table, so only where an entry wants one."""
    wants = (one.reverse_route for one in controller.rib.policy.entries if one.reverse_route is not None)
    return list(peer_routes(controller.rib)) if any(one.remote_peer is not None for one in wants) else []


def _fields(controller: Controller, route: KernelRoute) -> Item:
    foundation = controller.outlets.foundation
    return {
        "prefix": str(route.prefix),
        "vrf": route.vrf,
        "hops": [_hop(hop) for hop in route.hops],
        "distance": route.distance,
        "owners": [owner_fields(owner) for owner in route.owners],
        "rules": list(route.rules),
        "installed": None if foundation is None else _installed(foundation.entry(route.vrf, route.prefix)),
    }


def _installed(entry: KernelEntry) -> Item:
    """What the kernel has."""
    return {
        "state": entry.state.value,
        "reason": entry.reason,
        "table": entry.table,
        "metric": entry.metric,
        "blackhole": entry.is_blackhole,
        "hops": [{"gateway": hop.gateway, "device": hop.device, "onlink": hop.onlink} for hop in entry.hops],
    }


def _hop(hop: Hop) -> Item:
    match hop:
        case Peer(address):
            return {"kind": "peer", "to": str(address)}
        case Gateway(address):
            return {"kind": "gateway", "to": str(address)}
        case Interface(name):
            return {"kind": "interface", "to": name}
        case IfId(number):
            return {"kind": "if-id", "to": str(number)}
        case Mark(number):
            return {"kind": "mark", "to": str(number)}
