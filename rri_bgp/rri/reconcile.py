"""What to do about kernel routes: which are ours to touch (rule G6), in which order with BGP (rule G3), and which of
several for one prefix counts (rule N7).

Rules of this file: pure. The kernel sink asks here and does what it is told; what it finds in the kernel is its own
business, as resolved as it needs it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from rri_bgp.model import Prefix

__all__ = ["Differences", "Found", "Place", "Step", "Verdict", "differences", "next_step", "verdict"]

Via = TypeVar("Via")
"""What a route leads to, resolved: anything that compares."""


class Place(NamedTuple):
    """Where a route is in the kernel: another one of the same place would take its place (ip-route(8), ``replace``)."""

    table: int
    prefix: Prefix
    metric: int


class Found(NamedTuple, Generic[Via]):
    """A route that is in the kernel; ``protocol`` says whose (rtnetlink(7), ``rtm_protocol``)."""

    place: Place
    protocol: int
    via: Via


@dataclass(frozen=True, slots=True)
class Differences(Generic[Via]):
    """What would make the kernel as it should be. ``blocked`` are wanted where somebody else's route is."""

    add: Mapping[Place, Via]
    replace: Mapping[Place, Via]
    delete: frozenset[Place]
    blocked: frozenset[Place]


def differences(wanted: Mapping[Place, Via], found: Iterable[Found[Via]], protocol: int) -> Differences[Via]:
    """Compares what is wanted with what is there, whoever put it there.

    A route with our ``protocol`` number is ours, also one of an earlier life: it is adopted where it is right, changed
    or removed where it is not. A route of anybody else is never touched, and keeps its place (rule G6).
    """
    there = {one.place: one for one in found}
    ours = {place: one.via for place, one in there.items() if one.protocol == protocol}
    return Differences(
        add={place: via for place, via in wanted.items() if place not in there},
        replace={place: via for place, via in wanted.items() if place in ours and ours[place] != via},
        delete=frozenset(ours.keys() - wanted.keys()),
        blocked=frozenset(wanted.keys() & there.keys() - ours.keys()),
    )


class Step(enum.Enum):
    """What is next for one destination."""

    ADD = "add to the kernel"
    ANNOUNCE = "announce"
    WITHDRAW = "withdraw"
    DELETE = "delete from the kernel"
    NOTHING = "nothing"


_STEPS = {
    # wanted, in the kernel, announced
    (True, False, False): Step.ADD,
    (True, True, False): Step.ANNOUNCE,
    (True, True, True): Step.NOTHING,
    (True, False, True): Step.ADD,  # somebody took it out of the kernel: put back, upstream need not hear of it
    (False, True, True): Step.WITHDRAW,
    (False, False, True): Step.WITHDRAW,
    (False, True, False): Step.DELETE,
    (False, False, False): Step.NOTHING,
}
"""Traffic that upstream sends here must have somewhere to go: so the kernel is first to have a route and last to lose
it."""


def next_step(*, wanted: bool, in_kernel: bool, announced: bool) -> Step:
    """What to do next for a destination that both the kernel and upstream should have (rule G3)."""
    return _STEPS[wanted, in_kernel, announced]


class Verdict(enum.Enum):
    """How a route of ours stands among the routes that others have for its prefix in its table (rule N7)."""

    FREE = "nobody else has a route for it"
    WINS = "others have routes with a higher metric"
    BEATEN = "another route has a lower metric"
    BLOCKED = "another route has its place"

    @property
    def counts(self) -> bool:
        """Whether it is, or would be, the one that packets take: upstream may hear of it."""
        return self in (Verdict.FREE, Verdict.WINS)


def verdict(place: Place, foreign: Iterable[Found[Via]]) -> tuple[Verdict, Found[Via] | None]:
    """How a route of ours at a place stands, and the route of somebody else that it is so by, None where it is free.

    ``foreign`` are the others' routes for that prefix in that table, whatever their kind: a blackhole counts too. Of
    several with lower metrics it is the lowest, of several with higher ones too: the one that packets take, or would.
    A place that is taken goes before all: what is not there beats nobody, and is beaten by nobody.
    """
    found = {one.place.metric: one for one in foreign}
    if not found:
        return Verdict.FREE, None
    if place.metric in found:
        return Verdict.BLOCKED, found[place.metric]
    lowest = min(found)
    return Verdict.BEATEN if lowest < place.metric else Verdict.WINS, found[lowest]
