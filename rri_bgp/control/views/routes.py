"""Routes as JSON: with what goes out for each, who wants it, and how far the sinks are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge

from rri_bgp.control.views.values import Item, destination_fields, extended_community, owner_fields, path_fields
from rri_bgp.controller import Controller
from rri_bgp.model import Destination, Prefix, Route, order, vrf_of
from rri_bgp.rri import Policy
from rri_bgp.rri.entries import NeighborPolicy, Vrf
from rri_bgp.sinks import SinkRoute

__all__ = ["announcement", "in_order", "route_fields", "routes"]


def routes(controller: Controller) -> Iterator[Item]:
    """The answer to ``Ask.ROUTES``."""
    for destination in in_order(controller.rib.destinations()):
        route = controller.rib.route(destination)
        if route is not None:  # else it went since we began
            yield route_fields(controller, route)


def in_order(destinations: Iterable[Destination]) -> Iterator[Destination]:
    """By VRF, the default one first, then prefix. Most are plain prefixes, which sort without ``order``."""
    plain: list[Prefix] = []
    others: list[Destination] = []
    for destination in destinations:
        if isinstance(destination, Prefix):
            plain.append(destination)
        else:
            others.append(destination)
    plain.sort()
    return merge(plain, sorted(others, key=order), key=order) if others else iter(plain)


def route_fields(controller: Controller, route: Route, *, is_full: bool = False) -> Item:
    """A route, its owners, and what each sink says of it; ``is_full``: for each neighbour too."""
    held = {sink.name: sink.route(route.destination) for sink in controller.sinks}
    return {
        **destination_fields(route.destination),
        **announcement(controller.rib.policy, route),
        "announced": controller.wanted.path(route.destination) is not None,
        "owners": [owner_fields(claim.owner) for claim in route.claims],
        "sinks": {name: _state(one) | (_neighbors(one) if is_full else {}) for name, one in held.items()},
    }


def announcement(policy: Policy, route: Route) -> Item:
    """What goes out for a route, and because of which entry: two that are equal are no change."""
    rank = route.claims[0].rank
    entry = policy.entries[rank]
    return {
        **path_fields(route.path),
        "alternates": [path_fields(path) for path in route.alternates],
        "vpn": _vpn(policy.vrfs.get(vrf_of(route.destination))),
        "withheld": [str(one.address) for one in policy.neighbors if not _is_given(one, route, rank, entry.tag)],
        "entry": entry.name,
        "tag": entry.tag,
    }


def _vpn(vrf: Vrf | None) -> Item | None:
    """What makes a VPN route of it (rule N10); null for what is no VPN route."""
    if vrf is None or not vrf.rd:
        return None
    targets = [extended_community(target) for target in vrf.route_targets]
    return {"rd": vrf.rd, "label": vrf.label, "route_targets": targets}


def _is_given(neighbor: NeighborPolicy, route: Route, rank: int, tag: int | None) -> bool:
    """Whether the policy lets a neighbour have a route."""
    if neighbor.vrf is not None and vrf_of(route.destination) != neighbor.vrf:
        return False
    return (neighbor.entries is None or rank in neighbor.entries) and (neighbor.tags is None or tag in neighbor.tags)


def _state(held: SinkRoute) -> Item:
    return {"state": held.state.value, "reason": held.reason}


def _neighbors(held: SinkRoute) -> Item:
    return {
        "neighbors": [
            {
                "peer": one.peer,
                "state": one.state.value,
                "reason": one.reason,
                "paths": [path_fields(path) for path in one.paths],
            }
            for one in held.neighbors
        ]
    }
