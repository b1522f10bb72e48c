"""Why a destination is a route, or is not one, and what has become of an owner's wishes (rule G8).

For people, not for a hot path. What walks a whole table does it in steps, so that a caller may let others run between
them; what has gone when its turn comes is left out. Of what has no bound only the first ``MOST`` are told.
"""

from __future__ import annotations

import enum
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice

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
    TrafficSelector,
    VrfPrefix,
    order,
    prefix_of,
    vrf_of,
)
from rri_bgp.reasons import Reason
from rri_bgp.rri.ages import Standing, standing
from rri_bgp.rri.best import Claims
from rri_bgp.rri.denied import Denial, denied_lines, denied_selectors
from rri_bgp.rri.entries import AclLine, MapEntry, Overlap, Policy
from rri_bgp.rri.kernel import pointing_rule
from rri_bgp.rri.rib import Rib

__all__ = [
    "MOST",
    "ClaimStory",
    "Explanation",
    "Fate",
    "OwnerStory",
    "RefusalStory",
    "explain",
    "explain_in_steps",
    "explain_owner",
]

MOST = 1000
"""Claims, covered destinations and refusals that are told of one destination."""

_PIECE = 1000
"""Rows of a table that are looked at in one step: less than a millisecond."""


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
    those within it, and flows to it; ``made`` are claims to such of these as were made of a selector that asks for the
    destination itself: its flow, or the halves of a default route (rules E10, E11). ``refusals`` are of this
    destination, or of owners whose wishes touch it. ``denials`` are the deny lines that take it, or a part of it, from
    entries of which no route is or holds it (rule E9). ``untold`` is how many claims, covered destinations and refusals
    there are beyond ``MOST`` of each.
    """

    destination: Destination
    route: Route | None
    claims: tuple[ClaimStory, ...]
    covering: tuple[Route, ...]
    covered: tuple[Route, ...]
    made: tuple[ClaimStory, ...]
    refusals: tuple[RefusalStory, ...]
    denials: tuple[Denial, ...] = ()
    untold: int = 0


@dataclass(frozen=True, slots=True)
class OwnerStory:
    """All that the core knows about an owner: what it wants, what became of that, and what it was refused."""

    owner: Owner
    sa: SaPair | None
    entry: MapEntry | None
    claims: tuple[ClaimStory, ...]
    refusals: tuple[Refusal, ...]


def explain(rib: Rib, destination: Destination) -> Explanation:
    """Tells the story of a destination. Walks the whole table."""
    steps = explain_in_steps(rib, destination)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            story: Explanation = end.value
            return story


def explain_in_steps(rib: Rib, destination: Destination) -> Generator[None, None, Explanation]:
    """The same; yields now and then, and returns the story."""
    covered, more_covered = yield from _covered(rib, destination)
    refusals, more_refusals = yield from _refusals(rib, destination)
    denials = yield from _denials(rib, destination, refusals)
    route = rib.route(destination)
    claims = route.claims if route is not None else ()
    within = _routes(rib, covered)
    return Explanation(
        destination=destination,
        route=route,
        claims=tuple(_stories(rib, route)) if route is not None else (),
        covering=_routes(rib, _covering(destination)),
        covered=within,
        made=tuple(
            next(_stories(rib, one)) for one in within if _asks_for(one.claims[0].selector, prefix_of(destination))
        ),
        refusals=refusals,
        denials=denials,
        untold=max(len(claims) - MOST, 0) + more_covered + more_refusals,
    )


def _covering(destination: Destination) -> Iterator[Destination]:
    """All prefixes of its VRF that hold it, but for itself, longest first."""
    (version, network, length), vrf = prefix_of(destination), vrf_of(destination)
    bits = 32 if version == 4 else 128
    for shorter in range(length - 1, -1, -1):
        free = bits - shorter
        wider = Prefix(version, network >> free << free, shorter)
        yield VrfPrefix(vrf, wider) if vrf else wider


def _asks_for(selector: TrafficSelector | None, prefix: Prefix) -> bool:
    """Whether a selector asks for all of a prefix."""
    return (
        selector is not None
        and selector.version == prefix.version
        and selector.start <= prefix.network
        and prefix.last <= selector.end
    )


def _covered(rib: Rib, destination: Destination) -> Generator[None, None, tuple[list[Destination], int]]:
    """The first of the others of its VRF that lie within it, in order, and how many more there are."""
    prefix, vrf = prefix_of(destination), vrf_of(destination)
    plain: list[Prefix] = []
    others: list[Destination] = []
    for number, other in enumerate(list(rib.destinations()), 1):
        if number % _PIECE == 0:
            yield
        if isinstance(other, Prefix):
            if not vrf and prefix.contains(other) and other != destination:
                plain.append(other)
        elif vrf_of(other) == vrf and prefix.contains(other.prefix) and other != destination:
            others.append(other)
    found: list[Destination] = [*nsmallest(MOST, plain), *nsmallest(MOST, others, key=order)]
    return nsmallest(MOST, found, key=order), max(len(plain) + len(others) - MOST, 0)


def explain_owner(rib: Rib, owner: Owner) -> OwnerStory:
    """Tells the story of an owner; one that is not there wants nothing."""
    claims = []
    for claim in rib.wanted(owner):
        route = rib.route(claim.destination)
        wins = route is not None and claim in route.claims
        fate = _fate(rib.policy, claim, route.claims) if route is not None and wins else Fate.REFUSED
        claims.append(_story(rib, claim, fate))
    return OwnerStory(
        owner=owner,
        sa=_sa(rib, owner),
        entry=rib.owner_entry(owner),
        claims=tuple(claims),
        refusals=rib.refusals_of(owner),
    )


def _routes(rib: Rib, destinations: Iterable[Destination]) -> tuple[Route, ...]:
    return tuple(route for route in map(rib.route, destinations) if route is not None)


def _sa(rib: Rib, owner: Owner) -> SaPair | None:
    return rib.sa(owner) if isinstance(owner, SaKey) else None


def _stories(rib: Rib, route: Route) -> Iterator[ClaimStory]:
    """Those who want a route, the one that won first."""
    for claim in route.claims[:MOST]:
        yield _story(rib, claim, _fate(rib.policy, claim, route.claims))


def _story(rib: Rib, claim: Claim, fate: Fate) -> ClaimStory:
    entry = rib.policy.entries[claim.rank]
    return ClaimStory(claim, _sa(rib, claim.owner), entry, fate, tuple(_rules(entry, claim)))


def _fate(policy: Policy, claim: Claim, claims: Claims) -> Fate:
    """Why one of the claims of a route wins, or does not."""
    best = claims[0]
    if claim is best or claim == best:
        return Fate.WINS
    if claim.rank != best.rank:
        return Fate.ENTRY
    overlap = policy.entries[best.rank].overlap
    stands = standing(claim.turn)
    if stands is not standing(best.turn):
        return Fate.HELD if stands is Standing.HELD else Fate.SUSPECT
    if overlap is Overlap.ECMP:
        return Fate.SHARES
    return Fate.YOUNGER if overlap is Overlap.OLDEST else Fate.OLDER


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
        pointing_rule(entry): True,
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


def _refusals(rib: Rib, destination: Destination) -> Generator[None, None, tuple[tuple[RefusalStory, ...], int]]:
    """The first refusals that touch a destination, and how many more there are."""
    prefix, vrf = prefix_of(destination), vrf_of(destination)
    found: list[Refusal] = []
    for number, refusal in enumerate(list(rib.refusals()), 1):
        if number % _PIECE == 0:
            yield
        if refusal.destination is not None and vrf_of(refusal.destination) != vrf:
            continue
        if any(start <= prefix.last and end >= prefix.network for start, end in _about(rib, refusal, prefix.version)):
            found.append(refusal)
    told = islice(found, MOST)
    stories = (RefusalStory(one, _sa(rib, one.owner), rib.owner_entry(one.owner)) for one in told)
    return tuple(stories), max(len(found) - MOST, 0)


def _denials(
    rib: Rib, destination: Destination, refusals: Iterable[RefusalStory]
) -> Generator[None, None, tuple[Denial, ...]]:
    """The deny lines that take a destination from entries of which no route is or holds it."""
    prefix, vrf, entries = prefix_of(destination), vrf_of(destination), rib.policy.entries
    carrying = {claim.rank for one in (destination, *_covering(destination)) for claim in rib.claims(one)}
    without = {entry.name: entry for rank, entry in enumerate(entries) if rank not in carrying and entry.vrf == vrf}
    found: dict[tuple[str, AclLine], Denial] = {}
    for entry in without.values():
        if entry.access_list is not None:
            yield
            found.update(((entry.name, one.line), one) for one in denied_lines(entry, prefix))
    for refused in refusals:
        sa, taker = refused.sa, refused.entry
        if refused.refusal.why is Reason.ACCESS_LIST and sa is not None and taker is not None and taker.name in without:
            yield
            found.update(((taker.name, one.line), one) for one in denied_selectors(taker, sa, prefix))
    return tuple(found.values())


def _about(rib: Rib, refusal: Refusal, version: int) -> Iterable[tuple[int, int]]:
    """The addresses of one IP version that a refusal keeps from being routed, as ranges with both ends inside."""
    if refusal.prefix is not None:
        prefixes: Iterable[Prefix] = (refusal.prefix,)
    elif isinstance(refusal.owner, SaKey):
        sa = rib.sa(refusal.owner)
        return [(one.start, one.end) for one in sa.remote_ts if one.version == version] if sa is not None else []
    else:
        entry = rib.owner_entry(refusal.owner)
        lines = entry.access_list.lines if entry is not None and entry.access_list is not None else ()
        prefixes = lines[refusal.owner.line].destination if lines else ()
    return [(one.network, one.last) for one in prefixes if one.version == version]
