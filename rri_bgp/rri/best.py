"""What the claims of one destination come to: the paths that are announced, and whether they differ (rule E13).

Claims are in the order in which they win: by rank, then by turn. Whoever is first gives the route its path; ``overlap:
ecmp`` lets the others of that rank share in it, if they stand as well as the first: nobody is sent to a suspected peer,
or to one that has gone, beside one that answers.
"""

from __future__ import annotations

from rri_bgp.model import Claim, Destination, Path, Route
from rri_bgp.rri.ages import standing
from rri_bgp.rri.entries import Overlap, Policy

__all__ = ["Claims", "are_other", "make_route", "ordered_paths", "sharing"]

Claims = tuple[Claim, ...]
"""At least one, in order."""


def sharing(policy: Policy, claims: Claims) -> Claims:
    """The claims that the route goes by: the first, or all that share in it."""
    best = claims[0]
    if len(claims) == 1 or policy.entries[best.rank].overlap is not Overlap.ECMP:
        return claims[:1]
    stands = standing(best.turn)
    return tuple(claim for claim in claims if claim.rank == best.rank and standing(claim.turn) is stands)


def ordered_paths(policy: Policy, claims: Claims) -> tuple[Path, ...]:
    """The paths to announce, the best first, each once."""
    return tuple(dict.fromkeys(claim.path for claim in sharing(policy, claims)))


def make_route(policy: Policy, destination: Destination, claims: Claims) -> Route:
    """The route that these claims make."""
    path, *alternates = ordered_paths(policy, claims)
    return Route(destination, path, claims, tuple(alternates))


def are_other(policy: Policy, claims: Claims | None, old_policy: Policy, old: Claims | None) -> bool:
    """Whether claims come to something else than others did before, under the policy of then; None for no claims.

    Where the policy says which neighbour is given what, another entry is something else, whatever its path.
    """
    if claims is None or old is None:
        return claims is not old
    best, best_before = claims[0], old[0]
    if best.path is not best_before.path and best.path != best_before.path:
        return True
    if policy.neighbors or old_policy.neighbors:
        entry, entry_before = policy.entries[best.rank], old_policy.entries[best_before.rank]
        if (entry.name, entry.tag) != (entry_before.name, entry_before.tag):
            return True
    if len(claims) == 1 == len(old):
        return False
    return ordered_paths(policy, claims) != ordered_paths(old_policy, old)
