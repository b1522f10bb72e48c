"""From an owner to the destinations that it claims, and the refusals it meets (rules E1-E5, E9-E12, E14, N6, G1, G8).

Rules of this file: what an owner wants depends on the policy, the surroundings and that owner alone. What depends on
other owners is elsewhere: limits in ``limits``, who wins a destination in ``rib``. An entry is compiled once, into a
``Recipe``; the usual SA pair, one prefix that is nothing special, then passes without a look at any rule's details.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from rri_bgp.model import (
    Address,
    Claim,
    Destination,
    FlowRule,
    LineKey,
    Mode,
    Owner,
    Prefix,
    Refusal,
    SaPair,
    TrafficSelector,
    VrfPrefix,
)
from rri_bgp.reasons import Reason
from rri_bgp.rri.acl import Permits, static_destinations
from rri_bgp.rri.ages import LINE_AGE, age_of, turn_of
from rri_bgp.rri.entries import AclLine, DefaultProxies, EntryKind, MapEntry, Overlap, Policy, PortProxies
from rri_bgp.rri.fence import Fences
from rri_bgp.rri.guard import EntryGuard, Verdict
from rri_bgp.rri.limits import Asker, asker_of_line
from rri_bgp.rri.match import Matcher
from rri_bgp.rri.paths import Paths
from rri_bgp.rri.surroundings import Surroundings

__all__ = ["MOST_PREFIXES", "Derived", "Deriver", "Recipe", "first_peer"]

MOST_PREFIXES = 1_000
"""An SA pair that asks for more is believed in nothing, unless its entry allows a peer more routes than that.

IKEv2 has room for 255 selectors (RFC 7296 §3.13), each a range of up to 254 prefixes: nobody needs that many, and what
a peer may cost has to be decided before any of it is worked out.
"""


class Derived(NamedTuple):
    """What one owner wants, each destination once, and what it was refused."""

    claims: tuple[Claim, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def first_peer(entry: MapEntry, surroundings: Surroundings) -> Address | None:
    """The peer of a static entry's own routes, the first ``set-peer`` (rule E3).

    None where its name does not resolve. Raises IndexError for an entry without peers.
    """
    peer = entry.peers[0]
    if not isinstance(peer, str):
        return peer
    return next(iter(surroundings.names.get(peer, ())), None)


class _Request:
    """One owner's wishes while they are worked out."""

    __slots__ = ("claims", "is_suspect", "owner", "peer", "refusals", "turn")

    def __init__(self, owner: Owner, peer: Address, turn: int, *, is_suspect: bool = False) -> None:
        self.owner = owner
        self.peer = peer
        self.turn = turn
        self.is_suspect = is_suspect
        self.claims: list[Claim] = []
        self.refusals: list[Refusal] = []

    def refuse(self, destination: Destination | None, why: Reason, *about: object) -> None:
        self.refusals.append(Refusal(self.owner, destination, why, about))

    def derived(self) -> Derived:
        claims = self.claims
        if len(claims) > 1:  # two selectors may ask for the same: the first has it
            claims = list({claim.destination: claim for claim in reversed(claims)}.values())[::-1]
        return Derived(tuple(claims), tuple(self.refusals))


class Recipe:
    """A map entry, ready to be asked: all that does not depend on the SA pair is worked out here."""

    def __init__(
        self, rank: int, policy: Policy, surroundings: Surroundings, fences: Fences, permits: Permits | None
    ) -> None:
        entry = policy.entries[rank]
        self.rank = rank
        self.entry = entry
        self._paths = Paths(entry, policy, surroundings)
        self._guard = EntryGuard(entry, fences.get(entry.vrf, entry.guard.allow_special))
        self._permits = permits
        self._first_peer = first_peer(entry, surroundings) if entry.peers else None
        self.line_asker = asker_of_line(self._first_peer)
        """Who asks for the entry's own static routes."""
        self._degrades = entry.degrade_med is not None
        self._most = max(MOST_PREFIXES, entry.guard.max_routes_per_peer or 0)
        is_plain = self._permits is None and not self._guard.has_bounds and not entry.vrf
        self._plain_paths = self._paths.healthy if is_plain else {}
        """By IP version, of routes that need no more than a look at the fence; empty where all need more."""
        self._sign = 1 if entry.overlap is Overlap.OLDEST else -1
        self._believe_kernel = policy.believe_kernel
        self._refused = self._refuse_all()

    def _refuse_all(self) -> Verdict | None:
        if self.entry.reverse_route is None:
            return Reason.NO_REVERSE_ROUTE, (self.entry.name, self.entry.where)
        if self._paths.silent:
            return Reason.STANDBY, (self.entry.redundancy,)
        return None

    def derive(self, sa: SaPair) -> Derived:
        """What an SA pair of this entry wants: a route per negotiated remote prefix (rules E1, E2)."""
        if self._refused is not None:
            return _refused(sa.key, *self._refused)
        if sa.mode is Mode.TRANSPORT:
            return _refused(sa.key, Reason.TRANSPORT)
        if len(sa.remote_ts) == 1:
            claim = self._plain_claim(sa, sa.remote_ts[0])
            if claim is not None:
                return Derived((claim,))
        if len(sa.remote_ts) > self._most:
            return _refused(sa.key, Reason.SA_TOO_LARGE, (self._most,))
        return self._examine_sa(sa)

    def _plain_claim(self, sa: SaPair, selector: TrafficSelector) -> Claim | None:
        """The claim of the usual SA pair: healthy, one prefix, nothing special. None for one that has to be examined.

        It is what ``_examine_sa`` comes to for it, several times faster.
        """
        path = self._plain_paths.get(selector.version)
        prefix = selector.prefix
        if path is None or prefix is None or not selector.whole:
            return None
        if sa.is_suspect or sa.is_held or sa.not_in_kernel:
            return None
        if not self._guard.is_clear(selector.version, selector.start, selector.end, sa.peer):
            return None
        return Claim(self.rank, self._sign * age_of(sa), sa.key, selector, path, prefix)

    def _examine_sa(self, sa: SaPair) -> Derived:
        is_suspect = sa.is_suspect and self._degrades
        turn = turn_of(age_of(sa), self.entry.overlap, is_suspect=is_suspect, is_held=sa.is_held)
        request = _Request(sa.key, sa.peer, turn, is_suspect=is_suspect)
        lost = sa.not_in_kernel if sa.key.source in self._believe_kernel else ()
        for selector in sa.remote_ts:
            if selector in lost:
                for prefix in selector.prefixes():
                    request.refuse(self._destination(prefix, selector), Reason.NOT_IN_KERNEL)
            else:
                self._examine(request, selector, selector, self._prefixes(request, selector, sa.local_ts))
            if len(request.claims) + len(request.refusals) > self._most:
                return _refused(sa.key, Reason.SA_TOO_LARGE, (self._most,))
        return request.derived()

    def _prefixes(
        self, request: _Request, selector: TrafficSelector, local: tuple[TrafficSelector, ...]
    ) -> tuple[Prefix, ...]:
        """Those of a remote selector that the access list permits (rule E9)."""
        asked = selector.prefixes()
        if self._permits is None:
            return asked
        permitted = self._permits.permitted(selector, local)
        if permitted != asked:
            part = "only a part" if permitted else "nothing"
            request.refuse(None, Reason.ACCESS_LIST, self._permits.acl.name, part, selector)
        return permitted

    def derive_lines(self) -> Iterator[tuple[LineKey, Derived]]:
        """What each permit line of a static entry wants with no SA (rule E3): nothing unless it says ``static``."""
        entry = self.entry
        wants = entry.kind is EntryKind.STATIC and entry.reverse_route is not None and entry.reverse_route.static
        if not wants or entry.access_list is None:
            return
        for line, found in groupby(static_destinations(entry.access_list), key=itemgetter(0)):
            key = LineKey(entry.name, line)
            yield key, self._derive_line(key, entry.access_list.lines[line], [prefix for _, prefix in found])

    def _derive_line(self, key: LineKey, line: AclLine, prefixes: Iterable[Prefix]) -> Derived:
        if self._refused is not None:
            return _refused(key, *self._refused)
        if self._first_peer is None:
            return _refused(key, Reason.UNRESOLVED_PEER, (self.entry.peers[0],))
        request = _Request(key, self._first_peer, turn_of(LINE_AGE, self.entry.overlap))
        for prefix in prefixes:
            selector = TrafficSelector.from_prefix(prefix, line.protocol, line.ports)
            self._examine(request, selector, None, (prefix,))
        return request.derived()

    def _examine(
        self, request: _Request, limits: TrafficSelector, selector: TrafficSelector | None, prefixes: Iterable[Prefix]
    ) -> None:
        """Claims what may be claimed of these prefixes; ``limits`` has their protocol and ports (rule E11)."""
        if not limits.whole and self.entry.port_proxies is PortProxies.SKIP:
            request.refuse(None, Reason.PORTS, limits)
            return
        for prefix in prefixes:
            if prefix.length:
                verdict = self._guard.refuse(prefix, request.peer)
                self._claim(request, limits, selector, prefix, verdict)
                continue
            if self.entry.allow_default is DefaultProxies.SKIP:
                request.refuse(prefix, Reason.DEFAULT)
                continue
            for part in _default_parts(prefix, self.entry.allow_default):
                self._claim(request, limits, selector, part, self._guard.refuse_bounds(part))

    def _claim(
        self,
        request: _Request,
        limits: TrafficSelector,
        selector: TrafficSelector | None,
        prefix: Prefix,
        verdict: Verdict | None,
    ) -> None:
        destination = self._destination(prefix, limits)
        if verdict is not None:
            request.refuse(destination, verdict[0], *verdict[1])
            return
        path = self._paths.get(prefix.version, request.peer, is_suspect=request.is_suspect)
        if path is not None:
            request.claims.append(Claim(self.rank, request.turn, request.owner, selector, path, destination))
        elif self.entry.next_hops is None:
            request.refuse(destination, Reason.PEER_NEXT_HOP, request.peer)
        else:
            request.refuse(destination, Reason.NO_NEXT_HOP, self.entry.name, self.entry.where, prefix.version)

    def _destination(self, prefix: Prefix, limits: TrafficSelector) -> Destination:
        """What a prefix becomes: itself, or in a VRF (rule N6), or a flow (rule E11)."""
        vrf = self.entry.vrf
        if not limits.whole and self.entry.port_proxies is PortProxies.FLOWSPEC:
            return FlowRule(prefix, limits.protocol, limits.ports, vrf)
        return VrfPrefix(vrf, prefix) if vrf else prefix


def _default_parts(prefix: Prefix, setting: DefaultProxies) -> tuple[Prefix, ...]:
    """What 0.0.0.0/0 or ::/0 becomes where it is allowed (rule E10)."""
    if setting is DefaultProxies.ROUTE:
        return (prefix,)
    middle = (prefix.last + 1) >> 1
    return Prefix(prefix.version, 0, 1), Prefix(prefix.version, middle, 1)


def _refused(owner: Owner, why: Reason, about: tuple[object, ...] = ()) -> Derived:
    return Derived((), (Refusal(owner, None, why, about),))


class Deriver:
    """A whole policy in these surroundings: finds an SA pair's entry, and says what it wants."""

    def __init__(self, policy: Policy, surroundings: Surroundings, matcher: Matcher | None = None) -> None:
        """``matcher`` is that of the same policy and names, where there is one already: it is dear to make."""
        self.matcher = matcher or Matcher(policy, surroundings.names)
        fences = Fences(surroundings)
        self.recipes = tuple(
            Recipe(rank, policy, surroundings, fences, permits) for rank, permits in enumerate(self.matcher.permits)
        )
        self._rank = self.matcher.rank

    def derive(self, sa: SaPair) -> Derived:
        """What an SA pair wants; nothing where no entry takes it."""
        rank = self._rank(sa)
        return _refused(sa.key, Reason.NO_ENTRY) if rank is None else self.recipes[rank].derive(sa)

    def derive_lines(self) -> dict[LineKey, tuple[Derived, Asker]]:
        """What the policy's own static routes want, and who asks for them (rule E3)."""
        return {key: (derived, recipe.line_asker) for recipe in self.recipes for key, derived in recipe.derive_lines()}
