"""The incremental table equals the table from scratch, whatever the policy and the history (rules E6, E7, E8, G1)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from rri_bgp.model import (
    Attributes,
    Destination,
    Mode,
    Owner,
    Path,
    Route,
    SaKey,
    SaPair,
    TrafficSelector,
    VrfPrefix,
)
from rri_bgp.rri import Policy, Rib, Surroundings, routes_from_scratch
from rri_bgp.rri.entries import (
    AllowRule,
    DefaultProxies,
    Group,
    Guard,
    MapEntry,
    NeighborPolicy,
    Overlap,
    PortProxies,
    RemotePeer,
    Special,
    Vrf,
)
from rri_bgp.rri.limits import has_limits
from tests.values import acl, entry, pfx, sa, ts

SELECTORS = (
    "10.1.0.0/16", "10.1.1.0/24", "10.1.0.17..10.1.0.20", "10.2.0.0/16", "10.2.0.0/17", "0.0.0.0/0", "::/0",
    "224.0.0.251/32", "203.0.113.2/32", "192.168.1.0/25", "0.0.0.1..255.255.255.254", "2001:db8:1::/48",
    "2001:db8:1:1::/64", ts("10.1.0.0/16", 6, (443, 443)), ts("10.2.0.0/16", 17), ts("::/0", 6, (22, 22)),
)  # fmt: skip
PEERS = ("203.0.113.2", "203.0.113.3", "2001:db8:ffff::2")
NAMES = ("branch1", "branch2", "rw-1")
SOURCES = ("vici", "xfrm")

LISTS = (
    acl("permit any 10.1.0.0/16", "permit any 10.2.0.0/16 6 443"),
    acl("deny any 10.1.1.0/24", "permit any 10.0.0.0/8", "permit any 2001:db8::/32"),
    acl("deny any 10.2.0.0/17", "permit 192.168.1.0/24 10.2.0.0/16", "permit any any"),
)
GROUPS = (Group("silent", (ip_address("192.0.2.3"),)), Group("worse", (ip_address("2001:db8:100::3"),), 200))
GATEWAY = ip_address("192.0.2.254")
VRFS = (Vrf("red", 10, "65000:1", (1,)), Vrf("blue", 20))

selectors = st.sampled_from(SELECTORS)
sas = st.builds(
    lambda uniqueid, source, remote, peer, connection, mode, since, first, flags, device: sa(
        uniqueid,
        *remote,
        peer=peer,
        connection=connection,
        identity=connection,
        source=source,
        mode=mode,
        since=since,
        first=first,
        is_suspect=flags[0],
        is_held=flags[1],
        if_id=device[0],
        mark=device[1],
    ),
    st.integers(1, 6),
    st.sampled_from(SOURCES),
    st.lists(selectors, max_size=4),
    st.sampled_from(PEERS),
    st.sampled_from(NAMES),
    st.sampled_from((Mode.TUNNEL, Mode.TUNNEL, Mode.TUNNEL, Mode.TRANSPORT)),
    st.integers(0, 3),
    st.integers(0, 3),
    st.tuples(st.booleans(), st.sampled_from((False, False, True))),
    st.tuples(st.sampled_from((0, 0, 0, 5)), st.sampled_from((0, 0, 0, 7))),
)

few = st.one_of(st.none(), st.integers(0, 4))
guards = st.builds(
    lambda allow, lengths, peer, total, special: Guard(allow, lengths, peer, total, frozenset(special)),
    st.sampled_from((None, None, (AllowRule(pfx("10.0.0.0/8"), 8, 24), AllowRule(pfx("::/0"), 0, 128)))),
    st.sampled_from(({}, {}, {4: (16, 32)})),
    few,
    few,
    st.sets(st.sampled_from(Special), max_size=2),
)
entries = st.builds(
    lambda peers, connection, tag, flags, versions, next_hops, choice, overlap, guard, places: entry(
        peers=tuple(peers),
        connection=connection,
        tag=tag,
        reverse_route=flags[0],
        static=flags[1],
        versions=tuple(versions),
        next_hops=next_hops,
        access_list=choice[0],
        allow_default=choice[1],
        port_proxies=choice[2],
        overlap=overlap,
        guard=guard,
        vrf=places[0],
        redundancy=places[1],
        degrade_med=places[2],
        front_vrf=places[3],
        remote_peer=places[4],
        interface="eth0",
        distance=places[5],
        attributes=None if tag is None else Attributes(med=tag),
    ),
    st.lists(st.sampled_from((*PEERS, "hub.example.org")), max_size=2, unique=True),
    st.sampled_from(("*", "*", "branch*", "branch2", "rw-?")),
    st.sampled_from((None, 0, 100)),
    st.tuples(st.sampled_from((True, True, True, False)), st.booleans()),
    st.sampled_from(((4, 6), (4,), (6,))),
    st.sampled_from(("self", "self", None)),
    st.tuples(st.sampled_from((None, None, *LISTS)), st.sampled_from(DefaultProxies), st.sampled_from(PortProxies)),
    st.sampled_from(Overlap),
    guards,
    st.tuples(
        st.sampled_from(("", "", "red", "blue")),
        st.sampled_from(("", "", "silent", "worse")),
        st.sampled_from((None, 150)),
        st.sampled_from(("", "", "blue")),
        st.sampled_from((None, None, RemotePeer(), RemotePeer(GATEWAY), RemotePeer(GATEWAY, gateway=True))),
        st.sampled_from((1, 1, 20)),
    ),
)


def policy_of(
    found: list[MapEntry], max_routes: int | None = None, neighbors: tuple[NeighborPolicy, ...] = ()
) -> Policy:
    """A policy of these entries, each with a name of its own."""
    named = tuple(entry_ if entry_.seq == number else _numbered(entry_, number) for number, entry_ in enumerate(found))
    return Policy(named, {one.name: one for one in GROUPS}, {one.name: one for one in VRFS}, neighbors, max_routes)


def _numbered(one: MapEntry, number: int) -> MapEntry:
    values = {name: getattr(one, name) for name in MapEntry.__slots__}
    return MapEntry(**{**values, "seq": number})


policies = st.builds(
    policy_of,
    st.lists(entries, max_size=4),
    st.one_of(st.none(), st.integers(0, 6)),
    st.sampled_from(((), (NeighborPolicy(ip_address("198.51.100.2")),))),
)
"""Entries, some of which never match: the rank is what counts."""

surroundings = st.builds(
    lambda networks, addresses, neighbors, held, names: Surroundings(
        frozenset(addresses), frozenset(networks), frozenset(neighbors), frozenset(held), names
    ),
    st.sets(st.sampled_from((pfx("192.168.1.0/24"), pfx("10.1.1.0/24"), VrfPrefix("red", pfx("10.2.0.0/16"))))),
    st.sets(st.sampled_from((ip_address("10.2.200.1"), ip_address("2001:db8:1::1")))),
    st.sets(st.sampled_from((ip_address("10.1.200.2"),))),
    st.sets(st.sampled_from(("silent", "worse"))),
    st.sampled_from(({}, {"hub.example.org": (ip_address(PEERS[0]),)}, {"hub.example.org": (ip_address(PEERS[1]),)})),
)

News = list[tuple[SaPair, bool]]
Whole = tuple[str, list[SaPair]]
Step = News | Whole | Policy | Surroundings

updates = st.lists(st.tuples(sas, st.booleans()), max_size=4)
snapshots = st.tuples(st.sampled_from(SOURCES), st.lists(sas, max_size=5))
histories = st.lists(st.one_of(updates, updates, snapshots, policies, surroundings), max_size=10)


@dataclass
class World:
    """What is true, in plain values."""

    policy: Policy
    around: Surroundings = field(default_factory=Surroundings)
    sas: dict[SaKey, SaPair] = field(default_factory=dict)

    def routes(self) -> dict[Destination, Route]:
        return routes_from_scratch(self.policy, self.sas.values(), self.around)


def play(rib: Rib, step: Step, world: World) -> set[Destination]:
    """One step on the table and on what is true."""
    if isinstance(step, Policy):
        world.policy = step
        return rib.take_policy(step)
    if isinstance(step, Surroundings):
        world.around = step
        return rib.take_surroundings(step)
    if isinstance(step, tuple):
        source, found = step
        mine = {one.key: one for one in found if one.key.source == source}
        world.sas = {key: one for key, one in world.sas.items() if key.source != source} | mine
        return rib.snapshot(source, mine.values())
    changes = {one.key: one if is_up else None for one, is_up in step}
    world.sas |= {key: one for key, one in changes.items() if one is not None}
    world.sas = {key: one for key, one in world.sas.items() if changes.get(key, one) is not None}
    return rib.update(changes)


def routes_of(rib: Rib) -> dict[Destination, Route]:
    return {route.destination: route for route in rib.routes()}


def paths_of(rib: Rib) -> dict[Destination, tuple[Path, ...]]:
    return {destination: rib.paths(destination) for destination in rib.destinations()}


@settings(deadline=None)
@given(policies, histories)
def test_e7_incremental_equals_from_scratch_after_each_step(first: Policy, history: Sequence[Step]) -> None:
    rib = Rib(first)
    world = World(first)
    for step in history:
        before, tags = paths_of(rib), entries_of(rib)
        changed = play(rib, step, world)
        after = paths_of(rib)
        assert routes_of(rib) == world.routes()
        other = {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}
        assert changed >= other
        assert all(tags.get(one) != entries_of(rib).get(one) for one in changed - other)
        assert all(rib.path(one) == paths[0] for one, paths in after.items())
        assert set(rib.refusals()) == set(table_anew(world).refusals())


def entries_of(rib: Rib) -> dict[Destination, tuple[str, int | None]]:
    """The entry that has each destination: another one is news too where neighbours are given some of them."""
    found = {}
    for route in rib.routes():
        entry_ = rib.policy.entries[route.claims[0].rank]
        found[route.destination] = (entry_.name, entry_.tag)
    return found


def table_anew(world: World) -> Rib:
    """A table that hears of everything at once."""
    rib = Rib(world.policy, world.around)
    rib.update(dict(world.sas))
    return rib


@settings(deadline=None)
@given(policies, st.lists(sas, max_size=6, unique_by=lambda one: one.key), st.randoms(use_true_random=False))
def test_e7_any_order_ends_in_the_same_routes(rules: Policy, found: list[SaPair], shuffle: random.Random) -> None:
    shuffled = [*found, *found]
    shuffle.shuffle(shuffled)
    rib = Rib(rules)
    for one in shuffled:
        rib.update({one.key: one})
    assert routes_of(rib) == routes_from_scratch(rules, found)


@settings(deadline=None)
@given(policies, histories, snapshots)
def test_e8_one_snapshot_repairs_whatever_was_lost(first: Policy, history: Sequence[Step], last: Whole) -> None:
    rib = Rib(first)
    world = World(first)
    for step in history:
        play(rib, step, world)
    source, found = last
    play(rib, last, world)
    play(rib, ("xfrm" if source == "vici" else "vici", []), world)
    mine = {one.key: one for one in found if one.key.source == source}
    assert routes_of(rib) == routes_from_scratch(world.policy, mine.values(), world.around)


@settings(deadline=None)
@given(policies, surroundings, surroundings, st.lists(sas, max_size=8, unique_by=lambda one: one.key), updates)
def test_g2_surroundings_that_are_taken_in_pieces_end_in_the_same_routes(
    rules: Policy, first: Surroundings, second: Surroundings, found: list[SaPair], news: News
) -> None:
    world = World(rules, first)
    rib = Rib(rules, first)
    play(rib, [(one, True) for one in found], world)
    before = paths_of(rib)
    touch, changed = rib.enter(second)
    world.around = second
    keys = list(world.sas)
    changed |= rib.review(touch, keys[:2])
    changed |= play(rib, news, world)
    changed |= rib.review(touch, keys[2:])
    after = paths_of(rib)
    assert routes_of(rib) == world.routes()
    assert changed >= {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}


@settings(deadline=None)
@given(policies, surroundings, st.lists(sas, max_size=6, unique_by=lambda one: one.key))
def test_g8_a_destination_is_a_route_exactly_when_it_has_an_owner_and_no_refusal(
    rules: Policy, around: Surroundings, found: list[SaPair]
) -> None:
    rib = Rib(rules, around)
    rib.update({one.key: one for one in found})
    owners: list[Owner] = [*(one.key for one in found), *rib.lines()]
    wanted = {(owner, claim.destination) for owner in owners for claim in rib.wanted(owner)}
    refused = {(one.owner, one.destination) for one in rib.refusals()}
    has = {(claim.owner, route.destination) for route in rib.routes() for claim in route.claims}
    assert has == wanted - refused
    assert all(route.claims and route.path == route.claims[0].path for route in rib.routes())
    assert all(route.path not in route.alternates for route in rib.routes())
    for one in found:  # who asked for something has it, or was told why not
        assert rib.wanted(one.key) or rib.refusals_of(one.key) or not one.remote_ts
    assert all(one.reason for one in rib.refusals())


@settings(deadline=None)
@given(policies, surroundings, st.lists(sas, max_size=6, unique_by=lambda one: one.key))
def test_g1_limits_hold(rules: Policy, around: Surroundings, found: list[SaPair]) -> None:
    rib = Rib(rules, around)
    rib.update({one.key: one for one in found})
    assert rules.max_routes is None or len(rib) <= rules.max_routes
    for rank, entry_ in enumerate(rules.entries):
        most = entry_.guard.max_routes
        mine = [route for route in rib.routes() if any(claim.rank == rank for claim in route.claims)]
        assert most is None or len(mine) <= most
    if not has_limits(rules):
        assert not [one for one in rib.refusals() if one.why.label.endswith("-limit")]


@given(st.lists(st.integers(0, (1 << 32) - 1), min_size=2, max_size=2))
def test_e1_a_selector_is_exactly_its_prefixes(ends: list[int]) -> None:
    start, end = sorted(ends)
    at = start
    for prefix in TrafficSelector(4, start, end).prefixes():
        assert prefix.network == at
        assert prefix.network & (prefix.last - prefix.network) == 0
        at = prefix.last + 1
    assert at == end + 1
