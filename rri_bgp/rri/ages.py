"""How old an owner is, and whose turn it is where several want one destination (rules E13, G4, G5).

An age is a number: the lower, the older. It is when the line of the SA pair came up and then the unique id of the first
pair of that line, so a rekey or reauthentication changes neither (rule E6), and it does not matter in which order pairs
were heard of (rule E7). An access list line is older than every SA: it was there before any of them.
"""

from __future__ import annotations

import enum

from rri_bgp.model import SaPair
from rri_bgp.rri.entries import Overlap

__all__ = ["LINE_AGE", "Standing", "age_of", "standing", "turn_of"]

LINE_AGE = -1

_ID_BITS = 40
"""More than the 32 of an id. Where a source counts further, ages only run into each other."""

_SUSPECT = 1 << 100
_HELD = 1 << 101
"""More than any age."""


class Standing(enum.Enum):
    """How well an owner stands; the better wins, however old."""

    HEALTHY = "healthy"
    SUSPECT = "suspect"
    HELD = "held"


def age_of(sa: SaPair) -> int:
    """The age of an SA pair, 0 or more."""
    return (sa.since << _ID_BITS) + (sa.first or sa.key.uniqueid)


def turn_of(age: int, overlap: Overlap, *, is_suspect: bool = False, is_held: bool = False) -> int:
    """The ``turn`` of a claim by an owner of that age."""
    turn = age if overlap is Overlap.OLDEST else -age
    if is_suspect:
        turn += _SUSPECT
    if is_held:
        turn += _HELD
    return turn


def standing(turn: int) -> Standing:
    """How well the owner of a claim stands."""
    if turn < _SUSPECT // 2:
        return Standing.HEALTHY
    return Standing.SUSPECT if turn < _HELD - _SUSPECT // 2 else Standing.HELD
