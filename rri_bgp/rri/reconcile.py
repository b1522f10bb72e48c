"""Where a kernel route is, and how one of ours stands among those of others (rules G6, N7).

Rules of this file: pure. What a route leads to is the kernel sink's business, as resolved as it needs it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from rri_bgp.model import Prefix

__all__ = ["Found", "Place", "Verdict", "verdict"]

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


class Verdict(enum.Enum):
    """How a route of ours stands among the routes that others have for its prefix in its table (rule N7)."""

    FREE = "nobody else has a route for it"
    WINS = "others have routes with a higher metric"
    BEATEN = "another route has a lower metric"
    BLOCKED = "another route has its place"


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
