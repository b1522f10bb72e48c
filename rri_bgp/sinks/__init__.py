"""Where routes go. A sink is told which destinations to look at again, reads what is wanted, and drains the difference.

It holds what it last confirmed and what is still to do, one entry a destination (and neighbour policy): memory is
bounded by the number of routes, never by the number of changes.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from rri_bgp.model import Destination, Path, Prefix, Route
from rri_bgp.rri.entries import Policy

__all__ = [
    "Feeder",
    "Foundation",
    "KernelEntry",
    "KernelHop",
    "NeighborRoute",
    "NeighborState",
    "RouteState",
    "Sink",
    "SinkRoute",
    "SinkStatus",
    "Upstream",
    "Wanted",
]


class Wanted(Protocol):
    """What should be announced now: the RIB, as far as a sink reads it."""

    @property
    def policy(self) -> Policy:
        """The policy that made it."""

    def path(self, destination: Destination, /) -> Path | None:
        """The best path, None for nothing."""

    def paths(self, destination: Destination, /) -> tuple[Path, ...]:
        """The best path and its alternates of equal rank, the best first (rule E13)."""

    def route(self, destination: Destination, /) -> Route | None:
        """The route: who won it, with which entry."""

    def destinations(self) -> Collection[Destination]:
        """All that have a route, in no order."""


class RouteState(enum.Enum):
    """How far a sink has come with a destination."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class NeighborRoute:
    """What a BGP neighbour is given for one destination.

    ``paths`` are those that were last confirmed, several only with add-path. ``reason`` says why it is not given what
    is wanted: a policy for this neighbour, a family that it does not have, a path that cannot be had.
    """

    peer: str
    state: RouteState
    paths: tuple[Path, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SinkRoute:
    """A sink's word on one destination; ``reason`` says why where it is refused, ``path`` what was last confirmed.

    The state is that of the neighbour that is worst off among those that should be given it: refused, then pending.
    ``neighbors`` is empty as long as the sink knows of none.
    """

    state: RouteState
    path: Path | None = None
    reason: str = ""
    neighbors: tuple[NeighborRoute, ...] = ()


@dataclass(frozen=True, slots=True)
class NeighborState:
    """A BGP neighbour as the sink sees it: our address and theirs, ``up`` or the last state it named."""

    local: str
    peer: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """Totals for ``show status``. ``counters`` only grow.

    Routes are counted once for each group of neighbours that is given the same.
    """

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

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        """Look again at these destinations; ``bulk`` ones let all others go first. Returns at once.

        ``moves``: what goes may come back in another shape (a policy was loaded): its withdraws wait for its
        announcements.
        """

    def allow_withdraw(self) -> None:
        """Every source is complete: from now on what nobody wants may be withdrawn."""

    def take_settings(self, policy: Policy) -> None:
        """Another policy holds from now on, and the RIB has it already: its neighbours' policies and its VRFs.

        To be called before ``changed`` tells what else it changed. Only differences go out. What was refused is tried
        again.
        """

    def retry(self) -> None:
        """Try again what was refused."""

    def holds(self, destination: Destination, /) -> bool:
        """Whether the other side is there and has it, or may have it."""

    def route(self, destination: Destination, /) -> SinkRoute:
        """How far the sink is with a destination, for each neighbour."""

    def status(self) -> SinkStatus:
        """Totals."""

    async def run(self) -> None:
        """Drains until the other side says shutdown, or cancelled."""

    async def finish(self) -> None:
        """The controller is told to end, ``run`` still runs: leaves the routes or withdraws them, as settings say."""


class Upstream(Protocol):
    """Those who announce, as the sink sees them that has to be there first and to go last (rule G3): the controller."""

    def tell(self, destinations: Collection[Destination], *, bulk: bool) -> None:
        """Upstream may hear of these now, or may not any more: look again."""

    def has(self, destination: Destination, /) -> bool:
        """Whether any of them has told upstream of it, and not yet that it is gone."""

    def may_withdraw(self) -> None:
        """The kernel has been looked through: from now on upstream may be told that something is gone."""


@dataclass(frozen=True, slots=True)
class KernelHop:
    """One way of a kernel route: ``gateway`` is empty where there is none; ``device`` is a name."""

    gateway: str
    device: str
    onlink: bool = False


@dataclass(frozen=True, slots=True)
class KernelEntry:
    """A route of ours as the kernel has it: neither ``hops`` nor ``is_blackhole`` where it has none. ``metric`` is that
    which it has, or should have."""

    state: RouteState
    table: int
    metric: int | None
    hops: tuple[KernelHop, ...] = ()
    is_blackhole: bool = False
    reason: str = ""


class Foundation(Sink, Protocol):
    """The sink on which the others build: upstream hears of what it has (rules G3, N7)."""

    @property
    def wanted(self) -> Wanted:
        """What the others may announce."""

    def released(self, destinations: Iterable[Destination] | None = None) -> None:
        """Upstream was told that these are gone; None: somebody who tells it is gone."""

    def entry(self, vrf: str, prefix: Prefix) -> KernelEntry:
        """What is there for a prefix in a VRF, empty for the default one."""


class Feeder(Protocol):
    """Who feeds sinks that come and go: the controller."""

    def has_sink(self, name: str) -> bool:
        """Whether a sink of that name is fed."""

    async def drain(self, sink: Sink) -> None:
        """Feeds a sink until its other side is gone, or cancelled."""

    def released(self, destinations: Iterable[Destination]) -> None:
        """Upstream has been told that these are gone."""
