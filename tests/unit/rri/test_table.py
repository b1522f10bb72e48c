"""The table in pieces and from outside: what the controller asks of it beside routes (rules E7, E8, G1, G8)."""

from __future__ import annotations

from ipaddress import ip_address

from rri_bgp.rri import Rib, Surroundings
from rri_bgp.rri.entries import Group, Guard
from rri_bgp.rri.match import Verdict
from tests.unit.rri.tables import down, table, text, up
from tests.values import acl, entry, pfx, policy, sa

HERE = Surroundings(networks=frozenset((pfx("10.1.0.0/16"),)), held=frozenset(("group1",)))
GROUP = Group("group1", (ip_address("192.0.2.3"),))


def test_e7_other_surroundings_taken_in_pieces_end_in_the_same_table() -> None:
    rules = policy(entry(10, connection="a", redundancy="group1"), entry(20), groups=(GROUP,))
    pairs = [sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16"), sa(3, "10.3.0.0/16", connection="a"), sa(4, "10.1.7.0/24")]
    at_once, in_pieces = Rib(rules), Rib(rules)
    for rib in (at_once, in_pieces):
        up(rib, *pairs)
        assert table(rib) == {"10.1.0.0/16", "10.2.0.0/16", "10.1.7.0/24"}
    expected = text(at_once.take_surroundings(HERE))
    assert expected == {"10.1.0.0/16", "10.3.0.0/16", "10.1.7.0/24"}
    touch, changed = in_pieces.enter(HERE)
    assert (changed, in_pieces.surroundings) == (set(), HERE)
    pieces = [in_pieces.review(touch, [one.key]) for one in pairs]
    assert [text(piece) for piece in pieces] == [{"10.1.0.0/16"}, set(), {"10.3.0.0/16"}, {"10.1.7.0/24"}]
    assert {one.destination: one for one in in_pieces.routes()} == {one.destination: one for one in at_once.routes()}


def test_e7_static_lines_are_taken_with_the_first_piece() -> None:
    lines = acl("permit any 10.3.0.0/16", "permit any 10.1.0.0/16")
    rib = Rib(policy(entry(peers=("203.0.113.2",), access_list=lines, static=True)))
    assert table(rib) == {"10.1.0.0/16", "10.3.0.0/16"}
    _, changed = rib.enter(HERE)
    assert text(changed) == {"10.1.0.0/16"}


def test_e7_a_pair_that_has_gone_meanwhile_is_not_reviewed() -> None:
    rib = Rib(policy())
    one = sa(1, "10.1.0.0/16")
    up(rib, one)
    touch, _ = rib.enter(HERE)
    down(rib, one)
    assert rib.review(touch, [one.key, sa(9).key]) == set()


def test_e8_the_difference_is_of_what_is_another_alone() -> None:
    rib = Rib(policy())
    same, old, gone = sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16"), sa(3, "10.3.0.0/16")
    up(rib, same, old, gone)
    new, come = sa(2, "10.2.0.0/24"), sa(4, "10.4.0.0/16")
    assert rib.difference("vici", [same, new, come]) == {new.key: new, come.key: come, gone.key: None}


def test_g8_the_table_passes_on_what_each_entry_says() -> None:
    rib = Rib(policy(entry(10, connection="hq"), entry(20)))
    assert rib.verdicts(sa(1)) == (
        Verdict(0, takes=False, reason="connection branch1 is not hq"),
        Verdict(1, takes=True, reason="it takes every SA"),
    )


def test_g1_a_static_line_counts_as_its_peers() -> None:
    lines = acl("permit any 10.1.0.0/16", "permit any 10.2.0.0/16")
    static = entry(
        peers=("203.0.113.2", "203.0.113.3"), access_list=lines, static=True, guard=Guard(max_routes_per_peer=2)
    )
    rib = Rib(policy(static))
    up(rib, sa(1, "10.1.5.0/24", local_ts=("192.168.1.0/24",)))
    up(rib, sa(2, "10.1.6.0/24", local_ts=("192.168.1.0/24",), peer="203.0.113.3"))
    assert table(rib) == {"10.1.0.0/16", "10.2.0.0/16", "10.1.6.0/24"}


def test_g1_a_limit_that_was_never_near_is_forgotten_with_its_peer() -> None:
    rib = Rib(policy(entry(guard=Guard(max_routes_per_peer=100))))
    pairs = [sa(number, f"10.{number}.0.0/16") for number in range(1, 4)]
    up(rib, *pairs)
    down(rib, *pairs)
    assert rib._limits is not None
    assert rib._limits._peers == {}
