"""What a controller would want, to be changed by a test: a dictionary that a sink reads as it reads the RIB."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rri_bgp.model import Claim, Destination, Path, Route, SaKey
from rri_bgp.rri.entries import Policy
from tests.values import policy

__all__ = ["Wanted"]


class Wanted(dict[Destination, Path]):
    """The best paths. ``others`` are alternates, ``ranks`` the entries that won; the first where nothing is said."""

    def __init__(self, wanted: Mapping[Any, Path] | None = None, *, policy: Policy | None = None) -> None:
        super().__init__(wanted or {})
        self.policy = policy or _PLAIN
        self.others: dict[Destination, tuple[Path, ...]] = {}
        self.ranks: dict[Destination, int] = {}

    def path(self, destination: Destination, /) -> Path | None:
        """See ``sinks.Wanted``."""
        return self.get(destination)

    def paths(self, destination: Destination, /) -> tuple[Path, ...]:
        """See ``sinks.Wanted``."""
        return (self[destination], *self.others.get(destination, ())) if destination in self else ()

    def route(self, destination: Destination, /) -> Route | None:
        """See ``sinks.Wanted``."""
        if destination not in self:
            return None
        path, *others = self.paths(destination)
        claim = Claim(self.ranks.get(destination, 0), 0, SaKey("vici", 1), None, path, destination)
        return Route(destination, path, (claim,), tuple(others))

    def destinations(self) -> Collection[Destination]:
        """See ``sinks.Wanted``."""
        return self.keys()


_PLAIN = policy()
