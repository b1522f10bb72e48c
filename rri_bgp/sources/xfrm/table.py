"""The kernel's SAs and policies, and the pairs of SAs that carry traffic to a peer's networks.

Rules of this file: no I/O, no clock; time (seconds) is an argument. Messages are idempotent: what is told twice, or
again by a dump, changes nothing. In tunnel mode the SA has no selector (RFC 4301 §4.4.2 has it in the SAD, Linux does
not), so what lies behind a peer is what its outbound policies say, and a policy's template names the SAs that serve it.

All policies with equal template (both ends, reqid), if_id and mark are one pair for us: a rekey changes SAs and SPIs
within it and is no news (rule E6). Its ``uniqueid`` is a number of ours, kept while the pair is.

A policy is served when its template is ESP or AH in a tunnel with both ends, an outbound SA is there (the very one
where the template names an SPI, as charon's do), the mirrored inbound policy is, and an inbound SA of the same ends and
reqid. So traps, shunts and half of a pair make nothing. What is up is told at once; what is down only after
``DOWN_AFTER``: a peer that moves (MOBIKE) and a lifetime that ends take everything away for some milliseconds.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import NamedTuple, TypeVar

from rri_bgp.model import Address, Mode, SaKey, SaPair, TrafficSelector
from rri_bgp.sources.xfrm.wire import (
    Direction,
    Message,
    Policy,
    PolicyGone,
    PolicyKey,
    Resync,
    Sa,
    SaGone,
    StateKey,
)

__all__ = ["DOWN_AFTER", "XfrmTable"]

DOWN_AFTER = 1.0
"""Seconds."""

_TUNNELS = frozenset((Mode.TUNNEL, Mode.BEET))
_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


class _Ends(NamedTuple):
    """Where SAs go, as seen from the one end: what an SA has in common with a template."""

    source: Address
    destination: Address
    reqid: int

    @property
    def mirrored(self) -> _Ends:
        """The other direction."""
        return _Ends(self.destination, self.source, self.reqid)


class _Group(NamedTuple):
    """What the policies of one pair have in common."""

    ends: _Ends
    mode: Mode
    if_id: int
    mark: tuple[int, int]


class _Selectors(NamedTuple):
    """A direction and both selectors: all but if_id and mark of a policy's key."""

    direction: Direction
    source: TrafficSelector
    destination: TrafficSelector


class XfrmTable:
    """See the head of this file."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._numbers = itertools.count(1)
        self._told: dict[_Group, SaPair] = {}
        self._falling: dict[_Group, float] = {}
        """Pairs that are down or have lost a selector, and when that is told."""
        self._dirty: set[_Group] = set()
        self.restart()

    def restart(self) -> None:
        """A dump begins: nothing is known any more but what was told."""
        self._sas: dict[StateKey, Sa] = {}
        self._sas_at: dict[_Ends, set[StateKey]] = {}
        self._policies: dict[PolicyKey, Policy] = {}
        self._policies_at: dict[_Selectors, set[PolicyKey]] = {}
        self._members: dict[_Group, set[PolicyKey]] = {}
        self._groups_at: dict[_Ends, set[_Group]] = {}
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
        return min(self._falling.values(), default=None)

    def changes(self, now: float) -> dict[SaKey, SaPair | None]:
        """What came, changed or went since this was asked last."""
        found: dict[SaKey, SaPair | None] = {}
        overdue = {group for group, due in self._falling.items() if due <= now}
        for group in self._dirty | overdue:
            before = self._told.get(group)
            pair = self._settled(group, before, now)
            if pair == before:
                continue
            if pair is not None:
                self._told[group] = found[pair.key] = pair
            elif before is not None:
                del self._told[group]
                found[before.key] = None
        self._dirty.clear()
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
        return SaPair(
            key=SaKey(self._source, next(self._numbers)) if before is None else before.key,
            connection="",
            child="",
            peer=group.ends.destination,
            local=group.ends.source,
            remote_ts=_ordered({key.destination for key in served}),
            local_ts=_ordered({key.source for key in served}),
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
            named = self._sas.get(StateKey(template.destination, template.spi, template.protocol, group.mark))
            outbound = [] if named is None else [named.key]
        else:
            outbound = [*self._sas_at.get(ends, ())]
        key = policy.key
        return (
            any(self._carries(group, one) for one in outbound)
            and any(self._carries(group, one) for one in inbound)
            and any(
                self._policies[one].allows
                for one in self._policies_at.get(_Selectors(Direction.IN, key.destination, key.source), ())
            )
        )

    def _carries(self, group: _Group, key: StateKey) -> bool:
        sa = self._sas[key]
        return sa.is_live and sa.mode is group.mode

    def _put_sa(self, sa: Sa) -> None:
        self._sas[sa.key] = sa
        self._sas_at.setdefault(_ends_of(sa), set()).add(sa.key)
        self._touch(_ends_of(sa))

    def _drop_sa(self, key: StateKey) -> None:
        sa = self._sas.pop(key, None)
        if sa is not None:
            _discard(self._sas_at, _ends_of(sa), key)
            self._touch(_ends_of(sa))

    def _touch(self, ends: _Ends) -> None:
        self._dirty.update(self._groups_at.get(ends, ()), self._groups_at.get(ends.mirrored, ()))

    def _put_policy(self, policy: Policy) -> None:
        self._policies[policy.key] = policy
        self._policies_at.setdefault(_selectors_of(policy.key), set()).add(policy.key)
        group = _group_of(policy)
        if group is not None:
            self._members.setdefault(group, set()).add(policy.key)
            self._groups_at.setdefault(group.ends, set()).add(group)
        self._touch_policy(policy)

    def _drop_policy(self, key: PolicyKey) -> None:
        policy = self._policies.pop(key, None)
        if policy is None:
            return
        _discard(self._policies_at, _selectors_of(key), key)
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
        if policy.key.direction is Direction.IN:
            mirrored = _Selectors(Direction.OUT, policy.key.destination, policy.key.source)
            groups = (_group_of(self._policies[one]) for one in self._policies_at.get(mirrored, ()))
            self._dirty.update(group for group in groups if group is not None)


def _ends_of(sa: Sa) -> _Ends:
    return _Ends(sa.source, sa.key.destination, sa.reqid)


def _selectors_of(key: PolicyKey) -> _Selectors:
    return _Selectors(key.direction, key.source, key.destination)


def _group_of(policy: Policy) -> _Group | None:
    """The pair that a policy belongs to: None but for an outbound one that sends into a tunnel between two ends.

    Libreswan's traps have a template without addresses; a peer that moves is blocked meanwhile.
    """
    template, key = policy.template, policy.key
    if key.direction is not Direction.OUT or not policy.allows or template is None:
        return None
    if template.mode not in _TUNNELS or template.source.is_unspecified or template.destination.is_unspecified:
        return None
    return _Group(_Ends(template.source, template.destination, template.reqid), template.mode, key.if_id, key.mark)


def _discard(index: dict[_Key, set[_Item]], key: _Key, item: _Item) -> None:
    items = index.get(key)
    if items is not None:
        items.discard(item)
        if not items:
            del index[key]


def _ordered(selectors: set[TrafficSelector]) -> tuple[TrafficSelector, ...]:
    return tuple(sorted(selectors, key=lambda one: (one.version, one.start, one.end, one.protocol, one.ports)))
