"""What hinders routes that are wanted: why, how many of each kind, and what is new about it.

Rules of this file: pure; a label never changes once released, the words may.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from rri_bgp.sinks.kernel.kernel import Spot

__all__ = ["Fault", "Faults", "Hindrance"]


class Hindrance(enum.Enum):
    """Why a wanted route does not carry traffic: in a word, and in words that say what it is about."""

    UNRESOLVED = ("unresolved", "{0}")
    BLACKHOLED = ("unresolved", "{0}: a blackhole stands for it")
    BLOCKED = ("blocked", "there is a route of {0} with the same metric, which is left alone (G6)")
    BEATEN = ("beaten", "there is a better route, of {0} with metric {1}: upstream does not hear of this one (N7)")
    REFUSED = ("refused", "the kernel refuses it: {0}")

    def __init__(self, label: str, words: str) -> None:
        self.label = label
        self.words = words


class Fault(NamedTuple):
    """A hindrance and what it is about."""

    why: Hindrance
    about: tuple[object, ...] = ()

    @property
    def text(self) -> str:
        """It in words."""
        return self.why.words.format(*self.about)


class Faults:
    """The fault of each spot that has one."""

    def __init__(self) -> None:
        self._known: dict[Spot, Fault] = {}
        self._kinds: Counter[Hindrance] = Counter()
        self._news: list[tuple[Spot, Fault | None]] = []

    def get(self, spot: Spot) -> Fault | None:
        """What hinders this one."""
        return self._known.get(spot)

    def set(self, spot: Spot, fault: Fault | None) -> None:
        """This is what hinders it now."""
        before = self._known.get(spot)
        if before == fault:
            return
        if before is not None:
            self._kinds[before.why] -= 1
            del self._known[spot]
        if fault is not None:
            self._kinds[fault.why] += 1
            self._known[spot] = fault
        if before is None or fault is None or before.why is not fault.why:
            self._news.append((spot, fault))

    @property
    def refused(self) -> int:
        """How many routes cannot be had as they are wanted: one that is beaten can."""
        return len(self._known) - self._kinds[Hindrance.BEATEN]

    def examples(self) -> Iterator[tuple[int, Spot, Fault]]:
        """Of each kind how many there are, and one of them."""
        for why, count in self._kinds.items():
            if count:
                yield count, *next((spot, fault) for spot, fault in self._known.items() if fault.why is why)

    def take_news(self) -> list[tuple[Spot, Fault | None]]:
        """Those that have come since, or are of another kind now, and None for those that have gone."""
        news, self._news = self._news, []
        return news
