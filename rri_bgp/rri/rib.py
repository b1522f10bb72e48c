"""The routes that should exist, kept up to date one SA pair at a time, and the same from scratch.

Rules of this file: a route is a function of the policy and of the SA pairs that exist now, never of how they came
(rule E7). ``Rib`` is the incremental form: a change touches only the prefixes of the SA pairs that changed.
``routes_from_scratch`` is the plain form; a property test holds the two equal over random histories.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from rri_bgp.model import Claim, Path, Prefix, Refusal, Route, SaKey, SaPair
from rri_bgp.rri.entries import MapEntry, Policy
from rri_bgp.rri.match import Matcher
from rri_bgp.rri.routes import Derived, derive

__all__ = ["Rib", "routes_from_scratch"]


class Rib:
    """Owners per prefix: a route exists while anybody claims it, so a rekey or reauthentication is silent (rule E6)."""

    def __init__(self, policy: Policy) -> None:
        self._begin(policy)

    def _begin(self, policy: Policy) -> None:
        self.policy = policy
        self._matcher = Matcher(policy)
        self._sas: dict[SaKey, SaPair] = {}
        self._derived: dict[SaKey, Derived] = {}
        self._claims: dict[Prefix, tuple[Claim, ...]] = {}

    def update(self, changes: Mapping[SaKey, SaPair | None]) -> set[Prefix]:
        """Takes SA pairs that came or changed, or went (None). Returns the prefixes whose path is another now."""
        before: dict[Prefix, Path | None] = {}
        for key, sa in changes.items():
            if self._sas.get(key) == sa:
                continue
            old = self._derived.get(key)
            new = None if sa is None else derive(self.policy, self._matcher, sa)
            self._replace_claims(old, new, before)
            self._remember(key, sa, new)
        return {prefix for prefix, path in before.items() if path != self.path(prefix)}

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> set[Prefix]:
        """Takes all SA pairs that a source has: one that is not among them is gone, whatever events said (rule E8)."""
        return self.update(self.difference(source, sas))

    def difference(self, source: str, sas: Iterable[SaPair]) -> dict[SaKey, SaPair | None]:
        """What would have to be updated if these were all SA pairs that a source has."""
        found = {sa.key: sa for sa in sas}
        changes: dict[SaKey, SaPair | None] = {key: sa for key, sa in found.items() if self._sas.get(key) != sa}
        changes.update((key, None) for key in self._sas if key.source == source and key not in found)
        return changes

    def take_policy(self, policy: Policy) -> set[Prefix]:
        """Works everything out anew under another policy. Returns the prefixes whose path is another now (rule E4)."""
        before = {prefix: self.path(prefix) for prefix in self._claims}
        sas = self._sas
        self._begin(policy)
        self.update(sas)
        return {prefix for prefix in before.keys() | self._claims.keys() if before.get(prefix) != self.path(prefix)}

    def path(self, prefix: Prefix) -> Path | None:
        """What to announce for a prefix, None for nothing."""
        claims = self._claims.get(prefix)
        return _best_path(self.policy, prefix, claims) if claims else None

    def route(self, prefix: Prefix) -> Route | None:
        """The route for exactly this prefix, None where nobody wants it."""
        claims = self._claims.get(prefix)
        return Route(prefix, _best_path(self.policy, prefix, claims), claims) if claims else None

    def routes(self) -> Iterator[Route]:
        """All routes, in no order."""
        for prefix, claims in self._claims.items():
            yield Route(prefix, _best_path(self.policy, prefix, claims), claims)

    def prefixes(self) -> Collection[Prefix]:
        """The prefixes of all routes, in no order."""
        return self._claims.keys()

    def sas(self) -> Collection[SaPair]:
        """All SA pairs, in no order."""
        return self._sas.values()

    def sa(self, key: SaKey) -> SaPair | None:
        """The SA pair of that key."""
        return self._sas.get(key)

    def entry_of(self, sa: SaPair) -> MapEntry | None:
        """The map entry that takes an SA pair."""
        rank = self._matcher.rank(sa)
        return None if rank is None else self.policy.entries[rank]

    def refusals(self) -> Iterator[Refusal]:
        """Everything that was asked for and refused."""
        for derived in self._derived.values():
            yield from derived.refusals

    def refusals_of(self, key: SaKey) -> tuple[Refusal, ...]:
        """What one SA pair asked for in vain."""
        derived = self._derived.get(key)
        return derived.refusals if derived else ()

    def __len__(self) -> int:
        return len(self._claims)

    def _replace_claims(self, old: Derived | None, new: Derived | None, before: dict[Prefix, Path | None]) -> None:
        old_claims = old.claims if old else {}
        new_claims = new.claims if new else {}
        for prefix in old_claims.keys() | new_claims.keys():
            gone, come = old_claims.get(prefix), new_claims.get(prefix)
            if gone == come:
                continue
            before.setdefault(prefix, self.path(prefix))
            claims = [claim for claim in self._claims.get(prefix, ()) if claim != gone]
            if come is not None:
                claims.append(come)
            if claims:
                self._claims[prefix] = tuple(sorted(claims, key=_preference))
            else:
                del self._claims[prefix]

    def _remember(self, key: SaKey, sa: SaPair | None, derived: Derived | None) -> None:
        if sa is None or derived is None:
            del self._sas[key], self._derived[key]
        else:
            self._sas[key] = sa
            self._derived[key] = derived


def routes_from_scratch(policy: Policy, sas: Iterable[SaPair]) -> dict[Prefix, Route]:
    """The routes of these SA pairs under this policy: what ``Rib`` must hold after any history that ends in them."""
    matcher = Matcher(policy)
    claims: dict[Prefix, list[Claim]] = {}
    for sa in sas:
        for prefix, claim in derive(policy, matcher, sa).claims.items():
            claims.setdefault(prefix, []).append(claim)
    routes = {}
    for prefix, wanted in claims.items():
        ordered = tuple(sorted(wanted, key=_preference))
        routes[prefix] = Route(prefix, _best_path(policy, prefix, ordered), ordered)
    return routes


def _preference(claim: Claim) -> tuple[int, SaKey]:
    """The lowest entry wins a prefix, as the lowest sequence wins an SA; the SA's own order changes no path."""
    return (claim.rank, claim.owner)


def _best_path(policy: Policy, prefix: Prefix, claims: tuple[Claim, ...]) -> Path:
    return policy.entries[claims[0].rank].paths[prefix.version]
