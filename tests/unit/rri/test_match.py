"""Which entry takes an SA pair, and what the others say (rules E1, E2, G8)."""

from __future__ import annotations

import time
from ipaddress import ip_address

import pytest

from rri_bgp.model import SaPair
from rri_bgp.rri import match
from rri_bgp.rri.entries import EntryKind, MapEntry, Match
from rri_bgp.rri.match import Matcher, Verdict
from tests.values import acl, entry, policy, sa, ts

BRANCHES = acl("permit 192.168.1.0/24 10.0.0.0/16", "deny any 10.1.99.0/24", "permit any 10.1.0.0/16")


def rank(one: SaPair, *entries: MapEntry, **names: tuple[str, ...]) -> int | None:
    return matcher(*entries, **names).rank(one)


def matcher(*entries: MapEntry, **names: tuple[str, ...]) -> Matcher:
    found = {name.replace("_", "."): tuple(ip_address(one) for one in many) for name, many in names.items()}
    return Matcher(policy(*entries), found)


def reasons(one: SaPair, *entries: MapEntry, **names: tuple[str, ...]) -> list[str]:
    return [f"{verdict.takes}: {verdict.reason}" for verdict in matcher(*entries, **names).explain(one)]


def test_e1_the_first_dynamic_entry_that_fits_takes_the_sa() -> None:
    entries = (entry(10, connection="hq"), entry(20, connection="rw-*", child="net"), entry(30), entry(40))
    assert rank(sa(1, connection="hq"), *entries) == 0
    assert rank(sa(1, connection="rw-1"), *entries) == 1
    assert rank(sa(1, connection="rw-1", child="voice"), *entries) == 2
    assert rank(sa(1, connection="branch"), *entries) == 2
    assert rank(sa(1, connection="branch"), *entries[:2]) is None


def test_e2_a_static_entry_takes_all_its_peers_and_nobody_else() -> None:
    entries = (entry(10, peers=("203.0.113.2", "2001:db8::2")), entry(20, peers=("203.0.113.3",)))
    assert rank(sa(1, peer="203.0.113.2"), *entries) == 0
    assert rank(sa(1, peer="2001:db8::2"), *entries) == 0
    assert rank(sa(1, peer="203.0.113.3"), *entries) == 1
    assert rank(sa(1, peer="203.0.113.4"), *entries) is None


def test_e2_an_ipv6_peer_that_is_the_same_number_as_an_ipv4_peer_is_another() -> None:
    assert rank(sa(1, peer="::203.0.113.2"), entry(peers=("203.0.113.2",))) is None
    assert rank(sa(1, peer="203.0.113.2"), entry(peers=("203.0.113.2",))) == 0


def test_e2_the_lower_entry_wins_whether_it_is_static_or_dynamic() -> None:
    one = sa(1, connection="rw-1", identity="carol@example.org")
    static, named, known = entry(peers=("203.0.113.2",)), entry(connection="rw-*"), entry(identity="*@example.org")
    assert rank(one, static, named, known) == 0
    assert rank(one, named, static, known) == 0
    assert rank(one, known, named, static) == 0
    assert rank(one, entry(peers=("203.0.113.3",)), entry(identity="bob"), known, static, named) == 2


def test_e2_a_name_stands_for_what_it_resolves_to() -> None:
    hub = entry(peers=("hub.example.org", "203.0.113.9"))
    assert rank(sa(1, peer="203.0.113.2"), hub, hub_example_org=("203.0.113.7", "203.0.113.2")) == 0
    assert rank(sa(1, peer="203.0.113.9"), hub) == 0
    assert rank(sa(1, peer="203.0.113.2"), hub) is None


def test_e2_a_name_that_does_not_resolve_takes_nobody_and_is_shown() -> None:
    entries = (entry(10, peers=("hub.example.org",)), entry(20))
    assert rank(sa(1), *entries) == 1
    assert rank(sa(1), *entries, hub_example_org=()) == 1
    assert reasons(sa(1), *entries) == [
        "False: peer 203.0.113.2 is none of hub.example.org (does not resolve)",
        "True: it takes every SA",
    ]


def test_e2_a_static_entry_without_peers_takes_nobody() -> None:
    bare = MapEntry("mymap", 10, EntryKind.STATIC, "hub.yaml:10")
    assert rank(sa(1), bare) is None
    assert reasons(sa(1), bare) == ["False: peer 203.0.113.2 is none of no peers"]


@pytest.mark.parametrize(
    ("glob", "fits", "others"),
    [
        ("hq", ["hq"], ["HQ", "hq2", "h", ""]),
        ("rw-*", ["rw-", "rw-1", "rw-a-b"], ["rw", "arw-1"]),
        ("*-rw", ["-rw", "1-rw"], ["rw", "1-rw-"]),
        ("*rw*", ["rw", "1rw2"], ["r", "r-w"]),
        ("a*b", ["ab", "a-b"], ["a", "ba", "abc"]),
        ("net-?", ["net-a"], ["net-", "net-ab"]),
        ("[hn]q", ["hq", "nq"], ["q", "[hn]q"]),
        ("[!h]q", ["nq"], ["hq"]),
        ("a[b", ["a[b"], ["ab", "a"]),
        ("a]b", ["a]b"], ["ab", "a]"]),
        ("?", ["a"], ["", "ab"]),
        (" x X", [" x X"], ["x", " x", "x X"]),
        ("X*", ["X", "Xa"], ["", "a"]),
        ("**", ["", "anything"], []),
    ],
)
@pytest.mark.parametrize("field", ["connection", "child", "identity"])
def test_globs_are_those_of_a_shell(glob: str, fits: list[str], others: list[str], field: str) -> None:
    found = matcher(entry(match=Match(**{field: glob})))  # type: ignore[arg-type]  # a text in each case
    assert [found.rank(sa(1, **{field: text})) for text in fits] == [0] * len(fits)  # type: ignore[arg-type]
    assert [found.rank(sa(1, **{field: text})) for text in others] == [None] * len(others)  # type: ignore[arg-type]


def test_interface_id_mark_and_vrf_choose_an_entry() -> None:
    entries = (
        entry(10, match=Match(if_id=5)),
        entry(20, match=Match(mark=(0x10, 0xFF))),
        entry(30, match=Match(mark=(0x1FF, 0xF00))),
        entry(40, match=Match(vrf="red")),
        entry(50, match=Match(if_id=0, mark=(0, 0xFFFFFFFF), vrf="")),
    )
    assert rank(sa(1, if_id=5), *entries) == 0
    assert rank(sa(1, mark=0x10), *entries) == 1
    assert rank(sa(1, mark=0x7710), *entries) == 1
    assert rank(sa(1, mark=0x17F), *entries) == 2
    assert rank(sa(1, vrf="red"), *entries) == 3
    assert rank(sa(1), *entries) == 4
    assert rank(sa(1, if_id=6, mark=0x20), *entries) is None


def test_e2_an_access_list_takes_the_sas_that_lie_within_it() -> None:
    entries = (entry(10, access_list=BRANCHES), entry(20))
    assert rank(sa(1, "10.0.3.0/24", local_ts=("192.168.1.0/24",)), *entries) == 0
    assert rank(sa(1, "10.1.0.0/16", "10.0.0.0/24", local_ts=("192.168.1.7/32",)), *entries) == 0
    assert rank(sa(1, "10.1.0.0/16"), *entries) == 0
    assert rank(sa(1, "10.0.3.0/24", local_ts=("192.168.0.0/16",)), *entries) == 1
    assert rank(sa(1, "10.1.99.0/24", local_ts=("192.168.1.0/24",)), *entries) == 1
    assert rank(sa(1, "10.0.3.0/24", "10.2.0.0/24", local_ts=("192.168.1.0/24",)), *entries) == 1
    assert rank(sa(1, "10.0.3.0/24", local_ts=("2001:db8::/32",)), *entries) == 1
    assert rank(sa(1, local_ts=("192.168.1.0/24",)), *entries) == 1
    assert rank(sa(1), *entries) == 1


def test_e2_access_lists_with_other_sources_are_told_apart_by_them() -> None:
    entries = [entry(access_list=acl(f"permit 192.168.{number}.0/24 any")) for number in range(40)]
    found = matcher(*entries)
    assert [found.rank(sa(1, "10.0.0.0/8", local_ts=(f"192.168.{n}.7/32",))) for n in (0, 7, 39)] == [0, 7, 39]
    assert found.rank(sa(1, "10.0.0.0/8", local_ts=("192.168.40.0/24",))) is None
    assert found.rank(sa(1, "10.0.0.0/8", local_ts=("2001:db8::/32",))) is None
    assert found.rank(sa(1, "10.0.0.0/8")) is None
    assert found.rank(sa(1)) is None


def test_e14_access_lists_take_ipv6_selectors() -> None:
    entries = (entry(10, access_list=acl("permit any 2001:db8:1::/48")), entry(20, access_list=acl("permit any any")))
    assert rank(sa(1, "2001:db8:1:7::/64", local_ts=("2001:db8:2::/48",)), *entries) == 0
    assert rank(sa(1, "2001:db8:3::/48", local_ts=("2001:db8:2::/48",)), *entries) == 1


def test_e2_a_list_that_permits_nothing_takes_nobody() -> None:
    assert rank(sa(1, "10.0.0.0/8"), entry(access_list=acl("deny any any"))) is None


def test_all_that_an_entry_asks_for_must_fit() -> None:
    full = entry(
        10,
        peers=("203.0.113.2",),
        access_list=BRANCHES,
        match=Match("b*", "net", "*@example.org", if_id=5, mark=(1, 1), vrf="red"),
    )
    good = {"identity": "a@example.org", "if_id": 5, "mark": 1, "vrf": "red", "local_ts": ("192.168.1.0/24",)}
    assert rank(sa(1, "10.0.0.0/16", **good), full) == 0  # type: ignore[arg-type]
    for change in (
        {"peer": "203.0.113.3"}, {"connection": "rw"}, {"child": "voice"}, {"identity": "a@example.com"}, {"if_id": 4},
        {"mark": 2}, {"vrf": ""}, {"local_ts": ("192.168.2.0/24",)},
    ):  # fmt: skip
        assert rank(sa(1, "10.0.0.0/16", **(good | change)), full) is None  # type: ignore[arg-type]


def test_what_is_kept_by_names_is_not_what_depends_on_more() -> None:
    full = entry(access_list=BRANCHES, match=Match(if_id=5, mark=(1, 1), vrf="red"))
    found = matcher(full, entry())
    good = sa(1, "10.1.0.0/24", if_id=5, mark=1, vrf="red")
    assert [found.rank(one) for one in (good, sa(1, "10.1.0.0/24"), good)] == [0, 1, 0]


def test_entries_that_share_one_thing_are_found_by_another() -> None:
    entries = [entry(peers=("203.0.113.2",), match=Match("b*", mark=(n, 0xFF))) for n in range(100)]
    found = matcher(*entries)
    assert [found.rank(sa(1, mark=0x700 + n)) for n in (0, 42, 99)] == [0, 42, 99]
    assert len(found._others.candidates(sa(1, mark=42))) == 1


def test_entries_that_cannot_be_told_apart_are_walked_in_order() -> None:
    entries = [entry(identity=f"*{number:02}*") for number in range(20)]
    assert rank(sa(1, identity="user07@example.org"), *entries) == 7
    assert rank(sa(1, identity="user1207@example.org"), *entries) == 7


def test_a_list_that_very_many_entries_use_is_not_filed_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "_MOST_PREFIXES", 3)
    entries = [entry(match=Match(mark=(number, 3)), access_list=BRANCHES) for number in range(4)]
    assert rank(sa(1, "10.1.0.0/24", mark=2), *entries) == 2
    assert rank(sa(1, "10.2.0.0/24", mark=2), *entries) is None


def test_the_answer_by_names_is_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "_MOST_NAMES", 4)
    found = matcher(entry(10, connection="rw-*"), entry(20, peers=("203.0.113.2",), connection="branch*"))
    for number in range(10):
        assert found.rank(sa(1, connection=f"rw-{number}")) == 0
        assert found.rank(sa(1, connection="branch1")) == 1
        assert len(found._known) <= 4


def test_g8_every_loser_says_all_that_does_not_fit() -> None:
    entries = (
        entry(10, peers=("203.0.113.3", "hub.example.org"), connection="hq-*"),
        entry(20, child="voice", identity="*@example.com"),
        entry(30, match=Match(if_id=7, mark=(0x20, 0xFF), vrf="blue")),
        entry(40, match=Match(vrf="")),
        entry(50, access_list=BRANCHES),
        entry(60, connection="branch?", access_list=acl("permit any any", name="all")),
        entry(70),
    )
    one = sa(
        1, "10.0.0.0/24", "10.9.0.0/16", identity="a@example.org", if_id=5, mark=0x10, vrf="red",
        local_ts=("192.168.1.0/24",),
    )  # fmt: skip
    assert reasons(one, *entries, hub_example_org=("203.0.113.4",)) == [
        "False: peer 203.0.113.2 is none of 203.0.113.3, hub.example.org; connection branch1 is not hq-*",
        "False: child net is not voice; identity a@example.org is not *@example.com",
        "False: if_id 5 is not 7; mark 0x10 is not 0x20/0xff; vrf red is not blue",
        "False: vrf red is not (default)",
        "False: remote selector 10.9.0.0/16 is not within what access list branches permits",
        "True: connection branch1 is branch?; its selectors are within access list all",
    ]


def test_g8_the_winner_says_what_fits() -> None:
    full = entry(
        peers=("203.0.113.2",), match=Match("b*", "net", "a*", if_id=5, mark=(1, 1), vrf="red"), access_list=BRANCHES
    )
    one = sa(1, "10.0.0.0/24", identity="a", if_id=5, mark=3, vrf="red", local_ts=("192.168.1.0/24",))
    assert reasons(one, full)[0] == (
        "True: peer 203.0.113.2 is one of 203.0.113.2; connection branch1 is b*; child net is net; identity a is a*; "
        "if_id 5 is 5; mark 0x3 is 0x1/0x1; vrf red is red; its selectors are within access list branches"
    )


def test_g8_what_an_sa_lacks_is_said_too() -> None:
    entries = (entry(10, identity="a"), entry(20, match=Match(vrf="red")), entry(30, access_list=BRANCHES))
    assert matcher(*entries).explain(sa(1)) == (
        Verdict(0, takes=False, reason="identity (none) is not a"),
        Verdict(1, takes=False, reason="vrf (default) is not red"),
        Verdict(2, takes=False, reason="an SA without selectors is not within what access list branches permits"),
    )


def test_g8_a_long_identity_is_cut_in_what_is_said() -> None:
    (text,) = reasons(sa(1, identity="x" * 1000), entry(identity="*@example.org"))
    assert text == f"False: identity {'x' * 80}… is not *@example.org"
    (text,) = reasons(sa(1, identity="x" * 80), entry(identity="*@example.org"))
    assert text == f"False: identity {'x' * 80} is not *@example.org"


def test_a_hostile_identity_costs_a_bounded_time() -> None:
    globs = ("*a*a*a*a*a*a*a*b", "*[a]*[a]*[a]*[a]?*c", "*@example.org")
    found = matcher(*(entry(identity=glob) for glob in globs), entry(identity="*"))
    start = time.process_time()
    for length in (100, 2048, 65_535, 1_000_000):
        assert found.rank(sa(1, identity="a" * length)) == 3
    assert time.process_time() - start < 5.0


def test_an_identity_that_is_too_long_fits_no_glob_but_the_one_that_fits_all() -> None:
    entries = (entry(10, identity="x*"), entry(20))
    assert rank(sa(1, identity="x" * 2048), *entries) == 0
    assert rank(sa(1, identity="x" * 2049), *entries) == 1


def test_hostile_selectors_cost_a_bounded_time() -> None:
    lines = [f"{('permit', 'deny')[n % 2]} any 10.{n // 256}.{n % 256}.0/24" for n in range(1000)]
    found = matcher(entry(10, access_list=acl(*lines, "permit any any")), entry(20))
    narrow = [f"10.{n // 256}.{n % 256}.0/28" for n in range(0, 5000, 2)]
    wide = [ts("0.0.0.0/0", 6, (port, port)) for port in range(255)]
    start = time.process_time()
    assert found.rank(sa(1, *narrow, local_ts=narrow[:255])) == 0
    assert found.rank(sa(1, *wide, local_ts=narrow[:255])) == 0
    assert found.rank(sa(1, *wide, "10.0.1.0/24", local_ts=narrow[:255])) == 1
    assert time.process_time() - start < 5.0


def test_the_ready_lists_are_there_by_rank_and_shared() -> None:
    found = matcher(entry(10), entry(20, access_list=BRANCHES), entry(30, access_list=BRANCHES))
    assert found.permits[0] is None
    assert found.permits[1] is not None
    assert found.permits[1] is found.permits[2]


def test_entries_that_are_found_in_several_ways_are_tried_in_order() -> None:
    for entries in (
        [entry(match=Match(mark=(1, 1))), entry(match=Match(mark=(2, 2))), entry(match=Match(mark=(4, 4)))],
        [entry(connection="ab*"), entry(connection="a*"), entry(connection="abc*")],
        [entry(connection="*bc"), entry(connection="*c"), entry(connection="*abc")],
        [entry(access_list=acl(f"permit any {net}")) for net in ("10.1.0.0/16", "10.0.0.0/15", "10.1.0.0/17")],
        [entry(identity="u*"), entry(connection="abc"), entry(match=Match(if_id=5))],
    ):
        one = sa(1, "10.1.0.0/24", connection="abc", identity="user", mark=7, if_id=5)
        for turn in range(3):
            turned = entries[turn:] + entries[:turn]
            assert rank(one, *turned) == 0
            assert rank(one, entry(connection="other"), *turned) == 1
