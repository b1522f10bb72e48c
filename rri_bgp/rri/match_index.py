"""Finds the few map entries that can take an SA pair among thousands, each by what tells it best from the others.

Rules of this file: an entry is filed under one kind of key only, that which it shares with the fewest others, so that a
search walks few of them. What is found can fit, and need not: the caller tests it. What is not found cannot fit.
A search costs one look a kind of key in use, and one more for each length of a prefix or suffix of names and addresses
that the policy has; nothing that a peer chooses adds to that.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from rri_bgp.model import Prefix, SaPair
from rri_bgp.rri.acl import local_start
from rri_bgp.rri.intervals import PrefixTable

__all__ = ["Index", "Kind"]


class Kind(enum.Enum):
    """What an entry can be filed under. Of kinds that tell equally well, the first is taken: it is the fastest."""

    PEER = "peer"
    """An address as an integer: those of two families may collide, and are told apart by the test."""
    CONNECTION = "connection"
    CHILD = "child"
    IF_ID = "if_id"
    VRF = "vrf"
    IDENTITY = "identity"
    CONNECTION_PREFIX = "connection prefix"
    CONNECTION_SUFFIX = "connection suffix"
    CHILD_PREFIX = "child prefix"
    CHILD_SUFFIX = "child suffix"
    IDENTITY_PREFIX = "identity prefix"
    IDENTITY_SUFFIX = "identity suffix"
    MARK = "mark"
    """(value, mask)."""
    DESTINATION = "destination"
    """A ``Prefix`` that may hold the start of the first remote selector."""
    SOURCE = "source"
    """A ``Prefix`` that may hold the start of a local selector."""


Keys = Mapping[Kind, Sequence[Hashable]]
"""What an entry can be filed under: all keys of any one kind find it."""

_Finder = Callable[[SaPair], Sequence[int]]
_ORDER = {kind: place for place, kind in enumerate(Kind)}


class Index:
    """Ranks, each with its keys: none of any kind for an entry that may take anything, at least one of a kind else."""

    def __init__(self, entries: Iterable[tuple[int, Keys]]) -> None:
        filed = list(entries)
        counts = Counter((kind, key) for _, keys in filed for kind, many in keys.items() for key in many)
        stores: dict[Kind, dict[Any, list[int]]] = {}
        self._always: list[int] = []
        for rank, keys in filed:
            if not keys:
                self._always.append(rank)
                continue
            kind = _rarest(keys, counts)
            for key in keys[kind]:
                stores.setdefault(kind, {}).setdefault(key, []).append(rank)
        self._finders = tuple(_FINDERS[kind](store) for kind, store in stores.items())

    def candidates(self, sa: SaPair) -> Sequence[int]:
        """The ranks of the entries that may take an SA pair, ascending; one may be there twice."""
        found: Sequence[int] = self._always
        for find in self._finders:
            more = find(sa)
            if more:
                found = _joined(found, more)
        return found


def _rarest(keys: Keys, counts: Mapping[tuple[Kind, Hashable], int]) -> Kind:
    """The kind whose commonest key has the fewest entries."""
    return min(keys, key=lambda kind: (max(counts[kind, key] for key in keys[kind]), _ORDER[kind]))


def _exact(attribute: str, store: Mapping[Any, list[int]]) -> _Finder:
    get = attrgetter(attribute)
    return lambda sa: store.get(get(sa), ())


def _peer(store: Mapping[int, list[int]]) -> _Finder:
    return lambda sa: store.get(int(sa.peer), ())


def _joined(found: Sequence[int], more: Sequence[int]) -> Sequence[int]:
    return sorted((*found, *more)) if found else more


def _affix(attribute: str, cut_of: Callable[[int], slice], store: Mapping[str, list[int]]) -> _Finder:
    """By how a text begins or ends: one look a length, however long the text is."""
    get = attrgetter(attribute)
    cuts = [cut_of(length) for length in {len(key) for key in store}]

    def find(sa: SaPair) -> Sequence[int]:
        text = get(sa)
        found: Sequence[int] = ()
        for cut in cuts:
            more = store.get(text[cut])
            if more:
                found = _joined(found, more)
        return found

    return find


def _end(length: int) -> slice:
    return slice(-length, None)


def _mark(store: Mapping[tuple[int, int], list[int]]) -> _Finder:
    masks = {mask for _, mask in store}

    def find(sa: SaPair) -> Sequence[int]:
        found: Sequence[int] = ()
        for mask in masks:
            more = store.get((sa.mark & mask, mask))
            if more:
                found = _joined(found, more)
        return found

    return find


def _tables(store: Mapping[Prefix, list[int]]) -> dict[int, PrefixTable[int]]:
    tables: dict[int, PrefixTable[int]] = {4: PrefixTable(32), 6: PrefixTable(128)}
    for prefix, ranks in store.items():
        for rank in ranks:
            tables[prefix.version].add(prefix, rank)
    return tables


def _destination(store: Mapping[Prefix, list[int]]) -> _Finder:
    tables = _tables(store)

    def find(sa: SaPair) -> Sequence[int]:
        if not sa.remote_ts:
            return ()
        remote = sa.remote_ts[0]
        return sorted(tables[remote.version].holding(remote.start, remote.start))

    return find


def _source(store: Mapping[Prefix, list[int]]) -> _Finder:
    tables = _tables(store)

    def find(sa: SaPair) -> Sequence[int]:
        start = local_start(sa)
        return () if start is None else sorted(tables[sa.remote_ts[0].version].holding(start, start))

    return find


_FINDERS: dict[Kind, Callable[[Mapping[Any, list[int]]], _Finder]] = {
    Kind.PEER: _peer,
    Kind.CONNECTION: partial(_exact, "connection"),
    Kind.CHILD: partial(_exact, "child"),
    Kind.IF_ID: partial(_exact, "if_id"),
    Kind.VRF: partial(_exact, "vrf"),
    Kind.IDENTITY: partial(_exact, "identity"),
    Kind.CONNECTION_PREFIX: partial(_affix, "connection", slice),
    Kind.CONNECTION_SUFFIX: partial(_affix, "connection", _end),
    Kind.CHILD_PREFIX: partial(_affix, "child", slice),
    Kind.CHILD_SUFFIX: partial(_affix, "child", _end),
    Kind.IDENTITY_PREFIX: partial(_affix, "identity", slice),
    Kind.IDENTITY_SUFFIX: partial(_affix, "identity", _end),
    Kind.MARK: _mark,
    Kind.DESTINATION: _destination,
    Kind.SOURCE: _source,
}
