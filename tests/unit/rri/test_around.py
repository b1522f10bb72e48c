"""What is around a route: redundancy groups (G2), holding and suspicion (G4, G5), and beginning anew (G7)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from rri_bgp.model import Attributes, LineKey
from rri_bgp.rri import Rib, Surroundings, routes_from_scratch
from rri_bgp.rri.entries import Group, Overlap
from rri_bgp.rri.tracker import Whereabouts
from tests.unit.rri.tables import down, meds, next_hop, owners, reasons, table, text, up
from tests.values import HUB4, HUB6, acl, entry, pfx, policy, sa

VIRTUAL = ip_address("192.0.2.3")
SILENT = Group("group1", (VIRTUAL,))
WORSE = Group("group1", (VIRTUAL,), standby_med=200)
HERE = Surroundings(held=frozenset(("group1",)))
PROXY = pfx("10.1.0.0/16")


def test_g2_the_holder_of_the_virtual_address_injects_with_it_as_next_hop() -> None:
    rib = Rib(policy(entry(redundancy="group1"), groups=(SILENT,)), HERE)
    up(rib, sa(1, "10.1.0.0/16", "2001:db8:1::/48"))
    assert next_hop(rib, PROXY) == "192.0.2.3"
    assert next_hop(rib, pfx("2001:db8:1::/48")) == str(HUB6)


def test_g2_the_standby_is_silent_and_takes_over_with_the_address() -> None:
    rib = Rib(policy(entry(10, redundancy="group1", connection="b*"), entry(20), groups=(SILENT,)))
    up(rib, sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16", connection="other"))
    assert table(rib) == {"10.2.0.0/16"}
    assert reasons(rib) == [("G2", "the virtual address of redundancy group group1 is not on this machine")]
    assert text(rib.take_surroundings(HERE)) == {"10.1.0.0/16"}
    assert reasons(rib) == []
    assert text(rib.take_surroundings(Surroundings())) == {"10.1.0.0/16"}
    assert table(rib) == {"10.2.0.0/16"}


def test_g2_the_standby_announces_a_worse_med_where_it_is_told_to() -> None:
    rib = Rib(policy(entry(redundancy="group1"), groups=(WORSE,)))
    up(rib, sa(1, "10.1.0.0/16"))
    assert (next_hop(rib, PROXY), meds(rib)) == (str(HUB4), {"10.1.0.0/16": 200})
    assert text(rib.take_surroundings(HERE)) == {"10.1.0.0/16"}
    assert (next_hop(rib, PROXY), meds(rib)) == ("192.0.2.3", {"10.1.0.0/16": None})


def test_g2_a_med_that_is_worse_already_stays() -> None:
    rib = Rib(policy(entry(redundancy="group1", attributes=Attributes(med=300)), groups=(WORSE,)))
    up(rib, sa(1, "10.1.0.0/16"))
    assert meds(rib) == {"10.1.0.0/16": 300}


def test_g2_static_routes_follow_the_group_too() -> None:
    lines = acl("permit any 10.1.0.0/16")
    static = entry(peers=("203.0.113.2",), access_list=lines, static=True, redundancy="group1")
    rib = Rib(policy(static, groups=(SILENT,)))
    assert (table(rib), [rule for rule, _ in reasons(rib)]) == (set(), ["G2"])
    assert text(rib.take_surroundings(HERE)) == {"10.1.0.0/16"}
    assert next_hop(rib, PROXY) == "192.0.2.3"
    assert text(rib.take_surroundings(Surroundings())) == {"10.1.0.0/16"}


def test_g2_a_fixed_next_hop_is_not_the_virtual_address() -> None:
    rib = Rib(policy(entry(redundancy="group1", next_hops={4: ip_address("192.0.2.9")}), groups=(SILENT,)), HERE)
    up(rib, sa(1, "10.1.0.0/16"))
    assert next_hop(rib, PROXY) == "192.0.2.9"


def test_g4_a_pair_that_is_only_held_wins_from_nobody() -> None:
    rib = Rib(policy(entry(next_hops=None, overlap=Overlap.OLDEST, degrade_med=500)))
    up(rib, sa(1, "10.1.0.0/16", peer="203.0.113.9", since=1, is_held=True))
    assert next_hop(rib, PROXY) == "203.0.113.9"
    assert up(rib, sa(2, "10.1.0.0/16", since=2, is_suspect=True)) == {"10.1.0.0/16"}
    assert owners(rib, PROXY) == [2, 1]


def test_g5_a_suspected_peer_degrades_its_routes_before_they_go() -> None:
    rib = Rib(policy(entry(degrade_med=500)))
    up(rib, sa(1, "10.1.0.0/16"))
    assert up(rib, sa(1, "10.1.0.0/16", is_suspect=True)) == {"10.1.0.0/16"}
    assert meds(rib) == {"10.1.0.0/16": 500}
    assert up(rib, sa(1, "10.1.0.0/16")) == {"10.1.0.0/16"}
    assert meds(rib) == {"10.1.0.0/16": None}


def test_g5_suspicion_changes_nothing_where_the_entry_does_not_ask_for_it() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.0.0/16", since=1), sa(2, "10.1.0.0/16", since=2, peer="203.0.113.3"))
    assert up(rib, sa(2, "10.1.0.0/16", since=2, peer="203.0.113.3", is_suspect=True)) == set()
    assert owners(rib, PROXY) == [2, 1]


@pytest.mark.parametrize(("overlap", "expected"), [(Overlap.NEWEST, [4, 3, 2]), (Overlap.OLDEST, [2, 3, 4])])
@pytest.mark.parametrize("trouble", [{"is_suspect": True}, {"is_held": True}, {"is_suspect": True, "is_held": True}])
def test_g5_age_decides_among_those_that_stand_alike(
    overlap: Overlap, expected: list[int], trouble: dict[str, bool]
) -> None:
    rib = Rib(policy(entry(degrade_med=500, overlap=overlap)))
    up(rib, *(sa(number, "10.1.0.0/16", since=number, **trouble) for number in (3, 2, 4)))  # type: ignore[arg-type]
    assert owners(rib, PROXY) == expected
    up(rib, sa(9, "10.1.0.0/16", since=3, is_held=True, is_suspect=True))
    assert owners(rib, PROXY)[0] == expected[0]


@pytest.mark.parametrize("overlap", list(Overlap))
def test_g5_a_healthy_owner_goes_before_a_suspected_one(overlap: Overlap) -> None:
    rib = Rib(policy(entry(next_hops=None, degrade_med=500, overlap=overlap)))
    pairs = [sa(number, "10.1.0.0/16", peer=f"203.0.113.{number}", since=number) for number in (2, 3, 4)]
    up(rib, *pairs)
    winner = owners(rib, PROXY)[0]
    up(rib, sa(winner, "10.1.0.0/16", peer=f"203.0.113.{winner}", since=winner, is_suspect=True))
    assert owners(rib, PROXY)[-1] == winner
    assert ip_address(f"203.0.113.{winner}") not in [path.next_hop for path in rib.paths(PROXY)]


def test_g5_a_suspected_peer_as_next_hop_degrades_too_and_a_static_line_stays_as_it_is() -> None:
    lines = acl("permit any 10.1.0.0/16")
    static = entry(peers=("203.0.113.2",), next_hops=None, degrade_med=500, static=True, access_list=lines)
    rib = Rib(policy(static))
    assert up(rib, sa(1, "10.1.0.0/16", is_suspect=True)) == set()
    assert meds(rib) == {"10.1.0.0/16": None}
    assert text(rib.take_policy(policy(entry(next_hops=None, degrade_med=500)))) == {"10.1.0.0/16"}
    assert meds(rib) == {"10.1.0.0/16": 500}


def test_g7_a_table_that_begins_anew_ends_in_the_same_routes() -> None:
    lines = acl("permit any 10.3.0.0/16")
    rules = policy(
        entry(10, peers=("203.0.113.2",), static=True, access_list=lines), entry(20, redundancy="group1"),
        groups=(WORSE,), max_routes=3,
    )  # fmt: skip
    pairs = [sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16", peer="203.0.113.9"), sa(3, "10.1.0.0/16", "10.4.0.0/16")]
    rib = Rib(rules)
    up(rib, *pairs)
    down(rib, pairs[0])
    rib.take_surroundings(HERE)
    again = Rib(rules, HERE)
    up(again, *pairs[1:])
    assert {one.destination: one for one in rib.routes()} == {one.destination: one for one in again.routes()}
    assert {one.destination: one for one in rib.routes()} == routes_from_scratch(rules, pairs[1:], HERE)
    assert set(rib.refusals()) == set(again.refusals())


def test_e3_names_that_resolve_otherwise_touch_their_peers_alone() -> None:
    lines = acl("permit any 10.1.0.0/16")
    named = entry(10, peers=("hub.example.org",), static=True, access_list=lines, next_hops=None)
    first = Surroundings(names={"hub.example.org": (ip_address("203.0.113.2"),)})
    second = Surroundings(names={"hub.example.org": (ip_address("203.0.113.3"),)})
    rib = Rib(policy(named, entry(20, tag=7), max_routes=100), first)
    up(rib, sa(1, "10.1.5.0/24"), sa(2, "10.1.6.0/24", peer="203.0.113.3"), sa(3, "10.1.7.0/24", peer="203.0.113.4"))
    assert text(rib.take_surroundings(second)) == {"10.1.0.0/16", "10.1.5.0/24", "10.1.6.0/24"}
    assert next_hop(rib, PROXY) == "203.0.113.3"
    assert rib.whereabouts(LineKey("mymap 10", 0)) == Whereabouts(ip_address("203.0.113.3"))
