"""The last changes of the routes, with the time of each: what ``explain`` tells of the past (rule G8).

Rules of this file: no I/O, no clock. A ring: what is new pushes out what is oldest, so a storm costs no memory, and a
change costs a fraction of what made it. Who asks is a person, so asking may look through all of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import NamedTuple

from rri_bgp.model import Destination, Path

__all__ = ["Change", "History"]

_KEPT = 10_000
"""Changes, of all destinations together."""


class Change(NamedTuple):
    """What a destination's best path came to at some ``time`` (seconds since 1970); None for no route any more."""

    time: float
    destination: Destination
    path: Path | None


class History:
    """See the head of this file."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._changes: deque[tuple[float, Destination, Path | None]] = deque(maxlen=kept)

    def note(self, now: float, changed: Collection[Destination], path: Callable[[Destination], Path | None]) -> None:
        """Destinations have changed; ``path`` gives what they came to."""
        self._changes.extend([(now, destination, path(destination)) for destination in changed])

    def of(self, destination: Destination, most: int = 10) -> tuple[Change, ...]:
        """The last changes of a destination, ``most`` at most, the oldest first."""
        found = [Change(*change) for change in reversed(self._changes) if change[1] == destination]
        return tuple(reversed(found[:most]))

    def last(self, most: int) -> tuple[Change, ...]:
        """The last changes of all, the oldest first."""
        start = max(0, len(self._changes) - most)
        return tuple(Change(*self._changes[index]) for index in range(start, len(self._changes)))
