"""What has changed that paths do not show: who owns a destination, and where its owners are.

Upstream is told paths: an owner that moves (MOBIKE), or another that takes over with an equal path, is no news there
(rule E6). In the kernel it is, where a route leads to the owner's peer, or into the device of its SA (rules N1-N5).

Rules of this file: a destination is touched when rank, standing and whereabouts of its owners, in order and each once,
are not what they were. Who the owners are does not count, so a rekey touches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from rri_bgp.model import Address, Destination, Owner, SaKey, SaPair
from rri_bgp.rri.ages import standing
from rri_bgp.rri.best import Claims

__all__ = ["Tracker", "Whereabouts", "whereabouts"]


class Whereabouts(NamedTuple):
    """Where an owner is: its peer, and ``if_id`` and ``mark`` of its SA pair, 0 for none. A line has a peer alone."""

    peer: Address
    if_id: int = 0
    mark: int = 0


def whereabouts(sa: SaPair) -> Whereabouts:
    """Where an SA pair is."""
    return Whereabouts(sa.peer, sa.if_id, sa.mark)


_Finder = Callable[[Owner], Whereabouts | None]


class Tracker:
    """Collects the destinations that were touched, until somebody takes them."""

    def __init__(self) -> None:
        self._touched: set[Destination] = set()
        self._were: dict[Owner, Whereabouts] = {}
        """Where the owners that a change is about were before it, while it lasts."""

    def add(self, destinations: Iterable[Destination]) -> None:
        """These are touched."""
        self._touched.update(destinations)

    def add_wanted(self, claims: Claims) -> None:
        """What an owner wants is touched: it is somewhere else now."""
        self._touched.update(claim.destination for claim in claims)

    def hear(
        self, changes: Mapping[SaKey, SaPair | None], sas: Mapping[SaKey, SaPair], wanted: Mapping[Owner, Claims]
    ) -> None:
        """SA pairs are about to come, change or go; ``sas`` and ``wanted`` are what is known until now."""
        for key, sa in changes.items():
            old = sas.get(key)
            if old is not None:
                self._were[key] = whereabouts(old)
                if sa is not None and whereabouts(sa) != whereabouts(old):
                    self.add_wanted(wanted.get(key, ()))

    def compare(
        self,
        before: Mapping[Destination, Claims | None],
        claims: Mapping[Destination, Claims],
        find: _Finder,
    ) -> None:
        """A change is over: these are the claims of before it, and of now; ``find`` says where an owner is now."""
        for destination, old in before.items():
            new = claims.get(destination)
            if new is old:
                continue
            if new is None or old is None or _meaning(old, self._before(find)) != _meaning(new, find):
                self._touched.add(destination)
        self._were.clear()

    def _before(self, find: _Finder) -> _Finder:
        return lambda owner: self._were.get(owner) or find(owner)

    def take(self) -> set[Destination]:
        """Hands out what was touched since the last time."""
        found, self._touched = self._touched, set()
        return found


def _meaning(claims: Claims, find: _Finder) -> list[object]:
    """What claims come to, whoever makes them."""
    return list(dict.fromkeys((claim.rank, standing(claim.turn), find(claim.owner)) for claim in claims))
