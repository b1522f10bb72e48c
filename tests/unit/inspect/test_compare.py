"""Each kind of difference, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address

from rri_bgp.inspect import (
    Difference,
    DifferenceKind,
    Given,
    UpstreamPath,
    UpstreamRoute,
    UpstreamTable,
    VpnPrefix,
    WantedPath,
    compare,
)
from rri_bgp.inspect.frr import Key
from rri_bgp.model import FlowRule, Prefix
from tests.values import HUB4, HUB6, pfx

OTHER = ip_address("192.0.2.2")
HUB_B = ip_address("198.51.100.3")
ONE = pfx("10.1.0.0/16")
SIX = pfx("2001:db8:1::/48")
TAGGED = WantedPath(HUB4, ((65000, 10),), ((65000, 1, 10),))
GOOD = UpstreamPath(ONE, HUB4, HUB4, ((65000, 10),), ((65000, 1, 10),), best=True, valid=True)
THEIRS = UpstreamPath(ONE, OTHER, OTHER, best=True, valid=True)


def table(*paths: UpstreamPath, installed: Iterable[Prefix] | None = None) -> UpstreamTable:
    """A table of these paths, where all prefixes (or those named) are in the FIB."""
    by_prefix: dict[Key, tuple[UpstreamPath, ...]] = {}
    for path in paths:
        by_prefix[path.prefix] = (*by_prefix.get(path.prefix, ()), path)
    fib = [key for key in by_prefix if isinstance(key, Prefix)] if installed is None else installed
    return UpstreamTable(by_prefix, {prefix: UpstreamRoute(prefix, installed=True) for prefix in fib})


def differences(upstream: UpstreamTable, *wanted: WantedPath) -> list[tuple[str, str, str]]:
    """Kind, wanted and found at one prefix, where our only session is the hub's."""
    found = compare({HUB4: {ONE: wanted} if wanted else {}}, upstream)
    assert all(one.prefix == ONE for one in found)
    return [(one.kind.value, one.wanted, one.found) for one in found]


def test_nothing_wanted_and_nothing_there() -> None:
    assert compare({}, table()) == ()


def test_as_wanted() -> None:
    assert differences(table(GOOD), TAGGED) == []


def test_as_wanted_beside_a_path_that_lost() -> None:
    assert differences(table(replace(THEIRS, best=False), GOOD), TAGGED) == []


def test_what_others_announce_is_not_ours() -> None:
    assert differences(table(THEIRS)) == []


def test_missing() -> None:
    assert differences(table(), TAGGED) == [("missing", "next hop 198.51.100.1", "no path")]


def test_missing_stands_alone_also_where_others_have_it() -> None:
    assert differences(table(THEIRS), TAGGED) == [("missing", "next hop 198.51.100.1", "only paths of others")]


def test_everything_is_missing_where_another_session_brought_it() -> None:
    assert [one.kind for one in compare({HUB_B: {ONE: (TAGGED,)}}, table(GOOD))] == [DifferenceKind.MISSING]


def test_stale() -> None:
    assert differences(table(replace(GOOD, best=False), installed=[])) == [
        ("stale", "no path", "next hop 198.51.100.1")
    ]


def test_wrong_next_hop() -> None:
    assert differences(table(replace(GOOD, next_hop=OTHER)), TAGGED) == [
        ("wrong next hop", "198.51.100.1", "192.0.2.2")
    ]


def test_wrong_tag() -> None:
    bare = replace(GOOD, communities=(), large_communities=())
    assert differences(table(bare), TAGGED) == [("wrong tag", "65000:10 65000:1:10", "none")]
    large = replace(GOOD, large_communities=((65000, 1, 999),))
    assert differences(table(large), TAGGED) == [("wrong tag", "65000:10 65000:1:10", "65000:10 65000:1:999")]
    alias = replace(GOOD, communities=(), aliases=("branch",))
    assert differences(table(alias), TAGGED) == [("wrong tag", "65000:10 65000:1:10", "65000:1:10 branch")]


def test_more_tags_than_wanted_are_allowed_in_any_order() -> None:
    more = replace(GOOD, communities=((1, 1), (65000, 10)), large_communities=((65000, 1, 10), (1, 2, 3)))
    assert differences(table(more), TAGGED) == []
    assert differences(table(more), WantedPath(HUB4)) == []


def test_not_best() -> None:
    ours = replace(GOOD, best=False)
    best = "best is next hop 192.0.2.2 from 192.0.2.2"
    assert differences(table(THEIRS, ours), TAGGED) == [("not best", "best path", best)]


def test_not_best_where_nothing_is() -> None:
    dead = replace(GOOD, best=False, valid=False)
    assert differences(table(dead, installed=[]), TAGGED) == [
        ("not best", "best path", "not valid: next hop 198.51.100.1 is not reachable")
    ]
    assert differences(table(replace(GOOD, best=False)), TAGGED) == [("not best", "best path", "no best path")]


def test_not_installed() -> None:
    resolved = "in the FIB, next hop resolved"
    assert differences(table(GOOD, installed=[]), TAGGED) == [("not installed", resolved, "no route in the RIB")]
    lost = UpstreamTable({ONE: (GOOD,)}, {ONE: UpstreamRoute(ONE, installed=False)})
    assert differences(lost, TAGGED) == [("not installed", resolved, "a route in the RIB only")]


def test_not_installed_is_only_said_of_a_best_path() -> None:
    ours = replace(GOOD, best=False)
    assert [kind for kind, _, _ in differences(table(THEIRS, ours, installed=[]), TAGGED)] == ["not best"]


def test_one_prefix_can_have_several() -> None:
    ours = replace(GOOD, next_hop=OTHER, communities=())
    assert [kind for kind, _, _ in differences(table(ours, installed=[]), TAGGED)] == [
        "wrong next hop",
        "wrong tag",
        "not installed",
    ]
    lost = replace(ours, best=False)
    assert [kind for kind, _, _ in differences(table(lost, THEIRS), TAGGED)] == [
        "wrong next hop",
        "wrong tag",
        "not best",
    ]


def test_with_two_sessions_each_must_be_right_and_one_best() -> None:
    second = replace(GOOD, peer=HUB_B, best=False)
    both: Given = {HUB4: {ONE: (TAGGED,)}, HUB_B: {ONE: (TAGGED,)}}
    assert compare(both, table(GOOD, second)) == ()
    wrong = replace(second, next_hop=HUB_B)
    assert compare(both, table(GOOD, wrong)) == (
        Difference(ONE, DifferenceKind.WRONG_NEXT_HOP, "198.51.100.1", "198.51.100.3"),
    )


def test_n8_two_sessions_that_are_given_different_routes() -> None:
    given: Given = {HUB4: {ONE: (TAGGED,)}, HUB_B: {ONE: (WantedPath(HUB_B),), SIX: (WantedPath(HUB6),)}}
    theirs = UpstreamPath(ONE, HUB_B, HUB_B, best=False, valid=True)
    six = UpstreamPath(SIX, HUB_B, HUB6, best=True, valid=True)
    assert compare(given, table(GOOD, theirs, six)) == ()
    assert compare(given, table(GOOD, theirs, six, replace(six, peer=HUB4))) == (
        Difference(SIX, DifferenceKind.STALE, "no path", "next hop 2001:db8:100::1"),
    )


def test_e13_of_several_paths_the_best_and_no_strange_one() -> None:
    second = WantedPath(OTHER)
    other = UpstreamPath(ONE, HUB4, OTHER, valid=True)
    assert differences(table(GOOD), TAGGED, second) == []
    assert differences(table(GOOD, other), TAGGED, second) == []
    only = differences(table(replace(other, best=True)), TAGGED, second)
    assert only == [("wrong next hop", "198.51.100.1", "192.0.2.2")]
    strange = replace(GOOD, next_hop=HUB_B, best=False)
    assert differences(table(GOOD, strange), TAGGED, second) == [("wrong next hop", "198.51.100.1", "198.51.100.3")]


def test_g5_wrong_med() -> None:
    worse = replace(TAGGED, med=500)
    assert differences(table(replace(GOOD, med=500)), worse) == []
    assert differences(table(GOOD), worse) == [("wrong MED", "500", "none")]
    assert differences(table(replace(GOOD, med=10)), worse) == [("wrong MED", "500", "10")]
    assert differences(table(replace(GOOD, med=10)), TAGGED) == []


def test_e11_flow_rules() -> None:
    rule = FlowRule(ONE, 6, (443, 443))
    wanted: Given = {HUB4: {rule: (TAGGED,)}}
    assert compare(wanted, UpstreamTable({}, {}, flows={rule: HUB4})) == ()
    assert compare(wanted, UpstreamTable({}, {})) == (
        Difference(rule, DifferenceKind.MISSING, "redirect to 198.51.100.1", "no flow rule"),
    )
    assert compare(wanted, UpstreamTable({}, {}, flows={rule: OTHER})) == (
        Difference(rule, DifferenceKind.WRONG_NEXT_HOP, "198.51.100.1", "192.0.2.2"),
    )
    assert compare({HUB4: {}}, UpstreamTable({}, {}, flows={rule: HUB4})) == (
        Difference(rule, DifferenceKind.STALE, "no flow rule", "redirect to 198.51.100.1"),
    )
    assert compare({HUB4: {}}, UpstreamTable({}, {}, flows={rule: OTHER})) == (), "somebody else's"


def test_n10_vpn_routes_have_no_fib() -> None:
    key = VpnPrefix("65000:1", ONE)
    wanted: Given = {HUB4: {key: (WantedPath(HUB4, extended=("RT:65000:1",)),)}}
    path = UpstreamPath(key, HUB4, HUB4, best=True, valid=True, extended=("RT:65000:1", "RT:65000:2"))
    assert compare(wanted, table(path)) == ()
    assert compare(wanted, table(replace(path, extended=("RT:65000:2",)))) == (
        Difference(key, DifferenceKind.WRONG_TAG, "RT:65000:1", "RT:65000:2"),
    )
    assert compare(wanted, table()) == (Difference(key, DifferenceKind.MISSING, "next hop 198.51.100.1", "no path"),)
    assert str(key) == "10.1.0.0/16 RD 65000:1"


def test_sorted_by_prefix_ipv4_first() -> None:
    wanted: dict[Key, tuple[WantedPath, ...]] = {
        SIX: (WantedPath(HUB6),),
        VpnPrefix("65000:1", pfx("10.1.0.0/16")): (TAGGED,),
        pfx("10.10.0.0/16"): (TAGGED,),
        pfx("10.2.0.0/16"): (TAGGED,),
        pfx("10.2.0.0/24"): (TAGGED,),
    }
    found = compare({HUB4: wanted}, table(GOOD))
    assert [(str(one.prefix), one.kind.value) for one in found] == [
        ("10.1.0.0/16", "stale"),
        ("10.2.0.0/16", "missing"),
        ("10.2.0.0/24", "missing"),
        ("10.10.0.0/16", "missing"),
        ("2001:db8:1::/48", "missing"),
        ("10.1.0.0/16 RD 65000:1", "missing"),
    ]


def test_the_words_shown() -> None:
    assert [kind.value for kind in DifferenceKind] == [
        "missing", "stale", "wrong next hop", "wrong tag", "wrong MED", "not best", "not installed",
    ]  # fmt: skip
