"""From one SA pair to the prefixes that it claims (rules E1, E2, E12, N1) and the refusals it meets (rule G8)."""

from __future__ import annotations

from typing import NamedTuple

from rri_bgp.model import Claim, Mode, Prefix, Refusal, SaPair, TrafficSelector
from rri_bgp.rri.entries import MapEntry, Policy
from rri_bgp.rri.guard import refuse_prefix, refuse_selector
from rri_bgp.rri.match import Matcher

__all__ = ["Derived", "derive"]


class Derived(NamedTuple):
    """What one SA pair wants, and what it was refused."""

    claims: dict[Prefix, Claim]
    refusals: tuple[Refusal, ...]


def derive(policy: Policy, matcher: Matcher, sa: SaPair) -> Derived:
    """The claims of an SA pair: one per negotiated remote prefix, static entry or dynamic (rules E1, E2)."""
    rank = matcher.rank(sa)
    if rank is None:
        return _nothing(sa, "E1", "no map entry takes this SA")
    entry = policy.entries[rank]
    if not entry.reverse_route:
        return _nothing(sa, "E1", f"entry {entry.name} ({entry.where}) has no reverse-route")
    if sa.mode is Mode.TRANSPORT:
        return _nothing(sa, "E1", "a transport mode SA has no network behind the peer")
    claims: dict[Prefix, Claim] = {}
    refusals: list[Refusal] = []
    for selector in sa.remote_ts:
        refusal = refuse_selector(sa, selector)
        if refusal is not None:
            refusals.append(refusal)
            continue
        _claim(claims, refusals, sa, selector, rank, entry)
    return Derived(claims, tuple(refusals))


def _claim(
    claims: dict[Prefix, Claim],
    refusals: list[Refusal],
    sa: SaPair,
    selector: TrafficSelector,
    rank: int,
    entry: MapEntry,
) -> None:
    for prefix in selector.prefixes():
        refusal = refuse_prefix(sa, prefix) or _refuse_family(sa, prefix, entry)
        if refusal is None:
            claims.setdefault(prefix, Claim(rank, sa.key, selector))
        else:
            refusals.append(refusal)


def _refuse_family(sa: SaPair, prefix: Prefix, entry: MapEntry) -> Refusal | None:
    if prefix.version in entry.paths:
        return None
    what = f"entry {entry.name} ({entry.where}) has no IPv{prefix.version} next hop"
    return Refusal(sa.key, prefix, "N9", what)


def _nothing(sa: SaPair, rule: str, reason: str) -> Derived:
    return Derived({}, (Refusal(sa.key, None, rule, reason),))
