"""Large changes of the rules or of what is around, worked through in pieces, so that no turn of the loop takes long.

Rules of this file: no I/O, no clock.

* Another policy is *one* change (rule E4): the table for it is made beside the one that holds, which goes on being kept
  up to date, and takes its place when it has come as far.
* Other surroundings are taken in place, one SA pair after the other: each is right by itself, and the loss of a virtual
  address must not wait until everything has been worked out (rule G2).
* What is to be looked at again is told with what comes before what goes: a sink has nothing to withdraw early.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice

from rri_bgp.model import Destination, SaKey, SaPair
from rri_bgp.rri import Policy, Rib
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.rri.touch import Touch

__all__ = ["Changeover", "Reviews"]


_COMPARED = 4
"""Destinations that are compared in the time in which one SA pair is taken over."""


class Changeover:
    """A table for another policy, beside the one that holds."""

    def __init__(self, rib: Rib, policy: Policy) -> None:
        self._rib = rib
        self._new = Rib(policy, rib.surroundings)
        self._reviews = Reviews(self._new)
        self._keys = iter([sa.key for sa in rib.sas()])
        self._to_compare: Iterator[Destination] | None = None
        """None before the new table is complete."""
        self._come: list[Destination] = []
        self._gone: list[Destination] = []
        self._doubts: set[Destination] = set()
        """What has changed in either table since, and is to be compared once more."""

    def step(self, count: int) -> bool:
        """Takes so many SA pairs over, or compares what that comes to. Returns whether there may be more to do."""
        if self._reviews:
            self._doubts |= self._reviews.step(count)
        elif self._to_compare is None:
            self._take_over(list(islice(self._keys, count)))
        else:
            piece = list(islice(self._to_compare, _COMPARED * count))
            self._compare(piece)
            return bool(piece)
        return True

    def _take_over(self, keys: list[SaKey]) -> None:
        found = {key: self._rib.sa(key) for key in keys}
        self._new.update({key: sa for key, sa in found.items() if sa is not None})
        if not keys:
            old, new = list(self._rib.destinations()), list(self._new.destinations())
            self._to_compare = chain(old, (one for one in new if self._rib.path(one) is None))

    def _compare(self, destinations: Iterable[Destination]) -> None:
        old, new = self._rib, self._new
        for destination in destinations:
            if new.differs(old, destination):
                if new.path(destination) is None:
                    self._gone.append(destination)
                else:
                    self._come.append(destination)

    def update(self, changes: Mapping[SaKey, SaPair | None]) -> None:
        """The table that holds has taken these."""
        self._doubts |= self._new.update(changes)

    def take_surroundings(self, surroundings: Surroundings) -> None:
        """Likewise."""
        self._doubts |= self._reviews.enter(surroundings)

    def doubt(self, changed: set[Destination]) -> None:
        """These have other paths in the table that holds."""
        self._doubts |= changed

    def finish(self, changes: Mapping[SaKey, SaPair | None]) -> list[Destination]:
        """Puts the new table in the place of the old one, when there is nothing more to do but these changes.

        Returns the destinations with other paths, each once, those that have a route now first.
        """
        self.update(changes)
        if doubts := self._doubts:
            self._come = [one for one in self._come if one not in doubts]
            self._gone = [one for one in self._gone if one not in doubts]
            self._compare(doubts)
        self._rib.become(self._new)
        return self._come + self._gone


class Reviews:
    """SA pairs that have yet to be looked at because the surroundings changed, in the order in which they did."""

    def __init__(self, rib: Rib) -> None:
        self._rib = rib
        self._left: deque[tuple[Touch, Iterator[SaKey]]] = deque()
        self.is_urgent = False
        """Whether a virtual address has been lost (rule G2)."""

    def __bool__(self) -> bool:
        return bool(self._left)

    def enter(self, surroundings: Surroundings) -> set[Destination]:
        """Takes what can be taken at once. Returns the destinations with other paths."""
        is_loss = bool(self._rib.surroundings.held - surroundings.held)
        self.is_urgent = is_loss or (self.is_urgent and bool(self._left))
        touch, changed = self._rib.enter(surroundings)
        self._left.append((touch, iter([sa.key for sa in self._rib.sas()])))
        return changed

    def step(self, count: int) -> set[Destination]:
        """Looks at so many SA pairs. Returns the destinations with other paths."""
        touch, keys = self._left[0]
        piece = list(islice(keys, count))
        if len(piece) < count:
            self._left.popleft()
        return self._rib.review(touch, piece)

    def clear(self) -> None:
        """All has been worked out anew, with what is around now."""
        self._left.clear()
