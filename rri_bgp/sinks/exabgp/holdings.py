"""What ExaBGP holds for a key, what it refused, and how far a destination has come. Values only."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from rri_bgp.model import Path
from rri_bgp.sinks import RouteState

__all__ = ["Held", "KeyState", "Refused", "Unknown", "worst"]


class Unknown(enum.Enum):
    """ExaBGP holds the key, with a path that nobody knows: an earlier life announced it, or an answer was lost."""

    PATH = "unknown"


Held = Path | Unknown
"""What ExaBGP holds for a key."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A path that cannot be had, None for a withdraw that failed; ``kept``: ExaBGP would not withdraw what it has."""

    path: Path | None
    reason: str
    kept: bool = False


@dataclass(frozen=True, slots=True)
class KeyState:
    """How far one group of neighbours has come with a destination; ``paths`` are confirmed."""

    state: RouteState
    paths: tuple[Path, ...] = ()
    reason: str = ""


_ORDER = (RouteState.REFUSED, RouteState.PENDING, RouteState.CONFIRMED, RouteState.ABSENT)


def worst(states: Iterable[KeyState]) -> KeyState:
    """Several as one: the state that needs attention most, with its reason, and the paths of all."""
    found = list(states)
    first = min(found, key=lambda one: _ORDER.index(one.state))
    return KeyState(first.state, tuple(path for one in found for path in one.paths), first.reason)
