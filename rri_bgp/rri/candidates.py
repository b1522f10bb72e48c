"""Which SA pairs would count under a policy: what ``Tunnels`` does when it takes another one, said beforehand.

A test holds the two equal. Rules of this file: pure; a delay is told by how long it has run, so there is no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from rri_bgp.model import Address, SaPair
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.match import Matcher

__all__ = ["Candidate", "counting"]


class Candidate(NamedTuple):
    """A pair that counts, or that may do so under another policy (rules G4, G5).

    ``sa`` is the pair as it counts, but that it is suspected wherever its source says so. ``waits``: it does not count
    yet. ``elapsed`` is in seconds: since ``announce-delay`` began where it waits, since ``withdraw-delay`` began where
    it is held, 0 otherwise.
    """

    sa: SaPair
    waits: bool = False
    elapsed: float = 0.0


def counting(
    candidates: Iterable[Candidate], policy: Policy, names: Mapping[str, tuple[Address, ...]]
) -> Iterator[SaPair]:
    """The pairs that count under a policy, as they count."""
    entries, matcher = policy.entries, Matcher(policy, names)
    for sa, waits, elapsed in candidates:
        if not (waits or sa.is_held or sa.is_suspect):
            yield sa
            continue
        rank = matcher.rank(sa)
        entry = None if rank is None else entries[rank]
        if waits and entry is not None and elapsed < entry.announce_delay:
            continue
        if sa.is_held and (entry is None or elapsed >= entry.withdraw_delay):
            continue
        degrades = entry is not None and entry.degrade_med is not None
        yield sa if degrades or not sa.is_suspect else replace(sa, is_suspect=False)
