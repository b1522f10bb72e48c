"""Lines of SA pairs: what continues what, and how old it is (rules E6, E13), and what is told of it (E7, E8)."""

from __future__ import annotations

from dataclasses import replace

from rri_bgp.model import SaKey
from rri_bgp.rri.tunnels import Tunnels
from tests.unit.rri.clockwork import World, gone, told
from tests.values import entry, policy, sa

PLAIN = policy()
DEGRADES = policy(entry(degrade_med=500))


def test_e7_what_the_sources_say_is_what_counts_and_is_told_once() -> None:
    world = World(PLAIN)
    one = sa(1, "10.1.0.0/16", since=100)
    assert world.say(one) == told(one)
    assert world.say(one) == {}
    assert world.counts[one.key] is one
    assert world.tunnels.sa(one.key) is one
    changed = replace(one, state="REKEYING")
    assert world.say(changed) == told(changed)
    assert world.say(gone=(1, 9)) == gone(1)
    assert (world.say(gone=(1,)), world.due(), world.tunnels.sa(one.key)) == ({}, None, None)


def test_e8_the_difference_to_a_snapshot_is_of_what_was_told() -> None:
    world = World(DEGRADES)
    one, two, three = sa(1, "10.1.0.0/16", is_suspect=True), sa(2, "10.2.0.0/16"), sa(3, "10.3.0.0/16")
    other = sa(4, "10.4.0.0/16", source="xfrm")
    world.say(one, two, other)
    assert world.tunnels.difference("vici", [one, three]) == told(three) | gone(2)


def test_e6_a_rekey_continues_its_line() -> None:
    world = World(PLAIN)
    world.say(sa(1, "10.1.0.0/16", since=100))
    second = sa(2, "10.1.0.0/16", since=500)
    assert world.say(second) == told(replace(second, since=100, first=1))
    assert world.say(gone=(1,)) == gone(1)
    third = sa(3, "10.1.0.0/16", since=900)
    assert world.say(third, gone=(2,)) == told(replace(third, since=100, first=1)) | gone(2)


def test_e6_both_halves_of_a_rekey_in_one_change_in_any_order() -> None:
    old, new = sa(1, "10.1.0.0/16", since=100), sa(2, "10.1.0.0/16", since=500)
    for halves in ({old.key: None, new.key: new}, {new.key: new, old.key: None}):
        tunnels = Tunnels(PLAIN)
        tunnels.update(told(old), 0)
        assert tunnels.update(halves, 1)[new.key] == replace(new, since=100, first=1)


def test_e13_a_line_that_has_ended_gives_nobody_its_age() -> None:
    world = World(PLAIN)
    world.say(sa(1, "10.1.0.0/16", since=100))
    world.say(gone=(1,))
    again = sa(2, "10.1.0.0/16", since=500)
    assert world.say(again) == told(again)


def test_e13_other_names_or_selectors_are_another_line() -> None:
    first = sa(1, "10.1.0.0/16", since=100, identity="a")
    for other in (
        replace(first, connection="branch2"),
        replace(first, child="other"),
        replace(first, identity="b"),
        replace(first, remote_ts=sa(1, "10.1.0.0/24").remote_ts),
        replace(first, remote_ts=sa(1, "10.1.0.0/16", "10.2.0.0/16").remote_ts),
        replace(first, remote_ts=()),
        replace(first, key=SaKey("xfrm", 1)),
    ):
        world = World(PLAIN)
        later = replace(other, key=SaKey(other.key.source, 2), since=500)
        world.say(first)
        assert world.say(later) == told(later)


def test_e13_the_peer_tells_lines_apart_only_where_there_is_no_identity() -> None:
    moved = sa(2, "10.1.0.0/16", peer="203.0.113.9", since=500)
    world = World(PLAIN)
    world.say(sa(1, "10.1.0.0/16", since=100))
    assert world.say(moved) == told(moved)
    world = World(PLAIN)
    world.say(sa(1, "10.1.0.0/16", since=100, identity="a"))
    named = replace(moved, identity="a")
    assert world.say(named) == told(replace(named, since=100, first=1))


def test_e13_lines_that_begin_with_one_address_are_kept_apart() -> None:
    world = World(PLAIN)
    world.say(sa(1, "10.1.0.0/16", since=100), sa(2, "10.1.0.0/24", since=200), sa(3, "10.1.0.0/25", since=300))
    assert len(world.tunnels._lines) == 3
    world.say(sa(12, "10.1.0.0/24", since=500), gone=(2,))
    assert world.one(12).since == 200
    world.say(gone=(1,))  # the one that had their mark
    world.say(sa(13, "10.1.0.0/25", since=600), sa(11, "10.1.0.0/16", since=700), gone=(3,))
    assert (world.one(13).since, world.one(11).since) == (300, 700)
    world.say(gone=(11, 12, 13))
    assert len(world.tunnels._lines) == 0


def test_e13_a_pair_that_changes_its_selectors_keeps_its_age() -> None:
    world = World(PLAIN)
    one = sa(1, "10.1.0.0/16", since=100, identity="a")
    world.say(one)
    moved = replace(one, remote_ts=sa(1, "10.2.0.0/16").remote_ts)
    assert world.say(moved) == told(moved)
    world.say(sa(2, "10.2.0.0/16", since=500, identity="a"), gone=(1,))
    assert (world.one(2).since, world.one(2).first) == (100, 1)
    again = replace(sa(2, "10.3.0.0/16", since=500, identity="a"))
    assert world.say(again) == told(replace(again, since=100, first=1))
    assert len(world.tunnels._lines) == 1


def test_e13_a_source_that_corrects_when_a_pair_came_up_makes_it_no_newer() -> None:
    world = World(PLAIN)
    world.say(sa(1, "10.1.0.0/16", since=100))
    assert world.say(sa(1, "10.1.0.0/16", since=101)) == {}
    corrected = sa(1, "10.1.0.0/16", since=102, state="REKEYING")
    assert world.say(corrected) == told(replace(corrected, since=100))
    assert world.say(gone=(1,)) == gone(1)


def test_e7_an_id_that_a_restarted_daemon_gives_to_another_is_another() -> None:
    world = World(PLAIN)
    world.say(sa(1, "10.1.0.0/16", since=100), sa(2, "10.1.0.0/16", since=110))
    other = sa(1, "10.2.0.0/16", connection="branch2", since=500)
    assert world.say(other) == told(other)
    assert world.ids == {1, 2}
    assert len(world.tunnels._lines) == 2


def test_e13_a_line_that_is_kept_apart_is_told_by_identity_alone() -> None:
    world = World(PLAIN)
    wide, narrow = sa(1, "10.1.0.0/16", identity="a"), sa(2, "10.1.0.0/24", identity="a", since=100)
    world.say(wide, narrow)
    moved = replace(sa(3, "10.1.0.0/24", identity="a", peer="203.0.113.77"), since=500)
    assert world.say(moved) == told(replace(moved, since=100, first=2))
