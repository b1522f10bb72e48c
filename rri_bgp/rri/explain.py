"""Why a prefix is a route, or is not one (rule G8)."""

from __future__ import annotations

from dataclasses import dataclass

from rri_bgp.model import Claim, Prefix, Refusal, Route, SaPair
from rri_bgp.rri.entries import MapEntry
from rri_bgp.rri.rib import Rib

__all__ = ["ClaimStory", "Explanation", "explain"]


@dataclass(frozen=True, slots=True)
class ClaimStory:
    """One owner's claim, with the SA pair and the map entry behind it."""

    claim: Claim
    sa: SaPair
    entry: MapEntry


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that the core knows about a prefix.

    ``claims`` is empty where nobody wants it; its first one gave the route its path. ``covering`` are the routes that
    hold the prefix, longest first (they carry its traffic where it is no route itself: rule E12), ``covered`` those
    within it. ``refusals`` are of this prefix, or of an SA pair whose remote selectors touch it.
    """

    prefix: Prefix
    route: Route | None
    claims: tuple[ClaimStory, ...]
    covering: tuple[Route, ...]
    covered: tuple[Route, ...]
    refusals: tuple[tuple[Refusal, SaPair], ...]


def explain(rib: Rib, prefix: Prefix) -> Explanation:
    """Tells the story of a prefix. Walks the whole table: for people, not for a hot path."""
    route = rib.route(prefix)
    others = [other for other in rib.routes() if other.prefix != prefix]
    covering = sorted(
        (other for other in others if other.prefix.contains(prefix)),
        key=lambda r: r.prefix.length,
        reverse=True,
    )
    covered = sorted((other for other in others if prefix.contains(other.prefix)), key=lambda r: r.prefix)
    return Explanation(
        prefix=prefix,
        route=route,
        claims=tuple(_stories(rib, route)) if route else (),
        covering=tuple(covering),
        covered=tuple(covered),
        refusals=tuple(_refusals(rib, prefix)),
    )


def _stories(rib: Rib, route: Route) -> list[ClaimStory]:
    owned = ((claim, rib.sa(claim.owner)) for claim in route.claims)
    return [ClaimStory(claim, sa, rib.policy.entries[claim.rank]) for claim, sa in owned if sa is not None]


def _refusals(rib: Rib, prefix: Prefix) -> list[tuple[Refusal, SaPair]]:
    found = []
    for sa in rib.sas():
        for refusal in rib.refusals_of(sa.key):
            refused = (refusal.prefix,) if refusal.prefix else _remote_prefixes(sa)
            if any(other.contains(prefix) or prefix.contains(other) for other in refused):
                found.append((refusal, sa))
    return found


def _remote_prefixes(sa: SaPair) -> tuple[Prefix, ...]:
    return tuple(prefix for selector in sa.remote_ts for prefix in selector.prefixes())
