"""Wanted against found: the differences between what the controller gives a router and what that router has.

Rules of this file: pure. A path is ours where one of our BGP sessions sent it; what others send for a prefix matters
only where it beats ours. Each difference says what was wanted and what was found, in words for a person.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rri_bgp.inspect.frr import Key, UpstreamPath, UpstreamRoute, UpstreamTable, VpnPrefix
from rri_bgp.model import Address, FlowRule, Prefix

__all__ = ["Difference", "DifferenceKind", "Given", "WantedPath", "compare"]


class DifferenceKind(enum.Enum):
    """How a prefix differs; the values are the words shown."""

    MISSING = "missing"
    STALE = "stale"
    WRONG_NEXT_HOP = "wrong next hop"
    WRONG_TAG = "wrong tag"
    WRONG_MED = "wrong MED"
    NOT_BEST = "not best"
    NOT_INSTALLED = "not installed"


@dataclass(frozen=True, slots=True)
class WantedPath:
    """What is announced for a prefix; ``extended`` in FRR's words, as route targets ``RT:65000:1``."""

    next_hop: Address
    communities: tuple[tuple[int, int], ...] = ()
    large_communities: tuple[tuple[int, int, int], ...] = ()
    med: int | None = None
    extended: tuple[str, ...] = ()


Given = Mapping[Address, Mapping[Key, tuple[WantedPath, ...]]]
"""By session, named by our address in it: what is announced there, the best path of each prefix first."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference at one prefix: what was wanted, and what was found."""

    prefix: Key
    kind: DifferenceKind
    wanted: str
    found: str


def compare(given: Given, table: UpstreamTable) -> tuple[Difference, ...]:
    """All differences, by prefix and then in the order of ``DifferenceKind``; none means that the upstream has it all.

    A prefix that is missing has no other difference: no session brought it that was to. One that some session brings in
    vain is stale. More communities than wanted are no difference: the upstream may add its own. Of several paths (rule
    E13) the best has to be there, and no other than those.
    """
    keys = {key for prefixes in given.values() for key in prefixes} | table.paths.keys() | table.flows.keys()
    ours = {path.next_hop for prefixes in given.values() for paths in prefixes.values() for path in paths}
    return tuple(
        difference
        for key in sorted(keys, key=_order)
        for difference in (
            _at_flow(key, given, table, ours.union(given)) if isinstance(key, FlowRule) else _at(key, given, table)
        )
    )


def _order(key: Key) -> tuple[str, Prefix, tuple[int, ...]]:
    """Plain prefixes and flow rules first, by prefix."""
    if isinstance(key, FlowRule):
        return "", key.prefix, (key.protocol, *key.ports)
    return (key.rd, key.prefix, ()) if isinstance(key, VpnPrefix) else ("", key, ())


def _at_flow(rule: FlowRule, given: Given, table: UpstreamTable, ours: set[Address]) -> Iterator[Difference]:
    """The differences at one flow rule. FRR does not say who sent it: to one of our next hops, it is ours."""
    wanted = next((prefixes[rule][0] for prefixes in given.values() if rule in prefixes), None)
    found = table.flows.get(rule)
    if wanted is None:
        if found in ours:
            yield Difference(rule, DifferenceKind.STALE, "no flow rule", f"redirect to {found}")
    elif found is None:
        yield Difference(rule, DifferenceKind.MISSING, f"redirect to {wanted.next_hop}", "no flow rule")
    elif found != wanted.next_hop:
        yield Difference(rule, DifferenceKind.WRONG_NEXT_HOP, str(wanted.next_hop), str(found))


def _at(key: Key, given: Given, table: UpstreamTable) -> Iterator[Difference]:
    """The differences at one prefix."""
    paths = table.paths.get(key, ())
    wanted = {session: prefixes[key] for session, prefixes in given.items() if key in prefixes}
    stray = next((path for path in paths if path.peer in given and path.peer not in wanted), None)
    if stray is not None:
        yield Difference(key, DifferenceKind.STALE, "no path", f"next hop {stray.next_hop}")
    if not wanted:
        return
    ours = [path for path in paths if path.peer in wanted]
    if not ours:
        best = next(iter(wanted.values()))[0]
        found = "only paths of others" if paths else "no path"
        yield Difference(key, DifferenceKind.MISSING, f"next hop {best.next_hop}", found)
        return
    for kind, find in _WRONG.items():
        answers = (find(there, _from(session, ours)) for session, there in wanted.items())
        wrong = next(filter(None, answers), None)
        if wrong is not None:
            yield Difference(key, kind, *wrong)
    yield from _use(key, ours, paths, table)


def _from(session: Address, paths: Iterable[UpstreamPath]) -> list[UpstreamPath]:
    return [path for path in paths if path.peer == session]


def _use(
    key: Key, ours: list[UpstreamPath], paths: Iterable[UpstreamPath], table: UpstreamTable
) -> Iterator[Difference]:
    """Whether the router uses one of ours. A VPN route is in no FIB before a VRF imports it."""
    if not any(path.best for path in ours):
        yield Difference(key, DifferenceKind.NOT_BEST, "best path", _instead(ours, paths))
    elif isinstance(key, Prefix) and not _is_installed(route := table.routes.get(key)):
        found = "no route in the RIB" if route is None else "a route in the RIB only"
        yield Difference(key, DifferenceKind.NOT_INSTALLED, "in the FIB, next hop resolved", found)


def _is_installed(route: UpstreamRoute | None) -> bool:
    return route is not None and route.installed


# -- what a session brought, against what it was given: wanted and found in words, None where it is right --------------


def _wrong_next_hop(wanted: tuple[WantedPath, ...], found: list[UpstreamPath]) -> tuple[str, str] | None:
    if not found:
        return None
    best, allowed = wanted[0].next_hop, {path.next_hop for path in wanted}
    strange = [path.next_hop for path in found if path.next_hop not in allowed]
    if not strange and any(path.next_hop == best for path in found):
        return None
    return str(best), str(strange[0] if strange else found[0].next_hop)


def _wrong_tag(wanted: tuple[WantedPath, ...], found: list[UpstreamPath]) -> tuple[str, str] | None:
    for path, at_hop in _pairs(wanted, found):
        if not _has_tags(path, at_hop):
            return (
                _words(at_hop.communities, at_hop.large_communities, at_hop.extended),
                _words(path.communities, path.large_communities, (*path.extended, *path.aliases)),
            )
    return None


def _wrong_med(wanted: tuple[WantedPath, ...], found: list[UpstreamPath]) -> tuple[str, str] | None:
    for path, at_hop in _pairs(wanted, found):
        if at_hop.med is not None and path.med != at_hop.med:
            return str(at_hop.med), "none" if path.med is None else str(path.med)
    return None


_WRONG = {
    DifferenceKind.WRONG_NEXT_HOP: _wrong_next_hop,
    DifferenceKind.WRONG_TAG: _wrong_tag,
    DifferenceKind.WRONG_MED: _wrong_med,
}


def _pairs(wanted: tuple[WantedPath, ...], found: list[UpstreamPath]) -> Iterator[tuple[UpstreamPath, WantedPath]]:
    """Each found path and the wanted one with its next hop, or the best one."""
    by_hop = {path.next_hop: path for path in reversed(wanted)}
    for path in found:
        yield path, by_hop.get(path.next_hop, wanted[0])


def _has_tags(path: UpstreamPath, wanted: WantedPath) -> bool:
    """Whether every wanted community is there."""
    return (
        set(wanted.communities) <= set(path.communities)
        and set(wanted.large_communities) <= set(path.large_communities)
        and set(wanted.extended) <= set(path.extended)
    )


def _words(
    communities: Iterable[tuple[int, ...]], large_communities: Iterable[tuple[int, ...]], others: Iterable[str]
) -> str:
    """``65000:10 65000:1:10 RT:65000:1``, communities first."""
    numbers = [":".join(map(str, one)) for group in (communities, large_communities) for one in group]
    return " ".join([*numbers, *others]) or "none"


def _instead(ours: list[UpstreamPath], paths: Iterable[UpstreamPath]) -> str:
    best = next((path for path in paths if path.best), None)
    if best is not None:
        return f"best is next hop {best.next_hop} from {best.peer}"
    if not any(path.valid for path in ours):
        return f"not valid: next hop {ours[0].next_hop} is not reachable"
    return "no best path"
