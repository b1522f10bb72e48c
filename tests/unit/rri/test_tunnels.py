"""What counts, and when: hold-down (G4), suspicions (G5), restarts (G7), another policy (E4)."""

from __future__ import annotations

from dataclasses import replace

from rri_bgp.model import SaKey
from tests.unit.rri.clockwork import World, gone, told
from tests.values import entry, policy, sa

PLAIN = policy()
KEEPS = policy(entry(withdraw_delay=10))
WAITS = policy(entry(announce_delay=5))
DEGRADES = policy(entry(degrade_med=500))


# announce-delay ----------------------------------------------------------------------------------------------------


def test_g4_announce_delay_waits_before_the_first() -> None:
    world = World(WAITS)
    one = sa(1, "10.1.0.0/16")
    assert world.say(one) == {}
    assert world.due() == 1005
    assert [*world.tunnels.waiting_sas()] == [one]
    assert world.tunnels.waiting(one.key) == "announce-delay: 5 s left"
    assert world.tunnels.waiting(one.key, 1003.5) == "announce-delay: 2 s left"
    assert world.after(4.9) == {}
    assert world.after(0.1) == told(one)
    assert world.due() is None
    assert (world.tunnels.waiting(one.key), [*world.tunnels.waiting_sas()]) == ("", [])


def test_g4_a_rekey_while_it_waits_neither_begins_the_delay_anew_nor_ends_it() -> None:
    world = World(WAITS)
    world.say(sa(1, "10.1.0.0/16", since=100))
    world.after(3)
    second = sa(2, "10.1.0.0/16", since=500)
    assert world.say(second) == {}
    assert world.say(gone=(1,)) == {}
    assert world.after(1.9) == {}
    assert world.after(0.1) == told(replace(second, since=100, first=1))


def test_g4_both_halves_of_a_rekey_are_announced_when_the_delay_ends_between_them() -> None:
    world = World(WAITS)
    world.say(sa(1, "10.1.0.0/16"), sa(2, "10.1.0.0/16"))
    world.after(5)
    assert world.ids == {1, 2}


def test_g4_a_pair_that_goes_while_it_waits_was_never_there() -> None:
    world = World(WAITS)
    world.say(sa(1, "10.1.0.0/16"))
    world.after(3)
    assert world.say(gone=(1,)) == {}
    assert world.due() is None
    world.say(sa(2, "10.1.0.0/16"))
    assert world.after(4.9) == {}
    world.after(0.1)
    assert world.ids == {2}


def test_g4_a_change_while_it_waits_is_told_with_the_first() -> None:
    world = World(WAITS)
    world.say(sa(1, "10.1.0.0/16"))
    changed = sa(1, "10.1.0.0/16", state="REKEYING")
    assert world.say(changed) == {}
    assert world.after(5) == told(changed)


def test_g4_a_pair_that_changes_its_selectors_waits_no_longer_for_it() -> None:
    world = World(WAITS)
    world.say(sa(1, "10.1.0.0/16", identity="a"))
    world.after(3)
    changed = sa(1, "10.2.0.0/16", identity="a")
    assert world.say(changed) == {}
    assert world.after(2) == told(changed)


def test_g4_a_pair_that_has_left_a_line_is_not_announced_with_it() -> None:
    world = World(policy(entry(10, child="slow", announce_delay=5), entry(20, child="slower", announce_delay=50)))
    world.say(sa(1, "10.1.0.0/16", child="slow"))
    world.now += 5
    moved, follower = sa(1, "10.1.0.0/16", child="slower"), sa(2, "10.1.0.0/16", child="slow")
    world.say(moved, follower)
    assert world.ids == {2}


def test_g4_an_id_that_is_given_to_one_that_waits_counts_no_more() -> None:
    world = World(policy(entry(10, connection="slow", announce_delay=5), entry(20)))
    world.say(sa(1, "10.1.0.0/16"))
    assert world.say(sa(1, "10.1.0.0/16", connection="slow")) == gone(1)


def test_g7_after_a_restart_nothing_that_is_long_up_waits_again() -> None:
    world = World(WAITS, epoch=1_700_000_000)
    long, new = sa(1, "10.1.0.0/16", since=1_700_000_900), sa(2, "10.2.0.0/16", since=1_700_000_999)
    late, unsure = sa(3, "10.3.0.0/16", since=1_700_000_997), sa(4, "10.4.0.0/16")
    assert world.say(long, new, late, unsure) == told(long)
    assert world.after(2) == told(late)
    assert world.after(3) == told(new, unsure)


# withdraw-delay ----------------------------------------------------------------------------------------------------


def test_g4_withdraw_delay_keeps_a_pair_that_has_gone() -> None:
    world = World(KEEPS)
    one = sa(1, "10.1.0.0/16")
    assert world.say(one) == told(one)
    assert world.say(gone=(1,)) == told(replace(one, is_held=True))
    assert world.due() == 1010
    assert world.tunnels.waiting(one.key) == "withdraw-delay: 10 s left"
    assert (world.tunnels.sa(one.key), [*world.tunnels.waiting_sas()]) == (None, [])
    assert world.after(9.9) == {}
    assert world.after(0.1) == gone(1)
    assert world.due() is None
    assert world.tunnels.waiting(one.key) == ""


def test_g4_a_pair_that_returns_takes_its_place() -> None:
    world = World(KEEPS)
    one = sa(1, "10.1.0.0/16", since=100)
    world.say(one)
    world.say(gone=(1,))
    world.after(9)
    assert world.say(one) == told(one)
    world.say(gone=(1,))
    world.after(9)
    second = sa(2, "10.1.0.0/16", since=500)
    assert world.say(second) == told(replace(second, since=100, first=1)) | gone(1)
    assert (world.after(20), world.ids) == ({}, {2})


def test_g4_only_the_last_of_a_line_is_held() -> None:
    world = World(KEEPS)
    world.say(sa(1, "10.1.0.0/16"), sa(2, "10.1.0.0/16"))
    assert world.say(gone=(1,)) == gone(1)
    world.say(gone=(2,))
    assert world.one(2).is_held


def test_g4_flapping_fifty_times_changes_no_route() -> None:
    world = World(KEEPS)
    world.say(sa(1, "10.1.0.0/16", since=100))
    for number in range(2, 52):
        world.after(1)
        world.say(gone=(number - 1,))
        world.after(1)
        world.say(sa(number, "10.1.0.0/16", since=100 + number))
        assert {(one.since, one.first or one.key.uniqueid) for one in world.counts.values()} == {(100, 1)}
        assert world.ids == {number}
    assert len(world.tunnels._timers) <= 51


def test_g4_timers_of_many_flaps_take_no_room() -> None:
    world = World(policy(entry(withdraw_delay=3600)))
    for number in range(1, 1000):
        world.now += 0.001
        world.say(sa(number, "10.1.0.0/16"))
        world.say(gone=(number,))
    assert len(world.tunnels._timers) < 100
    assert world.due() == world.now + 3600


def test_g4_other_selectors_end_the_old_ones_at_once() -> None:
    world = World(KEEPS)
    world.say(sa(1, "10.1.0.0/16", identity="a"))
    changed = sa(1, "10.2.0.0/16", identity="a")
    assert world.say(changed) == told(changed)
    assert world.due() is None


def test_g4_a_held_pair_whose_id_is_given_to_another_is_kept_under_a_spare_one() -> None:
    world = World(KEEPS)
    one = sa(1, "10.1.0.0/16", since=100)
    world.say(one)
    world.say(gone=(1,))
    other = sa(1, "10.2.0.0/16", connection="branch2", since=500)
    world.say(other)
    held = replace(one, key=SaKey("vici", -1), first=1, is_held=True)
    assert world.counts == {other.key: other, held.key: held}
    third = sa(1, "10.3.0.0/16", connection="branch3", since=600)
    world.say(third)  # in one change: the one goes, the other comes
    assert {one.connection: one.key.uniqueid for one in world.counts.values()} == {
        "branch1": -1,
        "branch2": -2,
        "branch3": 1,
    }
    returns = sa(7, "10.1.0.0/16", since=700)
    assert world.say(returns) == {**told(replace(returns, since=100, first=1)), **gone(-1)}
    assert world.after(10) == gone(-2)


def test_g4_an_id_that_a_held_pair_and_one_that_waits_have() -> None:
    world = World(policy(entry(10, connection="slow", announce_delay=5), entry(20, withdraw_delay=10)))
    world.say(sa(1, "10.1.0.0/16"))
    world.say(sa(1, "10.2.0.0/16", connection="slow"))
    assert world.ids == {-1}
    world.after(5)
    assert world.ids == {-1, 1}


def test_g4_a_gap_shorter_than_withdraw_delay_is_none_to_announce_delay() -> None:
    world = World(policy(entry(announce_delay=5, withdraw_delay=10)))
    world.say(sa(1, "10.1.0.0/16"))
    world.after(3)
    assert world.say(gone=(1,)) == {}
    assert world.after(2) == {}, "nobody is there to be announced"
    assert world.say(sa(2, "10.1.0.0/16")) == told(sa(2, "10.1.0.0/16", first=1))
    world = World(policy(entry(announce_delay=5, withdraw_delay=10)))
    world.say(sa(1, "10.1.0.0/16"))
    world.say(gone=(1,))
    assert world.after(10) == {}
    assert len(world.tunnels._lines) == 0


# Suspicions --------------------------------------------------------------------------------------------------------


def test_g5_a_suspicion_says_something_only_where_the_entry_degrades() -> None:
    world = World(policy(entry(10, connection="branch1", degrade_med=500), entry(20, connection="branch2")))
    one, two = sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16", connection="branch2")
    stranger = sa(3, "10.3.0.0/16", connection="branch2", is_suspect=True)
    world.say(one, two, stranger)
    assert not world.one(3).is_suspect
    suspects = [replace(one, is_suspect=True), replace(two, is_suspect=True)]
    assert world.say(*suspects) == told(suspects[0])
    assert world.say(one, two) == told(one)
    world = World(PLAIN)
    world.say(one)
    assert world.say(suspects[0]) == {}


def test_g5_a_suspect_that_no_entry_takes_changes_nothing() -> None:
    world = World(policy(entry(connection="other", degrade_med=500)))
    one = sa(1, "10.1.0.0/16")
    world.say(one)
    assert world.say(replace(one, is_suspect=True)) == {}


def test_g5_a_suspect_that_goes_is_held_as_a_suspect() -> None:
    world = World(policy(entry(degrade_med=500, withdraw_delay=10)))
    one = sa(1, "10.1.0.0/16", is_suspect=True)
    world.say(one)
    assert world.say(gone=(1,)) == told(replace(one, is_held=True))
    assert world.reload(KEEPS) == told(replace(one, is_held=True, is_suspect=False))


def test_g5_a_policy_that_begins_or_ceases_to_degrade() -> None:
    world = World(DEGRADES)
    one = sa(1, "10.1.0.0/16", is_suspect=True)
    world.say(one, sa(2, "10.2.0.0/16"))
    assert world.reload(PLAIN) == told(replace(one, is_suspect=False))
    assert world.reload(PLAIN) == {}
    assert world.reload(DEGRADES) == told(one)


# Another policy ----------------------------------------------------------------------------------------------------


def test_g4_a_policy_with_other_delays_is_taken_from_when_they_began() -> None:
    world = World(policy(entry(announce_delay=5, withdraw_delay=10)))
    world.say(sa(1, "10.1.0.0/16"))
    world.after(5)
    world.say(sa(2, "10.2.0.0/16"), gone=(1,))
    world.after(3)
    assert world.reload(policy(entry(announce_delay=8, withdraw_delay=20))) == {}
    assert world.due() == 1013
    assert world.reload(policy(entry(announce_delay=1, withdraw_delay=1))) == told(sa(2, "10.2.0.0/16")) | gone(1)
    assert world.due() is None


def test_g4_a_policy_that_begins_to_wait_holds_nothing_back_that_counts() -> None:
    world = World(PLAIN)
    world.say(sa(1, "10.1.0.0/16"))
    assert world.reload(WAITS) == {}
    assert world.say(sa(2, "10.1.0.0/16")) == told(sa(2, "10.1.0.0/16", first=1))
    assert world.say(sa(3, "10.3.0.0/16")) == {}
    assert world.reload(PLAIN) == told(sa(3, "10.3.0.0/16"))


def test_e4_an_entry_that_is_gone_holds_nothing() -> None:
    world = World(KEEPS)
    world.say(sa(1, "10.1.0.0/16"))
    world.say(gone=(1,))
    assert world.reload(policy(entry(connection="other", withdraw_delay=10))) == gone(1)


def test_g4_the_entry_may_name_its_peer() -> None:
    world = World(policy(entry(peers=("hub.example.org",), announce_delay=5)))
    one = sa(1, "10.1.0.0/16")
    assert world.say(one) == told(one), "nobody knows the name yet"
    assert world.tunnels.take_names({"hub.example.org": (one.peer,)}, world.now) == {}
    two = sa(2, "10.2.0.0/16")
    assert world.say(two) == {}
    assert world.after(5) == told(two)


def test_g4_what_is_due_may_be_done_in_pieces() -> None:
    world = World(WAITS)
    world.say(*(sa(number, f"10.{number}.0.0/16") for number in range(1, 6)))
    world.now += 5
    assert [len(world.take(world.tunnels.advance(world.now, 2))) for _ in range(4)] == [2, 2, 1, 0]
    assert world.due() is None


# What is easily lost -----------------------------------------------------------------------------------------------


def test_g4_a_delay_may_be_a_part_of_a_second() -> None:
    world = World(policy(entry(withdraw_delay=0.5, announce_delay=0.5)))
    one = sa(1, "10.1.0.0/16")
    world.say(one)
    assert world.ids == set()
    world.after(0.5)
    world.say(gone=(1,))
    assert world.one(1).is_held
    world.after(0.5)
    assert world.ids == set()


def test_g4_the_names_of_peers_outlast_a_reload() -> None:
    rules = policy(entry(peers=("hub.example.org",), withdraw_delay=10))
    world = World(rules)
    one = sa(1, "10.1.0.0/16")
    world.take(world.tunnels.take_names({"hub.example.org": (one.peer,)}, world.now))
    world.reload(rules)
    world.say(one)
    world.say(gone=(1,))
    assert world.one(1).is_held


def test_g4_other_names_are_judged_at_the_time_that_is_given() -> None:
    world = World(policy(entry(peers=("hub.example.org",), announce_delay=5), entry()))
    one = sa(1, "10.1.0.0/16")
    names = {"hub.example.org": (one.peer,)}
    world.take(world.tunnels.take_names(names, world.now))
    world.say(one)
    assert world.take(world.tunnels.take_names(names, world.now + 4)) == {}
    assert world.take(world.tunnels.take_names(names, world.now + 5)) == told(one)


def test_g4_the_time_that_is_left_is_told_as_of_now() -> None:
    held, waits = World(KEEPS), World(WAITS)
    one = sa(1, "10.1.0.0/16")
    held.say(one)
    held.say(gone=(1,))
    waits.say(one)
    for world, words in ((held, "withdraw-delay: {} s left"), (waits, "announce-delay: {} s left")):
        full = 10 if world is held else 5
        assert world.tunnels.waiting(one.key) == words.format(full)
        assert world.tunnels.waiting(one.key, world.now + 2.5) == words.format(full - 2)
        assert world.tunnels.waiting(one.key, world.now + 60) == words.format(0)


def test_g5_a_suspicion_that_says_nothing_is_not_told_of_a_pair_that_continues_a_line() -> None:
    world = World(PLAIN)
    world.say(sa(1, "10.1.0.0/16", since=100))
    second = sa(2, "10.1.0.0/16", since=500)
    world.say(second)
    assert world.say(replace(second, is_suspect=True)) == {}
    assert world.one(2) == replace(second, since=100, first=1)


def test_g4_a_held_pair_whose_id_is_given_to_one_that_waits_is_told_as_gone() -> None:
    world = World(policy(entry(withdraw_delay=10, announce_delay=5)))
    one, other = sa(1, "10.1.0.0/16"), sa(1, "10.2.0.0/16", identity="b")
    world.say(one)
    world.after(5)
    world.say(gone=(1,))
    told_of = world.say(other)
    assert told_of[one.key] is None
    assert [pair.is_held for pair in world.counts.values()] == [True]
    world.reload(policy(entry(withdraw_delay=20, announce_delay=5)))
    world.after(10)
    assert {str(pair.remote_ts[0]): pair.is_held for pair in world.counts.values()} == {
        "10.1.0.0/16": True, "10.2.0.0/16": False,
    }  # fmt: skip
    world.after(10)
    assert [pair.is_held for pair in world.counts.values()] == [False]
