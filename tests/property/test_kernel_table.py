"""The kernel table, place by place, is what the plain form says, and misses no change of a route (N1-N7, E6, E13)."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rri_bgp.changeover import Changeover, Reviews
from rri_bgp.model import Destination, FlowRule, SaKey, SaPair
from rri_bgp.rri import Policy, Rib, Surroundings
from rri_bgp.rri.entries import Guard, Overlap, RemotePeer, Special
from rri_bgp.rri.kernel import Hop, KernelKey, KernelRoute, KernelTable, destination_of, intended, key_of, peer_routes
from tests.property.test_rib import (
    GATEWAY,
    PEERS,
    News,
    Step,
    World,
    play,
    policies,
    policy_of,
    sas,
    snapshots,
    surroundings,
    updates,
)
from tests.values import acl, entry, sa

REMOTE_PEERS = (None, RemotePeer(), RemotePeer(), RemotePeer(GATEWAY), RemotePeer(GATEWAY, gateway=True))
FEW = ("10.1.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "203.0.113.2/32", "2001:db8:1::/48")

peers = st.sampled_from(PEERS)
devices = {"if_id": st.sampled_from((0, 0, 5)), "mark": st.sampled_from((0, 0, 7))}
pairs = st.builds(
    lambda uniqueid, remote, peer, **more: sa(uniqueid, *remote, peer=peer, **more),
    st.integers(1, 5),
    st.lists(st.sampled_from(FEW), min_size=1, max_size=2),
    peers,
    connection=st.sampled_from(("branch1", "branch2")),
    since=st.integers(0, 2),
    **devices,
)
"""SA pairs that mostly have a route, many of them the same."""
plain_entries = st.builds(
    entry,
    peers=st.sampled_from(((), (), ("hub.example.org",), PEERS)),
    static=st.booleans(),
    access_list=st.sampled_from((None, acl("permit any 10.0.0.0/8"), acl("permit any 10.1.0.0/16"))),
    connection=st.sampled_from(("*", "branch1")),
    remote_peer=st.sampled_from(REMOTE_PEERS),
    interface=st.sampled_from(("eth0", "eth1")),
    distance=st.sampled_from((1, 20)),
    overlap=st.sampled_from(Overlap),
    guard=st.sampled_from((None, None, Guard(allow_special=frozenset(Special)), Guard(max_routes=1))),
    vrf=st.sampled_from(("", "", "red")),
    front_vrf=st.sampled_from(("", "", "blue")),
)
rules = st.one_of(policies, st.lists(plain_entries, min_size=1, max_size=3).map(policy_of))
"""Policies of all kinds, half of which let most through."""
moves = st.builds(
    lambda number, **how: (number, how),
    st.integers(0, 5),
    peer=peers.map(ip_address),
    is_suspect=st.sampled_from((False, False, True)),
    is_held=st.sampled_from((False, False, True)),
    **devices,
)
"""Which of the SA pairs that are there is otherwise from now on, and how."""
Move = tuple[int, dict[str, Any]]
several = st.lists(st.one_of(pairs, pairs, sas), min_size=2, max_size=6, unique_by=lambda one: one.key)
news = st.lists(st.tuples(pairs, st.booleans()), max_size=3)
Changed = AbstractSet[Destination]
Meant = dict[KernelKey, tuple[tuple[Hop, ...], int]]


def routes_of(rib: Rib) -> dict[KernelKey, KernelRoute]:
    return {KernelKey(one.vrf, one.prefix): one for one in intended(rib)}


def meant(rib: Rib) -> Meant:
    """Where each route leads, and its distance."""
    return {key: (one.hops, one.distance) for key, one in routes_of(rib).items()}


def agrees(table: KernelTable, rib: Rib, before: Meant, changed: Changed | None = frozenset()) -> Meant:
    """What is meant now. The table has to say the same, and to have named all that is something else than before.

    ``changed`` is what a change has returned, None for another policy.
    """
    touched = rib.take_touched()
    assert touched >= (changed or set())
    told: set[KernelKey] = set()
    if changed is None:
        table.take_policy()
        for destination in list(rib.destinations()):
            assert all(map(table.bearing, table.keys())), "also meanwhile"
            told |= table.changed([destination])
    told |= table.changed(touched)
    after = meant(rib)
    keys = list(table.keys())
    assert len(keys) == len(set(keys))
    assert {key: table.route(key) for key in keys} == routes_of(rib)
    for key, route in routes_of(rib).items():
        bearing = table.bearing(key)
        assert bearing is not None
        assert (bearing.distance, bearing.hops) == (route.distance, route.hops)
        assert bearing.is_to_peer is ((route.vrf, route.prefix) in {(one.vrf, one.prefix) for one in peer_routes(rib)})
    assert told >= {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert all(table.route(key) is None and table.bearing(key) is None for key in told - after.keys())
    return after


def moved(move: Move, world: World) -> News:
    """The news that a move is."""
    number, how = move
    there = list(world.sas.values())
    return [(replace(there[number % len(there)], **how), True)] if there else []


def followed(policy: Policy, around: Surroundings | None = None) -> tuple[Rib, KernelTable, Meant]:
    rib = Rib(policy, around)
    rib.track()
    table = KernelTable(rib)
    assert table.changed(rib.destinations()) == set(meant(rib))
    return rib, table, meant(rib)


@settings(deadline=None)
@given(rules, several, st.lists(st.one_of(moves, moves, news, updates, snapshots, rules, surroundings), max_size=10))
def test_n1_n6_e7_place_by_place_it_is_what_is_meant_after_each_step(
    first: Policy, found: list[SaPair], history: Sequence[Step | Move]
) -> None:
    rib, table, now = followed(first)
    world = World(first)
    for one in [[(one, True) for one in found], *history]:
        step = moved(one, world) if isinstance(one, tuple) and isinstance(one[0], int) else one
        changed = play(rib, step, world)
        now = agrees(table, rib, now, None if isinstance(step, Policy) else changed)
        assert rib.take_touched() == set()
        if isinstance(step, tuple | Surroundings):  # it says how things are, and says so once more
            play(rib, step, world)
            assert rib.take_touched() == set()


@settings(deadline=None)
@given(rules, surroundings, several, news, surroundings)
def test_n5_what_is_taken_in_pieces_is_told_in_pieces(
    policy: Policy, around: Surroundings, found: list[SaPair], changes: News, then: Surroundings
) -> None:
    rib, table, now = followed(policy, around)
    rib.update({one.key: one for one in found})
    now = agrees(table, rib, now)
    reviews = Reviews(rib)
    reviews.enter(then)
    now = agrees(table, rib, now)
    rib.update({one.key: one if is_up else None for one, is_up in changes})
    while reviews:
        now = agrees(table, rib, now)
        reviews.step(1)
    agrees(table, rib, now)


@settings(deadline=None)
@given(rules, rules, several, news)
def test_e4_another_policy_is_another_table(first: Policy, second: Policy, found: list[SaPair], changes: News) -> None:
    rib, table, now = followed(first)
    rib.update({one.key: one for one in found})
    now = agrees(table, rib, now)
    changeover = Changeover(rib, second)
    while changeover.step(1):
        pass
    changeover.finish({one.key: one if is_up else None for one, is_up in changes})
    now = agrees(table, rib, now, None)
    rib.update({one.key: None for one in found})
    agrees(table, rib, now)


@settings(deadline=None)
@given(rules, surroundings, several)
def test_e6_a_rekey_touches_nothing(policy: Policy, around: Surroundings, found: list[SaPair]) -> None:
    rib, table, now = followed(policy, around)
    rib.update({one.key: one for one in found})
    now = agrees(table, rib, now)
    for one in found:
        new = replace(one, key=SaKey(one.key.source, one.key.uniqueid + 100), first=one.first or one.key.uniqueid)
        rib.update({new.key: new})
        assert rib.take_touched() == set()
        rib.update({one.key: None})
        assert rib.take_touched() == set()
        assert meant(rib) == now
        assert set(table.keys()) == now.keys()


@settings(deadline=None)
@given(rules, surroundings, several)
def test_n2_each_prefix_is_one_route_in_its_vrf(policy: Policy, around: Surroundings, found: list[SaPair]) -> None:
    rib = Rib(policy, around)
    rib.update({one.key: one for one in found})
    routes = list(intended(rib))
    places = {KernelKey(route.vrf, route.prefix) for route in routes}
    assert len(places) == len(routes)
    assert all(route.hops and route.owners for route in routes)
    proxies: set[Destination] = {one for one in rib.destinations() if not isinstance(one, FlowRule)}
    peers = {route for route in routes if route.rules[0] in {"N2", "N4"} and route.prefix.length in {32, 128}}
    assert {destination_of(place) for place in places} >= proxies
    assert places - {KernelKey(one.vrf, one.prefix) for one in peers} <= {key_of(one) for one in proxies}
