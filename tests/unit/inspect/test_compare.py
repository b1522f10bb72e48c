"""Each kind of difference, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address

from rri_bgp.inspect import Difference, DifferenceKind, UpstreamPath, UpstreamRoute, UpstreamTable, compare
from rri_bgp.model import Attributes, Path, Prefix
from tests.values import HUB4, HUB6, pfx

OTHER = ip_address("192.0.2.2")
HUB_B = ip_address("198.51.100.3")
ONE = pfx("10.1.0.0/16")
SIX = pfx("2001:db8:1::/48")
TAGGED = Path(HUB4, Attributes(communities=((65000, 10),), large_communities=((65000, 1, 10),)))
GOOD = UpstreamPath(ONE, HUB4, HUB4, ((65000, 10),), ((65000, 1, 10),), best=True, valid=True)
THEIRS = UpstreamPath(ONE, OTHER, OTHER, best=True, valid=True)


def table(*paths: UpstreamPath, installed: Iterable[Prefix] | None = None) -> UpstreamTable:
    """A table of these paths, where all prefixes (or those named) are in the FIB."""
    by_prefix: dict[Prefix, tuple[UpstreamPath, ...]] = {}
    for path in paths:
        by_prefix[path.prefix] = (*by_prefix.get(path.prefix, ()), path)
    fib = by_prefix if installed is None else installed
    return UpstreamTable(by_prefix, {prefix: UpstreamRoute(prefix, installed=True) for prefix in fib})


def differences(upstream: UpstreamTable, wanted: Path | None = TAGGED) -> list[tuple[str, str, str]]:
    """Kind, wanted and found at one prefix, where our only session is the hub's."""
    found = compare({ONE: wanted} if wanted else {}, [HUB4], upstream)
    assert all(one.prefix == ONE for one in found)
    return [(one.kind.value, one.wanted, one.found) for one in found]


def test_nothing_wanted_and_nothing_there() -> None:
    assert compare({}, [], table()) == ()


def test_as_wanted() -> None:
    assert differences(table(GOOD)) == []


def test_as_wanted_beside_a_path_that_lost() -> None:
    assert differences(table(replace(THEIRS, best=False), GOOD)) == []


def test_what_others_announce_is_not_ours() -> None:
    assert differences(table(THEIRS), wanted=None) == []


def test_missing() -> None:
    assert differences(table()) == [("missing", "next hop 198.51.100.1", "no path")]


def test_missing_stands_alone_also_where_others_have_it() -> None:
    assert differences(table(THEIRS)) == [("missing", "next hop 198.51.100.1", "only paths of others")]


def test_everything_is_missing_where_we_have_no_session() -> None:
    assert [one.kind for one in compare({ONE: TAGGED}, [], table(GOOD))] == [DifferenceKind.MISSING]


def test_stale() -> None:
    assert differences(table(replace(GOOD, best=False), installed=[]), wanted=None) == [
        ("stale", "no path", "next hop 198.51.100.1")
    ]


def test_wrong_next_hop() -> None:
    assert differences(table(replace(GOOD, next_hop=OTHER))) == [("wrong next hop", "198.51.100.1", "192.0.2.2")]


def test_wrong_tag() -> None:
    bare = replace(GOOD, communities=(), large_communities=())
    assert differences(table(bare)) == [("wrong tag", "65000:10 65000:1:10", "none")]
    large = replace(GOOD, large_communities=((65000, 1, 999),))
    assert differences(table(large)) == [("wrong tag", "65000:10 65000:1:10", "65000:10 65000:1:999")]
    alias = replace(GOOD, communities=(), aliases=("branch",))
    assert differences(table(alias)) == [("wrong tag", "65000:10 65000:1:10", "65000:1:10 branch")]


def test_more_tags_than_wanted_are_allowed_in_any_order() -> None:
    more = replace(GOOD, communities=((1, 1), (65000, 10)), large_communities=((65000, 1, 10), (1, 2, 3)))
    assert differences(table(more)) == []
    assert differences(table(more), Path(HUB4)) == []


def test_not_best() -> None:
    ours = replace(GOOD, best=False)
    assert differences(table(THEIRS, ours)) == [("not best", "best path", "best is next hop 192.0.2.2 from 192.0.2.2")]


def test_not_best_where_nothing_is() -> None:
    dead = replace(GOOD, best=False, valid=False)
    assert differences(table(dead, installed=[])) == [
        ("not best", "best path", "not valid: next hop 198.51.100.1 is not reachable")
    ]
    assert differences(table(replace(GOOD, best=False))) == [("not best", "best path", "no best path")]


def test_not_installed() -> None:
    resolved = "in the FIB, next hop resolved"
    assert differences(table(GOOD, installed=[])) == [("not installed", resolved, "no route in the RIB")]
    lost = UpstreamTable({ONE: (GOOD,)}, {ONE: UpstreamRoute(ONE, installed=False)})
    assert differences(lost) == [("not installed", resolved, "a route in the RIB only")]


def test_not_installed_is_only_said_of_a_best_path() -> None:
    ours = replace(GOOD, best=False)
    assert [kind for kind, _, _ in differences(table(THEIRS, ours, installed=[]))] == ["not best"]


def test_one_prefix_can_have_several() -> None:
    ours = replace(GOOD, next_hop=OTHER, communities=())
    assert [kind for kind, _, _ in differences(table(ours, installed=[]))] == [
        "wrong next hop",
        "wrong tag",
        "not installed",
    ]
    lost = replace(ours, best=False)
    assert [kind for kind, _, _ in differences(table(lost, THEIRS))] == ["wrong next hop", "wrong tag", "not best"]


def test_with_two_sessions_each_must_be_right_and_one_best() -> None:
    second = replace(GOOD, peer=HUB_B, best=False)
    assert compare({ONE: TAGGED}, {HUB4, HUB_B}, table(GOOD, second)) == ()
    wrong = replace(second, next_hop=HUB_B)
    assert compare({ONE: TAGGED}, {HUB4, HUB_B}, table(GOOD, wrong)) == (
        Difference(ONE, DifferenceKind.WRONG_NEXT_HOP, "198.51.100.1", "198.51.100.3"),
    )


def test_sorted_by_prefix_ipv4_first() -> None:
    wanted = {SIX: Path(HUB6), pfx("10.10.0.0/16"): TAGGED, pfx("10.2.0.0/16"): TAGGED, pfx("10.2.0.0/24"): TAGGED}
    found = compare(wanted, [HUB4], table(GOOD))
    assert [(str(one.prefix), one.kind.value) for one in found] == [
        ("10.1.0.0/16", "stale"),
        ("10.2.0.0/16", "missing"),
        ("10.2.0.0/24", "missing"),
        ("10.10.0.0/16", "missing"),
        ("2001:db8:1::/48", "missing"),
    ]


def test_the_words_shown() -> None:
    assert [kind.value for kind in DifferenceKind] == [
        "missing", "stale", "wrong next hop", "wrong tag", "not best", "not installed",
    ]  # fmt: skip
