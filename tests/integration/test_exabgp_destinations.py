"""VRFs, flows, several paths and policies of neighbours, from a real ExaBGP of either version to real routers."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_address
from pathlib import Path as FilePath

import pytest

from rri_bgp.model import Attributes, FlowRule, Path, Prefix, VrfPrefix
from rri_bgp.rri.entries import NeighborPolicy, Overlap, Policy, Vrf
from rri_bgp.sinks import RouteState
from tests.integration.routers import Router, world
from tests.values import HUB4, HUB6, entry, pfx, policy
from tests.wanted import Wanted

pytestmark = pytest.mark.timeout(300)

A, B, C = "127.0.0.2", "127.0.0.3", "127.0.0.4"
V4, V6, OTHER = pfx("10.1.0.0/16"), pfx("2001:db8:1::/48"), pfx("10.2.0.0/16")
TARGET = 0x0002_FDE8_0000_0001
RED = Vrf("red", 10, rd="65000:1", route_targets=(TARGET,), label=100)
PLAIN = Path(HUB4, Attributes(communities=((65000, 100),)))
VPN4 = Path(HUB4, Attributes(extended_communities=(TARGET,)))
VPN6 = Path(HUB6, Attributes(extended_communities=(TARGET,)))


def vpn(prefix: Prefix) -> VrfPrefix:
    return VrfPrefix("red", prefix)


async def test_n10_vpn_routes_arrive_are_adopted_and_go(tmp_path: FilePath, program: FilePath | None) -> None:
    router = Router(A)
    wanted = Wanted({vpn(V4): VPN4, vpn(V6): VPN6, V4: PLAIN, vpn(OTHER): VPN4}, policy=policy(vrfs=(RED,)))
    four = {"10.1.0.0/16 rd 65000:1": str(HUB4), "10.2.0.0/16 rd 65000:1": str(HUB4)}
    six = {"2001:db8:1::/48 rd 65000:1": str(HUB6)}
    async with world(tmp_path, router, program=program) as this:
        async with this.sinking(wanted) as sink:
            await this.settled(sink, (router, "ipv4 mpls-vpn", four), (router, "ipv6 mpls-vpn", six))
            assert router.prefixes() == {"10.1.0.0/16": str(HUB4)}
            assert sink.route(vpn(V4)).state is RouteState.CONFIRMED
            found = router.attributes("10.1.0.0/16 rd 65000:1", "ipv4 mpls-vpn")["extended-community"]
            assert [one["value"] for one in found] == [TARGET]
        before = router.updates
        del wanted[vpn(OTHER)]
        async with this.sinking(wanted) as sink:
            sink.allow_withdraw()
            await this.settled(sink, (router, "ipv4 mpls-vpn", {"10.1.0.0/16 rd 65000:1": str(HUB4)}))
            assert router.updates - before == 1, "the one that nobody owns; the others are left alone"


async def test_n10_another_label_and_another_distinguisher_go_out(tmp_path: FilePath, program: FilePath | None) -> None:
    router = Router(A)
    wanted = Wanted({vpn(V4): VPN4}, policy=policy(vrfs=(RED,)))
    async with world(tmp_path, router, program=program) as this, this.sinking(wanted) as sink:
        sink.allow_withdraw()
        await this.settled(sink, (router, "ipv4 mpls-vpn", {"10.1.0.0/16 rd 65000:1": str(HUB4)}))
        for rd, label in (("65000:1", 200), ("65000:2", 200)):
            before = router.updates
            wanted.policy = policy(vrfs=(Vrf("red", 10, rd=rd, route_targets=(TARGET,), label=label),))
            sink.take_settings(wanted.policy)
            await this.until(partial(has_sent, router, before + 2), "a withdraw and an announcement")
            await this.settled(sink, (router, "ipv4 mpls-vpn", {f"10.1.0.0/16 rd {rd}": str(HUB4)}))


HTTPS, GRE = FlowRule(V4, 6, (443, 443)), FlowRule(V4, 47, (0, 65535))


def has_sent(router: Router, updates: int) -> bool:
    return router.updates == updates


FLOWS = {
    HTTPS: "flow destination-ipv4 10.1.0.0/16 protocol =tcp destination-port =443",
    FlowRule(V4, 6, (8080, 8080)): "flow destination-ipv4 10.1.0.0/16 protocol =tcp destination-port =8080",
    FlowRule(V4, 17, (1024, 2000)): (
        "flow destination-ipv4 10.1.0.0/16 protocol =udp destination-port [ >=1024&<=2000 ]"
    ),
    FlowRule(V4, 1, (0x0800, 0x0800)): (
        "flow destination-ipv4 10.1.0.0/16 protocol =icmp icmp-type =echo-request icmp-code =0"
    ),
    GRE: "flow destination-ipv4 10.1.0.0/16 protocol =gre",
    FlowRule(V6, 6, (443, 443)): "flow destination-ipv6 2001:db8:1::/48/0 next-header =tcp destination-port =443",
}


def hop(rule: FlowRule) -> str:
    return str(HUB4 if rule.prefix.version == 4 else HUB6)


async def test_e11_flows_arrive_are_adopted_and_go(tmp_path: FilePath, program: FilePath | None) -> None:
    router = Router(A)
    wanted = Wanted({rule: PLAIN if rule.prefix.version == 4 else Path(HUB6) for rule in FLOWS})
    four, six = ({FLOWS[rule]: hop(rule) for rule in FLOWS if rule.prefix.version == version} for version in (4, 6))
    async with world(tmp_path, router, program=program) as this:
        async with this.sinking(wanted) as sink:
            await this.settled(sink, (router, "ipv4 flow", four), (router, "ipv6 flow", six))
            assert all(sink.route(rule).state is RouteState.CONFIRMED for rule in FLOWS)
        before = router.updates
        del wanted[HTTPS], four[FLOWS[HTTPS]]
        async with this.sinking(wanted) as sink:
            sink.allow_withdraw()
            await this.settled(sink, (router, "ipv4 flow", four), (router, "ipv6 flow", six))
            announced = dict(sink.status().counters).get("announced", 0)
            assert announced == (1 if program is None else 0), "5.0 prints 8080 by a name of three ports: once more"
            del wanted[GRE], four[FLOWS[GRE]]
            sink.changed([GRE])
            await this.settled(sink, (router, "ipv4 flow", four), (router, "ipv6 flow", six))
        assert router.updates - before <= 4, "two flows, and in 5.0 the other two ports of that name"


async def test_n10_neighbors_are_given_what_their_policies_say(tmp_path: FilePath, program: FilePath | None) -> None:
    routers = a, b, c = Router(A), Router(B), Router(C)
    entries = (entry(10, tag=100), entry(20, tag=None))
    loaded = policy(
        *entries,
        vrfs=(RED,),
        neighbors=(
            NeighborPolicy(ip_address(A), tags=frozenset((None,))),
            NeighborPolicy(ip_address(C), vrf="red"),
        ),
    )
    wanted = Wanted({V4: PLAIN, OTHER: Path(HUB4), vpn(V4): VPN4}, policy=loaded)
    wanted.ranks[OTHER] = 1
    async with world(tmp_path, *routers, program=program) as this, this.sinking(wanted) as sink:
        sink.allow_withdraw()
        everything = {"10.1.0.0/16": str(HUB4), "10.2.0.0/16": str(HUB4)}
        await this.settled(
            sink,
            (a, "ipv4 unicast", {"10.2.0.0/16": str(HUB4)}),
            (a, "ipv4 mpls-vpn", {}),
            (b, "ipv4 unicast", everything),
            (b, "ipv4 mpls-vpn", {"10.1.0.0/16 rd 65000:1": str(HUB4)}),
            (c, "ipv4 unicast", {"10.1.0.0/16": str(HUB4)}),
            (c, "ipv4 mpls-vpn", {}),
        )
        told = {one.peer: (one.state, one.reason) for one in sink.route(V4).neighbors}
        assert told == {
            A: (RouteState.ABSENT, "it is not given routes of tag 100"),
            B: (RouteState.CONFIRMED, ""),
            C: (RouteState.ABSENT, "it is given the routes of VRF red only"),
        }
        seen = [router.updates for router in routers]
        wanted.policy = policy(*entries, vrfs=(RED,), neighbors=(NeighborPolicy(ip_address(A), vrf="red"),))
        sink.take_settings(wanted.policy)
        await this.settled(
            sink,
            (a, "ipv4 unicast", {"10.1.0.0/16": str(HUB4)}),
            (b, "ipv4 unicast", everything),
            (c, "ipv4 unicast", everything),
            (c, "ipv4 mpls-vpn", {"10.1.0.0/16 rd 65000:1": str(HUB4)}),
        )
        assert [router.updates - was for router, was in zip(routers, seen, strict=True)] == [2, 0, 3]


async def test_e13_several_paths_where_the_neighbor_takes_them(tmp_path: FilePath, program: FilePath | None) -> None:
    many, one = Router(A, add_path=True, families=("ipv4 unicast",)), Router(B, families=("ipv4 unicast",))
    first, second = Path(ip_address("198.51.100.1")), Path(ip_address("198.51.100.2"))
    wanted = Wanted({V4: first, OTHER: first}, policy=policy(entry(10, overlap=Overlap.ECMP), entry(20)))
    wanted.others[V4] = (second,)
    wanted.ranks[OTHER] = 1
    name = "10.1.0.0/16 path "
    async with world(tmp_path, many, one, program=program) as this:
        async with this.sinking(wanted) as sink:
            sink.allow_withdraw()
            both = {name + "198.51.100.1": "198.51.100.1", name + "198.51.100.2": "198.51.100.2"}
            other = {"10.2.0.0/16": "198.51.100.1"}
            best = {"10.1.0.0/16": "198.51.100.1"}
            await this.settled(sink, (many, "ipv4 unicast", both | other), (one, "ipv4 unicast", best | other))
            assert {len(told.paths) for told in sink.route(V4).neighbors} == {1, 2}
        before = many.updates, one.updates
        async with this.sinking(wanted) as sink:
            sink.allow_withdraw()
            wanted[V4] = second
            wanted.others.clear()
            sink.changed([V4])
            left = {name + "198.51.100.2": "198.51.100.2"}
            best = {"10.1.0.0/16": "198.51.100.2"}
            await this.settled(sink, (many, "ipv4 unicast", left | other), (one, "ipv4 unicast", best | other))
            assert (many.updates, one.updates) == (before[0] + 1, before[1] + 1)


async def test_n9_prepends_are_for_other_systems_only(tmp_path: FilePath, program: FilePath | None) -> None:
    outside, inside = Router(A, asn=65001), Router(B)
    path = Path(HUB4, Attributes(as_path_prepend=2))
    wanted = Wanted({V4: path, OTHER: PLAIN}, policy=policy(entry(attributes=Attributes(as_path_prepend=2))))
    table = {"10.1.0.0/16": str(HUB4), "10.2.0.0/16": str(HUB4)}
    async with world(tmp_path, outside, inside, program=program) as this:
        async with this.sinking(wanted) as sink:
            await this.settled(sink, (outside, "ipv4 unicast", table), (inside, "ipv4 unicast", table))
            assert hops(outside, "10.1.0.0/16") == [65000] * 3
            assert hops(outside, "10.2.0.0/16") == [65000]
            assert hops(inside, "10.1.0.0/16") == []
        before = outside.updates, inside.updates
        async with this.sinking(wanted) as sink:
            await this.settled(sink, (outside, "ipv4 unicast", table), (inside, "ipv4 unicast", table))
            assert "announced" not in dict(sink.status().counters), "adopted with its AS path"
        assert (outside.updates, inside.updates) == before


def hops(router: Router, name: str) -> list[int]:
    """The ASes of a route's AS path."""
    segments = router.attributes(name).get("as-path", {})
    return [asn for segment in segments.values() for asn in segment["value"]]


async def test_extended_communities_arrive_as_they_are(tmp_path: FilePath, program: FilePath | None) -> None:
    router = Router(A)
    numbers = (0x0202000111700007, 0x0102C00002010005, 0x0203000111700007, 0x0103C00002010005, TARGET)
    wanted = Wanted({V4: Path(HUB4, Attributes(extended_communities=numbers))}, policy=Policy())
    async with world(tmp_path, router, program=program) as this, this.sinking(wanted) as sink:
        await this.settled(sink, (router, "ipv4 unicast", {"10.1.0.0/16": str(HUB4)}))
        found = router.attributes("10.1.0.0/16")["extended-community"]
        assert {one["value"] for one in found} == set(numbers)
