"""Tunnels with a clock, and what counts: for tests of the stage before the routes."""

from __future__ import annotations

from rri_bgp.model import SaKey, SaPair
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.tunnels import Tunnels

__all__ = ["World", "gone", "told"]


class World:
    """Tunnels, a clock, and what counts: the changes that were told, taken together."""

    def __init__(self, rules: Policy, epoch: float | None = None) -> None:
        self.tunnels = Tunnels(rules, epoch)
        self.now = 1000.0
        self.counts: dict[SaKey, SaPair] = {}

    def say(self, *come: SaPair, gone: tuple[int, ...] = ()) -> dict[SaKey, SaPair | None]:
        changes: dict[SaKey, SaPair | None] = {SaKey("vici", uniqueid): None for uniqueid in gone}
        changes.update((one.key, one) for one in come)
        return self.take(self.tunnels.update(changes, self.now))

    def after(self, seconds: float) -> dict[SaKey, SaPair | None]:
        self.now += seconds
        return self.take(self.tunnels.advance(self.now))

    def reload(self, rules: Policy) -> dict[SaKey, SaPair | None]:
        return self.take(self.tunnels.take_policy(rules, self.now))

    def take(self, told: dict[SaKey, SaPair | None]) -> dict[SaKey, SaPair | None]:
        for key, one in told.items():
            if one is None:
                self.counts.pop(key, None)
            else:
                assert one.key == key
                self.counts[key] = one
        return told

    def due(self) -> float | None:
        return self.tunnels.due

    @property
    def ids(self) -> set[int]:
        return {key.uniqueid for key in self.counts}

    def one(self, uniqueid: int) -> SaPair:
        return self.counts[SaKey("vici", uniqueid)]


def gone(uniqueid: int) -> dict[SaKey, SaPair | None]:
    return {SaKey("vici", uniqueid): None}


def told(*pairs: SaPair) -> dict[SaKey, SaPair | None]:
    return {one.key: one for one in pairs}
