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
from collections.abc import Iterator, Mapping
from itertools import islice

from rri_bgp.model import Destination, SaKey, SaPair
from rri_bgp.rri import Policy, Rib
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.rri.touch import Touch

__all__ = ["Changeover", "Reviews", "comings_first"]


class Changeover:
    """A table for another policy, beside the one that holds."""

    def __init__(self, rib: Rib, policy: Policy) -> None:
        self._rib = rib
        self._new = Rib(policy, rib.surroundings)
        self._keys = iter([sa.key for sa in rib.sas()])
        self._reviews = Reviews(self._new)

    def step(self, count: int) -> bool:
        """Takes so many SA pairs over. Returns whether there may be more."""
        if self._reviews:
            self._reviews.step(count)
            return True
        keys = list(islice(self._keys, count))
        found = {key: self._rib.sa(key) for key in keys}
        self._new.update({key: sa for key, sa in found.items() if sa is not None})
        return bool(keys)

    def update(self, changes: Mapping[SaKey, SaPair | None]) -> None:
        """The table that holds has taken these."""
        self._new.update(changes)

    def take_surroundings(self, surroundings: Surroundings) -> None:
        """Likewise."""
        self._reviews.enter(surroundings)

    def finish(self, changes: Mapping[SaKey, SaPair | None]) -> set[Destination]:
        """Puts the new table in the place of the old one, which has to be complete but for these changes.

        Returns the destinations with other paths.
        """
        self._new.update(changes)
        return self._rib.become(self._new)


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


def comings_first(rib: Rib, changed: set[Destination]) -> deque[Destination]:
    """The destinations that have a route, and then those that have none."""
    found = deque(destination for destination in changed if rib.path(destination) is not None)
    found.extend(destination for destination in changed if rib.path(destination) is None)
    return found
