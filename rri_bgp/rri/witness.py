"""The kernel as a witness of IKE daemons: which SA pairs carry traffic, and whose a pair is (rules E7, E8).

A *daemon* (VICI) knows names, identities and children, and calls a pair installed until it changes it itself. A
*kernel* (XFRM) knows what carries traffic, whoever put it there. Of both together:

* What a daemon calls installed and no kernel carries is *missing* (``SaPair.not_in_kernel``); whether that costs it its
  routes is the policy's business.
* What a daemon calls installed and a kernel carries is one pair: the daemon's, which has the names.
* What a kernel carries and no daemon knows is a pair of its own: of another daemon, with keys set by hand, or left by a
  daemon that has died.

The join: in a kernel an outbound policy is named by its selector, if_id and mark, and there is one of each (linux
xfrm_policy_insert). So a daemon's remote selector is carried when a kernel's pair of that if_id and mark has that
remote prefix, and at least the daemon's local ones. By which SA, and to which peer, does not matter: of two children
that want the same traffic the kernel serves one. A kernel's pair is a daemon's when the tunnel has the same ends too.
Selectors are compared as the prefixes around them, without protocol and ports: a kernel has no ranges.

Rules of this file: no I/O, no clock; ``now`` is an argument, seconds that never go back. What is there in the end is a
function of what the sources said last (rule E7). On the way nothing is held against anybody before ``GRACE`` is over:
both tell of each change, one of them later. Only a daemon that begins anew (a snapshot without what it had, or its
first one) has its say at once: what it has left in a kernel is a pair of its own from then on, without a gap (rule G7).

Who cannot see is no witness: while a kernel's source is lost nothing is missing, and no pair becomes one of its own.
"""

from __future__ import annotations

import itertools
import sys
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from rri_bgp.model import Mode, Prefix, SaKey, SaPair, TrafficSelector
from rri_bgp.rri.news import difference

__all__ = ["GRACE", "Told", "Witness"]

GRACE = 2.0
"""Seconds that sources may differ. With what the kernel's source waits itself, a loss is told after three."""

_TUNNELS = frozenset((Mode.TUNNEL, Mode.BEET))
_BITS = {4: 32, 6: 128}

_Selectors = tuple[TrafficSelector, ...]
_Traffic = tuple[Prefix, int, int]
"""What names an outbound policy, but for its local side: remote prefix, if_id, mark."""

_Changes = dict[SaKey, SaPair | None]


@dataclass(frozen=True, slots=True)
class Told:
    """What is another, to be told in this order, so that what somebody else takes over has an owner all the time.

    ``come``: kernel's pairs that come, or have more selectors. ``installed``: daemons' pairs. ``gone``: kernel's pairs
    that go, or have fewer.
    """

    come: _Changes = field(default_factory=dict)
    installed: _Changes = field(default_factory=dict)
    gone: _Changes = field(default_factory=dict)


class _Pairs:
    """SA pairs as their sources told them, by key and by traffic."""

    def __init__(self) -> None:
        self.by_key: dict[SaKey, SaPair] = {}
        self._at: dict[_Traffic, SaKey | dict[SaKey, None]] = {}
        """Most traffic is one pair's alone."""

    def put(self, sa: SaPair) -> None:
        self.by_key[sa.key] = sa
        for traffic in _traffic(sa):
            there = self._at.setdefault(traffic, sa.key)
            if isinstance(there, dict):
                there[sa.key] = None
            elif there != sa.key:
                self._at[traffic] = {there: None, sa.key: None}

    def drop(self, sa: SaPair) -> None:
        del self.by_key[sa.key]
        for traffic in _traffic(sa):
            there = self._at[traffic]
            if isinstance(there, dict):
                del there[sa.key]
            if not isinstance(there, dict) or not there:
                del self._at[traffic]

    def at(self, traffic: _Traffic) -> Iterable[SaKey]:
        there = self._at.get(traffic, ())
        return (there,) if isinstance(there, SaKey) else there


class Witness:
    """See the head of this file. ``daemons`` and ``kernels`` are the names of the sources."""

    def __init__(self, daemons: Collection[str], kernels: Collection[str]) -> None:
        self._daemons = frozenset(daemons)
        self._silent = set(daemons)
        """Those that have yet to say anything: nobody knows yet whose the kernels' pairs are."""
        self._blind = set(kernels)
        self._unseen = set(kernels)
        """Those that have never given a snapshot."""
        self._installed = _Pairs()
        self._carried = _Pairs()
        self._missing: dict[SaKey, _Selectors] = {}
        """As told, of daemons' pairs."""
        self._own: dict[SaKey, SaPair] = {}
        """Kernels' pairs, as told."""
        self._waiting: OrderedDict[SaKey, float] = OrderedDict()
        """Until when sources may differ about a pair, in the order of that."""
        self._dirty: OrderedDict[SaKey, None] = OrderedDict()
        """Pairs to look at, of both kinds, the first first."""

    def heard(self, changes: Mapping[SaKey, SaPair | None]) -> Told:
        """Takes pairs that came or changed, or went (None). Returns what can be told of it before ``look``."""
        told = Told()
        for key, sa in changes.items():
            if key.source in self._daemons:
                self._take_installed(key, sa, told)
            else:
                self._take_carried(key, sa, told)
        return told

    def snapshot(self, source: str, sas: Iterable[SaPair], now: float) -> Told:
        """Takes all that a source has. What it comes to is in ``shown``; returns what that changes for the others."""
        pairs = self._installed if source in self._daemons else self._carried
        changes = difference(pairs.by_key, source, sas)
        left = [pairs.by_key[key] for key, sa in changes.items() if sa is None]
        told = self.heard(changes)
        if source in self._daemons:
            at_once = [key for sa in left for key in self._meeting(sa, self._carried)]
            if source in self._silent:
                self._silent.discard(source)
                at_once = [] if self._silent else list(self._carried.by_key)
        else:
            at_once = [key for key in self._carried.by_key if source in self._unseen and key.source == source]
            self._unseen.discard(source)
            if source in self._blind:
                self._blind.discard(source)
                self._dirty.update(dict.fromkeys((*self._installed.by_key, *self._carried.by_key)))
        for key in at_once:
            self._dirty.pop(key, None)
            self._look_at_carried(key, now, told, grace=0.0)
        return Told(told.come, {}, told.gone) if source in self._daemons else Told()

    def lost(self, source: str) -> None:
        """A source cannot see. What it said last stays true."""
        if source in self._silent:
            self._silent.discard(source)
            self._dirty.update(dict.fromkeys(self._carried.by_key))
        elif source not in self._daemons:
            self._blind.add(source)
            self._dirty.update(dict.fromkeys((*self._missing, *self._waiting)))

    def look(self, now: float, at_most: int = sys.maxsize) -> Told:
        """Looks at pairs that something was said of, and those whose time is over; at so many at most."""
        told = Told()
        overdue = itertools.takewhile(lambda one: one[1] <= now, self._waiting.items())
        self._dirty.update(dict.fromkeys(key for key, _ in itertools.islice(overdue, at_most)))
        for _ in range(min(at_most, len(self._dirty))):
            key, _ = self._dirty.popitem(last=False)
            if key.source in self._daemons:
                self._look_at_installed(key, now, told)
            else:
                self._look_at_carried(key, now, told)
        return told

    @property
    def is_behind(self) -> bool:
        """Whether ``look`` has more to look at now."""
        return bool(self._dirty)

    @property
    def due(self) -> float | None:
        """When ``look`` has something to do without another word from anybody."""
        return next(iter(self._waiting.values()), None)

    def shown(self, source: str) -> list[SaPair]:
        """All pairs of a source as they were told last."""
        if source in self._daemons:
            return [self._shown(sa) for key, sa in self._installed.by_key.items() if key.source == source]
        return [sa for key, sa in self._own.items() if key.source == source]

    # What sources say ------------------------------------------------------------------------------------------------

    def _take_installed(self, key: SaKey, sa: SaPair | None, told: Told) -> None:
        before = self._installed.by_key.get(key)
        if before is not None:
            self._installed.drop(before)
            self._dirty.update(dict.fromkeys(self._meeting(before, self._carried)))
        if sa is None:
            self._forget(key)
            if before is not None:
                told.installed[key] = None
            return
        self._installed.put(sa)
        self._dirty.update(dict.fromkeys(self._meeting(sa, self._carried)))
        self._dirty[key] = None
        if key in self._missing:
            self._note_missing(key, _of(sa.remote_ts, self._missing[key]))
        told.installed[key] = self._shown(sa)

    def _take_carried(self, key: SaKey, sa: SaPair | None, told: Told) -> None:
        before = self._carried.by_key.get(key)
        if before is not None:
            self._carried.drop(before)
            self._dirty.update(dict.fromkeys(self._meeting(before, self._installed)))
        if sa is None:
            self._forget(key)
            if self._own.pop(key, None) is not None:
                told.gone[key] = None
            return
        self._carried.put(sa)
        self._dirty.update(dict.fromkeys(self._meeting(sa, self._installed)))
        self._dirty[key] = None

    def _forget(self, key: SaKey) -> None:
        self._missing.pop(key, None)
        self._waiting.pop(key, None)
        self._dirty.pop(key, None)

    # What that comes to ----------------------------------------------------------------------------------------------

    def _look_at_installed(self, key: SaKey, now: float, told: Told) -> None:
        sa, before = self._installed.by_key[key], self._missing.get(key, ())
        found: _Selectors = ()
        if sa.mode in _TUNNELS and not self._blind:
            found = tuple(one for one in sa.remote_ts if not self._is_carried(sa, one))
        missing = self._ripe(key, before, found, now, GRACE)
        if missing != before:
            self._note_missing(key, missing)
            told.installed[key] = self._shown(sa)

    def _look_at_carried(self, key: SaKey, now: float, told: Told, grace: float = GRACE) -> None:
        sa, before = self._carried.by_key[key], self._own.get(key)
        had: _Selectors = () if before is None else before.remote_ts
        found = tuple(one for one in sa.remote_ts if not self._is_installed(sa, one))
        if self._silent or key.source in self._blind:
            found = _of(found, had)
        own = self._ripe(key, had, found, now, grace)
        if not own:
            if self._own.pop(key, None) is not None:
                told.gone[key] = None
            return
        pair = sa if own == sa.remote_ts else replace(sa, remote_ts=own)
        if pair != before:
            self._own[key] = pair
            (told.come if set(had) <= set(own) else told.gone)[key] = pair

    def _ripe(self, key: SaKey, before: _Selectors, found: _Selectors, now: float, grace: float) -> _Selectors:
        """What to tell of a pair now: what sources agree in again at once, what they differ in after a while."""
        if set(found) <= set(before):
            self._waiting.pop(key, None)
            return found
        if not grace or now >= self._waiting.setdefault(key, now + grace):
            self._waiting.pop(key, None)
            return found
        return _of(found, before)

    def _is_carried(self, sa: SaPair, remote: TrafficSelector) -> bool:
        pairs = self._carried.by_key
        there = self._carried.at((_around(remote), sa.if_id, sa.mark))
        return any(_has_local_side(pairs[key], sa, remote.version) for key in there)

    def _is_installed(self, sa: SaPair, remote: TrafficSelector) -> bool:
        pairs = map(self._installed.by_key.__getitem__, self._installed.at((_around(remote), sa.if_id, sa.mark)))
        return any(
            one.peer == sa.peer and one.local == sa.local and _has_local_side(sa, one, remote.version) for one in pairs
        )

    def _meeting(self, sa: SaPair, pairs: _Pairs) -> Iterator[SaKey]:
        """The pairs of the other kind that have to do with this one."""
        return (key for traffic in _traffic(sa) for key in pairs.at(traffic))

    def _note_missing(self, key: SaKey, missing: _Selectors) -> None:
        if missing:
            self._missing[key] = missing
        else:
            self._missing.pop(key, None)

    def _shown(self, sa: SaPair) -> SaPair:
        missing = self._missing.get(sa.key)
        return sa if missing is None else replace(sa, not_in_kernel=missing)


def _traffic(sa: SaPair) -> Collection[_Traffic]:
    """All of a pair's, each once; none where it is no tunnel."""
    if sa.mode not in _TUNNELS:
        return ()
    if len(sa.remote_ts) == 1:
        return ((_around(sa.remote_ts[0]), sa.if_id, sa.mark),)
    return dict.fromkeys((_around(one), sa.if_id, sa.mark) for one in sa.remote_ts)


def _around(selector: TrafficSelector) -> Prefix:
    """The longest prefix that holds all of it: what a daemon makes of it in the kernel."""
    version, start, end = selector.version, selector.start, selector.end
    host_bits = (start ^ end).bit_length()
    return Prefix(version, start >> host_bits << host_bits, _BITS[version] - host_bits)


def _has_local_side(carried: SaPair, installed: SaPair, version: int) -> bool:
    """Whether a kernel's pair takes all local traffic, of an IP version, of a daemon's."""
    ours, theirs = installed.local_ts, carried.local_ts
    if ours == theirs:
        return True
    return {_around(one) for one in ours if one.version == version} <= {_around(one) for one in theirs}


def _of(selectors: _Selectors, those: _Selectors) -> _Selectors:
    return tuple(one for one in selectors if one in those)
