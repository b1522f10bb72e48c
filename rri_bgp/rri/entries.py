"""The policy as the core sees it: crypto map entries in the order in which they are tried.

The YAML reader (``rri_bgp.policy``) makes these; everything in them has been checked.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from rri_bgp.model import Address, Attributes, Path

__all__ = ["EntryKind", "MapEntry", "Policy", "tag_attributes"]

_T = TypeVar("_T")


class EntryKind(enum.Enum):
    """A static entry names its peers, a dynamic one takes whoever negotiates (rules E1, E2)."""

    STATIC = "static"
    DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One numbered entry of a crypto map.

    ``peers`` is empty on a dynamic entry. ``connection`` and ``child`` are shell globs over the names that the IKE
    daemon gives, ``*`` for any. ``paths`` says what is announced, by IP version (4, 6); a version that is not
    there has no next hop, and ``reverse_route`` False means that the entry takes its SAs and injects nothing.
    """

    map_name: str
    seq: int
    kind: EntryKind
    where: str
    """``file:line`` of the entry, for people."""
    peers: frozenset[Address] = frozenset()
    connection: str = "*"
    child: str = "*"
    reverse_route: bool = True
    tag: int | None = None
    paths: Mapping[int, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``map seq``, as Cisco's commands print it."""
        return f"{self.map_name} {self.seq}"


@dataclass(frozen=True, slots=True)
class Policy:
    """All map entries, the one that is tried first at index 0: an entry's index is its rank."""

    entries: tuple[MapEntry, ...] = ()


def tag_attributes(asn: int, tag: int | None, table: Mapping[int, Attributes]) -> Attributes:
    """What a tag becomes upstream (rule N8).

    A 16-bit tag under a 2-byte AS gives the standard community ``asn:tag``; every tag gives the large community
    ``asn:1:tag``; what ``table`` holds for the tag is added. No tag (None) gives nothing: tag 0 is a tag.
    """
    if tag is None:
        return Attributes()
    more = table.get(tag, Attributes())
    standard = ((asn, tag),) if asn <= 0xFFFF and tag <= 0xFFFF else ()
    return Attributes(
        communities=_union(standard, more.communities),
        large_communities=_union(((asn, 1, tag),), more.large_communities),
        med=more.med,
        local_preference=more.local_preference,
    )


def _union(first: tuple[_T, ...], second: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys((*first, *second)))
