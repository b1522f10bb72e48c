"""Where routes go. A sink is told which prefixes to look at again, reads the wanted path, and drains the difference.

It holds what it last confirmed and what is still to do, one entry a prefix: memory is bounded by the number of
routes, never by the number of changes.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from rri_bgp.model import Path, Prefix

__all__ = ["Desired", "Feeder", "NeighborState", "RouteState", "Sink", "SinkRoute", "SinkStatus"]

Desired = Callable[[Prefix], Path | None]
"""What should be announced for a prefix now, None for nothing."""


class RouteState(enum.Enum):
    """How far a sink has come with a prefix."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class SinkRoute:
    """A sink's word on one prefix; ``reason`` says why where it is refused, ``path`` what was last confirmed."""

    state: RouteState
    path: Path | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NeighborState:
    """A BGP neighbour as the sink sees it: our address and theirs, ``up`` or the last state it named."""

    local: str
    peer: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """Totals for ``show status``. ``counters`` only grow."""

    name: str
    ready: bool
    confirmed: int
    pending: int
    refused: int
    neighbors: tuple[NeighborState, ...] = ()
    counters: tuple[tuple[str, int], ...] = ()
    detail: str = ""


class Sink(Protocol):
    """Makes some part of the world agree with the wanted routes."""

    @property
    def name(self) -> str:
        """Unique among the sinks of a controller."""

    def changed(self, prefixes: Iterable[Prefix], *, bulk: bool = False) -> None:
        """Look again at these prefixes; ``bulk`` ones let all others go first. Returns at once."""

    def allow_withdraw(self) -> None:
        """Every source is complete: from now on what nobody wants may be withdrawn."""

    def retry(self) -> None:
        """The policy was loaded anew: try again what was refused."""

    def route(self, prefix: Prefix) -> SinkRoute:
        """How far the sink is with a prefix."""

    def status(self) -> SinkStatus:
        """Totals."""

    async def run(self) -> None:
        """Drains until the other side says shutdown, or cancelled."""

    async def finish(self) -> None:
        """The controller is told to end, ``run`` still runs: leaves the routes or withdraws them, as settings say."""


class Feeder(Protocol):
    """Who feeds sinks that come and go: the controller."""

    def has_sink(self, name: str) -> bool:
        """Whether a sink of that name is fed."""

    async def drain(self, sink: Sink) -> None:
        """Feeds a sink until its other side is gone, or cancelled."""
