"""The table in pieces and from outside (rules E7, E8, G8), and what of the other rules is easily lost."""

from __future__ import annotations

from ipaddress import ip_address

from rri_bgp.model import Attributes, LineKey, Mode, SaKey, VrfPrefix
from rri_bgp.reasons import Reason
from rri_bgp.rri import Rib, Surroundings, routes_from_scratch
from rri_bgp.rri.entries import Group, Guard, NeighborPolicy, Overlap, Vrf, tag_attributes
from rri_bgp.rri.explain import explain
from rri_bgp.rri.match import Verdict
from tests.unit.rri.tables import down, meds, owners, table, text, up
from tests.values import acl, entry, pfx, policy, sa, ts

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


def test_g1_the_bounds_of_a_length_are_within_it() -> None:
    rib = Rib(policy(entry(guard=Guard(lengths={4: (16, 24), 6: (32, 64)}))))
    up(rib, sa(1, "10.2.0.0/15", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.0/25"))
    up(rib, sa(2, "2001:db8::/31", "2001:db8::/32", "2001:db8:0:1::/64", "2001:db8::/65"))
    assert table(rib) == {"10.1.0.0/16", "10.1.1.0/24", "2001:db8::/32", "2001:db8:0:1::/64"}


def test_e1_two_selectors_that_ask_for_the_same_are_one_wish() -> None:
    rib = Rib(policy())
    one = sa(1, "10.1.0.0/16", ts("10.1.0.0/16"))
    up(rib, one)
    assert (owners(rib, pfx("10.1.0.0/16")), len(rib.wanted(one.key))) == ([1], 1)
    down(rib, one)
    assert (table(rib), rib.wanted(one.key)) == (set(), ())


def test_e9_a_deny_line_takes_from_an_sa_what_it_would_carry_there() -> None:
    lines = acl("deny 192.168.1.7/32 10.0.0.0/17", "permit 192.168.1.0/24 10.0.0.0/16")
    rib = Rib(policy(entry(access_list=lines)))
    up(rib, sa(1, "10.0.0.0/16", local_ts=("192.168.1.7/32",)))
    assert table(rib) == {"10.0.128.0/17"}
    up(rib, sa(2, "10.0.0.0/16", local_ts=("192.168.1.0/24",)))
    assert table(rib) == {"10.0.128.0/17", "10.0.0.0/16"}


def test_e3_a_line_is_the_oldest_owner_of_its_destination() -> None:
    lines = acl("permit any 10.1.0.0/16")
    for overlap in (Overlap.OLDEST, Overlap.NEWEST):
        rib = Rib(policy(entry(peers=("203.0.113.2",), access_list=lines, static=True, overlap=overlap)))
        up(rib, sa(0, "10.1.0.0/16"))
        line = LineKey("mymap 10", 0)
        first = SaKey("vici", 0) if overlap is Overlap.NEWEST else line
        route = rib.route(pfx("10.1.0.0/16"))
        assert route is not None
        assert route.claims[0].owner == first


def test_g8_a_refusal_names_its_owner_and_its_destination() -> None:
    silent = entry(peers=("203.0.113.2",), access_list=acl("permit any 10.1.0.0/16"), static=True, redundancy="group1")
    rib = Rib(policy(silent, groups=(GROUP,)))
    assert [(one.owner, one.destination) for one in rib.refusals()] == [(LineKey("mymap 10", 0), None)]
    plain = Rib(policy(entry(versions=(4,))))
    up(plain, sa(1, "0.0.0.0/0", "2001:db8::/32"))
    assert [str(one.destination) for one in plain.refusals()] == ["0.0.0.0/0", "2001:db8::/32"]


def test_g1_limits_of_a_peer_from_scratch() -> None:
    rules = policy(entry(10, connection="a", guard=Guard(max_routes_per_peer=1)), entry(20), max_routes=3)
    pairs = [
        sa(1, "10.1.0.0/16", "10.2.0.0/16", connection="a"),
        sa(2, "10.3.0.0/16", connection="a", peer="203.0.113.9"),
        sa(3, "10.4.0.0/16", "10.5.0.0/16"),
    ]
    expected = {"10.1.0.0/16", "10.3.0.0/16", "10.4.0.0/16"}
    assert text(routes_from_scratch(rules, pairs, Surroundings())) == expected
    rib = Rib(rules)
    up(rib, *pairs)
    assert table(rib) == expected


def test_e4_neighbours_that_are_given_some_entries_only_are_news_for_what_changes_its_entry() -> None:
    one = NeighborPolicy(ip_address("198.51.100.2"), entries=frozenset((0,)))
    plain, given = policy(entry(10)), policy(entry(20), neighbors=(one,))
    for old, new in ((plain, given), (given, plain), (given, policy(entry(10), neighbors=(one,)))):
        rib = Rib(old)
        up(rib, sa(1, "10.1.0.0/16"))
        assert text(rib.take_policy(new)) == {"10.1.0.0/16"}
    rib = Rib(plain)
    up(rib, sa(1, "10.1.0.0/16"))
    assert rib.take_policy(policy(entry(20))) == set()


def test_e3_a_name_that_begins_or_ceases_to_resolve_moves_its_peer() -> None:
    peer = ip_address("203.0.113.2")
    rib = Rib(policy(entry(10, peers=("hub.example.org",)), entry(20, reverse_route=False)))
    up(rib, sa(1, "10.1.0.0/16"))
    assert table(rib) == set()
    assert text(rib.take_surroundings(Surroundings(names={"hub.example.org": (peer,)}))) == {"10.1.0.0/16"}
    assert text(rib.take_surroundings(Surroundings())) == {"10.1.0.0/16"}
    assert table(rib) == set()


def test_g1_n6_a_network_of_a_vrf_that_comes_or_goes_touches_that_vrf() -> None:
    rib = Rib(policy(entry(10, connection="red", vrf="red"), entry(20), vrfs=(Vrf("red", 10),)))
    up(rib, sa(1, "172.16.0.0/24", connection="red"), sa(2, "172.16.0.0/24"))
    there = Surroundings(networks=frozenset((VrfPrefix("red", pfx("172.16.0.0/24")),)))
    assert text(rib.take_surroundings(there)) == {"172.16.0.0/24 vrf red"}
    assert table(rib) == {"172.16.0.0/24"}
    assert text(rib.take_surroundings(Surroundings())) == {"172.16.0.0/24 vrf red"}


def test_g5_an_entry_that_does_not_degrade_has_one_path_for_all() -> None:
    for next_hops in ("self", None):
        rib = Rib(policy(entry(next_hops=next_hops, tag=1)))
        up(rib, sa(1, "10.1.0.0/16", is_suspect=True))
        suspected = rib.path(pfx("10.1.0.0/16"))
        assert up(rib, sa(1, "10.1.0.0/16")) == set()
        assert rib.path(pfx("10.1.0.0/16")) == suspected


def test_g8_refusals_are_of_the_vrf_and_touch_by_a_single_address() -> None:
    rib = Rib(policy(entry(10, connection="red", vrf="red"), entry(20), vrfs=(Vrf("red", 10),)))
    up(rib, sa(1, "224.0.0.0/24", connection="red"), sa(2, "224.0.0.0/24"), sa(3, ts("224.0.1.0..224.0.1.9", 6)))
    edges = {"224.0.0.0/32": [2], "224.0.0.255/32": [2], "224.0.1.0/32": [3], "224.0.1.9/32": [3], "224.0.1.10/32": []}
    for destination, refused in edges.items():
        assert [one.refusal.owner[1] for one in explain(rib, pfx(destination)).refusals] == refused
    in_red = explain(rib, VrfPrefix("red", pfx("224.0.0.7/32")))
    assert [one.refusal.owner[1] for one in in_red.refusals] == [1]


def test_g5_a_healthy_peer_has_the_healthy_path_whatever_else_is_looked_at() -> None:
    rib = Rib(policy(entry(degrade_med=500, guard=Guard(lengths={4: (8, 32)}))))
    up(rib, sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16", is_suspect=True))
    assert meds(rib) == {"10.1.0.0/16": None, "10.2.0.0/16": 500}


def test_n10_the_route_targets_of_the_vrf_are_added_to_those_of_the_tag() -> None:
    target, other = 0x0002FDE800000001, 0x0002FDE800000009
    for attributes, expected in (
        (Attributes(), (target,)),
        (Attributes(extended_communities=(other,)), (other, target)),
    ):
        rib = Rib(policy(entry(vrf="red", attributes=attributes), vrfs=(Vrf("red", 10, "65000:1", (target,)),)))
        up(rib, sa(1, "10.1.0.0/16"))
        path = rib.path(VrfPrefix("red", pfx("10.1.0.0/16")))
        assert path is not None
        assert path.attributes.extended_communities == expected


def test_g8_an_sa_that_is_refused_as_a_whole_is_named() -> None:
    rib = Rib(policy(entry(10, connection="hq", reverse_route=False), entry(20)))
    up(rib, sa(1, "10.1.0.0/16", connection="hq"), sa(2, "10.2.0.0/16", mode=Mode.TRANSPORT))
    assert [(one.owner, one.why) for one in rib.refusals()] == [
        (SaKey("vici", 1), Reason.NO_REVERSE_ROUTE), (SaKey("vici", 2), Reason.TRANSPORT),
    ]  # fmt: skip


def test_n8_where_a_standard_community_ends_and_what_the_table_has_besides() -> None:
    for asn, tag, fits in ((65535, 65535, True), (65536, 1, False), (1, 65536, False)):
        assert bool(tag_attributes(asn, tag, {}).communities) is fits
    row = Attributes(extended_communities=(7,), as_path_prepend=3)
    expected = Attributes(((65000, 1),), ((65000, 1, 1),), extended_communities=(7,), as_path_prepend=3)
    assert tag_attributes(65000, 1, {1: row}) == expected
