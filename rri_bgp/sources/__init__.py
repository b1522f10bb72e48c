"""Where SA state comes from. One folder or module each; nothing outside it knows its protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from rri_bgp.model import SaKey, SaPair

__all__ = ["SaObserver", "Source"]


class SaObserver(Protocol):
    """Whom a source tells. All methods return at once and never raise."""

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> None:
        """All that the source has now; what is not among it is gone. From the first one on the source is complete."""

    def update(self, source: str, changes: Mapping[SaKey, SaPair | None]) -> None:
        """SA pairs that came or changed, or went (None)."""

    def lost(self, source: str, why: str) -> None:
        """The source cannot see for now. What it said last stays true until its next snapshot."""


class Source(Protocol):
    """Watches one IKE daemon (or recording) and tells an observer what SA pairs there are."""

    @property
    def name(self) -> str:
        """Unique among the sources of a controller; stands in each ``SaKey`` of theirs."""

    def watch_suspects(self, wanted: bool) -> None:
        """Whether to tell who does not answer a dead-peer check (``SaPair.is_suspect``, rule G5), where it can."""

    async def run(self, observer: SaObserver) -> None:
        """Runs until cancelled. Reconnects by itself; a daemon that is away or talks nonsense never ends it."""
