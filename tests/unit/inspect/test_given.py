"""What the controller says it gives whom, as the inspector understands it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from rri_bgp.inspect import Sessions, UpstreamTable, VpnPrefix, WantedPath
from rri_bgp.inspect.given import Session, given, sessions_of, sessions_with
from rri_bgp.model import Address, FlowRule
from tests.values import HUB4, pfx

HUB_B, HUB_C = ip_address("198.51.101.1"), ip_address("198.51.101.11")
ONE = pfx("10.1.0.0/16")
UPSTREAM = Session(HUB4, "198.51.100.2")
EDGE = Session(HUB_B, "198.51.101.2")
RED = Session(HUB_C, "198.51.101.3", "red")


def item(**changes: Any) -> dict[str, Any]:
    """A route as ``show routes --json`` has it."""
    return {
        "prefix": "10.1.0.0/16",
        "vrf": "",
        "flow": None,
        "next_hop": "198.51.100.1",
        "communities": ["65000:100"],
        "large_communities": ["65000:1:100"],
        "extended_communities": [],
        "med": None,
        "alternates": [],
        "vpn": None,
        "withheld": [],
        "announced": True,
    } | changes


def table(*sessions: Address, vpn: tuple[Address, ...] = (), flows: tuple[Address, ...] = ()) -> UpstreamTable:
    return UpstreamTable({}, {}, Sessions(frozenset(sessions), frozenset(vpn), frozenset(flows)))


PLAIN = WantedPath(HUB4, ((65000, 100),), ((65000, 1, 100),))


def test_sessions_as_the_status_names_them() -> None:
    neighbors = [
        {"local": "198.51.100.1", "peer": "198.51.100.2", "vrf": None},
        {"local": "198.51.101.11", "peer": "198.51.101.3", "vrf": "red"},
    ]
    assert sessions_of({"sinks": [{"neighbors": neighbors}]}) == (UPSTREAM, RED)


def test_a_router_has_some_of_our_sessions() -> None:
    assert sessions_with((UPSTREAM, EDGE), table(HUB_B, ip_address("192.0.2.2"))) == (EDGE,)


def test_where_it_has_none_all_count() -> None:
    assert sessions_with((UPSTREAM, EDGE), table()) == (UPSTREAM, EDGE)


def test_a_plain_route_and_what_is_withheld() -> None:
    routes = [item(), item(prefix="10.2.0.0/16", withheld=["198.51.101.2"])]
    assert given(routes, (UPSTREAM, EDGE), table(HUB4, HUB_B)) == {
        HUB4: {ONE: (PLAIN,), pfx("10.2.0.0/16"): (PLAIN,)},
        HUB_B: {ONE: (PLAIN,)},
    }


def test_n10_a_route_of_a_vrf() -> None:
    vpn = {"rd": "65000:1", "label": 100, "route_targets": ["target:65000:1"]}
    routes = [item(vrf="red", vpn=vpn, extended_communities=["target:65000:7", "0x4300000000000001"])]
    with_targets = WantedPath(HUB4, ((65000, 100),), ((65000, 1, 100),), extended=("RT:65000:7", "RT:65000:1"))
    without = WantedPath(HUB4, ((65000, 100),), ((65000, 1, 100),), extended=("RT:65000:7",))
    assert given(routes, (UPSTREAM, EDGE, RED), table(HUB4, HUB_B, HUB_C, vpn=(HUB4,))) == {
        HUB4: {VpnPrefix("65000:1", ONE): (with_targets,)},
        HUB_B: {},
        HUB_C: {ONE: (without,)},
    }


def test_n10_a_vrf_without_a_route_distinguisher_has_no_vpn_routes() -> None:
    assert given([item(vrf="red")], (UPSTREAM,), table(HUB4, vpn=(HUB4,))) == {HUB4: {}}


def test_e13_several_paths_the_best_first() -> None:
    other = item(next_hop="192.0.2.17", med=500)
    assert given([item(alternates=[other])], (UPSTREAM,), table(HUB4)) == {
        HUB4: {ONE: (PLAIN, WantedPath(ip_address("192.0.2.17"), PLAIN.communities, PLAIN.large_communities, 500))}
    }


def test_e11_a_flow_rule_goes_to_who_takes_them() -> None:
    routes = [item(flow={"protocol": 6, "ports": [443, 443]})]
    assert given(routes, (UPSTREAM, EDGE), table(HUB4, HUB_B, flows=(HUB4,))) == {
        HUB4: {FlowRule(ONE, 6, (443, 443)): (PLAIN,)},
        HUB_B: {},
    }


def test_e11_a_flow_rule_of_a_vrf() -> None:
    routes = [item(vrf="red", flow={"protocol": 6, "ports": [443, 443]})]
    assert given(routes, (UPSTREAM, RED), table(HUB4, HUB_C, flows=(HUB4, HUB_C))) == {
        HUB4: {},
        HUB_C: {FlowRule(ONE, 6, (443, 443)): (PLAIN,)},
    }
