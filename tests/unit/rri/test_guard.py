"""What a peer is not believed (rule G1): special destinations, allow-list, lengths, and limits."""

from __future__ import annotations

import gc
from ipaddress import ip_address

import pytest

from rri_bgp.model import LineKey, Prefix, Refusal, SaKey, TrafficSelector, VrfPrefix
from rri_bgp.reasons import Reason
from rri_bgp.rri import Rib, Surroundings
from rri_bgp.rri.entries import AllowRule, DefaultProxies, Guard, PortProxies, Special, Vrf
from rri_bgp.rri.limits import Asker, Limits
from rri_bgp.rri.routes import MOST_PREFIXES
from tests.unit.rri.tables import down, reasons, table, text, up
from tests.values import acl, entry, pfx, policy, sa, ts

HUB = Surroundings(
    addresses=frozenset((ip_address("192.168.1.1"), ip_address("2001:db8:100::1"))),
    networks=frozenset((pfx("192.168.1.0/24"), VrfPrefix("red", pfx("172.16.0.0/24")))),
    neighbors=frozenset((ip_address("198.51.100.2"), ip_address("2001:db8:9::2"))),
)


def whys(rib: Rib) -> list[str]:
    return [refusal.why.label for refusal in rib.refusals()]


def test_g1_what_can_be_no_network_behind_a_peer_is_refused() -> None:
    rib = Rib(policy())
    hostile = [
        "127.0.0.0/8", "127.1.2.3/32", "224.0.0.251/32", "128.0.0.0/1", "169.254.1.0/24", "255.255.255.255/32",
        "0.0.0.0/1", "fe80::/64", "ff02::1/128", "::1/128", "203.0.113.2/32", "203.0.113.0/24",
    ]  # fmt: skip
    up(rib, sa(1, *hostile))
    assert table(rib) == set()
    assert [rule for rule, _ in reasons(rib)] == ["G1"] * len(hostile)


@pytest.mark.parametrize(
    ("proxy", "special", "words"),
    [
        ("203.0.113.2/32", Special.PEER, "203.0.113.2/32 covers the peer's own address 203.0.113.2"),
        (
            "198.51.100.0/24",
            Special.NEIGHBOR,
            "198.51.100.0/24 is or holds the address of the BGP neighbor 198.51.100.2/32",
        ),
        (
            "192.168.0.0/16",
            Special.LOCAL,
            "192.168.0.0/16 overlaps with 192.168.1.0/24, which is an address or network of this machine",
        ),
        (
            "192.168.1.77/32",
            Special.LOCAL,
            "192.168.1.77/32 overlaps with 192.168.1.0/24, which is an address or network of this machine",
        ),
        ("224.0.0.251/32", Special.MULTICAST, "224.0.0.251/32 is or holds multicast addresses (224.0.0.0/4)"),
        ("255.255.255.255/32", Special.BROADCAST, ""),
        ("127.1.2.3/32", Special.LOOPBACK, "127.1.2.3/32 is or holds loopback addresses (127.0.0.0/8)"),
        ("fe80::/64", Special.LINK_LOCAL, "fe80::/64 is or holds link-local addresses (fe80::/10)"),
        ("::/128", Special.UNSPECIFIED, "::/128 is or holds unspecified addresses (::/128)"),
        ("2001:db8:9::/48", Special.NEIGHBOR, ""),
    ],
)
def test_g1_each_special_destination_can_be_allowed(proxy: str, special: Special, words: str) -> None:
    rib = Rib(policy(), HUB)
    up(rib, sa(1, proxy))
    assert table(rib) == set()
    assert [rule for rule, _ in reasons(rib)] == ["G1"]
    assert words in reasons(rib)[0][1]
    also = {Special.MULTICAST} if special is Special.BROADCAST else set()
    allowed = Rib(policy(entry(guard=Guard(allow_special=frozenset({special, *also})))), HUB)
    up(allowed, sa(1, proxy))
    assert table(allowed) == {proxy}


def test_g1_what_is_ours_is_of_its_vrf() -> None:
    rib = Rib(policy(entry(10, connection="red", vrf="red"), entry(20), vrfs=(Vrf("red", 10),)), HUB)
    proxies = ("192.168.1.0/24", "172.16.0.0/24", "198.51.100.2/32", "224.0.0.0/24")
    up(rib, sa(1, *proxies, connection="red"), sa(2, *proxies))
    assert table(rib) == {"192.168.1.0/24 vrf red", "198.51.100.2/32 vrf red", "172.16.0.0/24"}


def test_g1_another_machine_around_us_moves_what_it_touches_and_nothing_else() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.0.0/16"), sa(2, "192.168.1.0/24"), sa(3, "198.51.100.0/24"))
    assert text(rib.take_surroundings(HUB)) == {"192.168.1.0/24", "198.51.100.0/24"}
    assert table(rib) == {"10.1.0.0/16"}
    assert rib.take_surroundings(HUB) == set()
    assert text(rib.take_surroundings(Surroundings())) == {"192.168.1.0/24", "198.51.100.0/24"}


def test_g1_an_allow_list_and_lengths_bound_what_is_proposed() -> None:
    guard = Guard(
        allow=(AllowRule(pfx("10.0.0.0/8"), 16, 24), AllowRule(pfx("2001:db8::/32"), 48, 128)),
        lengths={4: (8, 20), 6: (32, 64)},
    )
    rib = Rib(policy(entry(guard=guard)))
    up(rib, sa(1, "10.1.0.0/16", "10.0.0.0/12", "10.1.1.0/24", "11.0.0.0/16", "2001:db8:1::/48", "2001:db8:1::1/128"))
    assert table(rib) == {"10.1.0.0/16", "2001:db8:1::/48"}
    assert reasons(rib) == [
        ("G1", "10.0.0.0/12 is not in the allow-list of entry mymap 10 (hub.yaml:10)"),
        ("G1", "10.1.1.0/24 is not of a length from 8 to 20"),
        ("G1", "11.0.0.0/16 is not in the allow-list of entry mymap 10 (hub.yaml:10)"),
        ("G1", "2001:db8:1::1/128 is not of a length from 32 to 64"),
    ]


def test_g1_an_allowed_default_proxy_is_still_bound_by_the_allow_list() -> None:
    guard = Guard(allow=(AllowRule(pfx("0.0.0.0/0"), 0, 1),))
    rib = Rib(policy(entry(guard=guard, allow_default=DefaultProxies.HALVES)))
    up(rib, sa(1, "0.0.0.0/0", "::/0"))
    assert table(rib) == {"0.0.0.0/1", "128.0.0.0/1"}
    assert whys(rib) == ["not-allowed", "not-allowed"]


def test_g1_a_flow_is_under_the_guard_too() -> None:
    rib = Rib(policy(entry(port_proxies=PortProxies.FLOWSPEC)), HUB)
    up(rib, sa(1, ts("192.168.1.0/24", 6, (443, 443))))
    assert table(rib) == set()
    refusal = next(iter(rib.refusals()))
    assert (refusal.prefix, refusal.why) == (pfx("192.168.1.0/24"), Reason.LOCAL)


def test_g1_the_static_routes_of_the_policy_are_under_the_guard_too() -> None:
    lines = acl("permit any 192.168.0.0/16", "permit any 10.1.0.0/16", "permit any 203.0.113.0/24")
    rib = Rib(policy(entry(peers=("203.0.113.2",), access_list=lines, static=True)), HUB)
    assert table(rib) == {"10.1.0.0/16"}
    assert whys(rib) == ["local-network", "peer-address"]


def numbers(*numbers: int) -> list[str]:
    return [f"10.0.{number}.0/24" for number in numbers]


def test_g1_a_peer_has_no_more_routes_than_its_entry_allows() -> None:
    rib = Rib(policy(entry(guard=Guard(max_routes_per_peer=2))))
    up(rib, sa(1, *numbers(3, 1, 2)), sa(2, *numbers(7), peer="203.0.113.9"))
    assert table(rib) == {"10.0.1.0/24", "10.0.2.0/24", "10.0.7.0/24"}
    assert reasons(rib) == [("G1", "10.0.3.0/24 is over the 2 routes that entry mymap 10 allows a peer")]
    assert rib.refusals_of(sa(1).key) == tuple(rib.refusals())
    assert rib.refusals_of(sa(2).key) == ()


def test_g1_an_address_with_another_identity_is_another_peer() -> None:
    rib = Rib(policy(entry(guard=Guard(max_routes_per_peer=1))))
    up(rib, sa(1, *numbers(1), identity="a"), sa(2, *numbers(2), identity="b"), sa(3, *numbers(3), identity="b"))
    assert table(rib) == {"10.0.1.0/24", "10.0.2.0/24"}


def test_g1_the_oldest_are_within_a_limit_whoever_came_first() -> None:
    pairs = [sa(number, *numbers(number), since=100 - number, peer=f"203.0.113.{number}") for number in (3, 4, 5)]
    for order in (pairs, pairs[::-1]):
        rib = Rib(policy(entry(guard=Guard(max_routes=2))))
        for one in order:
            up(rib, one)
        assert table(rib) == {"10.0.4.0/24", "10.0.5.0/24"}
        assert reasons(rib) == [("G1", "10.0.3.0/24 is over the 2 routes that entry mymap 10 may have")]
        assert down(rib, pairs[1]) == {"10.0.3.0/24", "10.0.4.0/24"}
        assert reasons(rib) == []


def test_g1_a_rekey_at_the_limit_changes_nothing() -> None:
    rib = Rib(policy(entry(guard=Guard(max_routes_per_peer=1, max_routes=2)), max_routes=2))
    old = [sa(number, *numbers(number), since=number, peer=f"203.0.113.{number}") for number in (3, 4)]
    new = [
        sa(number + 10, *numbers(number), since=number, first=number, peer=f"203.0.113.{number}") for number in (3, 4)
    ]
    up(rib, *old)
    for before, after in zip(old, new, strict=True):
        assert up(rib, after) == set()
        assert down(rib, before) == set()
    assert table(rib) == {"10.0.3.0/24", "10.0.4.0/24"}
    assert reasons(rib) == []


def test_g1_there_is_a_limit_for_all_entries_together() -> None:
    rib = Rib(policy(entry(10, connection="a"), entry(20), max_routes=3))
    up(rib, sa(1, *numbers(1, 2), connection="a"), sa(2, *numbers(3, 4)))
    assert table(rib) == {"10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"}
    assert reasons(rib) == [("G1", "10.0.4.0/24 is over the 3 routes that there may be in all")]


def test_g1_what_is_over_one_limit_takes_nothing_from_others() -> None:
    guard = Guard(max_routes_per_peer=2, max_routes=4)
    rib = Rib(policy(entry(guard=guard), max_routes=4))
    up(rib, sa(1, *numbers(*range(100)), since=1))
    up(rib, sa(2, *numbers(200, 201), since=2, peer="203.0.113.9"))
    assert table(rib) == {"10.0.0.0/24", "10.0.1.0/24", "10.0.200.0/24", "10.0.201.0/24"}
    assert whys(rib) == ["peer-limit"] * 98
    up(rib, sa(3, *numbers(202), since=3, peer="203.0.113.10"))
    assert whys(rib) == ["peer-limit"] * 98 + ["entry-limit"]
    assert down(rib, sa(1)) == {"10.0.0.0/24", "10.0.1.0/24", "10.0.202.0/24"}


@pytest.mark.parametrize("guard", [Guard(max_routes_per_peer=1), Guard(max_routes=1)])
def test_g1_a_limit_that_comes_near_later_does_not_count_what_another_refused(guard: Guard) -> None:
    rib = Rib(policy(entry(10, connection="a", guard=guard), entry(20), max_routes=3))
    up(rib, sa(1, *numbers(1, 2, 3), connection="a", since=1))
    up(rib, sa(2, *numbers(4), since=2))
    up(rib, sa(3, *numbers(5), since=3))
    assert table(rib) == {"10.0.1.0/24", "10.0.4.0/24", "10.0.5.0/24"}
    assert up(rib, sa(4, *numbers(6), since=4)) == set()
    assert "total-limit" in whys(rib)
    assert len(whys(rib)) == 3


def test_g1_one_destination_of_several_owners_counts_once_and_by_its_oldest() -> None:
    rib = Rib(policy(entry(guard=Guard(max_routes=2))))
    first, second, third = (
        sa(1, *numbers(9), since=30), sa(2, *numbers(5), since=20, peer="203.0.113.9"), sa(3, *numbers(7), since=25),
    )  # fmt: skip
    up(rib, first, second, third)
    assert table(rib) == {"10.0.5.0/24", "10.0.7.0/24"}
    older = sa(4, *numbers(9), since=10, peer="203.0.113.10")
    assert up(rib, older) == {"10.0.7.0/24", "10.0.9.0/24"}
    middle = sa(5, *numbers(9), since=22, peer="203.0.113.11")
    assert up(rib, middle) == set()
    assert down(rib, older) == set()
    assert down(rib, middle) == {"10.0.7.0/24", "10.0.9.0/24"}
    assert whys(rib) == ["entry-limit"]


def test_g1_static_lines_are_older_than_every_sa() -> None:
    lines = acl("permit any 10.0.8.0/24", "permit any 10.0.9.0/24")
    static = entry(10, peers=("203.0.113.2",), access_list=lines, static=True)
    rib = Rib(policy(static, entry(20), max_routes=2))
    up(rib, sa(1, *numbers(1), since=1, peer="203.0.113.9"))
    assert table(rib) == {"10.0.8.0/24", "10.0.9.0/24"}
    one = entry(10, peers=("203.0.113.2",), access_list=acl("permit any 10.0.8.0/24"), static=True)
    assert text(rib.take_policy(policy(one, entry(20), max_routes=2))) == {"10.0.1.0/24", "10.0.9.0/24"}
    assert rib.refusals_of(LineKey("mymap 10", 0)) == ()


def test_e4_nothing_is_lost_of_a_table_that_has_taken_the_place_of_another() -> None:
    rib = Rib(policy(entry(guard=Guard(max_routes_per_peer=1))))
    up(rib, sa(1, *numbers(1), since=1), sa(2, *numbers(2), since=2))
    after = policy(entry(tag=3, guard=Guard(max_routes_per_peer=1)))
    assert text(rib.take_policy(after)) == {"10.0.1.0/24"}
    gc.collect()  # whatever was made beside it and is garbage by now
    assert rib.policy is after
    assert table(rib) == {"10.0.1.0/24"}
    assert down(rib, sa(1, *numbers(1), since=1)) == {"10.0.1.0/24", "10.0.2.0/24"}


def test_g1_a_peer_that_moves_takes_its_routes_to_another_account() -> None:
    rib = Rib(policy(entry(guard=Guard(max_routes_per_peer=1))))
    up(rib, sa(1, *numbers(1), since=1), sa(2, *numbers(2), since=2, peer="203.0.113.9"))
    assert up(rib, sa(2, *numbers(2), since=2)) == {"10.0.2.0/24"}
    assert up(rib, sa(2, *numbers(2), since=2, state="REKEYING")) == set()
    assert up(rib, sa(1, *numbers(1), since=3)) == {"10.0.1.0/24", "10.0.2.0/24"}


def test_g1_a_limit_that_is_no_longer_near_is_forgotten() -> None:
    rib = Rib(policy(entry(guard=Guard(max_routes_per_peer=4, max_routes=4)), max_routes=4))
    pairs = [sa(number, *numbers(number)) for number in range(1, 8)]
    up(rib, *pairs)
    assert len(rib) == 4
    down(rib, *pairs[3:])
    assert len(rib) == 3
    up(rib, *pairs[3:])
    assert table(rib) == set(numbers(1, 2, 3, 4))
    down(rib, *pairs)
    limits = rib._limits
    assert limits is not None
    assert (limits._peers, limits._owners) == ({}, {})
    assert limits._total is not None
    assert [gate.is_idle for gate in (*limits._entries.values(), limits._total)] == [True, True]


def test_g1_limits_of_nothing_asked_refuse_nothing() -> None:
    limits = Limits(policy(max_routes=0), {}, lambda _: Asker((4, 0, ""), 0))
    assert list(limits.refusals()) == []


def test_g1_an_sa_that_asks_for_too_much_is_believed_in_nothing() -> None:
    rib = Rib(policy(), HUB)
    base = int(ip_address("10.0.0.0"))
    for width, count in ((256, 5_000), (1, 5_000)):
        up(
            rib,
            sa(1, *(TrafficSelector(4, base + n * 2 * width, base + n * 2 * width + width - 1) for n in range(count))),
        )
        assert table(rib) == set()
        assert reasons(rib) == [("G1", "the SA asks for more than 1000 prefixes: none of them is believed")]


def test_g1_ranges_that_explode_are_bounded_before_they_cost() -> None:
    rib = Rib(policy())
    ranges = [
        TrafficSelector(6, (0x2001 << 112) + (n << 64) + 1, (0x2001 << 112) + (n << 64) + (1 << 64) - 2)
        for n in range(255)
    ]
    assert len(ranges[0].prefixes()) == 126
    assert up(rib, sa(1, *ranges)) == set()
    assert whys(rib) == ["sa-too-large"]
    assert up(rib, sa(1, *ranges[:7])) != set()


def test_g1_refused_prefixes_count_as_asked_for() -> None:
    rib = Rib(policy(), HUB)
    up(rib, sa(1, *(f"224.0.{n >> 8}.{n & 255}/32" for n in range(MOST_PREFIXES + 1))))
    assert whys(rib) == ["sa-too-large"]


def test_g1_who_is_allowed_more_routes_may_ask_for_more() -> None:
    rib = Rib(policy(entry(guard=Guard(max_routes_per_peer=3_000))))
    up(rib, sa(1, *(f"10.{n >> 8}.{n & 255}.0/24" for n in range(2_000))))
    assert len(rib) == 2_000


def test_g1_every_reason_has_a_label_a_rule_and_words() -> None:
    labels = [why.label for why in Reason]
    assert len(set(labels)) == len(labels)
    for why in Reason:
        refusal = Refusal(SaKey("vici", 1), Prefix(4, 0, 0), why, ("a", "b", "c"))
        assert refusal.rule[0] in "EGN"
        assert "{" not in refusal.reason
