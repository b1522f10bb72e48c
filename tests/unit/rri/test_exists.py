"""When a route exists (rules E1-E14), on the incremental table. A test carries the id of the rule it holds."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from rri_bgp.model import ANY_PORT, FlowRule, LineKey, Mode, Prefix, SaPair
from rri_bgp.rri import Rib, Surroundings
from rri_bgp.rri.entries import AccessList, DefaultProxies, Overlap, PortProxies
from rri_bgp.rri.tracker import Whereabouts
from tests.unit.rri.tables import down, next_hop, owners, reasons, table, text, up
from tests.values import acl, entry, pfx, policy, sa, ts

BRANCHES = acl("permit 192.168.1.0/24 10.1.0.0/16", "permit 192.168.1.0/24 10.2.0.0/16")


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


def test_e8_what_the_kernel_does_not_carry_keeps_its_route_unless_the_policy_believes_the_kernel() -> None:
    """Each remote selector by itself; of other sources' SAs nothing is said."""
    lost = sa(
        1, "10.1.0.0/16", "10.2.0.16/30", "10.2.0.17..10.2.0.18", not_in_kernel=("10.1.0.0/16", "10.2.0.17..10.2.0.18")
    )
    reported = Rib(policy(believe_kernel=("charon2",)))
    assert up(reported, lost) == {"10.1.0.0/16", "10.2.0.16/30", "10.2.0.17/32", "10.2.0.18/32"}
    assert reasons(reported) == []
    rib = Rib(policy(entry(port_proxies=PortProxies.FLOWSPEC), believe_kernel=("vici", "charon2")))
    up(rib, replace(lost, not_in_kernel=()))
    assert up(rib, lost) == {"10.1.0.0/16", "10.2.0.17/32", "10.2.0.18/32"}
    assert table(rib) == {"10.2.0.16/30"}
    assert reasons(rib) == [
        ("E8", f"the kernel does not carry {destination}: its SA or policy is lost")
        for destination in ("10.1.0.0/16", "10.2.0.17/32", "10.2.0.18/32")
    ]
    one = sa(2, "10.9.0.0/16", not_in_kernel=("10.9.0.0/16",))
    assert up(rib, one) == set()
    assert up(rib, replace(one, not_in_kernel=())) == {"10.9.0.0/16"}


def test_e8_a_flow_that_the_kernel_does_not_carry_is_refused_as_one() -> None:
    web = ts("10.1.0.0/16", 6, (443, 443))
    rib = Rib(policy(entry(port_proxies=PortProxies.FLOWSPEC), believe_kernel=("vici",)))
    up(rib, sa(1, web, not_in_kernel=(web,)))
    assert table(rib) == set()
    assert [str(one.destination) for one in rib.refusals()] == ["10.1.0.0/16[6/443]"]


def test_e2_a_static_entry_takes_its_peers_and_follows_what_was_negotiated() -> None:
    rib = Rib(policy(entry(10, peers=("203.0.113.2", "203.0.113.3"), tag=100)))
    assert table(rib) == set()
    up(rib, sa(1, "10.1.0.0/16", peer="203.0.113.3"), sa(2, "10.2.0.0/16", peer="203.0.113.4"))
    assert table(rib) == {"10.1.0.0/16"}


def test_e2_what_was_negotiated_overrides_the_access_list() -> None:
    rib = Rib(policy(entry(10, peers=("203.0.113.2",), access_list=BRANCHES)))
    assert table(rib) == set()
    up(rib, sa(1, "10.1.5.0/24", local_ts=["192.168.1.0/24"]))
    assert table(rib) == {"10.1.5.0/24"}


def test_e2_the_lowest_entry_that_fits_takes_the_sa() -> None:
    rib = Rib(policy(entry(10, connection="rw-*", tag=1), entry(20, peers=("203.0.113.2",), tag=2), entry(30, tag=3)))
    up(rib, sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16", peer="203.0.113.9"), sa(3, "10.3.0.0/16", connection="rw-a"))
    tags = {str(route.destination): route.path.attributes.large_communities[0][2] for route in rib.routes()}
    assert tags == {"10.1.0.0/16": 2, "10.2.0.0/16": 3, "10.3.0.0/16": 1}


def test_e3_a_static_entry_has_a_route_for_each_permitted_destination_with_no_sa() -> None:
    rib = Rib(policy(entry(10, peers=("203.0.113.2",), access_list=BRANCHES, static=True)))
    assert table(rib) == {"10.1.0.0/16", "10.2.0.0/16"}
    route = rib.route(pfx("10.2.0.0/16"))
    assert route is not None
    assert [(claim.owner, claim.selector) for claim in route.claims] == [(LineKey("mymap 10", 1), None)]
    assert set(rib.lines()) == {LineKey("mymap 10", 0), LineKey("mymap 10", 1)}


def test_e3_the_first_peer_is_the_peer() -> None:
    peers = ("203.0.113.2", "203.0.113.3")
    rib = Rib(policy(entry(10, peers=peers, access_list=BRANCHES, static=True, next_hops=None)))
    assert next_hop(rib, pfx("10.1.0.0/16")) == "203.0.113.2"
    assert rib.whereabouts(LineKey("mymap 10", 0)) == Whereabouts(ip_address("203.0.113.2"))


def test_e3_a_first_peer_whose_name_does_not_resolve_makes_no_route_until_it_does() -> None:
    named = entry(10, peers=("hub.example.org", "203.0.113.3"), access_list=BRANCHES, static=True)
    rib = Rib(policy(named))
    assert table(rib) == set()
    assert reasons(rib) == [("E3", "the name of the peer hub.example.org does not resolve")] * 2
    known = Surroundings(names={"hub.example.org": (ip_address("203.0.113.2"),)})
    assert text(rib.take_surroundings(known)) == {"10.1.0.0/16", "10.2.0.0/16"}
    assert reasons(rib) == []


def test_e3_while_the_sa_is_up_too_the_sa_says_where_to() -> None:
    rib = Rib(policy(entry(10, peers=("203.0.113.2", "203.0.113.3"), access_list=BRANCHES, static=True)))
    one = sa(7, "10.1.0.0/16", local_ts=["192.168.1.0/24"], peer="203.0.113.3")
    assert up(rib, one) == set()
    assert owners(rib, pfx("10.1.0.0/16")) == [7, 0]
    assert down(rib, one) == set()
    assert owners(rib, pfx("10.1.0.0/16")) == [0]


def test_e3_a_permit_line_of_one_port_is_a_port_limited_proxy() -> None:
    web = acl("permit any 10.1.0.0/16 6 443")
    expected: dict[PortProxies, set[str]] = {
        PortProxies.SKIP: set(),
        PortProxies.ROUTE: {"10.1.0.0/16"},
        PortProxies.FLOWSPEC: {"10.1.0.0/16[6/443]"},
    }
    for setting, routes in expected.items():
        rib = Rib(policy(entry(peers=("203.0.113.2",), access_list=web, static=True, port_proxies=setting)))
        assert table(rib) == routes


@pytest.mark.parametrize(
    "after",
    [
        policy(entry(20)),
        policy(entry(10, peers=("203.0.113.2",), access_list=BRANCHES)),
        policy(entry(10, peers=("203.0.113.2",), access_list=BRANCHES, reverse_route=False)),
        policy(entry(10, peers=("203.0.113.2",), static=True)),
        policy(entry(10, static=True, access_list=BRANCHES)),
    ],
    ids=["no entry", "not static", "no reverse-route", "no access list", "no peer"],
)
def test_e4_what_the_policy_no_longer_says_is_withdrawn(after: object) -> None:
    rib = Rib(policy(entry(10, peers=("203.0.113.2",), access_list=BRANCHES, static=True)))
    assert text(rib.take_policy(after)) == {"10.1.0.0/16", "10.2.0.0/16"}  # type: ignore[arg-type]
    assert table(rib) == set()


def test_e4_only_what_differs_is_reported() -> None:
    one, other = entry(10, peers=("203.0.113.2",), tag=1), entry(20, tag=2)
    rib = Rib(policy(one, other))
    up(rib, sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16", peer="203.0.113.9"))
    assert rib.take_policy(policy(one, other)) == set()
    assert rib.take_policy(policy(entry(5, connection="none"), one, other)) == set()
    assert text(rib.take_policy(policy(one, entry(20, tag=3)))) == {"10.2.0.0/16"}
    assert text(rib.take_policy(policy(one))) == {"10.2.0.0/16"}
    assert table(rib) == {"10.1.0.0/16"}


def test_e5_static_on_a_dynamic_entry_is_driven_by_sas() -> None:
    rib = Rib(policy(entry(10, static=True, access_list=BRANCHES)))
    assert table(rib) == set()
    one = sa(1, "10.1.0.0/16", local_ts=["192.168.1.0/24"])
    assert up(rib, one) == {"10.1.0.0/16"}
    assert down(rib, one) == {"10.1.0.0/16"}


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


def test_e6_a_rekey_does_not_make_a_line_the_newest() -> None:
    rib = Rib(policy(entry(next_hops=None)))
    up(rib, sa(1, "10.1.0.0/16", peer="203.0.113.2", since=10), sa(2, "10.1.0.0/16", peer="203.0.113.3", since=20))
    rekeyed = sa(3, "10.1.0.0/16", peer="203.0.113.2", since=10, first=1)
    assert up(rib, rekeyed) == set()
    assert down(rib, sa(1)) == set()
    assert next_hop(rib, pfx("10.1.0.0/16")) == "203.0.113.3"


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
    assert text(rib.snapshot("vici", [sa(2, "10.2.0.0/16"), sa(4, "10.4.0.0/16")])) == {"10.1.0.0/16", "10.4.0.0/16"}
    assert table(rib) == {"10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"}


def test_e9_deny_lines_make_no_route() -> None:
    lines = acl("deny any 10.1.0.0/26", "permit any 10.1.0.0/24", "deny any 10.2.0.0/16")
    rib = Rib(policy(entry(10, peers=("203.0.113.2",), access_list=lines, static=True)))
    assert table(rib) == {"10.1.0.64/26", "10.1.0.128/25"}


def test_e9_what_was_negotiated_is_narrowed_to_what_the_list_permits_and_said() -> None:
    lines = acl("deny any 10.1.0.0/17", "permit any 10.1.0.0/16", name="half")
    rib = Rib(policy(entry(10, access_list=lines)))
    up(rib, sa(1, "10.1.0.0/16"))
    assert table(rib) == {"10.1.128.0/17"}
    assert reasons(rib) == [("E9", "access list half permits only a part of 10.1.0.0/16")]


@pytest.mark.parametrize(
    ("setting", "routes"),
    [
        (DefaultProxies.SKIP, set()),
        (DefaultProxies.ROUTE, {"0.0.0.0/0", "::/0"}),
        (DefaultProxies.HALVES, {"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"}),
    ],
)
def test_e10_three_settings_for_a_default_proxy(setting: DefaultProxies, routes: set[str]) -> None:
    rib = Rib(policy(entry(allow_default=setting)))
    up(rib, sa(1, "0.0.0.0/0", "::/0", "10.1.0.0/16"))
    assert table(rib) == {"10.1.0.0/16", *routes}
    rules = [rule for rule, _ in reasons(rib)]
    assert rules == (["E10", "E10"] if setting is DefaultProxies.SKIP else [])


def test_e10_a_default_proxy_that_is_allowed_still_has_to_be_in_the_allow_list() -> None:
    everything = AccessList("all", acl("permit any any").lines)
    rib = Rib(policy(entry(allow_default=DefaultProxies.ROUTE, access_list=everything, peers=("203.0.113.2",))))
    up(rib, sa(1, "0.0.0.0/0"))
    assert table(rib) == {"0.0.0.0/0"}


@pytest.mark.parametrize(
    ("setting", "routes"),
    [
        (PortProxies.SKIP, set()),
        (PortProxies.ROUTE, {"10.1.0.0/16", "10.2.0.0/16"}),
        (PortProxies.FLOWSPEC, {"10.1.0.0/16[6/443]", "10.2.0.0/16[47]"}),
    ],
)
def test_e11_three_settings_for_a_proxy_of_one_port_or_protocol(setting: PortProxies, routes: set[str]) -> None:
    rib = Rib(policy(entry(port_proxies=setting)))
    up(rib, sa(1, ts("10.1.0.0/16", 6, (443, 443)), ts("10.2.0.0/16", 47)))
    assert table(rib) == routes
    expected = [
        ("E11", "10.1.0.0/16[6/443] is limited to a protocol or port"),
        ("E11", "10.2.0.0/16[47] is limited to a protocol or port"),
    ]
    assert reasons(rib) == (expected if setting is PortProxies.SKIP else [])


def test_e11_a_flow_has_the_prefix_the_protocol_and_the_ports_of_the_proxy() -> None:
    rib = Rib(policy(entry(port_proxies=PortProxies.FLOWSPEC)))
    up(rib, sa(1, ts("10.1.0.0/16", 17), ts("2001:db8:1::/48", 6, (80, 90))))
    assert set(rib.destinations()) == {
        FlowRule(pfx("10.1.0.0/16"), 17, ANY_PORT),
        FlowRule(pfx("2001:db8:1::/48"), 6, (80, 90)),
    }


def test_e12_overlapping_prefixes_of_other_lengths_all_exist() -> None:
    rib = Rib(policy())
    wide, narrow = sa(1, "10.1.0.0/16"), sa(2, "10.1.1.0/24", peer="203.0.113.3")
    up(rib, wide, narrow)
    assert table(rib) == {"10.1.0.0/16", "10.1.1.0/24"}
    assert down(rib, narrow) == {"10.1.1.0/24"}
    assert table(rib) == {"10.1.0.0/16"}


@pytest.mark.parametrize(("overlap", "winner"), [(Overlap.NEWEST, 3), (Overlap.OLDEST, 1), (Overlap.ECMP, 3)])
def test_e13_who_has_one_proxy_of_several_peers(overlap: Overlap, winner: int) -> None:
    rib = Rib(policy(entry(next_hops=None, overlap=overlap)))
    pairs = {number: sa(number, "10.1.0.0/16", peer=f"203.0.113.{number}", since=number * 10) for number in (1, 2, 3)}
    up(rib, *pairs.values())
    assert next_hop(rib, pfx("10.1.0.0/16")) == f"203.0.113.{winner}"
    assert down(rib, pairs[winner]) == {"10.1.0.0/16"}
    assert next_hop(rib, pfx("10.1.0.0/16")) == "203.0.113.2"


def test_e13_without_a_time_the_unique_id_tells_who_is_newest() -> None:
    rib = Rib(policy(entry(next_hops=None)))
    up(rib, sa(9, "10.1.0.0/16", peer="203.0.113.9"), sa(4, "10.1.0.0/16", peer="203.0.113.4"))
    assert next_hop(rib, pfx("10.1.0.0/16")) == "203.0.113.9"


def test_e13_the_next_takes_over_in_one_change_and_equal_paths_are_no_change() -> None:
    rib = Rib(policy())
    one, other = sa(1, "10.1.0.0/16"), sa(2, "10.1.0.0/16", peer="203.0.113.3")
    up(rib, one)
    assert up(rib, other) == set()
    assert down(rib, other) == set()
    assert owners(rib, pfx("10.1.0.0/16")) == [1]


def test_e13_ecmp_has_all_paths_that_differ_the_newest_first() -> None:
    rib = Rib(policy(entry(10, next_hops=None, overlap=Overlap.ECMP, connection="b*"), entry(20, connection="c")))
    proxy = pfx("10.1.0.0/16")
    one = sa(1, "10.1.0.0/16", peer="203.0.113.2", since=1)
    again = sa(2, "10.1.0.0/16", peer="203.0.113.2", since=2)
    other = sa(3, "10.1.0.0/16", peer="203.0.113.3", since=3)
    assert up(rib, one, again, sa(4, "10.1.0.0/16", connection="c", since=9)) == {"10.1.0.0/16"}
    assert [str(path.next_hop) for path in rib.paths(proxy)] == ["203.0.113.2"]
    assert up(rib, other) == {"10.1.0.0/16"}
    assert [str(path.next_hop) for path in rib.paths(proxy)] == ["203.0.113.3", "203.0.113.2"]
    route = rib.route(proxy)
    assert route is not None
    assert [str(path.next_hop) for path in route.alternates] == ["203.0.113.2"]
    assert down(rib, again) == set()
    assert down(rib, one) == {"10.1.0.0/16"}
    assert rib.paths(pfx("10.9.0.0/16")) == ()


def test_e13_another_alternate_is_a_change_though_the_best_path_stays() -> None:
    rib = Rib(policy(entry(next_hops=None, overlap=Overlap.ECMP)))
    best, second = sa(3, "10.1.0.0/16", peer="203.0.113.3", since=3), sa(2, "10.1.0.0/16", peer="203.0.113.2", since=2)
    up(rib, best, second)
    assert up(rib, sa(2, "10.1.0.0/16", peer="203.0.113.4", since=2)) == {"10.1.0.0/16"}
    assert [str(path.next_hop) for path in rib.paths(pfx("10.1.0.0/16"))] == ["203.0.113.3", "203.0.113.4"]


def test_e14_families_of_proxy_and_peer_may_differ() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "2001:db8:1::/48", peer="203.0.113.2"), sa(2, "10.1.0.0/16", peer="2001:db8:ffff::2"))
    assert table(rib) == {"2001:db8:1::/48", "10.1.0.0/16"}


def test_a_range_that_is_no_prefix_becomes_exact_prefixes() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.200.17..10.1.200.20"))
    assert table(rib) == {"10.1.200.17/32", "10.1.200.18/31", "10.1.200.20/32"}


def test_two_selectors_that_ask_for_one_prefix_are_one_claim() -> None:
    rib = Rib(policy(entry(port_proxies=PortProxies.ROUTE)))
    up(rib, sa(1, "10.1.0.0/16", ts("10.1.0.0/16", 6), "10.2.0.0/16"))
    assert [str(claim.selector) for claim in rib.wanted(sa(1).key)] == ["10.1.0.0/16", "10.2.0.0/16"]


def test_two_entries_that_want_one_prefix_the_lower_wins_and_the_next_takes_over() -> None:
    rib = Rib(policy(entry(10, connection="a", tag=1), entry(20, connection="b", tag=2)))
    low, high = sa(2, "10.1.0.0/16", connection="a"), sa(1, "10.1.0.0/16", connection="b")
    assert up(rib, high) == {"10.1.0.0/16"}
    assert up(rib, low) == {"10.1.0.0/16"}
    assert down(rib, low) == {"10.1.0.0/16"}
    assert owners(rib, pfx("10.1.0.0/16")) == [1]


def _many(count: int) -> list[SaPair]:
    return [sa(number, "10.1.0.0/16", peer=str(ip_address(0x64400000 + number))) for number in range(1, count)]


def test_a_destination_that_very_many_want_is_kept_in_order() -> None:
    rib = Rib(policy())
    pairs = _many(300)
    up(rib, *reversed(pairs))
    assert owners(rib, pfx("10.1.0.0/16")) == list(range(299, 0, -1))
    down(rib, *pairs[::2])
    assert owners(rib, pfx("10.1.0.0/16")) == list(range(298, 0, -2))


def test_the_table_tells_its_parts() -> None:
    rib = Rib(policy(entry(connection="branch1")))
    one, other = sa(1, "10.1.0.0/16", "10.2.0.0/16"), sa(2, "10.3.0.0/16", connection="lost")
    up(rib, one, other)
    assert (len(rib), set(rib.sas())) == (2, {one, other})
    assert (rib.sa(one.key), rib.sa(sa(9).key)) == (one, None)
    found = rib.entry_of(one)
    assert found is not None
    assert (found.name, rib.entry_of(other)) == ("mymap 10", None)
    assert (rib.owner_entry(one.key), rib.owner_entry(other.key), rib.owner_entry(sa(9).key)) == (found, None, None)
    assert (rib.owner_entry(LineKey("mymap 10", 0)), rib.owner_entry(LineKey("none 1", 0))) == (found, None)
    assert [rib.whereabouts(owner) for owner in (one.key, sa(9).key, LineKey("none 1", 0))] == [
        Whereabouts(one.peer, 0, 0), None, None,
    ]  # fmt: skip
    assert (len(rib.refusals_of(other.key)), rib.refusals_of(sa(9).key)) == (1, ())
    assert (rib.route(pfx("10.9.0.0/16")), rib.path(Prefix(4, 0, 0))) == (None, None)
