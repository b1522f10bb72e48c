"""Which map entry an SA pair belongs to: the first that fits, in policy order; an entry further down never sees it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from heapq import merge

from rri_bgp.model import Address, SaPair
from rri_bgp.rri.entries import EntryKind, MapEntry, Policy

__all__ = ["Matcher"]


class Matcher:
    """Finds the entry of an SA pair. Static entries are looked up by peer, so only the dynamic ones are walked."""

    def __init__(self, policy: Policy) -> None:
        self._entries = policy.entries
        self._by_peer: dict[Address, list[int]] = {}
        self._dynamic: list[int] = []
        for rank, entry in enumerate(policy.entries):
            if entry.kind is EntryKind.DYNAMIC:
                self._dynamic.append(rank)
            for peer in entry.peers:
                self._by_peer.setdefault(peer, []).append(rank)

    def rank(self, sa: SaPair) -> int | None:
        """The rank of the SA pair's entry, None where no entry fits."""
        static = self._by_peer.get(sa.peer)
        for rank in merge(static, self._dynamic) if static else self._dynamic:
            if _names_fit(self._entries[rank], sa):
                return rank
        return None


def _names_fit(entry: MapEntry, sa: SaPair) -> bool:
    return _fits(sa.connection, entry.connection) and _fits(sa.child, entry.child)


def _fits(name: str, glob: str) -> bool:
    return glob == "*" or fnmatchcase(name, glob)
