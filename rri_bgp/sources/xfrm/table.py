"""The kernel's SAs and policies, and the pairs of SAs that carry traffic to a peer's networks.

Rules of this file: no I/O, no clock; time (seconds) is an argument. Messages are idempotent: what is told twice, or
again by a dump, changes nothing. In tunnel mode the SA has no selector (RFC 4301 §4.4.2 has it in the SAD, Linux does
not), so what lies behind a peer is what its outbound policies say, and a policy's template names the SAs that serve it.

All policies with equal template (both ends, reqid), if_id and mark are one pair for us: a rekey changes SAs and SPIs
within it and is no news (rule E6). Its ``uniqueid`` is a number of ours, kept while the pair is.

A policy is served when its template is ESP or AH in a tunnel with both ends, an outbound SA of those ends, reqid and
if_id is there (the very one where the template names an SPI, as charon's do: linux xfrm_state_find), the mirrored
inbound policy is, and an inbound SA of the same ends and reqid. So traps, shunts and half of a pair make nothing. What
is up is told at once; what is down only after ``DOWN_AFTER``: a peer that moves (MOBIKE) and a lifetime that ends take
everything away for some milliseconds.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from typing import NamedTuple, TypeVar

from rri_bgp.model import Mode, SaKey, SaPair, TrafficSelector
from rri_bgp.sources.shared import shared
from rri_bgp.sources.xfrm.wire import (
    Direction,
    Ends,
    Message,
    Policy,
    PolicyGone,
    PolicyKey,
    Resync,
    Sa,
    SaGone,
    Selector,
    StateKey,
    address,
    mirrored,
    selectors,
)

__all__ = ["DOWN_AFTER", "XfrmTable"]

DOWN_AFTER = 1.0
"""Seconds."""

_TUNNELS = frozenset((Mode.TUNNEL, Mode.BEET))
_Packets = tuple[int, Selector]
"""A direction and a selector: all but if_id and mark of a policy's key."""

_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


class _Group(NamedTuple):
    """What the policies of one pair have in common."""

    ends: Ends
    mode: Mode
    if_id: int
    mark: tuple[int, int]


class XfrmTable:
    """See the head of this file."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._numbers = itertools.count(1)
        self._told: dict[_Group, SaPair] = {}
        self._falling: dict[_Group, float] = {}
        """Pairs that are down or have lost a selector, and when that is told: in the order of that."""
        self._dirty: set[_Group] = set()
        self.restart()

    def restart(self) -> None:
        """A dump begins: nothing is known any more but what was told."""
        self._sas: dict[StateKey, Sa] = {}
        self._sas_at: dict[Ends, set[StateKey]] = {}
        self._policies: dict[PolicyKey, Policy] = {}
        self._policies_at: dict[_Packets, set[PolicyKey]] = {}
        self._members: dict[_Group, set[PolicyKey]] = {}
        self._groups_at: dict[Ends, set[_Group]] = {}
        self._dirty.update(self._told)

    def take(self, message: Message) -> str:
        """Takes a message. Returns why only a dump can tell what is now, empty where that is known."""
        match message:
            case Sa(key):
                self._drop_sa(key)
                self._put_sa(message)
            case SaGone(key):
                self._drop_sa(key)
            case Policy(key):
                self._drop_policy(key)
                self._put_policy(message)
            case PolicyGone(key):
                self._drop_policy(key)
            case Resync(why):
                return why
            case _:
                pass
        return ""

    def sas(self) -> list[SaPair]:
        """All pairs, as they were told last."""
        return list(self._told.values())

    @property
    def due(self) -> float | None:
        """When ``changes`` has news without another message."""
        return next(iter(self._falling.values()), None)

    @property
    def is_behind(self) -> bool:
        """Whether ``changes`` has more to look at now."""
        return bool(self._dirty)

    def changes(self, now: float, at_most: int = sys.maxsize) -> dict[SaKey, SaPair | None]:
        """What came, changed or went since this was asked last; looks at so many pairs at most."""
        found: dict[SaKey, SaPair | None] = {}
        overdue = itertools.takewhile(lambda one: one[1] <= now, self._falling.items())
        self._dirty.update(group for group, _ in itertools.islice(overdue, at_most))
        for _ in range(min(at_most, len(self._dirty))):
            group = self._dirty.pop()
            before = self._told.get(group)
            pair = self._settled(group, before, now)
            if pair == before:
                continue
            if pair is not None:
                self._told[group] = found[pair.key] = pair
            elif before is not None:
                del self._told[group]
                found[before.key] = None
        return found

    def _settled(self, group: _Group, before: SaPair | None, now: float) -> SaPair | None:
        """What to tell of a pair now: what rises at once, what falls after a while."""
        pair = self._pair(group, before)
        if before is None or (pair is not None and set(before.remote_ts) <= set(pair.remote_ts)):
            self._falling.pop(group, None)
            return pair
        if now >= self._falling.setdefault(group, now + DOWN_AFTER):
            del self._falling[group]
            return pair
        if pair is None:
            return before
        return replace(
            pair,
            remote_ts=_ordered({*before.remote_ts, *pair.remote_ts}),
            local_ts=_ordered({*before.local_ts, *pair.local_ts}),
        )

    def _pair(self, group: _Group, before: SaPair | None) -> SaPair | None:
        served = [key for key in self._members.get(group, ()) if self._is_served(group, self._policies[key])]
        if not served:
            return None
        traffic = [selectors(key.selector) for key in served]
        return SaPair(
            key=SaKey(self._source, next(self._numbers)) if before is None else before.key,
            connection="",
            child="",
            peer=address(group.ends.family, group.ends.destination),
            local=shared(address(group.ends.family, group.ends.source)),
            remote_ts=_ordered({destination for _, destination in traffic}),
            local_ts=shared(_ordered({source for source, _ in traffic})),
            reqid=group.ends.reqid,
            mode=group.mode,
            if_id=group.if_id,
            mark=group.mark[0],
        )

    def _is_served(self, group: _Group, policy: Policy) -> bool:
        template, ends = policy.template, group.ends
        assert template is not None  # noqa: S101  # it has a group
        inbound = self._sas_at.get(ends.mirrored, ())
        if template.spi:
            named = self._sas.get(StateKey(ends.destination, template.spi, template.protocol, group.mark))
            outbound = [named.key] if named is not None and named.ends == ends else []
        else:
            outbound = [*self._sas_at.get(ends, ())]
        return (
            any(self._carries(group, one) and self._sas[one].if_id == group.if_id for one in outbound)
            and any(self._carries(group, one) for one in inbound)
            and any(
                self._policies[one].allows
                for one in self._policies_at.get((Direction.IN, mirrored(policy.key.selector)), ())
            )
        )

    def _carries(self, group: _Group, key: StateKey) -> bool:
        sa = self._sas[key]
        return sa.is_live and sa.mode is group.mode

    def _put_sa(self, sa: Sa) -> None:
        self._sas[sa.key] = sa
        self._sas_at.setdefault(sa.ends, set()).add(sa.key)
        self._touch(sa.ends)

    def _drop_sa(self, key: StateKey) -> None:
        sa = self._sas.pop(key, None)
        if sa is not None:
            _discard(self._sas_at, sa.ends, key)
            self._touch(sa.ends)

    def _touch(self, ends: Ends) -> None:
        self._dirty.update(self._groups_at.get(ends, ()), self._groups_at.get(ends.mirrored, ()))

    def _put_policy(self, policy: Policy) -> None:
        self._policies[policy.key] = policy
        self._policies_at.setdefault(policy.key[:2], set()).add(policy.key)
        group = _group_of(policy)
        if group is not None:
            self._members.setdefault(group, set()).add(policy.key)
            self._groups_at.setdefault(group.ends, set()).add(group)
        self._touch_policy(policy)

    def _drop_policy(self, key: PolicyKey) -> None:
        policy = self._policies.pop(key, None)
        if policy is None:
            return
        _discard(self._policies_at, key[:2], key)
        group = _group_of(policy)
        if group is not None:
            _discard(self._members, group, key)
            if group not in self._members:
                _discard(self._groups_at, group.ends, group)
        self._touch_policy(policy)

    def _touch_policy(self, policy: Policy) -> None:
        """An inbound policy matters to the outbound ones that it mirrors."""
        group = _group_of(policy)
        if group is not None:
            self._dirty.add(group)
        if policy.key.direction == Direction.IN:
            answered = Direction.OUT, mirrored(policy.key.selector)
            groups = (_group_of(self._policies[one]) for one in self._policies_at.get(answered, ()))
            self._dirty.update(group for group in groups if group is not None)


def _group_of(policy: Policy) -> _Group | None:
    """The pair that a policy belongs to: None but for an outbound one that sends into a tunnel between two ends.

    Libreswan's traps have a template without addresses; a peer that moves is blocked meanwhile.
    """
    template, key = policy.template, policy.key
    if key.direction != Direction.OUT or not policy.allows or template is None:
        return None
    if template.mode not in _TUNNELS or not any(template.ends.source) or not any(template.ends.destination):
        return None
    return _Group(template.ends, template.mode, key.if_id, key.mark)


def _discard(index: dict[_Key, set[_Item]], key: _Key, item: _Item) -> None:
    items = index.get(key)
    if items is not None:
        items.discard(item)
        if not items:
            del index[key]


def _ordered(selectors: set[TrafficSelector]) -> tuple[TrafficSelector, ...]:
    return tuple(sorted(selectors, key=lambda one: (one.version, one.start, one.end, one.protocol, one.ports)))
