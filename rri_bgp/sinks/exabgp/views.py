"""Who is given what: neighbours that are given the same, in the same words, share a view of the table.

Rules of this file: pure. Inside a view a VRF is its route distinguisher, which is what tells VPN routes apart
upstream; in the session of a VRF (rule N10) its routes are plain. So a key of a view's queue is what ExaBGP tells
apart, whatever the policy calls it, before and after it is loaded anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from rri_bgp.model import Destination, FlowRule, Path, Prefix, Route, VrfPrefix, vrf_of
from rri_bgp.rri.entries import NeighborPolicy, Overlap, Policy
from rri_bgp.sinks import Wanted
from rri_bgp.sinks.exabgp.answers import NeighborFamilies
from rri_bgp.sinks.exabgp.commands import Audience
from rri_bgp.sinks.exabgp.forms import Key, Numbered, destination_of, form_of
from rri_bgp.sinks.exabgp.held import HeldRoute
from rri_bgp.sinks.exabgp.holdings import Held, Unknown
from rri_bgp.sinks.exabgp.paths import flow_path, internal_path, path_ids
from rri_bgp.sinks.exabgp.queue import DrainingQueue

__all__ = ["DEAF", "Terms", "View", "divide", "holdings", "inherited"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What makes neighbours differ. See ``NeighborPolicy`` for the first three.

    ``add_path`` are the families in which they take several paths of a destination, empty where the policy has none.
    Where a path prepends, ``asn`` is our AS for neighbours in another, and ``is_internal`` says that they are in ours:
    nothing is prepended for them (RFC 4271 §5.1.2).
    """

    entries: frozenset[int] | None = None
    tags: frozenset[int | None] | None = None
    vrf: str | None = None
    add_path: frozenset[str] = frozenset()
    asn: int = 0
    is_internal: bool = False


def divide(policy: Policy, neighbors: Iterable[NeighborFamilies]) -> dict[Terms, tuple[str, ...]]:
    """The neighbours by their terms. Where nobody is known, everybody is on plain terms."""
    named = {str(one.address): one for one in policy.neighbors}
    prepends = any(entry.attributes.as_path_prepend for entry in policy.entries)
    has_several = any(entry.overlap is Overlap.ECMP for entry in policy.entries)
    found: dict[Terms, list[str]] = {}
    for neighbor in neighbors:
        peer = neighbor.neighbor.peer
        found.setdefault(_terms(named.get(peer), neighbor, prepends, has_several), []).append(peer)
    return {terms: tuple(sorted(peers)) for terms, peers in found.items()} or {Terms(): ()}


def _terms(one: NeighborPolicy | None, neighbor: NeighborFamilies, prepends: bool, has_several: bool) -> Terms:
    return Terms(
        entries=None if one is None else one.entries,
        tags=None if one is None else one.tags,
        vrf=None if one is None else one.vrf,
        add_path=neighbor.add_path if has_several else frozenset(),
        asn=neighbor.local_asn if prepends and neighbor.is_external else 0,
        is_internal=prepends and not neighbor.is_external,
    )


_DEAF_AFTER = 100
"""More than one bad route in each place of a full command can cause (it is halved until each is by itself)."""

DEAF = "ExaBGP has refused all that was for it: does its `api` name this process?"


class View:
    """The table as some neighbours are given it. ``peers`` empty: all there are."""

    def __init__(self, terms: Terms, peers: tuple[str, ...], wanted: Wanted, *, selects: bool) -> None:
        self.terms = terms
        self.peers = peers
        self.refusals = 0
        """How often ExaBGP has refused a command for these neighbours before it took the first."""
        self.is_deaf = False
        """It has refused so many that they may not be ours at all: nothing is sent until something changes."""
        self._wanted = wanted
        self._policy = wanted.policy
        self._vrfs = {vrf.rd: vrf for vrf in self._policy.vrfs.values() if vrf.rd} if terms.vrf is None else {}
        self.labels: Mapping[str, int] = {rd: vrf.label for rd, vrf in self._vrfs.items()}
        self._is_filtered = terms.entries is not None or terms.tags is not None
        self._is_plain = not (self._is_filtered or terms.vrf is not None or terms.add_path or terms.is_internal)
        audience = Audience(peers if selects else (), terms.asn)
        self.queue = DrainingQueue(self.desired, self.labels, audience)

    @property
    def reads_policy(self) -> bool:
        """Whether what is wanted here depends on more of the policy than the RIB."""
        return bool(not self._is_plain or self._policy.vrfs)

    def is_refused(self) -> None:
        """ExaBGP has refused a command; ``is_taken`` has not been called."""
        self.refusals += 1
        self.is_deaf = self.refusals >= _DEAF_AFTER

    def try_again(self) -> None:
        """Something has changed: its neighbours may be ours after all."""
        if self.is_deaf:
            self.is_deaf, self.refusals = False, 0

    # -- names -------------------------------------------------------------------------------------------------------

    def inward(self, destination: Destination) -> Destination | None:
        """What a destination is called here, None where it is none of this view's."""
        if self.terms.vrf is not None:
            return _bare(destination) if vrf_of(destination) == self.terms.vrf else None
        if isinstance(destination, Prefix) or not destination.vrf:
            return destination
        vrf = self._policy.vrfs.get(destination.vrf)
        return destination._replace(vrf=vrf.rd) if vrf is not None and vrf.rd else None

    def inwards(self, destinations: Iterable[Destination]) -> Iterable[Destination]:
        """As ``inward`` for each, without those that are none of this view's."""
        if self.terms.vrf is None and not self._policy.vrfs:
            return destinations
        return [here for here in map(self.inward, destinations) if here is not None]

    def outward(self, destination: Destination) -> Destination | None:
        """What the policy calls it, None where it has no such VRF."""
        if self.terms.vrf is not None:
            return _in_vrf(destination, self.terms.vrf) if not vrf_of(destination) else None
        if isinstance(destination, Prefix) or not destination.vrf:
            return destination
        vrf = self._vrfs.get(destination.vrf)
        return None if vrf is None else destination._replace(vrf=vrf.name)

    # -- what is wanted ----------------------------------------------------------------------------------------------

    def desired(self, here: Destination) -> Path | Mapping[int, Path] | None:
        """See ``queue.Desired``."""
        if self._is_plain and isinstance(here, Prefix):
            return self._wanted.path(here)
        destination = self.outward(here)
        if destination is None:
            return None
        if not self._is_plain:
            route = self._wanted.route(destination)
            if route is None or (self._is_filtered and self._withheld(route)):
                return None
            if self.terms.add_path and self._takes_several(here, route):
                return path_ids(map(self._as_sent, self._wanted.paths(destination)))
        path = self._wanted.path(destination)
        if path is None:
            return None
        return flow_path(path) if isinstance(here, FlowRule) else self._as_sent(path)

    def _as_sent(self, path: Path) -> Path:
        return internal_path(path) if self.terms.is_internal else path

    def _takes_several(self, here: Destination, route: Route) -> bool:
        """Also where there is one now: the others come and go, and this one keeps its number."""
        if isinstance(here, FlowRule) or form_of(here).family not in self.terms.add_path:
            return False
        return self._wanted.policy.entries[route.claims[0].rank].overlap is Overlap.ECMP

    def _withheld(self, route: Route) -> str:
        """Why the policy for these neighbours keeps a route from them, empty where it does not."""
        rank = route.claims[0].rank
        entry = self._wanted.policy.entries[rank]
        if self.terms.entries is not None and rank not in self.terms.entries:
            return f"it is not given routes of entry {entry.name}"
        if self.terms.tags is not None and entry.tag not in self.terms.tags:
            return f"it is not given routes {'without a tag' if entry.tag is None else f'of tag {entry.tag}'}"
        return ""

    def why_not(self, destination: Destination) -> str:
        """Why a destination is none of these neighbours', empty where it is."""
        here = self.inward(destination)
        if here is None:
            if self.terms.vrf is not None:
                return f"it is given the routes of VRF {self.terms.vrf} only"
            return f"VRF {vrf_of(destination)} has no rd: its routes go to sessions of their own only"
        route = self._wanted.route(destination) if self._is_filtered else None
        return "" if route is None else self._withheld(route)

    # -- what ExaBGP has ---------------------------------------------------------------------------------------------

    def adopt(self, held: Mapping[Key, Held], labels: Mapping[Key, int], *, moves: bool = False) -> None:
        """What these neighbours have, and the labels of its VPN routes."""
        self.queue.adopt(held, self._outdated(held, labels), moves=moves)

    def _outdated(self, held: Mapping[Key, Held], labels: Mapping[Key, int]) -> set[Key]:
        """What a mere announcement would not end.

        A label is no part of what ExaBGP compares, so another label alone is never sent. And a path with an identifier
        in a session without add-path is the prefix itself: to withdraw it withdraws the other paths with it.
        """
        found: set[Key] = set()
        for key in held:
            if isinstance(key, Prefix):
                continue
            destination = destination_of(key)
            if isinstance(key, Numbered) and form_of(key).family not in self.terms.add_path:
                found.update(one for one in (key, destination) if one in held)
            if isinstance(destination, VrfPrefix) and self._has_another_label(destination, labels.get(key)):
                found.add(key)
        return found

    def _has_another_label(self, here: VrfPrefix, label: int | None) -> bool:
        return label is not None and self.labels.get(here.vrf, label) != label

    def held(self, route: HeldRoute | None) -> Held | None:
        """What a route is for these neighbours: all but one of our AS in its AS path are prepended ones."""
        if route is None:
            return None
        if route.path is None or not route.as_path:
            return route.path or Unknown.PATH
        prepend = len(route.as_path) - 1
        if set(route.as_path) != {self.terms.asn} or not prepend:
            return Unknown.PATH
        return Path(route.path.next_hop, replace(route.path.attributes, as_path_prepend=prepend))


def inherited(views: Collection[View], peers: Collection[str]) -> tuple[dict[Key, Held], dict[Key, int]]:
    """What some neighbours have, as the views that they were in know it, and the labels of its VPN routes.

    What not all of them have is unknown: it goes to all once more.
    """
    before = [view for view in views if not peers or not view.peers or not set(peers).isdisjoint(view.peers)]
    if len(before) == 1:
        found = dict(before[0].queue.held)
    else:
        tables = [view.queue.held for view in before]
        found = {key: _common(table.get(key) for table in tables) for table in tables for key in table}
    labels = {
        key: view.labels[rd]
        for view in before
        if view.labels
        for key in view.queue.held
        if (rd := vrf_of(destination_of(key))) in view.labels
    }
    return found, labels


def holdings(
    view: View, tables: Mapping[str, Mapping[Key, HeldRoute]], neighbors: Mapping[str, NeighborFamilies]
) -> tuple[dict[Key, Held], dict[Key, int]]:
    """What ExaBGP says that it has for a view's neighbours, and the labels of its VPN routes.

    A path that not every neighbour of the family has goes to all once more.
    """
    found: dict[Key, Held] = {}
    labels: dict[Key, int] = {}
    takers: dict[str, list[str]] = {}
    for key, route in {key: route for table in tables.values() for key, route in table.items()}.items():
        family = form_of(key).family
        if family not in takers:
            takers[family] = [peer for peer in view.peers if family in neighbors[peer].families] or list(tables)
        found[key] = _common(view.held(tables.get(peer, {}).get(key)) for peer in takers[family])
        if not isinstance(key, Prefix):
            labels[key] = route.label
    return found, labels


def _common(paths: Iterable[Held | None]) -> Held:
    found = set(paths)
    only = found.pop()
    return Unknown.PATH if found or only is None else only


def _bare(destination: Destination) -> Destination:
    if isinstance(destination, VrfPrefix):
        return destination.prefix
    return destination._replace(vrf="") if isinstance(destination, FlowRule) else destination


def _in_vrf(destination: Destination, vrf: str) -> Destination:
    if isinstance(destination, Prefix):
        return VrfPrefix(vrf, destination) if vrf else destination
    return destination._replace(vrf=vrf)
