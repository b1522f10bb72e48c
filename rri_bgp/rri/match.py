"""Which map entry an SA pair belongs to: the first that fits, in policy order; an entry further down never sees it.

A static entry takes the SAs of its peers (rule E2), a dynamic one those of anybody (rule E1); both only where the SA's
selectors lie within the entry's access list, if it has one, and where ``match`` fits. All that an entry asks for must
fit. A host name among the peers stands for the addresses that it resolves to now, and for nobody while it does not.

Speed: the answer for the entries that ask for names alone is kept by connection and child. These two come from our own
IPsec configuration, so there are few; nothing is kept by what a peer chooses. The other entries are found by index
(``match_index``) at much the same cost among ten and among thousands; only where very many have nothing else than a
glob that is wild at both ends, or ask for the very same, are they walked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fnmatch import translate
from typing import NamedTuple

from rri_bgp.model import Address, SaPair
from rri_bgp.rri.acl import Permits
from rri_bgp.rri.entries import EntryKind, MapEntry, Policy
from rri_bgp.rri.match_index import Index, Keys, Kind

__all__ = ["Matcher", "Verdict"]

_MOST_NAMES = 65_536
"""How many (connection, child) pairs are kept: far more than configurations have, and a bound all the same."""

_MOST_PREFIXES = 100_000
"""An access list is indexed where its prefixes, times the entries that use it, are no more."""

_LONGEST = 2048
"""A longer identity fits no glob but ``*``: a peer chooses it, and a search through it must end soon."""

_SHOWN = 80
"""Characters of an identity that a verdict repeats."""


class Verdict(NamedTuple):
    """Whether an entry takes an SA pair, and why: ``reason`` names all that does not fit, or what does."""

    rank: int
    takes: bool
    reason: str


class _Condition(NamedTuple):
    """One thing that an entry asks for: whether an SA fits, and the words for it in either case."""

    fits: Callable[[SaPair], bool]
    words: Callable[[SaPair, bool], str]


class Matcher:
    """Finds the entry of an SA pair. ``names``: the addresses of the peers that are named, as far as they resolve."""

    def __init__(self, policy: Policy, names: Mapping[str, tuple[Address, ...]] | None = None) -> None:
        entries = policy.entries
        lists = {id(one.access_list): Permits(one.access_list) for one in entries if one.access_list is not None}
        uses = Counter(id(one.access_list) for one in entries)
        self.permits = tuple(lists.get(id(one.access_list)) for one in entries)
        """The access list of each entry, by rank, ready for questions; None where it has none."""
        known = names or {}
        pairs = tuple(zip(entries, self.permits, strict=True))
        self._conditions = tuple(tuple(_conditions(entry, known, permits)) for entry, permits in pairs)
        self._tests = tuple(tuple(condition.fits for condition in conditions) for conditions in self._conditions)
        named: list[tuple[int, Keys]] = []
        others: list[tuple[int, Keys]] = []
        for rank, (entry, permits) in enumerate(pairs):
            keys = _keys(entry, known, permits, uses[id(entry.access_list)])
            if all(keys.values()):  # not so: none of its peers is known, or its access list permits nothing
                (named if _asks_names_only(entry) else others).append((rank, keys))
        self._named = Index(named)
        self._others = Index(others)
        self._known: dict[tuple[str, str], int] = {}

    def rank(self, sa: SaPair) -> int | None:
        """The rank of the SA pair's entry, None where no entry fits."""
        best = self._known.get((sa.connection, sa.child))
        if best is None:
            best = self._remember(sa)
        for rank in self._others.candidates(sa):
            if rank >= best:
                break
            for fits in self._tests[rank]:
                if not fits(sa):
                    break
            else:
                return rank
        return best if best < len(self._tests) else None

    def explain(self, sa: SaPair) -> tuple[Verdict, ...]:
        """What each entry says to an SA pair, in policy order, up to the one that takes it (rule G8)."""
        verdicts: list[Verdict] = []
        for rank, conditions in enumerate(self._conditions):
            verdict = _verdict(rank, conditions, sa)
            verdicts.append(verdict)
            if verdict.takes:
                break
        return tuple(verdicts)

    def _remember(self, sa: SaPair) -> int:
        """The lowest rank among the entries that ask for names alone; one past the last rank where none fits."""
        candidates = self._named.candidates(sa)
        fitting = (rank for rank in candidates if all(fits(sa) for fits in self._tests[rank]))
        best = next(fitting, len(self._tests))
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        self._known[sa.connection, sa.child] = best
        return best


def _verdict(rank: int, conditions: tuple[_Condition, ...], sa: SaPair) -> Verdict:
    found = [(condition, condition.fits(sa)) for condition in conditions]
    lacking = [condition.words(sa, False) for condition, fits in found if not fits]
    if lacking:
        return Verdict(rank, takes=False, reason="; ".join(lacking))
    return Verdict(rank, takes=True, reason="; ".join(one.words(sa, True) for one, _ in found) or "it takes every SA")


def _asks_names_only(entry: MapEntry) -> bool:
    match = entry.match
    others = (match.if_id, match.mark, match.vrf, entry.access_list)
    return entry.kind is EntryKind.DYNAMIC and _is_any(match.identity) and all(one is None for one in others)


def _is_any(glob: str) -> bool:
    return set(glob) == {"*"}


# What an entry asks for.


def _conditions(
    entry: MapEntry, names: Mapping[str, tuple[Address, ...]], permits: Permits | None
) -> Iterator[_Condition]:
    """The cheap ones first; the order is also that of the words."""
    match = entry.match
    if entry.kind is EntryKind.STATIC:
        yield _of_peers(entry, names)
    if not _is_any(match.connection):
        yield _of_text("connection", lambda sa: sa.connection, match.connection)
    if not _is_any(match.child):
        yield _of_text("child", lambda sa: sa.child, match.child)
    if not _is_any(match.identity):
        yield _of_identity(match.identity)
    if match.if_id is not None:
        yield _of_if_id(match.if_id)
    if match.mark is not None:
        yield _of_mark(*match.mark)
    if match.vrf is not None:
        yield _of_vrf(match.vrf)
    if permits is not None:
        yield _of_list(permits)


def _is(fits: bool) -> str:
    return "is" if fits else "is not"


def _of_peers(entry: MapEntry, names: Mapping[str, tuple[Address, ...]]) -> _Condition:
    known = frozenset((peer.version, int(peer)) for peer in _addresses(entry, names))
    listed = ", ".join(
        f"{peer} (does not resolve)" if isinstance(peer, str) and not names.get(peer) else str(peer)
        for peer in entry.peers
    )
    return _Condition(
        lambda sa: (sa.peer.version, int(sa.peer)) in known,
        lambda sa, fits: f"peer {sa.peer} {'is one' if fits else 'is none'} of {listed or 'no peers'}",
    )


def _addresses(entry: MapEntry, names: Mapping[str, tuple[Address, ...]]) -> Iterator[Address]:
    for peer in entry.peers:
        if isinstance(peer, str):
            yield from names.get(peer, ())
        else:
            yield peer


def _of_text(what: str, get: Callable[[SaPair], str], glob: str) -> _Condition:
    fits_glob = _matcher_of(glob)
    return _Condition(lambda sa: fits_glob(get(sa)), lambda sa, fits: f"{what} {get(sa)} {_is(fits)} {glob}")


def _of_identity(glob: str) -> _Condition:
    fits_glob = _matcher_of(glob)

    def words(sa: SaPair, fits: bool) -> str:
        text = sa.identity if len(sa.identity) <= _SHOWN else f"{sa.identity[:_SHOWN]}…"
        return f"identity {text or '(none)'} {_is(fits)} {glob}"

    return _Condition(lambda sa: len(sa.identity) <= _LONGEST and fits_glob(sa.identity), words)


def _of_if_id(if_id: int) -> _Condition:
    return _Condition(
        lambda sa: sa.if_id == if_id,
        lambda sa, fits: f"if_id {sa.if_id} {_is(fits)} {if_id}",
    )


def _of_mark(value: int, mask: int) -> _Condition:
    wanted = value & mask
    return _Condition(
        lambda sa: sa.mark & mask == wanted,
        lambda sa, fits: f"mark {sa.mark:#x} {_is(fits)} {value:#x}/{mask:#x}",
    )


def _of_vrf(vrf: str) -> _Condition:
    return _Condition(
        lambda sa: sa.vrf == vrf,
        lambda sa, fits: f"vrf {sa.vrf or '(default)'} {_is(fits)} {vrf or '(default)'}",
    )


def _of_list(permits: Permits) -> _Condition:
    name = permits.acl.name

    def words(sa: SaPair, fits: bool) -> str:
        if fits:
            return f"its selectors are within access list {name}"
        outside = permits.outside(sa)
        what = f"remote selector {outside} is" if outside is not None else "an SA without selectors is"
        return f"{what} not within what access list {name} permits"

    return _Condition(permits.covers, words)


def _matcher_of(glob: str) -> Callable[[str], bool]:
    """A shell glob as a test, compiled once: ``fnmatch.translate`` never looks back over a star, so time is bounded."""
    literal, is_prefix, is_suffix = glob.strip("*"), glob.endswith("*"), glob.startswith("*")
    if any(one in literal for one in "*?[") or (is_prefix and is_suffix):
        pattern = re.compile(translate(glob))
        return lambda text: pattern.match(text) is not None
    if is_prefix:
        return lambda text: text.startswith(literal)
    if is_suffix:
        return lambda text: text.endswith(literal)
    return lambda text: text == literal


# What an entry can be found by.


def _keys(entry: MapEntry, names: Mapping[str, tuple[Address, ...]], permits: Permits | None, uses: int) -> Keys:
    match = entry.match
    keys: dict[Kind, tuple[object, ...]] = {}
    if entry.kind is EntryKind.STATIC:
        keys[Kind.PEER] = tuple({int(peer) for peer in _addresses(entry, names)})
    keys.update(_glob_keys(match.connection, Kind.CONNECTION, Kind.CONNECTION_PREFIX, Kind.CONNECTION_SUFFIX))
    keys.update(_glob_keys(match.child, Kind.CHILD, Kind.CHILD_PREFIX, Kind.CHILD_SUFFIX))
    keys.update(_glob_keys(match.identity, Kind.IDENTITY, Kind.IDENTITY_PREFIX, Kind.IDENTITY_SUFFIX))
    if match.if_id is not None:
        keys[Kind.IF_ID] = (match.if_id,)
    if match.vrf is not None:
        keys[Kind.VRF] = (match.vrf,)
    if match.mark is not None:
        keys[Kind.MARK] = ((match.mark[0] & match.mark[1], match.mark[1]),)
    if permits is not None:
        keys.update(_list_keys(permits, uses))
    return keys


def _glob_keys(glob: str, exact: Kind, prefix: Kind, suffix: Kind) -> Iterator[tuple[Kind, tuple[str]]]:
    special = [place for place, one in enumerate(glob) if one in "*?[]"]
    if not special:
        yield exact, (glob,)
        return
    if special[0] > 0:
        yield prefix, (glob[: special[0]],)
    if special[-1] < len(glob) - 1:
        yield suffix, (glob[special[-1] + 1 :],)


def _list_keys(permits: Permits, uses: int) -> Iterator[tuple[Kind, tuple[object, ...]]]:
    for kind, prefixes in (
        (Kind.DESTINATION, permits.destination_prefixes()),
        (Kind.SOURCE, permits.source_prefixes()),
    ):
        found = tuple(prefixes)
        if len(found) * uses <= _MOST_PREFIXES:
            yield kind, found
