"""Short ways to drive a table in tests, and to read it."""

from __future__ import annotations

from collections.abc import Iterable

from rri_bgp.model import Destination, SaPair
from rri_bgp.rri import Rib

__all__ = ["down", "meds", "next_hop", "owners", "reasons", "table", "text", "up"]


def up(rib: Rib, *sas: SaPair) -> set[str]:
    """These SA pairs came or changed: the destinations that changed."""
    return text(rib.update({one.key: one for one in sas}))


def down(rib: Rib, *sas: SaPair) -> set[str]:
    """These went."""
    return text(rib.update({one.key: None for one in sas}))


def text(destinations: Iterable[Destination]) -> set[str]:
    """Destinations as people write them."""
    return {str(one) for one in destinations}


def table(rib: Rib) -> set[str]:
    """The destinations that are routes."""
    return text(rib.destinations())


def reasons(rib: Rib) -> list[tuple[str, str]]:
    """Rule and words of each refusal."""
    return [(refusal.rule, refusal.reason) for refusal in rib.refusals()]


def next_hop(rib: Rib, destination: Destination) -> str:
    """Where a route points."""
    path = rib.path(destination)
    return "" if path is None else str(path.next_hop)


def owners(rib: Rib, destination: Destination) -> list[int]:
    """The unique ids, or lines, of those who want a route, the winner first."""
    route = rib.route(destination)
    return [claim.owner[1] for claim in route.claims] if route else []


def meds(rib: Rib) -> dict[str, int | None]:
    """The MED of each route."""
    return {str(route.destination): route.path.attributes.med for route in rib.routes()}
