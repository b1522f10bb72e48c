"""What a remote peer is not believed (rule G1): special destinations, what is not in the allow-list, lengths.

A peer chooses its own traffic selectors. The limits, the other half of the rule, are in ``limits``: they depend on what
others ask for, and all that is here depends on one destination alone.
"""

from __future__ import annotations

from rri_bgp.model import Address, Prefix
from rri_bgp.reasons import Reason
from rri_bgp.rri.entries import MapEntry, Special
from rri_bgp.rri.fence import REASONS, Fence

__all__ = ["EntryGuard", "Verdict"]

Verdict = tuple[Reason, tuple[object, ...]]
"""Why something is refused, and what that is about."""


class EntryGuard:
    """The guard of one map entry. ``fence`` is what stands in the way of its routes."""

    def __init__(self, entry: MapEntry, fence: Fence) -> None:
        self._entry = entry
        self._fence = fence
        self._minds_peer = Special.PEER not in entry.guard.allow_special
        self.has_bounds = entry.guard.allow is not None or bool(entry.guard.lengths)
        """Whether more than special destinations has to be looked at."""

    def is_clear(self, version: int, first: int, last: int, peer: Address) -> bool:
        """Whether nothing special is in ``first``..``last``, both inside, for what this peer proposes."""
        if self._minds_peer and first <= int(peer) <= last and peer.version == version:
            return False
        return self._fence.is_clear(version, first, last)

    def refuse(self, prefix: Prefix, peer: Address) -> Verdict | None:
        """Why a prefix that this peer proposes may not become a route, None where it may."""
        if self._minds_peer and prefix.has_address(peer):
            return Reason.PEER, (peer,)
        found = self._fence.barred_by(prefix)
        if found is not None:
            what, special = found
            return REASONS[special], (what,)
        return self.refuse_bounds(prefix)

    def refuse_bounds(self, prefix: Prefix) -> Verdict | None:
        """The same, whatever is special about the prefix: only the allow-list and the bounds of its length."""
        guard = self._entry.guard
        if guard.allow is not None and not any(rule.takes(prefix) for rule in guard.allow):
            return Reason.NOT_ALLOWED, (self._entry.name, self._entry.where)
        bounds = guard.lengths.get(prefix.version)
        if bounds is not None and not bounds[0] <= prefix.length <= bounds[1]:
            return Reason.LENGTH, bounds
        return None
