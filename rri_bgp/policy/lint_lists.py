"""What can be said of access lists without any SA: lines that never decide anything, and lists that overlap (rule E9).

Rules of this file: a line is only called dead, and a list only within another, where that is certain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from rri_bgp.model import Prefix
from rri_bgp.rri.acl import Traffic, intervals_of, static_destinations, traffic_of_line
from rri_bgp.rri.entries import AccessList, AclLine
from rri_bgp.rri.intervals import Interval, PrefixTable, add, holds, to_prefixes, without

__all__ = ["Relations", "dead_lines"]

_BITS = {4: 32, 6: 128}
_MAX_PAIRS = 20_000
"""Pairs of lines of different lists that are compared: more than that of overlap nobody reads about."""


def dead_lines(acl: AccessList) -> Iterator[tuple[AclLine, AclLine | None]]:
    """Lines that never decide, as earlier ones take all of their traffic; and the one that does, None for several."""
    by_version = {version: dict(_shadowed(acl, version)) for version in _BITS}
    for index, line in enumerate(acl.lines):
        found = [by_version[version][index] for version in _BITS if index in by_version[version]]
        if found and all(is_dead for is_dead, _ in found):
            shadows = {by for _, by in found}
            by = shadows.pop() if len(shadows) == 1 else None
            yield line, None if by is None else acl.lines[by]


def _shadowed(acl: AccessList, version: int) -> Iterator[tuple[int, tuple[bool, int | None]]]:
    """For each line that has traffic of a version: whether it is dead there, and because of which line alone."""
    taken: dict[Traffic, list[Interval]] = {}
    lines: dict[Traffic, list[tuple[int, list[Interval]]]] = defaultdict(list)
    by_source: PrefixTable[Traffic] = PrefixTable(_BITS[version])
    for index, line in enumerate(acl.lines):
        traffic = traffic_of_line(line, version)
        destinations = intervals_of(line.destination, version)
        if traffic is None or not destinations:
            continue
        start = traffic.sources[0][0]
        takers = [other for other in by_source.holding(start, start) if other.takes(traffic)]
        left = destinations
        for other in takers:
            left = without(left, taken[other])
        earlier = [] if left else [one for other in takers for one in lines[other]]
        yield index, (not left, _alone(destinations, earlier))
        if traffic not in taken:
            taken[traffic] = []
            for prefix in to_prefixes(version, traffic.sources):
                by_source.add(prefix, traffic)
        for first, last in destinations:
            add(taken[traffic], first, last)
        lines[traffic].append((index, destinations))


def _alone(destinations: list[Interval], lines: list[tuple[int, list[Interval]]]) -> int | None:
    """The first line that takes all of the destinations by itself."""
    for index, others in sorted(lines):
        if all(holds(others, *one) for one in destinations):
            return index
    return None


class Relations:
    """Which of a policy's access lists have traffic in common, and which lie within which."""

    def __init__(self, lists: Mapping[str, AccessList]) -> None:
        self._lists = lists
        self._meeting: dict[str, set[str]] = defaultdict(set)
        self._within: dict[tuple[str, str], bool] = {}
        self._find()

    def meeting(self, name: str) -> set[str]:
        """The lists that permit any traffic that this one permits, itself among them."""
        return self._meeting.get(name, set()) | {name}

    def is_within(self, inner: str, outer: str) -> bool:
        """Whether all that ``inner`` permits is permitted by ``outer``."""
        if inner == outer:
            return True
        if outer not in self._meeting.get(inner, ()):
            return False
        key = (inner, outer)
        if key not in self._within:
            self._within[key] = _is_within(self._lists[inner], self._lists[outer])
        return self._within[key]

    def _find(self) -> None:
        """Two prefixes that overlap lie one within the other: so each one's wider ones are looked up."""
        places: dict[Prefix, list[tuple[str, AclLine]]] = defaultdict(list)
        for name, acl in self._lists.items():
            for index, prefix in static_destinations(acl):
                places[prefix].append((name, acl.lines[index]))
        lengths = {version: sorted({one.length for one in places if one.version == version}) for version in _BITS}
        left = _MAX_PAIRS
        for prefix, here in places.items():
            for wider in _wider(prefix, lengths[prefix.version]):
                for name, line in places.get(wider, ()):
                    for other, its in here:
                        left -= 1
                        if left < 0:
                            return
                        if name != other and name not in self._meeting[other] and _can_meet(line, its, prefix.version):
                            self._meeting[name].add(other)
                            self._meeting[other].add(name)


def _wider(prefix: Prefix, lengths: list[int]) -> Iterator[Prefix]:
    bits = _BITS[prefix.version]
    for length in lengths:
        if length > prefix.length:
            return
        below = bits - length
        yield Prefix(prefix.version, prefix.network >> below << below, length)


def _can_meet(one: AclLine, other: AclLine, version: int) -> bool:
    """Whether two lines have traffic in common, their destinations apart."""
    return (
        (one.protocol == other.protocol or 0 in (one.protocol, other.protocol))
        and _touch(one.ports, other.ports)
        and _touch(one.source_ports, other.source_ports)
        and any(
            mine.contains(its) or its.contains(mine)
            for mine in one.source
            if mine.version == version
            for its in other.source
        )
    )


def _touch(one: Interval, other: Interval) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _is_within(inner: AccessList, outer: AccessList) -> bool:
    return all(_is_permitted(line, outer, version) for line in inner.lines if line.permit for version in _BITS)


def _is_permitted(line: AclLine, outer: AccessList, version: int) -> bool:
    """Whether one line of a list permits all of a line of one version, and no deny before it takes any of it."""
    traffic, destinations = traffic_of_line(line, version), intervals_of(line.destination, version)
    if traffic is None or not destinations:
        return True
    for other in outer.lines:
        theirs = traffic_of_line(other, version)
        named = intervals_of(other.destination, version)
        if not other.permit and any(_touch(one, its) for one in destinations for its in named):
            return False
        takes = theirs is not None and theirs.takes(traffic) and all(holds(named, *one) for one in destinations)
        if other.permit and takes:
            return True
    return False
