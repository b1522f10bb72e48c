"""Exact arithmetic on sets of addresses of one IP version, as integers.

An interval is (first, last), both inside. A *set* is a list of intervals in ascending order that neither overlap nor
touch, so that equal sets are equal lists. ``PrefixTable`` finds what holds an address, or overlaps an interval, among
many prefixes, with one dictionary a prefix length.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Generic, TypeVar

from rri_bgp.model import Prefix, range_to_prefixes

__all__ = [
    "Interval",
    "PrefixTable",
    "add",
    "holds",
    "holds_all",
    "lowest",
    "meets",
    "meets_any",
    "merged",
    "to_prefixes",
    "without",
]

Interval = tuple[int, int]
_T = TypeVar("_T")


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The set of these intervals, which may come in any order, overlap and touch."""
    found: list[Interval] = []
    for first, last in sorted(intervals):
        if found and first <= found[-1][1] + 1:
            if last > found[-1][1]:
                found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def add(known: list[Interval], first: int, last: int) -> None:
    """Adds an interval to a set in place."""
    low = bisect_left(known, first - 1, key=_last)
    high = bisect_right(known, last + 1, lo=low, key=_first)
    if low < high:
        first, last = min(first, known[low][0]), max(last, known[high - 1][1])
    known[low:high] = [(first, last)]


def without(intervals: Iterable[Interval], taken: Sequence[Interval]) -> list[Interval]:
    """A set minus another; looks only at those of ``taken`` that overlap."""
    left: list[Interval] = []
    for first, last in intervals:
        start = first
        for index in range(bisect_left(taken, first, key=_last), len(taken)):
            low, high = taken[index]
            if low > last:
                break
            if low > start:
                left.append((start, low - 1))
            start = high + 1
        if start <= last:
            left.append((start, last))
    return left


def holds(known: Sequence[Interval], first: int, last: int) -> bool:
    """Whether a set holds all of an interval."""
    index = bisect_left(known, first, key=_last)
    return index < len(known) and known[index][0] <= first and last <= known[index][1]


def meets(known: Sequence[Interval], first: int, last: int) -> bool:
    """Whether a set holds any of an interval."""
    index = bisect_left(known, first, key=_last)
    return index < len(known) and known[index][0] <= last


def holds_all(known: Sequence[Interval], others: Sequence[Interval]) -> bool:
    """Whether a set holds all of another, which is not empty. A set of one interval looks at the other's ends only."""
    if len(known) == 1:
        return known[0][0] <= others[0][0] and others[-1][1] <= known[0][1]
    return all(holds(known, first, last) for first, last in others)


def meets_any(known: Sequence[Interval], others: Sequence[Interval]) -> bool:
    """Whether two sets have an address in common; looks at each interval of the smaller one."""
    few, many = (known, others) if len(known) < len(others) else (others, known)
    return any(meets(many, first, last) for first, last in few)


def to_prefixes(version: int, known: Iterable[Interval]) -> tuple[Prefix, ...]:
    """The least set of prefixes that is exactly this set, ascending."""
    return tuple(prefix for first, last in known for prefix in range_to_prefixes(version, first, last))


def lowest(spans: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """For spans (first, last, rank): the pieces into which they fall, each with the lowest rank that holds it.

    Ascending. Takes n log n steps, however the spans overlap.
    """
    waiting = sorted(spans)
    active: list[tuple[int, int]] = []  # (rank, last): the lowest rank on top; others may be past their end
    position = index = 0
    while index < len(waiting) or active:
        if not active:
            position = waiting[index][0]
        while index < len(waiting) and waiting[index][0] <= position:
            heappush(active, (waiting[index][2], waiting[index][1]))
            index += 1
        rank, last = active[0]
        if last < position:
            heappop(active)
            continue
        end = last if index == len(waiting) else min(last, waiting[index][0] - 1)
        yield position, end, rank
        position = end + 1


def _first(interval: Interval) -> int:
    return interval[0]


def _last(interval: Interval) -> int:
    return interval[1]


class PrefixTable(Generic[_T]):
    """Values at prefixes of one IP version of ``bits`` address bits; a prefix may have several."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._levels: dict[int, dict[int, list[_T]]] = {}
        self._ordered: list[tuple[int, int, _T]] | None = None

    def add(self, prefix: Prefix, value: _T) -> None:
        """Puts a value at a prefix."""
        shift = self._bits - prefix.length
        self._levels.setdefault(shift, {}).setdefault(prefix.network >> shift, []).append(value)
        self._ordered = None

    def holding(self, first: int, last: int) -> list[_T]:
        """The values whose prefix holds all of an interval, in no order."""
        found: list[_T] = []
        for shift, level in self._levels.items():
            number = first >> shift
            if number == last >> shift and (values := level.get(number)) is not None:
                found += values
        return found

    def overlapping(self, first: int, last: int) -> list[tuple[int, int, _T]]:
        """(first, last, value) of each prefix that overlaps an interval, not cut to it, in no order."""
        found = []
        for shift, level in self._levels.items():
            values = level.get(first >> shift)
            if values is not None:
                network = first >> shift << shift
                end = network + (1 << shift) - 1
                found += [(network, end, value) for value in values]
        if first < last:
            ordered = self._in_order()
            low = bisect_right(ordered, first, key=_start)
            found += ordered[low : bisect_right(ordered, last, lo=low, key=_start)]
        return found

    def _in_order(self) -> list[tuple[int, int, _T]]:
        if self._ordered is None:
            self._ordered = sorted(
                (
                    (network << shift, (network + 1 << shift) - 1, value)
                    for shift, level in self._levels.items()
                    for network, values in level.items()
                    for value in values
                ),
                key=_start,
            )
        return self._ordered


def _start(span: tuple[int, int, object]) -> int:
    return span[0]
