"""The rules of the semantics, one by one, on the incremental table. A test carries the id of the rule it holds."""

from __future__ import annotations

from rri_bgp.model import Attributes, Mode, Prefix, SaPair
from rri_bgp.rri import Rib, explain
from rri_bgp.rri.entries import tag_attributes
from tests.values import HUB4, HUB6, entry, pfx, policy, sa, ts


def up(rib: Rib, *sas: SaPair) -> set[str]:
    return _text(rib.update({one.key: one for one in sas}))


def down(rib: Rib, *sas: SaPair) -> set[str]:
    return _text(rib.update({one.key: None for one in sas}))


def table(rib: Rib) -> set[str]:
    return {str(route.prefix) for route in rib.routes()}


def reasons(rib: Rib) -> list[tuple[str, str]]:
    return [(refusal.rule, refusal.reason) for refusal in rib.refusals()]


def _text(prefixes: set[Prefix]) -> set[str]:
    return {str(prefix) for prefix in prefixes}


def test_e1_a_dynamic_entry_injects_while_the_sa_is_up() -> None:
    rib = Rib(policy(entry()))
    one = sa(1, "10.1.0.0/16")
    assert up(rib, one) == {"10.1.0.0/16"}
    assert table(rib) == {"10.1.0.0/16"}
    assert down(rib, one) == {"10.1.0.0/16"}
    assert table(rib) == set()


def test_e1_every_remote_selector_is_a_route() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.0.0/16", "10.2.0.0/24", "2001:db8:1::/48"))
    assert table(rib) == {"10.1.0.0/16", "10.2.0.0/24", "2001:db8:1::/48"}


def test_e1_an_sa_that_no_entry_takes_makes_no_route_and_says_so() -> None:
    rib = Rib(policy(entry(connection="hq-*")))
    assert up(rib, sa(1, "10.1.0.0/16")) == set()
    assert reasons(rib) == [("E1", "no map entry takes this SA")]


def test_e1_an_entry_without_reverse_route_takes_the_sa_and_injects_nothing() -> None:
    rib = Rib(policy(entry(10, reverse_route=False), entry(20)))
    assert up(rib, sa(1, "10.1.0.0/16")) == set()
    assert reasons(rib) == [("E1", "entry mymap 10 (hub.yaml:10) has no reverse-route")]


def test_e1_a_transport_mode_sa_has_nothing_behind_it() -> None:
    rib = Rib(policy())
    assert up(rib, sa(1, "10.9.0.1/32", mode=Mode.TRANSPORT)) == set()
    assert [rule for rule, _ in reasons(rib)] == ["E1"]


def test_e2_a_static_entry_takes_its_peers_and_follows_what_was_negotiated() -> None:
    rib = Rib(policy(entry(10, peers=("203.0.113.2", "203.0.113.3"), tag=100)))
    assert table(rib) == set()
    up(rib, sa(1, "10.1.0.0/16", peer="203.0.113.3"), sa(2, "10.2.0.0/16", peer="203.0.113.4"))
    assert table(rib) == {"10.1.0.0/16"}


def test_e2_the_lowest_entry_that_fits_takes_the_sa() -> None:
    rib = Rib(policy(entry(10, connection="rw-*", tag=1), entry(20, peers=("203.0.113.2",), tag=2), entry(30, tag=3)))
    up(rib, sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16", peer="203.0.113.9"), sa(3, "10.3.0.0/16", connection="rw-a"))
    tags = {str(route.prefix): route.path.attributes.large_communities[0][2] for route in rib.routes()}
    assert tags == {"10.1.0.0/16": 2, "10.2.0.0/16": 3, "10.3.0.0/16": 1}


def test_e2_child_names_choose_an_entry_too() -> None:
    rib = Rib(policy(entry(10, child="net-?", tag=1)))
    up(rib, sa(1, "10.1.0.0/16", child="net-a"), sa(2, "10.2.0.0/16", child="other"))
    assert table(rib) == {"10.1.0.0/16"}


def test_e6_a_rekey_changes_no_path() -> None:
    rib = Rib(policy())
    old, new = sa(1, "10.1.0.0/16"), sa(2, "10.1.0.0/16")
    up(rib, old)
    assert up(rib, sa(1, "10.1.0.0/16", state="REKEYING")) == set()
    assert up(rib, new) == set()
    assert down(rib, old) == set()
    assert rib.path(pfx("10.1.0.0/16")) is not None


def test_e6_a_rekey_in_one_step_changes_no_path() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.0.0/16"))
    assert rib.update({sa(1).key: None, sa(2).key: sa(2, "10.1.0.0/16")}) == set()


def test_e6_selectors_that_change_in_place_move_the_route() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "192.168.0.50/32"))
    assert up(rib, sa(1, "10.1.0.10/32")) == {"192.168.0.50/32", "10.1.0.10/32"}
    assert table(rib) == {"10.1.0.10/32"}


def test_e7_the_same_news_twice_is_no_news() -> None:
    rib = Rib(policy())
    one = sa(1, "10.1.0.0/16")
    up(rib, one)
    assert up(rib, one) == set()
    down(rib, one)
    assert down(rib, one) == set()


def test_e8_a_snapshot_drops_what_it_does_not_hold() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16"), sa(1, "10.3.0.0/16", source="xfrm"))
    assert _text(rib.snapshot("vici", [sa(2, "10.2.0.0/16"), sa(4, "10.4.0.0/16")])) == {"10.1.0.0/16", "10.4.0.0/16"}
    assert table(rib) == {"10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"}


def test_e12_overlapping_prefixes_of_other_lengths_all_exist() -> None:
    rib = Rib(policy())
    wide, narrow = sa(1, "10.1.0.0/16"), sa(2, "10.1.1.0/24", peer="203.0.113.3")
    up(rib, wide, narrow)
    assert table(rib) == {"10.1.0.0/16", "10.1.1.0/24"}
    assert down(rib, narrow) == {"10.1.1.0/24"}
    assert table(rib) == {"10.1.0.0/16"}


def test_a_range_that_is_no_prefix_becomes_exact_prefixes() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.200.17..10.1.200.20"))
    assert table(rib) == {"10.1.200.17/32", "10.1.200.18/31", "10.1.200.20/32"}


def test_n1_n9_the_path_points_at_the_hub_in_the_family_of_the_prefix() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.0.0/16", "2001:db8:1::/48"))
    assert {str(r.prefix): r.path.next_hop for r in rib.routes()} == {"10.1.0.0/16": HUB4, "2001:db8:1::/48": HUB6}


def test_n9_a_family_without_a_next_hop_is_refused_and_said() -> None:
    rib = Rib(policy(entry(versions=(4,))))
    up(rib, sa(1, "10.1.0.0/16", "2001:db8:1::/48"))
    assert table(rib) == {"10.1.0.0/16"}
    assert reasons(rib) == [("N9", "entry mymap 10 (hub.yaml:10) has no IPv6 next hop")]


def test_n8_tags_become_communities() -> None:
    assert tag_attributes(65000, 100, {}) == Attributes(((65000, 100),), ((65000, 1, 100),))
    assert tag_attributes(65000, 0, {}) == Attributes(((65000, 0),), ((65000, 1, 0),))
    assert tag_attributes(65000, None, {}) == Attributes()


def test_n8_what_does_not_fit_16_bits_goes_as_a_large_community_alone() -> None:
    assert tag_attributes(65000, 65536, {}) == Attributes((), ((65000, 1, 65536),))
    assert tag_attributes(65000, 4294967295, {}) == Attributes((), ((65000, 1, 4294967295),))
    assert tag_attributes(4200000000, 100, {}) == Attributes((), ((4200000000, 1, 100),))


def test_n8_the_table_adds_to_what_a_tag_gives() -> None:
    row = Attributes(((65000, 7), (65000, 100)), ((65000, 2, 9),), med=5, local_preference=200)
    assert tag_attributes(65000, 100, {100: row}) == Attributes(
        ((65000, 100), (65000, 7)), ((65000, 1, 100), (65000, 2, 9)), med=5, local_preference=200
    )


def test_two_entries_that_want_one_prefix_the_lower_wins_and_the_next_takes_over() -> None:
    rib = Rib(policy(entry(10, connection="a", tag=1), entry(20, connection="b", tag=2)))
    low, high = sa(2, "10.1.0.0/16", connection="a"), sa(1, "10.1.0.0/16", connection="b")
    assert up(rib, high) == {"10.1.0.0/16"}
    assert up(rib, low) == {"10.1.0.0/16"}
    assert down(rib, low) == {"10.1.0.0/16"}
    route = rib.route(pfx("10.1.0.0/16"))
    assert route is not None
    assert [claim.owner.uniqueid for claim in route.claims] == [1]


def test_e10_a_default_route_is_refused() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "0.0.0.0/0", "::/0", "10.1.0.0/16"))
    assert table(rib) == {"10.1.0.0/16"}
    assert [rule for rule, _ in reasons(rib)] == ["E10", "E10"]


def test_e11_a_selector_limited_to_a_port_or_protocol_is_refused() -> None:
    rib = Rib(policy())
    up(rib, sa(1, ts("10.1.0.0/16", 6, (443, 443)), ts("10.2.0.0/16", 47)))
    assert table(rib) == set()
    assert reasons(rib) == [
        ("E11", "10.1.0.0/16[6/443] is limited to a protocol or port"),
        ("E11", "10.2.0.0/16[47] is limited to a protocol or port"),
    ]


def test_g1_what_can_be_no_network_behind_a_peer_is_refused() -> None:
    rib = Rib(policy())
    hostile = [
        "127.0.0.0/8", "127.1.2.3/32", "224.0.0.251/32", "128.0.0.0/1", "169.254.1.0/24", "255.255.255.255/32",
        "0.0.0.0/1", "fe80::/64", "ff02::1/128", "::1/128", "203.0.113.2/32", "203.0.113.0/24",
    ]  # fmt: skip
    up(rib, sa(1, *hostile))
    assert table(rib) == set()
    assert [rule for rule, _ in reasons(rib)] == ["G1"] * len(hostile)


def test_g8_explain_names_owners_entries_neighbours_in_the_table_and_refusals() -> None:
    rib = Rib(policy(entry(10, peers=("203.0.113.2",), tag=1), entry(20, tag=2)))
    up(
        rib,
        sa(1, "10.1.0.0/16"),
        sa(2, "10.1.0.0/16", peer="203.0.113.3"),
        sa(3, "10.1.5.0/24", peer="203.0.113.3"),
        sa(4, "10.0.0.0/8"),
        sa(5, ts("10.1.0.0/16", 6, (22, 22))),
        sa(6, ts("10.9.0.0/16", 6, (22, 22))),
    )
    story = explain(rib, pfx("10.1.0.0/16"))
    assert story.route is not None
    assert [(c.sa.key.uniqueid, c.entry.seq) for c in story.claims] == [(1, 10), (2, 20)]
    assert [str(route.prefix) for route in story.covering] == ["10.0.0.0/8"]
    assert [str(route.prefix) for route in story.covered] == ["10.1.5.0/24"]
    assert [(refusal.rule, one.key.uniqueid) for refusal, one in story.refusals] == [("E11", 5)]


def test_g8_explain_tells_of_a_prefix_that_is_no_route() -> None:
    rib = Rib(policy(entry(connection="hq")))
    up(rib, sa(1, "10.1.0.0/16"))
    story = explain(rib, pfx("10.1.7.0/24"))
    assert (story.route, story.claims, story.covering) == (None, (), ())
    assert [refusal.reason for refusal, _ in story.refusals] == ["no map entry takes this SA"]


def test_the_table_tells_its_parts() -> None:
    rib = Rib(policy(entry(connection="branch1")))
    one, other = sa(1, "10.1.0.0/16", "10.2.0.0/16"), sa(2, "10.3.0.0/16", connection="lost")
    up(rib, one, other)
    assert (len(rib), set(rib.sas())) == (2, {one, other})
    assert (rib.sa(one.key), rib.sa(sa(9).key)) == (one, None)
    found = rib.entry_of(one)
    assert found is not None
    assert (found.name, rib.entry_of(other)) == ("mymap 10", None)
    assert (len(rib.refusals_of(other.key)), rib.refusals_of(sa(9).key)) == (1, ())
    assert rib.route(pfx("10.9.0.0/16")) is None
