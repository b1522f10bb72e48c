"""The routes that ExaBGP says it holds: lines copied from 5.0.15 and 4.2.25."""

from __future__ import annotations

import pytest

from rri_bgp.model import Attributes, FlowRule, Path, Prefix, VrfPrefix
from rri_bgp.sinks.exabgp.forms import Numbered
from rri_bgp.sinks.exabgp.held import HeldRoute, held_route
from tests.values import HUB4, HUB6, pfx

EVERYTHING = (
    "next-hop 198.51.100.1 med 5 local-preference 200 community [ 65000:100 no-export ] large-community 65000:1:100"
)
WHO = "neighbor 192.0.2.2 local-ip 192.0.2.1 local-as 65000 peer-as 65000 router-id 192.0.2.1 family-allowed in-open"
WELL_KNOWN = ("0:0", "65535:0", "blackhole", "no-export", "no-advertise", "no-export-subconfed", "no-peer")
V4, V6 = pfx("10.1.0.0/16"), pfx("2001:db8:1::/48")


def unicast(prefix: str, path: Path | None, as_path: tuple[int, ...] = ()) -> HeldRoute:
    return HeldRoute("192.0.2.2", (pfx(prefix),), path, as_path)


@pytest.mark.parametrize(
    ("line", "held"),
    [
        ("ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1", unicast("10.1.0.0/16", Path(HUB4))),
        (
            f"ipv4 unicast 10.1.0.0/16 {EVERYTHING}",
            unicast(
                "10.1.0.0/16",
                Path(HUB4, Attributes(((65000, 100), (65535, 65281)), ((65000, 1, 100),), med=5, local_preference=200)),
            ),
        ),
        (
            "ipv6 unicast 2001:db8:1::/48 next-hop 2001:db8:100::1 community 65000:1",
            unicast("2001:db8:1::/48", Path(HUB6, Attributes(((65000, 1),)))),
        ),
        (
            f"ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1 community [ {' '.join(WELL_KNOWN)} ]",
            unicast(
                "10.1.0.0/16",
                Path(HUB4, Attributes(((0, 0), *((65535, one) for one in (0, 666, 65281, 65282, 65283, 65284))))),
            ),
        ),
        (
            "ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1 as-path [ 65001 ]",
            unicast("10.1.0.0/16", Path(HUB4), (65001,)),
        ),
        (
            "ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1 as-path ( 65000 65000 )",
            unicast("10.1.0.0/16", Path(HUB4), (65000, 65000)),
        ),
        ("ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1 community [ ]", unicast("10.1.0.0/16", Path(HUB4))),
        ("ipv4 unicast 10.1.0.0/16 med", unicast("10.1.0.0/16", None)),
        ("ipv4 unicast 10.1.0.0/16 next-hop self", unicast("10.1.0.0/16", None)),
        ("ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1 origin egp", unicast("10.1.0.0/16", None)),
        ("ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1 community 1:2:3", unicast("10.1.0.0/16", None)),
        ("ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1 path-information", unicast("10.1.0.0/16", None)),
    ],
)
def test_a_held_route(line: str, held: HeldRoute) -> None:
    assert held_route(f"{WHO} {line}") == held


@pytest.mark.parametrize(
    "line",
    [
        f"{WHO} ipv4 unicast 10.1.0.1/16 next-hop 198.51.100.1",
        f"{WHO} ipv4 unicast",
        f"{WHO} ipv4 multicast 10.1.0.0/16 next-hop 198.51.100.1",
        "please specify summary, extensive or configuration",
        "neighbor",
        "",
    ],
)
def test_what_is_no_route_of_ours(line: str) -> None:
    assert held_route(line) is None


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("target:65000:1", (0x0002FDE800000001,)),
        ("[ target:65000:1 target:192.0.2.1:5 ]", (0x0002FDE800000001, 0x0102C00002010005)),
        ("target:70000L:7", (0x0202000111700007,)),
        ("[ target:70000:7 0x4300000000000001 ]", (0x0202000111700007, 0x4300000000000001)),
        ("target:65000:4294967295", (0x0002FDE8FFFFFFFF,)),
    ],
)  # fmt: skip
def test_extended_communities_by_name(words: str, numbers: tuple[int, ...]) -> None:
    found = held_route(f"{WHO} ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1 extended-community {words}")
    assert found == unicast("10.1.0.0/16", Path(HUB4, Attributes(extended_communities=numbers)))


@pytest.mark.parametrize(
    "word",
    ["origin:65000:1", "rate-limit:0", "target:1", "target:65000:4294967296", "target:70000:65536", "target:x:1"],
)
def test_an_extended_community_that_several_are_printed_as_is_no_path_of_ours(word: str) -> None:
    found = held_route(f"{WHO} ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1 extended-community {word}")
    assert found == unicast("10.1.0.0/16", None)


def test_n10_a_vpn_route_goes_by_its_distinguisher() -> None:
    line = "ipv4 mpls-vpn 10.1.0.0/16 label 100 next-hop 198.51.100.1 rd 65000:1 extended-community target:65000:1"
    path = Path(HUB4, Attributes(extended_communities=(0x0002FDE800000001,)))
    assert held_route(f"{WHO} {line}") == HeldRoute("192.0.2.2", (VrfPrefix("65000:1", V4),), path, label=100)


def test_e13_a_path_with_an_identifier() -> None:
    line = "ipv4 unicast 10.1.0.0/16 path-information 198.51.100.1 next-hop 198.51.100.1"
    key = Numbered(V4, int(HUB4))
    assert held_route(f"{WHO} {line}") == HeldRoute("192.0.2.2", (key,), Path(HUB4))


def flow(protocol: int, low: int = 0, high: int = 65535, prefix: Prefix = V4, vrf: str = "") -> FlowRule:
    return FlowRule(prefix, protocol, (low, high), vrf)


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("protocol =tcp destination-port =443", flow(6, 443, 443)),
        ("protocol =tcp destination-port =https", flow(6, 443, 443)),
        ("protocol =udp destination-port [ >=1024&<=callbook ]", flow(17, 1024, 2000)),
        ("destination-port =domain", flow(0, 53, 53)),
        ("protocol =gre", flow(47)),
        ("protocol =200", flow(200)),
        ("protocol =unknown protocol type 200", flow(200)),
        ("protocol =icmp icmp-type =echo-request icmp-code =0", flow(1, 8 << 8, 8 << 8)),
        ("protocol =icmp icmp-type =timestamp icmp-code [ >=3&<=255 ]", flow(1, 13 << 8 | 3, 13 << 8 | 255)),
        ("protocol =icmp icmp-type =unknown icmp type 35", flow(1, 35 << 8, 35 << 8 | 255)),
        (
            "protocol =icmp icmp-type [ >=unknown icmp type 35&<=unknown icmp type 36 ]",
            flow(1, 35 << 8, 36 << 8 | 255),
        ),
        ("protocol =icmp icmp-type =source-quench", flow(1, 4 << 8, 4 << 8 | 255)),
        ("protocol =tcp destination-port =443 rd 65000:1", flow(6, 443, 443, vrf="65000:1")),
        ("", flow(0)),
    ],
)
def test_e11_a_held_flow(words: str, rule: FlowRule) -> None:
    kind = "flow-vpn" if rule.vrf else "flow"
    line = " ".join(f"{WHO} ipv4 {kind} flow destination-ipv4 10.1.0.0/16 {words}".split())
    path = Path(HUB4, Attributes(communities=((65000, 1),)))
    rest = "next-hop 198.51.100.1 community 65000:1 extended-community redirect-to-nexthop"
    assert held_route(f"{line} {rest}") == HeldRoute("192.0.2.2", (rule,), path)


def test_e11_a_held_flow_of_ipv6() -> None:
    line = "ipv6 flow flow destination-ipv6 2001:db8:1::/48/0 next-header =tcp destination-port =https"
    rest = "next-hop 2001:db8:100::1 extended-community redirect-to-nexthop"
    assert held_route(f"{WHO} {line} {rest}") == HeldRoute("192.0.2.2", (flow(6, 443, 443, V6),), Path(HUB6))


def test_e11_a_port_s_name_may_stand_for_several_flows_so_nobody_knows_the_path() -> None:
    line = "ipv4 flow flow destination-ipv4 10.1.0.0/16 protocol =tcp destination-port =http-alt"
    rest = "next-hop 198.51.100.1 extended-community redirect-to-nexthop"
    keys = tuple(flow(6, port, port) for port in (591, 8008, 8080))
    assert held_route(f"{WHO} {line} {rest}") == HeldRoute("192.0.2.2", keys, None)


@pytest.mark.parametrize(
    "rest",
    [
        "next-hop 198.51.100.1 extended-community [ redirect-to-nexthop rate-limit:0 ]",
        "extended-community redirect-to-nexthop-ietf 198.51.100.1",
        "extended-community rate-limit:0",
        "next-hop 198.51.100.1",
    ],
)
def test_e11_a_flow_with_another_action_is_no_path_of_ours(rest: str) -> None:
    line = f"{WHO} ipv4 flow flow destination-ipv4 10.1.0.0/16 protocol =tcp {rest}"
    assert held_route(line) == HeldRoute("192.0.2.2", (flow(6),), None)


@pytest.mark.parametrize(
    "words",
    [
        "source-ipv4 10.2.0.0/16",
        "destination-ipv4 10.1.0.0/16 source-ipv4 10.2.0.0/16",
        "destination-ipv4 10.1.0.0/16 protocol [ =tcp =udp ]",
        "destination-ipv4 10.1.0.0/16 protocol =tcp destination-port =no-such-name",
        "destination-ipv4 10.1.0.0/16 protocol =tcp destination-port >80",
        "destination-ipv4 10.1.0.0/16 protocol =gre destination-port =80",
        "destination-ipv4 10.1.0.0/16 protocol =tcp destination-port [ >=90&<=80 ]",
        "destination-ipv4 10.1.0.0/16 protocol =tcp destination-port =99999",
        "destination-ipv4 10.1.0.1/16",
        "destination-ipv4 x/16",
    ],
)
def test_e11_a_flow_that_we_never_send(words: str) -> None:
    assert held_route(f"{WHO} ipv4 flow flow {words} next-hop 198.51.100.1") is None
