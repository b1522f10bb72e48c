"""Wanted against found: the differences between the controller's routes and an upstream's table.

Rules of this file: pure. A path is ours where one of our BGP sessions sent it; what others send for a prefix matters
only where it beats ours. Each difference says what was wanted and what was found, in words for a person.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from rri_bgp.inspect.frr import UpstreamPath, UpstreamRoute, UpstreamTable
from rri_bgp.model import Address, Path, Prefix

__all__ = ["Difference", "DifferenceKind", "compare"]


class DifferenceKind(enum.Enum):
    """How a prefix differs; the values are the words shown."""

    MISSING = "missing"
    STALE = "stale"
    WRONG_NEXT_HOP = "wrong next hop"
    WRONG_TAG = "wrong tag"
    NOT_BEST = "not best"
    NOT_INSTALLED = "not installed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference at one prefix: what was wanted, and what was found."""

    prefix: Prefix
    kind: DifferenceKind
    wanted: str
    found: str


def compare(
    wanted: Mapping[Prefix, Path], neighbors: Collection[Address], table: UpstreamTable
) -> tuple[Difference, ...]:
    """All differences, by prefix and then in the order of ``DifferenceKind``; none means that the upstream has it all.

    ``neighbors`` are the local addresses of our BGP sessions, which are the upstream's neighbors. A prefix that is
    missing or stale has no other difference. More communities than wanted are no difference: the upstream may add its
    own.
    """
    peers = frozenset(neighbors)
    differences: list[Difference] = []
    for prefix in sorted(wanted.keys() | table.paths.keys()):
        paths = table.paths.get(prefix, ())
        ours = [path for path in paths if path.peer in peers]
        path = wanted.get(prefix)
        if path is None:
            if ours:
                differences.append(Difference(prefix, DifferenceKind.STALE, "no path", f"next hop {ours[0].next_hop}"))
        elif not ours:
            found = "only paths of others" if paths else "no path"
            differences.append(Difference(prefix, DifferenceKind.MISSING, f"next hop {path.next_hop}", found))
        else:
            differences += _at(prefix, path, ours, paths, table.routes.get(prefix))
    return tuple(differences)


def _at(
    prefix: Prefix,
    wanted: Path,
    ours: list[UpstreamPath],
    paths: Iterable[UpstreamPath],
    route: UpstreamRoute | None,
) -> Iterator[Difference]:
    """The differences where the path did arrive. Every session must have brought the right one; one must be best."""
    hop = next((path for path in ours if path.next_hop != wanted.next_hop), None)
    if hop is not None:
        yield Difference(prefix, DifferenceKind.WRONG_NEXT_HOP, str(wanted.next_hop), str(hop.next_hop))
    tagged = next((path for path in ours if not _has_tags(path, wanted)), None)
    if tagged is not None:
        yield Difference(prefix, DifferenceKind.WRONG_TAG, _tags(wanted), _found_tags(tagged))
    if not any(path.best for path in ours):
        yield Difference(prefix, DifferenceKind.NOT_BEST, "best path", _instead(ours, paths))
    elif route is None or not route.installed:
        found = "no route in the RIB" if route is None else "a route in the RIB only"
        yield Difference(prefix, DifferenceKind.NOT_INSTALLED, "in the FIB, next hop resolved", found)


def _has_tags(path: UpstreamPath, wanted: Path) -> bool:
    """Whether every wanted community is there."""
    attributes = wanted.attributes
    return set(attributes.communities) <= set(path.communities) and set(attributes.large_communities) <= set(
        path.large_communities
    )


def _tags(wanted: Path) -> str:
    return _words(wanted.attributes.communities, wanted.attributes.large_communities)


def _found_tags(path: UpstreamPath) -> str:
    return _words(path.communities, path.large_communities, path.aliases)


def _words(
    communities: Iterable[tuple[int, ...]], large_communities: Iterable[tuple[int, ...]], aliases: Iterable[str] = ()
) -> str:
    """``65000:10 65000:1:10``, communities first."""
    numbers = [":".join(map(str, one)) for group in (communities, large_communities) for one in group]
    return " ".join([*numbers, *aliases]) or "none"


def _instead(ours: list[UpstreamPath], paths: Iterable[UpstreamPath]) -> str:
    best = next((path for path in paths if path.best), None)
    if best is not None:
        return f"best is next hop {best.next_hop} from {best.peer}"
    if not any(path.valid for path in ours):
        return f"not valid: next hop {ours[0].next_hop} is not reachable"
    return "no best path"
