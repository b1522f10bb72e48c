"""What a large snapshot still has to say: worked through in pieces, so that the first routes go out at once.

Rules of this file: no I/O, no clock. What is in the backlog is not known to the RIB yet. SA pairs that come are taken
before those that go, and news of a few SAs goes ahead of all of it, but for one thing: an SA that goes while another of
the same peer has yet to come waits behind it. A rekey or reauthentication is silent (rule E6) in whatever order its two
halves are heard of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from rri_bgp.model import Address, SaKey, SaPair

__all__ = ["PIECE", "Backlog", "Changes"]

Changes = Mapping[SaKey, SaPair | None]
"""SA pairs that came or changed, None for those that went."""

PIECE = 32
"""SA pairs that are taken at once: a fraction of a millisecond, so that no answer to a sink has to wait for long.

A turn of the loop costs as much as one pair or less, so larger pieces would gain next to nothing."""


class Backlog:
    """See the head of this file. ``known`` gives an SA pair as it was told last."""

    def __init__(self, known: Callable[[SaKey], SaPair | None]) -> None:
        self._known = known
        self._come: OrderedDict[SaKey, SaPair] = OrderedDict()
        self._gone: OrderedDict[SaKey, None] = OrderedDict()
        """Both ordered, as they are emptied from the front."""
        self._peers: frozenset[Address] | None = None
        """Of the pairs that have yet to come, or had when it was worked out: only few backlogs need it."""

    def __len__(self) -> int:
        return len(self._come) + len(self._gone)

    def take_snapshot(self, source: str, changes: Changes) -> None:
        """Takes all that one source's snapshot changes; what an earlier one of it had left is out of date."""
        for key in [key for key in (*self._come, *self._gone) if key.source == source]:
            self._forget(key)
        self._peers = None
        for key, sa in changes.items():
            if sa is None:
                self._gone[key] = None
            else:
                self._come[key] = sa

    def overtake(self, changes: Changes) -> dict[SaKey, SaPair | None]:
        """Takes news of a few SA pairs. Returns what may be told at once."""
        if not self:
            return dict(changes)
        for key in changes:
            self._forget(key)
        self._gone.update((key, None) for key, sa in changes.items() if sa is None and self._is_expected(key))
        return {key: sa for key, sa in changes.items() if key not in self._gone}

    def next_piece(self) -> dict[SaKey, SaPair | None]:
        """What to tell next; it is no longer in the backlog."""
        come, gone = self._come, self._gone
        piece: dict[SaKey, SaPair | None] = {}
        while come and len(piece) < PIECE:
            key, sa = come.popitem(last=False)
            piece[key] = sa
        while gone and len(piece) < PIECE:
            piece[gone.popitem(last=False)[0]] = None
        return piece

    def _is_expected(self, key: SaKey) -> bool:
        """Whether another SA pair of the same peer has yet to come."""
        if self._peers is None:
            self._peers = frozenset(sa.peer for sa in self._come.values())
        known = self._known(key)
        return known is not None and known.peer in self._peers

    def _forget(self, key: SaKey) -> None:
        self._come.pop(key, None)
        self._gone.pop(key, None)
