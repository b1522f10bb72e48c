"""The incremental table equals the table from scratch, whatever the history (rules E6, E7, E8)."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.model import Mode, Path, Prefix, SaKey, SaPair
from rri_bgp.rri import MapEntry, Policy, Rib, routes_from_scratch
from tests.values import entry, sa

SELECTORS = (
    "10.1.0.0/16", "10.1.1.0/24", "10.1.0.17..10.1.0.20", "10.2.0.0/16", "0.0.0.0/0", "224.0.0.251/32",
    "203.0.113.2/32", "2001:db8:1::/48", "2001:db8:1:1::/64",
)  # fmt: skip
PEERS = ("203.0.113.2", "203.0.113.3", "2001:db8:ffff::2")
NAMES = ("branch1", "branch2", "rw-1")

sas = st.builds(
    lambda uniqueid, source, remote, peer, connection, mode: sa(
        uniqueid, *remote, peer=peer, connection=connection, source=source, mode=mode
    ),
    st.integers(1, 6),
    st.sampled_from(("vici", "xfrm")),
    st.lists(st.sampled_from(SELECTORS), max_size=3),
    st.sampled_from(PEERS),
    st.sampled_from(NAMES),
    st.sampled_from((Mode.TUNNEL, Mode.TUNNEL, Mode.TRANSPORT)),
)

entries = st.builds(
    lambda peers, connection, tag, reverse_route, versions: entry(
        peers=tuple(peers), connection=connection, tag=tag, reverse_route=reverse_route, versions=tuple(versions)
    ),
    st.lists(st.sampled_from(PEERS), max_size=2, unique=True),
    st.sampled_from(("*", "branch*", "branch2", "rw-?")),
    st.sampled_from((None, 0, 100, 70000)),
    st.sampled_from((True, True, True, False)),
    st.sampled_from(((4, 6), (4,), (6,))),
)

policies = st.lists(entries, max_size=4).map(lambda found: Policy(tuple(found)))
"""Entries, some of which never match: the rank is what counts."""

updates = st.lists(st.tuples(sas, st.booleans()), max_size=4)
snapshots = st.tuples(st.sampled_from(("vici", "xfrm")), st.lists(sas, max_size=5))
histories = st.lists(st.one_of(updates, snapshots), max_size=12)


def play(rib: Rib, step: object, world: dict[SaKey, SaPair]) -> set[Prefix]:
    """One step on the table and on a plain dictionary of what is true."""
    if isinstance(step, tuple):
        source, found = step
        mine = {one.key: one for one in found if one.key.source == source}
        for key in [key for key in world if key.source == source]:
            del world[key]
        world.update(mine)
        return rib.snapshot(source, mine.values())
    assert isinstance(step, list)
    changes = {one.key: one if is_up else None for one, is_up in step}
    for key, change in changes.items():
        world.pop(key, None)
        if change is not None:
            world[key] = change
    return rib.update(changes)


def paths(rib: Rib) -> dict[Prefix, Path]:
    return {route.prefix: route.path for route in rib.routes()}


@given(policies, histories)
def test_e7_incremental_equals_from_scratch_after_each_step(policy: Policy, history: Sequence[object]) -> None:
    rib = Rib(policy)
    world: dict[SaKey, SaPair] = {}
    for step in history:
        before = paths(rib)
        changed = play(rib, step, world)
        after = paths(rib)
        assert {route.prefix: route for route in rib.routes()} == routes_from_scratch(policy, world.values())
        assert changed == {prefix for prefix in before.keys() | after.keys() if before.get(prefix) != after.get(prefix)}
        assert all(rib.path(prefix) == path for prefix, path in after.items())


@given(policies, st.lists(sas, max_size=6, unique_by=lambda one: one.key), st.randoms(use_true_random=False))
def test_e7_any_order_ends_in_the_same_routes(policy: Policy, found: list[SaPair], random: object) -> None:
    expected = routes_from_scratch(policy, found)
    shuffled = [*found, *found]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's random.Random
    rib = Rib(policy)
    for one in shuffled:
        rib.update({one.key: one})
    assert {route.prefix: route for route in rib.routes()} == expected


@given(policies, histories, snapshots)
def test_e8_one_snapshot_repairs_whatever_was_lost(
    policy: Policy, history: Sequence[object], last: tuple[str, list[SaPair]]
) -> None:
    rib = Rib(policy)
    for step in history:
        play(rib, step, {})
    source, found = last
    mine = {one.key: one for one in found if one.key.source == source}
    other = "xfrm" if source == "vici" else "vici"
    rib.snapshot(source, mine.values())
    rib.snapshot(other, [])
    assert {route.prefix: route for route in rib.routes()} == routes_from_scratch(policy, mine.values())


@given(policies, st.lists(sas, max_size=6, unique_by=lambda one: one.key))
def test_a_prefix_is_a_route_exactly_when_it_has_an_owner(policy: Policy, found: list[SaPair]) -> None:
    routes = routes_from_scratch(policy, found)
    assert all(route.claims for route in routes.values())
    for prefix, route in routes.items():
        entry_: MapEntry = policy.entries[min(claim.rank for claim in route.claims)]
        assert route.path == entry_.paths[prefix.version]
