"""What an access list permits, exactly and as few prefixes as can be (rule E9).

A line names traffic: source (this gateway's side), protocol, ports, and a destination (the peer's side), which is what
becomes a route. The first line that takes a packet decides; what no line takes is denied. A route knows nothing but the
destination, so this is the rule by which lines become routes:

- A permit line makes its destination reachable, minus those of the deny lines before it that take *all* that the line
  would carry there: their source holds the line's source, their protocol and ports its protocol and ports.
- A deny line that takes only a part of it (one host, one port) removes nothing: the rest needs the route. Each deny
  line is judged alone, also where several together would take all.
- Families do not mix: an IPv4 destination is reached from the line's IPv4 sources only, and is nothing without any.
- A permit line takes nothing away from another: both own what both permit.

For an SA the same holds of what it carries: a deny line takes a destination away from a permit line where it takes all
of the line's traffic, or all of the SA's.

Every question costs n log n at the most in the lines that overlap what is asked about, whatever a peer proposes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rri_bgp.model import ANY_PORT, Prefix, SaPair, TrafficSelector
from rri_bgp.rri.entries import AccessList, AclLine
from rri_bgp.rri.intervals import (
    Interval,
    PrefixTable,
    add,
    holds,
    holds_all,
    lowest,
    meets_any,
    merged,
    to_prefixes,
    without,
)

__all__ = [
    "Permits",
    "Traffic",
    "covers",
    "intervals_of",
    "local_start",
    "permitted",
    "static_destinations",
    "traffic_of_line",
    "traffic_of_sa",
]

_BITS = {4: 32, 6: 128}
_ALL = {version: ((0, (1 << bits) - 1),) for version, bits in _BITS.items()}


def static_destinations(acl: AccessList) -> tuple[tuple[int, Prefix], ...]:
    """What each permit line makes reachable, with no SA asked (rules E3, E9): (index of the line, prefix), ascending.

    The prefixes of a line are the least set for it. Its protocol and ports are the caller's business (rule E11).
    """
    return tuple(
        sorted(
            (index, prefix)
            for version in _BITS
            for index, intervals in _reachable(acl, version)
            for prefix in to_prefixes(version, intervals)
        )
    )


def permitted(acl: AccessList, remote: TrafficSelector, local: tuple[TrafficSelector, ...]) -> tuple[Prefix, ...]:
    """As ``Permits.permitted``; who asks often of one list keeps a ``Permits``."""
    return Permits(acl).permitted(remote, local)


def covers(acl: AccessList, sa: SaPair) -> bool:
    """As ``Permits.covers``; who asks often of one list keeps a ``Permits``."""
    return Permits(acl).covers(sa)


class Traffic(NamedTuple):
    """Traffic of one IP version, apart from its destination: a line's or an SA's. Protocol 0 is any."""

    sources: tuple[Interval, ...]
    protocol: int
    source_ports: Interval
    ports: Interval

    def takes(self, other: Traffic) -> bool:
        """Whether it holds all of another."""
        return (
            self.protocol in (0, other.protocol)
            and _within(other.ports, self.ports)
            and _within(other.source_ports, self.source_ports)
            and holds_all(self.sources, other.sources)
        )

    def meets(self, other: Traffic) -> bool:
        """Whether it holds any of another."""
        return (
            (self.protocol == other.protocol or 0 in (self.protocol, other.protocol))
            and _touches(other.ports, self.ports)
            and _touches(other.source_ports, self.source_ports)
            and meets_any(self.sources, other.sources)
        )


def _within(inner: Interval, outer: Interval) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _touches(one: Interval, other: Interval) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def intervals_of(prefixes: Iterable[Prefix], version: int) -> list[Interval]:
    """The addresses of the prefixes of one IP version, ascending and apart."""
    return merged((prefix.network, prefix.last) for prefix in prefixes if prefix.version == version)


def traffic_of_line(line: AclLine, version: int) -> Traffic | None:
    """A line's traffic of one IP version, None where it has no source of that version."""
    sources = intervals_of(line.source, version)
    return Traffic(tuple(sources), line.protocol, line.source_ports, line.ports) if sources else None


def traffic_of_sa(remote: TrafficSelector, local: tuple[TrafficSelector, ...]) -> Traffic | None:
    """What an SA carries to a remote selector, None for nothing.

    No local selectors at all: the source does not know them, and they may be any. Several protocols or port ranges on
    the local side count as the one that holds them all.
    """
    version, protocol = remote.version, remote.protocol
    if not local:
        return Traffic(_ALL[version], protocol, ANY_PORT, remote.ports)
    fitting = [one for one in local if _is_pair(remote, one)]
    if not fitting:
        return None
    first = fitting[0]
    if len(fitting) == 1:
        return Traffic(((first.start, first.end),), protocol or first.protocol, first.ports, remote.ports)
    is_one = all(one.protocol == first.protocol for one in fitting)
    return Traffic(
        tuple(merged((one.start, one.end) for one in fitting)),
        protocol or (first.protocol if is_one else 0),
        (min(one.ports[0] for one in fitting), max(one.ports[1] for one in fitting)),
        remote.ports,
    )


def _is_pair(remote: TrafficSelector, local: TrafficSelector) -> bool:
    """Whether there is traffic between two selectors."""
    mine, other = remote.protocol, local.protocol
    return remote.version == local.version and (mine == other or mine == 0 or other == 0)


def local_start(sa: SaPair) -> int | None:
    """An address that the sources of a list must hold for the SA to belong to it; None where it cannot belong."""
    if not sa.remote_ts:
        return None
    if not sa.local_ts:
        return 0
    return next((one.start for one in sa.local_ts if _is_pair(sa.remote_ts[0], one)), None)


def _reachable(acl: AccessList, version: int) -> Iterator[tuple[int, list[Interval]]]:
    """Each permit line's destinations of one IP version, without what deny lines take.

    Deny lines of equal traffic share one set, found by where their sources are: the work stays near n log n, however
    many lines there are.
    """
    denied: dict[Traffic, list[Interval]] = {}
    by_source: PrefixTable[Traffic] = PrefixTable(_BITS[version])
    for index, line in enumerate(acl.lines):
        traffic = traffic_of_line(line, version)
        if traffic is None:
            continue
        destinations = intervals_of(line.destination, version)
        if line.permit:
            for other in by_source.holding(*_start_of(traffic)):
                if other.takes(traffic):
                    destinations = without(destinations, denied[other])
            yield index, destinations
            continue
        if traffic not in denied:
            denied[traffic] = []
            for prefix in to_prefixes(version, traffic.sources):
                by_source.add(prefix, traffic)
        for first, last in destinations:
            add(denied[traffic], first, last)


def _start_of(traffic: Traffic) -> Interval:
    """Its lowest source address: who takes all of it holds this one."""
    return traffic.sources[0][0], traffic.sources[0][0]


class Permits:
    """An access list made ready for questions about SAs: made once, asked often."""

    def __init__(self, acl: AccessList) -> None:
        self.acl = acl
        self._sides = {version: _Side(acl, version) for version in _BITS}

    def permitted(self, remote: TrafficSelector, local: tuple[TrafficSelector, ...]) -> tuple[Prefix, ...]:
        """The part of an SA's remote selector that the list permits, as few prefixes as can be, ascending.

        ``local`` are the SA's local selectors, empty where they are not known. Negotiated proxies narrow within the
        list; they never widen it.
        """
        traffic = traffic_of_sa(remote, local)
        if traffic is None:
            return ()
        side = self._sides[remote.version]
        if side.has_whole(remote, traffic):
            return remote.prefixes()
        return to_prefixes(remote.version, merged(side.permitted(remote, traffic)))

    def covers(self, sa: SaPair) -> bool:
        """Whether an SA belongs to the list: see ``outside``."""
        return bool(sa.remote_ts) and self.outside(sa) is None

    def outside(self, sa: SaPair) -> TrafficSelector | None:
        """The first remote selector that keeps an SA from belonging to the list, None where there is none (rule E2).

        A selector belongs where permit lines name all of it, together with all that the SA has on the local side, and
        the deny lines before them leave anything of it.
        """
        known: dict[tuple[int, int], Traffic | None] = {}
        for remote in sa.remote_ts:
            kind = (remote.version, remote.protocol)
            traffic = known[kind] if kind in known else known.setdefault(kind, traffic_of_sa(remote, sa.local_ts))
            if traffic is None:
                return remote
            if traffic.ports != remote.ports:
                traffic = traffic._replace(ports=remote.ports)
            if not self._sides[remote.version].has(remote, traffic):
                return remote
        return None

    def source_prefixes(self) -> Iterator[Prefix]:
        """Where the local side of an SA that belongs to the list can be: the sources of its permit lines."""
        for version, side in self._sides.items():
            yield from to_prefixes(version, side.sources)

    def destination_prefixes(self) -> Iterator[Prefix]:
        """Where the remote side of an SA that belongs to the list can be: the destinations of its permit lines."""
        for version, side in self._sides.items():
            yield from to_prefixes(version, side.destinations)


class _Side:
    """The lines of an access list, as far as one IP version goes."""

    def __init__(self, acl: AccessList, version: int) -> None:
        self._lines = acl.lines
        self._traffic: dict[int, Traffic] = {}
        self._named: PrefixTable[int] = PrefixTable(_BITS[version])
        self._decided: PrefixTable[int] = PrefixTable(_BITS[version])
        self._has_deny = False
        sources: list[Interval] = []
        destinations: list[Interval] = []
        for index, line in enumerate(acl.lines):
            traffic = traffic_of_line(line, version)
            if traffic is None:
                continue
            self._traffic[index] = traffic
            named = intervals_of(line.destination, version)
            self._put(self._named if line.permit else self._decided, version, named, index)
            if line.permit:
                destinations += named
                sources += traffic.sources
            else:
                self._has_deny = True
        for index, intervals in _reachable(acl, version):
            self._put(self._decided, version, intervals, index)
        self.sources = merged(sources)
        self.destinations = merged(destinations)

    @staticmethod
    def _put(table: PrefixTable[int], version: int, intervals: list[Interval], index: int) -> None:
        for prefix in to_prefixes(version, intervals):
            table.add(prefix, index)

    def has(self, remote: TrafficSelector, traffic: Traffic) -> bool:
        """Whether permit lines name all of a selector, and deny lines leave anything of it."""
        if not self._is_named(remote, traffic):
            return False
        return not self._has_deny or self._leaves_something(remote, traffic)

    def _is_named(self, remote: TrafficSelector, traffic: Traffic) -> bool:
        if any(self._takes(index, traffic) for index in self._named.holding(remote.start, remote.end)):
            return True
        spans = self._named.overlapping(remote.start, remote.end)
        return holds(
            merged((first, last) for first, last, index in spans if self._takes(index, traffic)),
            remote.start,
            remote.end,
        )

    def has_whole(self, remote: TrafficSelector, traffic: Traffic) -> bool:
        """Whether it can be seen at once that all of a selector is permitted: the usual case, and much the fastest."""
        if self._has_deny:
            return False
        return any(self._counts(index, traffic) for index in self._decided.holding(remote.start, remote.end))

    def _leaves_something(self, remote: TrafficSelector, traffic: Traffic) -> bool:
        """Of a selector that is named: each of its addresses is decided by a line, most often as the first one is."""
        deciding = self._decided.holding(remote.start, remote.start)
        if self._lines[min(index for index in deciding if self._counts(index, traffic))].permit:
            return True
        return next(self.permitted(remote, traffic), None) is not None

    def permitted(self, remote: TrafficSelector, traffic: Traffic) -> Iterator[Interval]:
        """The parts of a selector that a permit line decides, ascending; parts may touch."""
        start, end = remote.start, remote.end
        spans = (span for span in self._decided.overlapping(start, end) if self._counts(span[2], traffic))
        cut = (
            (max(first, start), min(last, end), index) for first, last, index in spans if self._counts(index, traffic)
        )
        return ((first, last) for first, last, index in lowest(cut) if self._lines[index].permit)

    def _takes(self, index: int, traffic: Traffic) -> bool:
        return self._traffic[index].takes(traffic)

    def _counts(self, index: int, traffic: Traffic) -> bool:
        mine = self._traffic[index]
        return mine.meets(traffic) if self._lines[index].permit else mine.takes(traffic)
