"""Every route explains itself (rule G8): owners, entries, rule ids, losers and refusals."""

from __future__ import annotations

import sys
from ipaddress import ip_address

import pytest

from rri_bgp.model import LineKey, VrfPrefix
from rri_bgp.rri import Rib, Surroundings
from rri_bgp.rri.entries import DefaultProxies, Group, Guard, Overlap, PortProxies, RemotePeer, Vrf
from rri_bgp.rri.explain import Explanation, Fate, explain, explain_owner
from tests.unit.rri.tables import up
from tests.values import acl, entry, pfx, policy, sa, ts


def fates(story: Explanation) -> list[tuple[int, Fate]]:
    return [(claim.claim.owner[1], claim.fate) for claim in story.claims]


def rules(rib: Rib, destination: str) -> tuple[str, ...]:
    return explain(rib, pfx(destination)).claims[0].rules


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
    assert [(c.claim.owner[1], c.entry.seq) for c in story.claims] == [(1, 10), (2, 20)]
    assert [str(route.destination) for route in story.covering] == ["10.0.0.0/8"]
    assert [str(route.destination) for route in story.covered] == ["10.1.5.0/24"]
    assert [(one.refusal.rule, one.refusal.owner[1]) for one in story.refusals] == [("E11", 5)]


def test_g8_explain_tells_of_a_prefix_that_is_no_route() -> None:
    rib = Rib(policy(entry(connection="hq")))
    up(rib, sa(1, "10.1.0.0/16"))
    story = explain(rib, pfx("10.1.7.0/24"))
    assert (story.route, story.claims, story.covering) == (None, (), ())
    assert [(one.refusal.reason, one.entry) for one in story.refusals] == [("no map entry takes this SA", None)]


def test_g8_explain_tells_of_refused_prefixes_and_lines() -> None:
    lines = acl("permit any 10.1.0.0/16", "permit any 10.2.0.0/16")
    rib = Rib(policy(entry(10, peers=("hub.example.org",), static=True, access_list=lines), entry(20)))
    up(rib, sa(1, "10.1.0.0/16", "224.0.0.0/24"))
    refused = explain(rib, pfx("10.2.1.0/24")).refusals
    assert [(one.refusal.owner, one.sa) for one in refused] == [(LineKey("mymap 10", 1), None)]
    assert [one.refusal.why.label for one in explain(rib, pfx("224.0.0.5/32")).refusals] == ["multicast"]


def test_g8_explain_stays_in_the_vrf_and_has_the_flows() -> None:
    red = entry(10, connection="red", vrf="red", port_proxies=PortProxies.FLOWSPEC)
    rib = Rib(policy(red, entry(20), vrfs=(Vrf("red", 10),)))
    up(rib, sa(1, "10.1.0.0/16", ts("10.1.0.0/16", 6, (22, 22)), connection="red"), sa(2, "10.0.0.0/8"))
    story = explain(rib, VrfPrefix("red", pfx("10.1.0.0/16")))
    assert (story.covering, [str(one.destination) for one in story.covered]) == ((), ["10.1.0.0/16[6/22] vrf red"])


def test_g8_explain_names_the_halves_and_the_flow_that_a_selector_made_e10_e11() -> None:
    lines = acl("permit any 0.0.0.0/1")
    rib = Rib(
        policy(
            entry(10, connection="all", allow_default=DefaultProxies.HALVES, port_proxies=PortProxies.FLOWSPEC),
            entry(20, peers=("192.0.2.9",), static=True, access_list=lines),
        )
    )
    up(
        rib,
        sa(1, "0.0.0.0/0", "2001:db8::/32", connection="all"),
        sa(2, ts("10.1.0.0/16", 6, (443, 443)), connection="all"),
        sa(3, "10.1.5.0/24", connection="all"),
    )
    made = [(str(one.claim.destination), one.claim.owner, one.fate) for one in explain(rib, pfx("0.0.0.0/0")).made]
    assert made == [(half, ("vici", 1), Fate.WINS) for half in ("0.0.0.0/1", "128.0.0.0/1")]
    made = [(str(one.claim.destination), one.claim.owner, one.fate) for one in explain(rib, pfx("10.1.0.0/16")).made]
    assert made == [("10.1.0.0/16[6/443]", ("vici", 2), Fate.WINS)]
    assert explain(rib, pfx("10.0.0.0/8")).made == explain(rib, pfx("::/0")).made == ()


def test_g8_losers_say_why_they_lost() -> None:
    first = entry(10, peers=("203.0.113.2",), degrade_med=5)
    rib = Rib(policy(first, entry(20)))
    up(
        rib,
        sa(1, "10.1.0.0/16", since=1),
        sa(2, "10.1.0.0/16", since=2),
        sa(3, "10.1.0.0/16", since=3, is_suspect=True),
        sa(4, "10.1.0.0/16", since=4, is_held=True),
        sa(5, "10.1.0.0/16", since=5, peer="203.0.113.9"),
    )
    assert fates(explain(rib, pfx("10.1.0.0/16"))) == [
        (2, Fate.WINS), (1, Fate.OLDER), (3, Fate.SUSPECT), (4, Fate.HELD), (5, Fate.ENTRY),
    ]  # fmt: skip


def test_g8_the_other_ways_to_share_or_lose_a_destination() -> None:
    for overlap, fate in ((Overlap.OLDEST, Fate.YOUNGER), (Overlap.ECMP, Fate.SHARES)):
        rib = Rib(policy(entry(overlap=overlap)))
        up(rib, sa(1, "10.1.0.0/16", since=1), sa(2, "10.1.0.0/16", since=2))
        assert [one for _, one in fates(explain(rib, pfx("10.1.0.0/16")))] == [Fate.WINS, fate]


def test_g8_an_owner_tells_what_became_of_its_wishes() -> None:
    rib = Rib(policy(entry(guard=Guard(max_routes=1))))
    one = sa(1, "10.1.0.0/16", "10.2.0.0/16", "224.0.0.0/24")
    up(rib, one)
    story = explain_owner(rib, one.key)
    assert (story.sa, story.entry) == (one, rib.policy.entries[0])
    assert [(str(c.claim.destination), c.fate) for c in story.claims] == [
        ("10.1.0.0/16", Fate.WINS), ("10.2.0.0/16", Fate.REFUSED),
    ]  # fmt: skip
    assert [refusal.why.label for refusal in story.refusals] == ["multicast", "entry-limit"]
    nobody = explain_owner(rib, sa(9).key)
    assert (nobody.sa, nobody.entry, nobody.claims, nobody.refusals) == (None, None, (), ())


def test_g8_each_entry_says_why_it_does_not_take_an_sa() -> None:
    rib = Rib(policy(entry(10, connection="hq-*"), entry(20)))
    assert [(one.rank, one.takes) for one in rib.verdicts(sa(1, "10.1.0.0/16"))] == [(0, False), (1, True)]


def test_g8_a_claim_names_the_rules_that_made_it() -> None:
    rib = Rib(policy(entry(10, tag=1, allow_default=DefaultProxies.HALVES, port_proxies=PortProxies.ROUTE)))
    up(rib, sa(1, "10.1.0.0/16", "0.0.0.0/0", ts("10.2.0.0/16", 6), "2001:db8:1::/48"))
    assert rules(rib, "10.1.0.0/16") == ("E1", "N1", "N8", "N9")
    assert rules(rib, "128.0.0.0/1") == ("E1", "E10", "N1", "N8", "N9")
    assert rules(rib, "10.2.0.0/16") == ("E1", "E11", "N1", "N8", "N9")
    assert rules(rib, "2001:db8:1::/48") == ("E1", "E14", "N1", "N8", "N9")


def test_g8_rules_of_static_lines_groups_vrfs_and_troubled_owners() -> None:
    lines = acl("permit any 10.1.0.0/16", "permit any any")
    static = entry(
        10, peers=("203.0.113.2",), static=True, access_list=lines, remote_peer=RemotePeer(), redundancy="group1",
        allow_default=DefaultProxies.ROUTE, degrade_med=9,
    )  # fmt: skip
    group = Group("group1", (ip_address("192.0.2.3"),))
    rib = Rib(policy(static, groups=(group,)), Surroundings(held=frozenset(("group1",))))
    assert rules(rib, "10.1.0.0/16") == ("E3", "E9", "N2", "N9", "G2")
    assert rules(rib, "0.0.0.0/0") == ("E3", "E9", "E10", "N2", "N9", "G2")
    up(rib, sa(1, "10.5.0.0/16", is_suspect=True), sa(2, "10.6.0.0/16", is_held=True))
    assert rules(rib, "10.5.0.0/16") == ("E2", "E9", "N2", "N9", "G2", "G5")
    assert rules(rib, "10.6.0.0/16") == ("E2", "E9", "N2", "N9", "G2", "G4")
    red = Rib(policy(entry(vrf="red", port_proxies=PortProxies.FLOWSPEC), vrfs=(Vrf("red", 10),)))
    up(red, sa(1, "10.1.0.0/16"))
    story = explain(red, VrfPrefix("red", pfx("10.1.0.0/16")))
    assert story.claims[0].rules == ("E1", "N1", "N6", "N9", "N10")


def test_g8_the_neighbours_in_the_table_are_in_order_and_no_others_are_named() -> None:
    rib = Rib(policy(entry(port_proxies=PortProxies.FLOWSPEC)))
    up(
        rib,
        sa(1, "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25", "10.9.0.0/16", "10.0.0.0/7"),
        sa(2, ts("10.1.2.0/24", 6, (22, 22)), ts("10.1.2.7/32", 17), "10.1.2.9/32"),
    )
    story = explain(rib, pfx("10.1.2.0/24"))
    assert story.destination == pfx("10.1.2.0/24")
    assert [str(one.destination) for one in story.covering] == ["10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/7"]
    assert [str(one.destination) for one in story.covered] == [
        "10.1.2.0/24[6/22]", "10.1.2.7/32[17]", "10.1.2.9/32", "10.1.2.128/25",
    ]  # fmt: skip


def test_g8_claims_and_refusals_come_with_the_sa_and_the_entry_behind_them() -> None:
    rib = Rib(policy(entry(10, connection="rw"), entry(20)))
    one, other = sa(1, "10.1.0.0/16"), sa(2, ts("10.1.0.0/16", 6))
    up(rib, one, other)
    story = explain(rib, pfx("10.1.0.0/16"))
    assert [(claim.sa, claim.entry.seq) for claim in story.claims] == [(one, 20)]
    assert [(found.sa, found.entry) for found in story.refusals] == [(other, rib.policy.entries[1])]
    assert explain_owner(rib, one.key).owner == one.key


@pytest.mark.parametrize("most", [2, 100])
def test_g8_a_long_story_says_how_much_it_leaves_out(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    module = sys.modules[explain.__module__]  # ``rri_bgp.rri.explain`` is the function
    monkeypatch.setattr(module, "MOST", most)
    monkeypatch.setattr(module, "_PIECE", 2)
    rib = Rib(policy(entry(10, connection="tcp"), entry(20, port_proxies=PortProxies.FLOWSPEC)))
    up(rib, *(sa(number, "10.1.0.0/16", f"10.1.{number}.0/24") for number in range(1, 5)))
    up(rib, sa(5, ts("10.1.0.0/16", 6), ts("10.1.9.0/24", 17)))
    up(rib, *(sa(number, ts("10.1.0.0/16", 6), connection="tcp") for number in (6, 7, 8)))
    story = explain(rib, pfx("10.1.0.0/16"))
    claims, covered, refusals = (min(most, many) for many in (4, 6, 3))
    assert (len(story.claims), len(story.covered), len(story.refusals)) == (claims, covered, refusals)
    assert story.untold == 13 - claims - covered - refusals
    assert [str(one.destination) for one in story.covered[:2]] == ["10.1.0.0/16[6]", "10.1.1.0/24"]


def test_g8_all_that_covers_a_destination_is_named_whatever_its_length() -> None:
    every = entry(10, connection="red", vrf="red", allow_default=DefaultProxies.ROUTE)
    rib = Rib(policy(every, entry(20, allow_default=DefaultProxies.ROUTE), vrfs=(Vrf("red", 10),)))
    wide = ("10.1.2.2/31", "10.0.0.0/15", "128.0.0.0/1", "0.0.0.0/0", "2001:db8::2/127", "::/0")
    up(rib, sa(1, *wide), sa(2, *wide, connection="red"))
    for destination, expected in (
        ("10.1.2.3/32", ["10.1.2.2/31", "10.0.0.0/15", "0.0.0.0/0"]),
        ("10.0.0.0/15", ["0.0.0.0/0"]),
        ("0.0.0.0/0", []),
        ("2001:db8::3/128", ["2001:db8::2/127", "::/0"]),
    ):
        found = explain(rib, pfx(destination)).covering
        assert [str(one.destination) for one in found] == expected
        in_red = explain(rib, VrfPrefix("red", pfx(destination))).covering
        assert [str(one.destination) for one in in_red] == [f"{one} vrf red" for one in expected]
