"""How a tag is written into a kernel route, so that a BGP daemon can read it there (rule N8).

Rules of this file: pure. Of what a route of either family can carry, BIRD and FRR both see its metric: 32 bits, as many
as a tag has. Two things do not fit: an IPv6 route cannot have the metric 0, and no tag is another thing than tag 0.
Their routes are of other types (linux/rtnetlink.h, RTN_*), which BIRD sees; FRR does not, and gets the two highest
metrics.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

__all__ = ["BLACKHOLE", "PROHIBIT", "UNREACHABLE", "Mark", "mark_of"]

BLACKHOLE, UNREACHABLE, PROHIBIT = 6, 7, 8
"""RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT."""


class Mark(NamedTuple):
    """A route's type and metric."""

    kind: int
    metric: int


_UNTAGGED = Mark(UNREACHABLE, 2**32 - 1)
_TAG_0 = Mark(PROHIBIT, 2**32 - 2)


@lru_cache(4096)
def mark_of(tag: int | None) -> Mark:
    """What a tag (None for none, else 32 bits) is in the table; one value for each, however many routes have it."""
    if tag is None:
        return _UNTAGGED
    return Mark(BLACKHOLE, tag) if tag else _TAG_0
