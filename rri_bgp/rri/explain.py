"""Why a destination is a route, or is not one, and what has become of an owner's wishes (rule G8)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rri_bgp.model import (
    Claim,
    Destination,
    FlowRule,
    LineKey,
    Owner,
    Prefix,
    Refusal,
    Route,
    SaKey,
    SaPair,
    order,
    prefix_of,
    vrf_of,
)
from rri_bgp.rri.ages import Standing, standing
from rri_bgp.rri.best import sharing
from rri_bgp.rri.entries import MapEntry, ReverseRoute
from rri_bgp.rri.kernel import pointing_rule
from rri_bgp.rri.rib import Rib

__all__ = ["ClaimStory", "Explanation", "Fate", "OwnerStory", "RefusalStory", "explain", "explain_owner"]


class Fate(enum.Enum):
    """What became of a claim. The values are words for people, after the owner's name."""

    WINS = "its path is announced"
    SHARES = "announced too, or has the same path (overlap: ecmp)"
    ENTRY = "an entry that is tried earlier has it"
    HELD = "the SA has gone and withdraw-delay keeps it; others are up"
    SUSPECT = "its peer is suspected to be dead; others answer"
    YOUNGER = "another is older (overlap: oldest)"
    OLDER = "another is newer"
    REFUSED = "a limit refuses it"


@dataclass(frozen=True, slots=True)
class ClaimStory:
    """One owner's claim, with what is behind it; ``sa`` is None for an access list line, ``rules`` made the claim."""

    claim: Claim
    sa: SaPair | None
    entry: MapEntry
    fate: Fate
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefusalStory:
    """Something that was refused; ``sa`` is None for an access list line, ``entry`` where no entry takes the SA."""

    refusal: Refusal
    sa: SaPair | None
    entry: MapEntry | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that the core knows about a destination.

    ``claims`` is empty where nobody has it; its first one gave the route its path. ``covering`` are the routes of the
    same VRF that hold it, longest first (they carry its traffic where it is no route itself: rule E12), ``covered``
    those within it, and flows to it. ``refusals`` are of this destination, or of owners whose wishes touch it.
    """

    destination: Destination
    route: Route | None
    claims: tuple[ClaimStory, ...]
    covering: tuple[Route, ...]
    covered: tuple[Route, ...]
    refusals: tuple[RefusalStory, ...]


@dataclass(frozen=True, slots=True)
class OwnerStory:
    """All that the core knows about an owner: what it wants, what became of that, and what it was refused."""

    owner: Owner
    sa: SaPair | None
    entry: MapEntry | None
    claims: tuple[ClaimStory, ...]
    refusals: tuple[Refusal, ...]


def explain(rib: Rib, destination: Destination) -> Explanation:
    """Tells the story of a destination. Walks the whole table: for people, not for a hot path."""
    route = rib.route(destination)
    prefix, vrf = prefix_of(destination), vrf_of(destination)
    near = [other for other in rib.destinations() if vrf_of(other) == vrf and other != destination]
    covering = [
        other
        for other in near
        if not isinstance(other, FlowRule) and prefix_of(other).contains(prefix) and prefix_of(other) != prefix
    ]
    covered = [other for other in near if prefix.contains(prefix_of(other)) and other not in covering]
    return Explanation(
        destination=destination,
        route=route,
        claims=tuple(_story(rib, claim) for claim in route.claims) if route else (),
        covering=_routes(rib, sorted(covering, key=lambda one: prefix_of(one).length, reverse=True)),
        covered=_routes(rib, sorted(covered, key=order)),
        refusals=tuple(_refusals(rib, prefix)),
    )


def explain_owner(rib: Rib, owner: Owner) -> OwnerStory:
    """Tells the story of an owner; one that is not there wants nothing."""
    return OwnerStory(
        owner=owner,
        sa=_sa(rib, owner),
        entry=rib.owner_entry(owner),
        claims=tuple(_story(rib, claim) for claim in rib.wanted(owner)),
        refusals=rib.refusals_of(owner),
    )


def _routes(rib: Rib, destinations: Iterable[Destination]) -> tuple[Route, ...]:
    return tuple(route for route in map(rib.route, destinations) if route is not None)


def _sa(rib: Rib, owner: Owner) -> SaPair | None:
    return rib.sa(owner) if isinstance(owner, SaKey) else None


def _story(rib: Rib, claim: Claim) -> ClaimStory:
    entry = rib.policy.entries[claim.rank]
    sa = _sa(rib, claim.owner)
    return ClaimStory(claim, sa, entry, _fate(rib, claim), tuple(_rules(entry, claim)))


def _fate(rib: Rib, claim: Claim) -> Fate:
    """Why a claim wins, or does not."""
    route = rib.route(claim.destination)
    claims = route.claims if route else ()
    if claim not in claims:
        return Fate.REFUSED
    best = claims[0]
    if claim == best:
        return Fate.WINS
    if claim in sharing(rib.policy, claims):
        return Fate.SHARES
    if claim.rank != best.rank:
        return Fate.ENTRY
    stands = standing(claim.turn)
    if stands is not standing(best.turn):
        return Fate.HELD if stands is Standing.HELD else Fate.SUSPECT
    return Fate.YOUNGER if rib.policy.entries[claim.rank].overlap.value == "oldest" else Fate.OLDER


def _rules(entry: MapEntry, claim: Claim) -> Iterator[str]:
    """The rules that made a claim: when it exists, where it points, what it carries."""
    prefix = prefix_of(claim.destination)
    selector = claim.selector
    is_line = isinstance(claim.owner, LineKey)
    tells = {
        "E1": not is_line and not entry.peers,
        "E2": not is_line and bool(entry.peers),
        "E3": is_line,
        "E9": entry.access_list is not None,
        "E10": prefix.length == 0 or (selector is not None and _is_default(selector.prefixes())),
        "E11": isinstance(claim.destination, FlowRule) or (selector is not None and not selector.whole),
        "E14": prefix.version == 6,
        pointing_rule(entry.reverse_route or ReverseRoute()): True,
        "N6": bool(entry.vrf),
        "N8": entry.tag is not None,
        "N9": True,
        "N10": bool(entry.vrf),
        "G2": bool(entry.redundancy),
        "G4": standing(claim.turn) is Standing.HELD,
        "G5": standing(claim.turn) is Standing.SUSPECT,
    }
    return (rule for rule, counts in tells.items() if counts)


def _is_default(prefixes: tuple[Prefix, ...]) -> bool:
    return prefixes[0].length == 0


def _refusals(rib: Rib, prefix: Prefix) -> Iterator[RefusalStory]:
    for refusal in rib.refusals():
        sa = _sa(rib, refusal.owner)
        if any(other.contains(prefix) or prefix.contains(other) for other in _about(rib, refusal, sa)):
            yield RefusalStory(refusal, sa, rib.owner_entry(refusal.owner))


def _about(rib: Rib, refusal: Refusal, sa: SaPair | None) -> Iterable[Prefix]:
    """The prefixes that a refusal keeps from being routes."""
    if refusal.prefix is not None:
        return (refusal.prefix,)
    if sa is not None:
        return (prefix for selector in sa.remote_ts for prefix in selector.prefixes())
    entry = rib.owner_entry(refusal.owner)
    lines = entry.access_list.lines if entry is not None and entry.access_list is not None else ()
    return lines[refusal.owner[1]].destination if lines else ()  # an owner that is no SA is a line
