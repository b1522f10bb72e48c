"""What another state of things around us can touch, so that nothing else is worked out anew (rules G1, G2, E3)."""

from __future__ import annotations

from collections.abc import Iterable

from rri_bgp.model import Destination, SaPair, prefix_of
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.fence import Fence, barred
from rri_bgp.rri.surroundings import Surroundings

__all__ = ["Touch"]


class Touch:
    """The difference between two states: groups won or lost, names that resolve otherwise, what is fenced off."""

    def __init__(self, policy: Policy, old: Surroundings, new: Surroundings) -> None:
        groups = old.held ^ new.held
        self.ranks = frozenset(rank for rank, entry in enumerate(policy.entries) if entry.redundancy in groups)
        """Of the entries whose group was won or lost."""
        names = {name for name in old.names.keys() | new.names.keys() if old.names.get(name) != new.names.get(name)}
        self._peers = {peer for name in names for peer in (*old.names.get(name, ()), *new.names.get(name, ()))}
        vrfs = {entry.vrf for entry in policy.entries}
        changed = {one for vrf in vrfs for one in set(barred(old, vrf)) ^ set(barred(new, vrf))}
        self._fence = Fence(changed) if changed else None

    def finds_peer(self, sa: SaPair) -> bool:
        """Whether the SA pair may have another entry, because of its peer's name."""
        return bool(self._peers) and sa.peer in self._peers

    @property
    def has_fence(self) -> bool:
        """Whether anything that is fenced off came or went."""
        return self._fence is not None

    def meets(self, destinations: Iterable[Destination]) -> bool:
        """Whether any of them overlaps with what came or went."""
        fence = self._fence
        prefixes = map(prefix_of, destinations)
        return fence is not None and not all(fence.is_clear(one.version, one.network, one.last) for one in prefixes)
