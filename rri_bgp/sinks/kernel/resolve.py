"""Where routes lead now: from a hop of the policy's to gateway and device (rule N5).

Rules of this file: no I/O of its own; the kernel is asked for what leads to an address, once for each *target*, and
again when what leads there may have changed. An answer that is a route of our own must not be used: a proxy that covers
its own peer (``allow-default: halves``) would lead the tunnel into itself. Then others' routes decide, by longest
match; where the policy has a route to the peer itself (rules N2, N4) that one does, as the policy means it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from rri_bgp.model import Address, Prefix
from rri_bgp.rri.kernel import Gateway, Hop, IfId, Interface, Mark, Peer
from rri_bgp.sinks.kernel.devices import Devices
from rri_bgp.sinks.kernel.kernel import MAIN, Kernel, Question, Refusal, Spot
from rri_bgp.sinks.kernel.mirror import Foreign, Mirror
from rri_bgp.sinks.kernel.wire import UNICAST, LinkNews, Nexthop, RouteNews, Via, via_of

__all__ = ["Lead", "Leads", "Resolver", "Target", "Way", "via_for"]

_PIECE = 128
"""Leads that are asked for at once: a millisecond or two."""

_LOCAL, _BLACKHOLE, _UNREACHABLE, _PROHIBIT = 2, 6, 7, 8
_KINDS = {_BLACKHOLE: "a blackhole", _UNREACHABLE: "unreachable", _PROHIBIT: "prohibited"}


class Target(NamedTuple):
    """What a route leads to: a hop, and the front VRF where that is looked for; ``peer`` where the hop has no address
    itself."""

    hop: Hop
    vrf: str
    peer: Address | None = None


class Way(NamedTuple):
    """How a target is reached now. None at all, and ``why``, where it is not.

    A neighbour that no gateway leads to is the gateway itself.
    """

    hops: Via = ()
    why: str = ""


def via_for(prefix: Prefix, ways: Sequence[Way], *, crosses: bool) -> Via:
    """What a route to ``prefix`` over these ways has; nothing where no way leads anywhere.

    ``crosses``: its table is another VRF's than the ways are in, so the kernel has to be told that gateways are
    neighbours. IPv4 over an IPv6 gateway is RTA_VIA; IPv6 over an IPv4 one has the device alone: the SA carries it.
    """
    if len(ways) == 1 and not crosses and len(ways[0].hops) == 1:
        gateway, _, _ = hop = ways[0].hops[0]
        if gateway is None or (gateway.version == prefix.version and int(gateway) != prefix.network):
            return ways[0].hops
        return (_fitted(prefix, hop, crosses=False),)
    found = via_of(_fitted(prefix, hop, crosses=crosses) for way in ways for hop in way.hops)
    if prefix.version == 4 or len(found) < 2:
        return found
    # Linux has no IPv6 route with several ways of which one lacks a gateway (net/ipv6: rt6_qualify_for_ecmp).
    return tuple(hop for hop in found if hop.gateway is not None) or found[:1]


def _fitted(prefix: Prefix, hop: Nexthop, *, crosses: bool) -> Nexthop:
    gateway, device, _ = hop
    if gateway is None or (prefix.version == 6 and gateway.version == 4):
        return Nexthop(None, device)
    if gateway.version == prefix.version and prefix == Prefix(prefix.version, int(gateway), gateway.max_prefixlen):
        return Nexthop(None, device)  # a neighbour is not the gateway to itself
    return Nexthop(gateway, device, onlink=crosses or hop.onlink)


class Lead:
    """A target, how it is reached now, and the spots whose routes lead to it. There is one for each target in use."""

    __slots__ = ("near", "target", "users", "way")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.near = _near(target)
        self.way: Way | None = None
        """None before it has been asked for."""
        self.users: dict[Spot, None] = {}


Leads = tuple[Lead, ...]


class Resolver:
    """See the head of this file.

    ``tables`` are the policy's VRFs by name. ``redirected`` says where the policy's own route to a peer points, None
    where it has none.
    """

    def __init__(
        self, kernel: Kernel, devices: Devices, mirror: Mirror, redirected: Callable[[str, Address], Hop | None]
    ) -> None:
        self.tables: Mapping[str, int] = {}
        self._kernel = kernel
        self._devices = devices
        self._mirror = mirror
        self._redirected = redirected
        self._leads: dict[Target, Lead] = {}
        self._used: dict[Spot, Leads] = {}
        self._alike: dict[Via, Way] = {}
        """One object for all leads that are reached in the same way: few ways are compared often."""
        self._near: Counter[Prefix] = Counter()
        """How many addresses are asked for, by the network of ``_near`` that they are in."""

    # -- who uses what -----------------------------------------------------------------------------------------------

    def use(self, spot: Spot, targets: Sequence[Target]) -> Leads:
        """The route of this spot leads to these; to none where it is not wanted any more. ``resolve`` follows."""
        leads = tuple([self._leads.get(target) or self._new(target) for target in targets])
        before = self._used.get(spot, ())
        if before != leads:
            for lead in before:
                if lead not in leads:
                    self._forget(spot, lead)
            for lead in leads:
                lead.users[spot] = None
            if leads:
                self._used[spot] = leads
            else:
                del self._used[spot]
        return leads

    def _new(self, target: Target) -> Lead:
        lead = self._leads[target] = Lead(target)
        if lead.near is not None:
            self._near[lead.near] += 1
        return lead

    def _forget(self, spot: Spot, lead: Lead) -> None:
        del lead.users[spot]
        if not lead.users:
            del self._leads[lead.target]
            if lead.near is not None:
                self._near[lead.near] -= 1

    def resolve(self, leads: Iterable[Lead]) -> None:
        """Finds the ways to those of them that are not known yet."""
        unknown = list(dict.fromkeys(lead for lead in leads if lead.way is None))
        for lead, way in zip(unknown, self._find(unknown), strict=True):
            lead.way = way

    def is_used(self, spot: Spot) -> bool:
        """Whether a route is wanted there."""
        return spot in self._used

    # -- when to ask again -------------------------------------------------------------------------------------------

    def concerns(self, prefix: Prefix) -> bool:
        """Whether a route to ``prefix`` that came or went may matter to any target."""
        length = _NEAR[prefix.version]
        if prefix.length < length:
            return bool(self._leads)
        host = (32 if prefix.version == 4 else 128) - length
        return self._near[Prefix(prefix.version, prefix.network >> host << host, length)] > 0

    def again(self) -> Iterator[list[Spot]]:
        """Asks for all of them anew, in pieces. Yields the spots whose way is another one now."""
        self._alike.clear()
        leads = iter(list(self._leads.values()))
        while piece := list(islice(leads, _PIECE)):
            yield self._refresh(piece)

    def peer_moved(self, vrf: str, address: Address) -> list[Spot]:
        """The policy's own route to a peer came, went or changed. Returns the spots whose way is another one now."""
        lead = self._leads.get(Target(Peer(address), vrf))
        return [] if lead is None else self._refresh([lead])

    def _refresh(self, leads: Sequence[Lead]) -> list[Spot]:
        changed: list[Spot] = []
        for lead, way in zip(leads, self._find(leads), strict=True):
            if lead.way != way:
                lead.way = way
                changed += lead.users
        return changed

    # -- what leads where --------------------------------------------------------------------------------------------

    def _find(self, leads: Sequence[Lead]) -> list[Way]:
        """The ways to all of these; the kernel is asked once."""
        plans = [self._plan(lead.target) for lead in leads]
        questions = [plan for plan in plans if isinstance(plan, _Lookup)]
        answers = iter(self._kernel.ask([plan.question for plan in questions]) if questions else ())
        return [self._way(plan, next(answers)) if isinstance(plan, _Lookup) else plan for plan in plans]

    def _plan(self, target: Target) -> Way | _Lookup:
        """What to ask for a target, or the way to it where nobody need be asked."""
        hop, vrf, peer = target
        match hop:
            case Peer(address):
                pointed = self._redirected(vrf, address)
                return self._lookup(address, vrf) if pointed is None else self._plan(Target(pointed, vrf, address))
            case Mark(number, address):
                link = self._devices.of_mark(number)
                return self._plan(Target(Peer(address), vrf)) if link is None else self._into(link)
            case IfId(number):
                link = self._devices.of_if_id(number)
                return Way(why=f"there is no xfrm interface of if_id {number}") if link is None else self._into(link)
            case Gateway(address):
                return self._lookup(address, vrf)
            case Interface(name) if name and peer is not None:
                link = self._devices.named(name)
                if link is None or not link.is_up:
                    return Way(why=f"there is no interface {name}" if link is None else f"the interface {name} is down")
                return _Lookup(Question(peer, link.link), vrf, link.link)
        return Way(why="nobody says who the peer is") if peer is None else self._lookup(peer, vrf)

    @staticmethod
    def _into(link: LinkNews) -> Way:
        return Way((Nexthop(None, link.link),)) if link.is_up else Way(why=f"the interface {link.name} is down")

    def _lookup(self, address: Address, vrf: str) -> Way | _Lookup:
        if not vrf:
            return _Lookup(Question(address), "", 0)
        link = self._devices.of_vrf(self.tables.get(vrf, 0))
        if link is None:
            return Way(why=f"there is no VRF device for table {self.tables.get(vrf, 0)}, the one of {vrf}")
        return _Lookup(Question(address, link.link), vrf, 0)

    def _way(self, plan: _Lookup, answer: RouteNews | Refusal) -> Way:
        (address, _), vrf, device = plan
        found: Foreign | None = None
        if isinstance(answer, Refusal):
            if device:  # no route through it: the peer is on the link then
                return Way((Nexthop(address, device),))
            return Way(why=f"{_no_route(address, vrf)}: {answer.text or os.strerror(answer.errno)}")
        if answer.protocol == self._mirror.protocol:
            found = self._mirror.longest(answer.place.table, address, device)
            if found is None and not vrf and answer.place.table != MAIN:
                found = self._mirror.longest(MAIN, address, device)
            if found is None:
                if device:
                    return Way((Nexthop(address, device),))
                return Way(why=f"{_no_route(address, vrf)} but ours")
        kind, via = (answer.kind, answer.via) if found is None else (found.kind, found.via)
        return self._checked(address, vrf, kind, via, device)

    def _checked(self, address: Address, vrf: str, kind: int, via: Via, device: int) -> Way:
        if kind == _LOCAL:
            return Way(why=f"{address} is an address of this machine")
        if kind != UNICAST:
            return Way(why=f"{_no_route(address, vrf)}: it is {_KINDS.get(kind, 'no unicast')}")
        if device:
            via = tuple(way for way in via if way.device == device)
        hops = [
            Nexthop(way.gateway or address, way.device, way.onlink)
            for way in via
            if (link := self._devices.get(way.device)) is not None and link.is_up
        ]
        if hops:
            found = via_of(hops)
            return self._alike.setdefault(found, Way(found))
        names = ", ".join(self._devices.name(way.device) for way in via)
        return Way(why=f"{names} is down, and {address} is behind it")


class _Lookup(NamedTuple):
    """``device`` is the one that the way must leave by, 0 for any."""

    question: Question
    vrf: str
    device: int


_NEAR = {4: 16, 6: 32}
"""Prefix lengths: so near to an address that was asked for must a more specific route be to matter."""


def _near(target: Target) -> Prefix | None:
    match target.hop:
        case Peer(address) | Gateway(address) | Mark(_, address):
            pass
        case _:
            if target.peer is None:
                return None
            address = target.peer
    length, bits = _NEAR[address.version], address.max_prefixlen
    return Prefix(address.version, int(address) >> (bits - length) << (bits - length), length)


def _no_route(address: Address, vrf: str) -> str:
    return f"no route leads to {address}" + (f" in VRF {vrf}" if vrf else "")
