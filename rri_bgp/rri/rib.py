"""The routes that should exist, kept up to date one SA pair at a time.

Rules of this file: a route is a function of the policy, the surroundings and the SA pairs that exist now, never of how
they came (rule E7). A change touches only the destinations of the SA pairs that changed, and of those that a limit lets
in or out by that. ``routes_from_scratch`` (``scratch``) is the plain form; a property test holds the two equal over
random histories.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

from rri_bgp.model import Claim, Destination, LineKey, Owner, Path, Refusal, Route, SaKey, SaPair
from rri_bgp.rri.best import Claims, are_other, make_route, ordered_paths
from rri_bgp.rri.entries import MapEntry, Policy
from rri_bgp.rri.limits import Asker, Limits, Move, asker_of_sa, has_limits
from rri_bgp.rri.match import Verdict
from rri_bgp.rri.news import difference
from rri_bgp.rri.routes import Derived, Deriver, first_peer
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.rri.touch import Touch
from rri_bgp.rri.tracker import Tracker, Whereabouts, whereabouts

__all__ = ["Rib"]

_NOTHING = Derived()

_Before = dict[Destination, Claims | None]
"""The claims of the destinations that a change has touched, as they were before it."""


class Rib:
    """Owners per destination: a route exists while anybody claims it, so a rekey is silent (rule E6)."""

    def __init__(self, policy: Policy, surroundings: Surroundings | None = None) -> None:
        self.policy = policy
        self.surroundings = surroundings or Surroundings()
        self._deriver = Deriver(policy, self.surroundings)
        self._entries = {entry.name: entry for entry in policy.entries}
        self._sas: dict[SaKey, SaPair] = {}
        self._lines: dict[LineKey, Asker] = {}
        self._asker = partial(_asker, self._lines, self._sas)
        self._wanted: dict[Owner, Claims] = {}
        """What each owner wants; those that want nothing are not there, so it has no empty tuples."""
        self._refused: dict[Owner, tuple[Refusal, ...]] = {}
        """Likewise, limits apart."""
        self._claims: dict[Destination, Claims] = {}
        """Of what is wanted what is within the limits."""
        self._limits = Limits(policy, self._wanted, self._asker) if has_limits(policy) else None
        self._tracker: Tracker | None = None
        self._take_lines({})

    def update(self, changes: Mapping[SaKey, SaPair | None]) -> set[Destination]:
        """Takes SA pairs that came or changed, or went (None). Returns the destinations with other paths now."""
        before: _Before = {}
        if self._tracker is not None:
            self._tracker.hear(changes, self._sas, self._wanted)
        derive = self._deriver.derive
        for key, sa in changes.items():
            if self._sas.get(key) == sa:
                continue
            if sa is None:
                self._settle(key, _NOTHING, None, before)
                del self._sas[key]
            else:
                self._settle(key, derive(sa), sa, before)
                self._sas[key] = sa
        return self._changed(before)

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> set[Destination]:
        """Takes all SA pairs that a source has: one that is not among them is gone, whatever events said (rule E8)."""
        return self.update(self.difference(source, sas))

    def difference(self, source: str, sas: Iterable[SaPair]) -> dict[SaKey, SaPair | None]:
        """What would have to be updated if these were all SA pairs that a source has."""
        return difference(self._sas, source, sas)

    def take_policy(self, policy: Policy) -> set[Destination]:
        """Works everything out anew under another policy. Returns the destinations with other paths now (rule E4).

        One that had no path between is not among them unless its paths are other ones.
        """
        new = Rib(policy, self.surroundings)
        new.update(self._sas)
        changed = {one for one in self._claims.keys() | new._claims.keys() if new.differs(self, one)}
        self.become(new)
        return changed

    def become(self, new: Rib) -> None:
        """Takes the state of a table that was made beside this one, and is not to be used any more.

        Of what that touches only the destinations that have gone are noted: under another policy all is another thing.
        """
        tracker = self._tracker
        if tracker is not None:
            tracker.add(self._claims.keys() - new._claims.keys())
        vars(self).update(vars(new))
        self._tracker = tracker

    def track(self) -> None:
        """Keeps from now on what ``take_touched`` is asked for; until then it costs nothing."""
        self._tracker = self._tracker or Tracker()

    def take_touched(self) -> set[Destination]:
        """The destinations that are something else to who asks where their owners are (``tracker``), since last time.

        All that ``update``, ``take_surroundings``, ``enter`` and ``review`` have returned since are among them.
        """
        return set() if self._tracker is None else self._tracker.take()

    def differs(self, other: Rib, destination: Destination) -> bool:
        """Whether a destination has other paths here than there."""
        return are_other(self.policy, self._claims.get(destination), other.policy, other._claims.get(destination))

    def take_surroundings(self, surroundings: Surroundings) -> set[Destination]:
        """Works out anew what another state of things around us can touch. Returns the destinations with other paths.

        That is: the entries of groups that were won or lost, the peers whose names resolve otherwise, and what overlaps
        with an address or network that came or went (rules G1, G2, E3).
        """
        before: _Before = {}
        self._review(self._enter(surroundings, before), list(self._sas), before)
        return self._changed(before)

    def enter(self, surroundings: Surroundings) -> tuple[Touch, set[Destination]]:
        """As ``take_surroundings``, but for the SA pairs that are there: ``review`` is for them, a few at a time.

        Returns what ``review`` asks for, and the destinations with other paths.
        """
        before: _Before = {}
        touch = self._enter(surroundings, before)
        return touch, self._changed(before)

    def review(self, touch: Touch, keys: Iterable[SaKey]) -> set[Destination]:
        """Works out anew those of the SA pairs that ``touch`` can touch. Returns the destinations with other paths."""
        before: _Before = {}
        self._review(touch, keys, before)
        return self._changed(before)

    def _enter(self, surroundings: Surroundings, before: _Before) -> Touch:
        touch = Touch(self.policy, self.surroundings, surroundings)
        has_same_names = surroundings.names == self.surroundings.names
        self.surroundings = surroundings
        self._deriver = Deriver(self.policy, surroundings, self._deriver.matcher if has_same_names else None)
        self._take_lines(before)
        return touch

    def _review(self, touch: Touch, keys: Iterable[SaKey], before: _Before) -> None:
        for key in keys:
            sa = self._sas.get(key)
            if sa is not None and self._is_touched(touch, sa):
                self._settle(key, self._deriver.derive(sa), sa, before)

    def _is_touched(self, touch: Touch, sa: SaPair) -> bool:
        if touch.finds_peer(sa):
            return True
        wanted = self._wanted.get(sa.key, ())
        if touch.ranks and (wanted[0].rank if wanted else self._deriver.matcher.rank(sa)) in touch.ranks:
            return True
        if not touch.has_fence:
            return False
        refused = [one.destination for one in self._refused.get(sa.key, ()) if one.destination is not None]
        return touch.meets([*(claim.destination for claim in wanted), *refused])

    def _changed(self, before: _Before) -> set[Destination]:
        """Of the destinations that were touched those that have come to something else."""
        policy, claims = self.policy, self._claims.get
        changed = {
            destination
            for destination, old in before.items()
            if (new := claims(destination)) is not old and are_other(policy, new, policy, old)
        }
        if self._tracker is not None:
            self._tracker.add(changed)
            self._tracker.compare(before, self._claims, self.whereabouts)
        return changed

    def _take_lines(self, before: _Before) -> None:
        """Brings the owners that are no SA up to date: the permit lines of static entries (rule E3)."""
        for key, (derived, asker) in self._deriver.derive_lines().items():
            if self._tracker is not None and asker != self._lines.get(key):
                self._tracker.add_wanted(self._wanted.get(key, ()))
            self._settle(key, derived, asker, before)
            self._lines[key] = asker

    def _settle(self, owner: Owner, derived: Derived, asker: Asker | SaPair | None, before: _Before) -> None:
        """Puts what an owner wants now in the place of what it wanted. ``asker`` is the owner as it is now."""
        if derived.refusals:
            self._refused[owner] = derived.refusals
        elif self._refused:
            self._refused.pop(owner, None)
        old, new = self._wanted.get(owner, ()), derived.claims
        if self._limits is not None:
            self._settle_within(self._limits, owner, old, new, asker, before)
            return
        if old == new:
            return
        for claim in old:
            self._remove(claim, before)
        if len(new) == 1 and new[0].destination not in self._claims:  # as most are: one tuple does for both tables
            before.setdefault(new[0].destination, None)
            self._claims[new[0].destination] = new
        else:
            for claim in new:
                self._add(claim, before)
        self._want(owner, new)

    def _want(self, owner: Owner, claims: Claims) -> None:
        if claims:
            self._wanted[owner] = claims
        else:
            self._wanted.pop(owner, None)

    def _settle_within(
        self,
        limits: Limits,
        owner: Owner,
        old: Claims,
        new: Claims,
        asker: Asker | SaPair | None,
        before: _Before,
    ) -> None:
        now = asker_of_sa(asker) if isinstance(asker, SaPair) else asker
        if old == new and (not old or self._asker(owner) == now):
            return
        if old:
            self._apply(limits.go(owner, self._asker(owner), old), before)
            self._want(owner, ())
        if new and now is not None:
            self._apply(limits.come(owner, now, new), before)
            self._want(owner, new)

    def _apply(self, moves: Iterable[Move], before: _Before) -> None:
        for claim, _, comes in moves:
            if comes:
                self._add(claim, before)
            else:
                self._remove(claim, before)

    def _add(self, claim: Claim, before: _Before) -> None:
        known = self._claims.get(claim.destination)
        before.setdefault(claim.destination, known)
        if known is None:
            self._claims[claim.destination] = (claim,)
        else:
            index = bisect_left(known, claim)
            self._claims[claim.destination] = (*known[:index], claim, *known[index:])

    def _remove(self, claim: Claim, before: _Before) -> None:
        known = self._claims[claim.destination]
        before.setdefault(claim.destination, known)
        if len(known) == 1:
            del self._claims[claim.destination]
        else:
            index = bisect_left(known, claim)
            self._claims[claim.destination] = known[:index] + known[index + 1 :]

    def claims(self, destination: Destination) -> Claims:
        """The claims of a destination, in the order in which they win; none where nobody wants it."""
        return self._claims.get(destination, ())

    def path(self, destination: Destination) -> Path | None:
        """The best path of a destination, None for no route."""
        claims = self._claims.get(destination)
        return claims[0].path if claims else None

    def paths(self, destination: Destination) -> tuple[Path, ...]:
        """All paths to announce, the best first: more than one only with ``overlap: ecmp`` (rule E13)."""
        claims = self._claims.get(destination)
        return ordered_paths(self.policy, claims) if claims else ()

    def route(self, destination: Destination) -> Route | None:
        """The route for exactly this destination, None where nobody wants it."""
        claims = self._claims.get(destination)
        return make_route(self.policy, destination, claims) if claims else None

    def routes(self) -> Iterator[Route]:
        """All routes, in no order."""
        for destination, claims in self._claims.items():
            yield make_route(self.policy, destination, claims)

    def destinations(self) -> Collection[Destination]:
        """The destinations of all routes, in no order."""
        return self._claims.keys()

    def sas(self) -> Collection[SaPair]:
        """All SA pairs, in no order."""
        return self._sas.values()

    def sa(self, key: SaKey) -> SaPair | None:
        """The SA pair of that key."""
        return self._sas.get(key)

    def lines(self) -> Collection[LineKey]:
        """The access list lines that are owners (rule E3)."""
        return self._lines.keys()

    def wanted(self, owner: Owner) -> Claims:
        """What an owner wants, whether or not a limit lets it have that."""
        return self._wanted.get(owner, ())

    def entry_of(self, sa: SaPair) -> MapEntry | None:
        """The map entry that takes an SA pair."""
        rank = self._deriver.matcher.rank(sa)
        return None if rank is None else self.policy.entries[rank]

    def verdicts(self, sa: SaPair) -> tuple[Verdict, ...]:
        """What each entry says to an SA pair, in policy order, up to the one that takes it (rule G8)."""
        return self._deriver.matcher.explain(sa)

    def owner_entry(self, owner: Owner) -> MapEntry | None:
        """The map entry of an owner, None where there is no such owner or no entry takes it."""
        if isinstance(owner, LineKey):
            return self._entries.get(owner.entry)
        sa = self._sas.get(owner)
        return None if sa is None else self.entry_of(sa)

    def whereabouts(self, owner: Owner) -> Whereabouts | None:
        """Where an owner is: its SA pair, or the first peer of its static entry (rule E3). None for no such owner."""
        if isinstance(owner, LineKey):
            entry = self._entries.get(owner.entry)
            peer = None if entry is None else first_peer(entry, self.surroundings)
            return None if peer is None else Whereabouts(peer)
        sa = self._sas.get(owner)
        return None if sa is None else whereabouts(sa)

    def refusals(self) -> Iterator[Refusal]:
        """Everything that was asked for and refused, in no order."""
        for refusals in self._refused.values():
            yield from refusals
        if self._limits is not None:
            yield from self._limits.refusals()

    def refusals_of(self, owner: Owner) -> tuple[Refusal, ...]:
        """What one owner asked for in vain."""
        found = self._refused.get(owner, ())
        if self._limits is None or owner not in self._wanted:
            return found
        return (*found, *self._limits.refusals_of(self._asker(owner), self._wanted[owner]))

    def __len__(self) -> int:
        return len(self._claims)


def _asker(lines: Mapping[LineKey, Asker], sas: Mapping[SaKey, SaPair], owner: Owner) -> Asker:
    """Who an owner is to the limits, as it was when its claims were taken."""
    return lines[owner] if isinstance(owner, LineKey) else asker_of_sa(sas[owner])
