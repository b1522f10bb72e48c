"""Paths as they go to ExaBGP, and when two of them are one.

Rules of this file: pure. Paths are few and destinations many, so what is worked out here is cached.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from rri_bgp.model import Path

__all__ = ["flow_path", "internal_path", "is_same", "path_ids"]

_CACHED = 4096


def is_same(held: Path, wanted: Path) -> bool:
    """Whether they are one path to a peer: communities are sets (RFC 1997), and ExaBGP orders them as it likes."""
    return held == wanted or _canonical(held) == _canonical(wanted)


@lru_cache(maxsize=_CACHED)
def _canonical(path: Path) -> Path:
    attributes = replace(
        path.attributes,
        communities=tuple(sorted(path.attributes.communities)),
        large_communities=tuple(sorted(path.attributes.large_communities)),
        extended_communities=tuple(sorted(path.attributes.extended_communities)),
    )
    return Path(path.next_hop, attributes)


@lru_cache(maxsize=_CACHED)
def flow_path(path: Path) -> Path:
    """A path as a flow carries it: ExaBGP has no words for a flow's MED, local preference and AS path."""
    return Path(path.next_hop, replace(path.attributes, med=None, local_preference=None, as_path_prepend=0))


@lru_cache(maxsize=_CACHED)
def internal_path(path: Path) -> Path:
    """A path as it goes to a neighbour in our own AS, which would drop one that has that AS in its AS path."""
    return Path(path.next_hop, replace(path.attributes, as_path_prepend=0)) if path.attributes.as_path_prepend else path


def path_ids(paths: Iterable[Path]) -> dict[int, Path]:
    """Path identifiers of the paths of one destination (RFC 7911 §3): a function of what is wanted now, never of how it
    came, so a path keeps its own while others come and go.

    It is the next hop's number, of IPv6 its CRC-32; where that is taken, or 0, the next free one.
    """
    found: dict[int, Path] = {}
    for path in paths:
        packed = path.next_hop.packed
        number = int.from_bytes(packed, "big") if len(packed) == 4 else zlib.crc32(packed)
        while not number or number in found:
            number = number % 0xFFFFFFFF + 1
        found[number] = path
    return found
