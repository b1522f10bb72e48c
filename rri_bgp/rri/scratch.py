"""The routes of a policy and SA pairs in one go: what ``Rib`` must hold after any history that ends in them (rule E7).

The plain form, for tests and for comparing policies. It shares with ``Rib`` what one owner wants (``routes``) and what
claims come to (``best``), and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple

from rri_bgp.model import Claim, Destination, Route, SaPair, order
from rri_bgp.rri.best import make_route
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.limits import Asker, asker_of_sa, has_limits
from rri_bgp.rri.routes import Deriver
from rri_bgp.rri.surroundings import Surroundings

__all__ = ["routes_from_scratch"]


class _Asked(NamedTuple):
    claim: Claim
    asker: Asker


def routes_from_scratch(
    policy: Policy, sas: Iterable[SaPair], surroundings: Surroundings | None = None
) -> dict[Destination, Route]:
    """The routes by destination."""
    deriver = Deriver(policy, surroundings or Surroundings())
    asked = [_Asked(claim, asker) for derived, asker in deriver.derive_lines().values() for claim in derived.claims]
    for sa in sas:
        claims = deriver.derive(sa).claims
        if claims:
            asker = asker_of_sa(sa)
            asked += [_Asked(claim, asker) for claim in claims]
    if has_limits(policy):
        asked = _within_limits(policy, asked)
    wanted: dict[Destination, list[Claim]] = {}
    for claim, _ in asked:
        wanted.setdefault(claim.destination, []).append(claim)
    return {
        destination: make_route(policy, destination, tuple(sorted(claims))) for destination, claims in wanted.items()
    }


def _within_limits(policy: Policy, asked: list[_Asked]) -> list[_Asked]:
    """Each limit in turn: of a peer, of an entry, of all (rule G1)."""
    guards = [entry.guard for entry in policy.entries]
    by_peer = _first(asked, lambda one: (one.claim.rank, one.asker.peer), lambda rank: guards[rank].max_routes_per_peer)
    by_entry = _first(by_peer, lambda one: one.claim.rank, lambda rank: guards[rank].max_routes)
    return list(_first(by_entry, lambda _: None, lambda _: policy.max_routes))


def _first(
    asked: Iterable[_Asked], scope: Callable[[_Asked], Hashable], limit: Callable[[int], int | None]
) -> Iterator[_Asked]:
    """Of each scope the claims of the first destinations, the oldest first."""
    scopes: dict[Hashable, list[_Asked]] = {}
    for one in asked:
        scopes.setdefault(scope(one), []).append(one)
    for members in scopes.values():
        ages: dict[Destination, int] = {}
        for claim, asker in members:
            ages[claim.destination] = min(asker.age, ages.get(claim.destination, asker.age))
        within = set(sorted(ages, key=lambda one: (ages[one], order(one)))[: limit(members[0].claim.rank)])
        yield from (one for one in members if one.claim.destination in within)
