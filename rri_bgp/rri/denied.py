"""Which deny lines keep a destination from being a route (rules E9, G8).

For people, not for a hot path: line by line, where ``acl`` works on sets of addresses. What ``acl`` calls taken is
taken here: a deny line counts where it takes all of what a permit line after it would carry there, or all that an SA
would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rri_bgp.model import Prefix, SaPair
from rri_bgp.rri.acl import Traffic, intervals_of, traffic_of_line, traffic_of_sa
from rri_bgp.rri.entries import AclLine, EntryKind, MapEntry
from rri_bgp.rri.intervals import Interval, holds, meets_any

__all__ = ["MOST_PAIRS", "Denial", "denied_lines", "denied_selectors"]


MOST_PAIRS = 10_000
"""Pairs of a deny line and a permit line that are compared for one entry: some milliseconds. More are for no reader."""


class Denial(NamedTuple):
    """A deny line of an entry's access list takes a prefix from its routes, or a part of it."""

    entry: MapEntry
    line: AclLine
    is_whole: bool


def denied_lines(entry: MapEntry, prefix: Prefix) -> Iterator[Denial]:
    """What takes a prefix from the entry's own static routes (rule E3)."""
    settings = entry.reverse_route
    if entry.kind is EntryKind.STATIC and settings is not None and settings.static:
        yield from _denied(entry, prefix, ())


def denied_selectors(entry: MapEntry, sa: SaPair, prefix: Prefix) -> Iterator[Denial]:
    """What takes a prefix from the routes of an SA pair of the entry."""
    asked = [one for one in sa.remote_ts if one.version == prefix.version and _cut([(one.start, one.end)], prefix)]
    carried = [traffic for one in asked if (traffic := traffic_of_sa(one, sa.local_ts)) is not None]
    return _denied(entry, prefix, carried) if carried else iter(())


def _denied(entry: MapEntry, prefix: Prefix, carried: Iterable[Traffic]) -> Iterator[Denial]:
    """Also those that take only a part of it; one for each permit line from which it is taken."""
    denies: list[tuple[AclLine, Traffic, list[Interval]]] = []
    left = MOST_PAIRS
    for line in () if entry.access_list is None else entry.access_list.lines:
        traffic = traffic_of_line(line, prefix.version)
        named = _cut(intervals_of(line.destination, prefix.version), prefix)
        if traffic is None or not named:
            continue
        if not line.permit:
            denies.append((line, traffic, named))
            continue
        left -= len(denies)
        if left < 0:
            return
        for deny, taken, there in denies:
            takes = taken.takes(traffic) or any(taken.takes(one) and traffic.meets(one) for one in carried)
            if takes and meets_any(there, named):
                yield Denial(entry, deny, holds(there, prefix.network, prefix.last))


def _cut(intervals: Iterable[Interval], prefix: Prefix) -> list[Interval]:
    """What of a set of addresses is within a prefix."""
    cut = ((max(first, prefix.network), min(last, prefix.last)) for first, last in intervals)
    return [(first, last) for first, last in cut if first <= last]
