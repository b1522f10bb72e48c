"""Entries that no SA can reach, and entries that want the same SAs: the first that fits takes an SA (rules E1, E2).

Rules of this file: an entry is only called unreachable where that is certain. An entry that stands before a wider one
is how crypto maps are written, and no overlap; one that cuts off a part of a later one is.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from rri_bgp.model import Address
from rri_bgp.policy.globs import includes, literal_end, literal_start, meets
from rri_bgp.policy.lint_lists import Relations
from rri_bgp.policy.notes import takes_every_sa
from rri_bgp.rri.entries import EntryKind, MapEntry, Match, Policy

__all__ = ["MAX_COMPARISONS", "Comparison"]

_T = TypeVar("_T")

MAX_COMPARISONS = 200_000
"""Pairs of entries that are compared. A thousand entries that all match the same names have half a million."""


class Comparison:
    """Compares the entries of a policy with each other, in pairs that may have anything in common."""

    def __init__(self, policy: Policy) -> None:
        self._entries = policy.entries
        lists = {entry.access_list.name: entry.access_list for entry in policy.entries if entry.access_list is not None}
        self._relations = Relations(lists)
        self._index = _Index(self._relations)
        self.left = MAX_COMPARISONS
        """Comparisons that may still be made; below zero, not all were."""

    def findings(self) -> Iterator[tuple[MapEntry, str]]:
        """Entries that are never reached, or overlap with an earlier one, and how; in rank order."""
        for rank, entry in enumerate(self._entries):
            if self.left >= 0:
                found = self._compare(rank, entry)
                if found:
                    yield entry, found
            self._index.add(rank, entry)
            if takes_every_sa(entry):
                return  # what comes after it has its warning already

    def _compare(self, rank: int, entry: MapEntry) -> str:
        overlap = ""
        for earlier in self._index.candidates(entry):
            self.left -= 1
            if self.left < 0:
                return overlap
            before = self._entries[earlier]
            if self._covers(before, entry):
                return f"{entry.name} is never reached: {before.name} ({before.where}) takes every SA that it would"
            if not overlap and self._cuts_off(before, entry):
                overlap = f"{entry.name} overlaps with {before.name} ({before.where}), which takes what fits both"
        return overlap

    def _covers(self, outer: MapEntry, inner: MapEntry) -> bool:
        """Whether every SA that ``inner`` would take fits ``outer`` too."""
        if outer.kind is EntryKind.STATIC and not (inner.peers and set(inner.peers) <= set(outer.peers)):
            return False
        if outer.access_list is not None:
            if inner.access_list is None:
                return False
            if not self._relations.is_within(inner.access_list.name, outer.access_list.name):
                return False
        return _match_covers(outer.match, inner.match)

    def _cuts_off(self, before: MapEntry, entry: MapEntry) -> bool:
        """Whether SAs fit both and the later one is not simply the wider one."""
        if before.kind is EntryKind.STATIC and entry.kind is EntryKind.DYNAMIC:
            return False
        if before.peers and not set(before.peers) & set(entry.peers):
            return False
        if not _lists_meet(before, entry, self._relations) or not _match_meets(before.match, entry.match):
            return False
        is_wider = self._covers(entry, before)
        return not is_wider


def _lists_meet(one: MapEntry, other: MapEntry, relations: Relations) -> bool:
    if one.access_list is None or other.access_list is None:
        return True
    return other.access_list.name in relations.meeting(one.access_list.name)


def _match_covers(outer: Match, inner: Match) -> bool:
    return (
        outer.if_id in (None, inner.if_id)
        and outer.vrf in (None, inner.vrf)
        and _mark_covers(outer.mark, inner.mark)
        and includes(outer.connection, inner.connection)
        and includes(outer.child, inner.child)
        and includes(outer.identity, inner.identity)
    )


def _mark_covers(outer: tuple[int, int] | None, inner: tuple[int, int] | None) -> bool:
    if outer is None:
        return True
    return inner is not None and outer[1] & ~inner[1] == 0 and inner[0] & outer[1] == outer[0]


def _match_meets(one: Match, other: Match) -> bool:
    return (
        (one.if_id == other.if_id or None in (one.if_id, other.if_id))
        and (one.vrf == other.vrf or None in (one.vrf, other.vrf))
        and _marks_meet(one.mark, other.mark)
        and meets(one.connection, other.connection)
        and meets(one.child, other.child)
        and meets(one.identity, other.identity)
    )


def _marks_meet(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    if one is None or other is None:
        return True
    common = one[1] & other[1]
    return one[0] & common == other[0] & common


class _Names:
    """Entries by what a glob of theirs begins and ends with: of two that meet, one begins and ends with the other's."""

    def __init__(self) -> None:
        self._starts = _Beginnings()
        self._ends = _Beginnings()

    def add(self, glob: str, rank: int) -> None:
        self._starts.add(literal_start(glob), rank)
        self._ends.add(literal_end(glob)[::-1], rank)

    def candidates(self, glob: str) -> list[int]:
        found = (self._starts.candidates(literal_start(glob)), self._ends.candidates(literal_end(glob)[::-1]))
        return min(found, key=_count)


class _Beginnings:
    """Entries by a text of theirs, found by another that begins with it or with which it begins."""

    def __init__(self) -> None:
        self._by_start: dict[str, list[int]] = defaultdict(list)
        self._starts: list[str] = []

    def add(self, start: str, rank: int) -> None:
        if start not in self._by_start:
            insort(self._starts, start)
        self._by_start[start].append(rank)

    def candidates(self, start: str) -> list[int]:
        found = [rank for end in range(len(start)) for rank in self._by_start.get(start[:end], ())]
        for index in range(bisect_left(self._starts, start), len(self._starts)):
            if not self._starts[index].startswith(start):
                break
            found += self._by_start[self._starts[index]]
        return found


class _Index:
    """The entries so far, by peer, access list, names and interface id: whichever leaves the fewest to compare."""

    def __init__(self, relations: Relations) -> None:
        self._relations = relations
        self._by_peer: dict[Address | str, list[int]] = defaultdict(list)
        self._dynamic: list[int] = []
        self._by_list: dict[str | None, list[int]] = defaultdict(list)
        self._by_if_id: dict[int | None, list[int]] = defaultdict(list)
        self._names = {name: _Names() for name in ("connection", "child", "identity")}
        self._by_mark: dict[tuple[int, int] | None, list[int]] = defaultdict(list)

    def add(self, rank: int, entry: MapEntry) -> None:
        for peer in entry.peers:
            self._by_peer[peer].append(rank)
        if entry.kind is EntryKind.DYNAMIC:
            self._dynamic.append(rank)
        self._by_list[None if entry.access_list is None else entry.access_list.name].append(rank)
        self._by_if_id[entry.match.if_id].append(rank)
        self._by_mark[entry.match.mark].append(rank)
        for name, index in self._names.items():
            index.add(getattr(entry.match, name), rank)

    def candidates(self, entry: MapEntry) -> list[int]:
        """The earlier entries that may have an SA in common with this one, in rank order."""
        ways: list[list[int]] = [self._dynamic + _of(self._by_peer, entry.peers)]
        ways += [index.candidates(getattr(entry.match, name)) for name, index in self._names.items()]
        if entry.access_list is not None:
            ways.append(_of(self._by_list, {None, *self._relations.meeting(entry.access_list.name)}))
        if entry.match.if_id is not None:
            ways.append(_of(self._by_if_id, (None, entry.match.if_id)))
        if entry.match.mark is not None:
            marks = [mark for mark in self._by_mark if _marks_meet(mark, entry.match.mark)]
            ways.append(_of(self._by_mark, marks))
        fewest = min(ways, key=_count)
        return sorted(set(fewest))


def _of(index: Mapping[_T, list[int]], keys: Iterable[_T]) -> list[int]:
    return [rank for key in keys for rank in index.get(key, ())]


def _count(ranks: list[int]) -> int:
    return len(ranks)
