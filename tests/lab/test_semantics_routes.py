"""When a route exists, where it points, and what upstream is told of it (rules E1-E3, E9-E11, E14, N1-N4, N8)."""

from __future__ import annotations

import pytest

from lab.harness import wait_until
from lab.semantics.report import Section
from lab.semantics.world import Seen, World

HUB4, HUB6 = "198.51.100.1", "2001:db8:100::1"


def equal(world: World, section: Section) -> None:
    """The inspector agrees with the test."""
    world.rri("inspect", "--wait", "10", node="upstream")
    section.show(world, "inspect", node="upstream")


def test_e1_e2_n1_plain(world: World, section: Section) -> None:
    """E1, E2, N1: plain, from what two branches have negotiated"""
    world.take("plain")
    world.settle()
    world.lab.up("branch1", "net")
    world.lab.up("branch2", "net")
    world.settle("10.1.0.0/16", "10.2.0.0/16")
    assert world.path("10.1.0.0/16") == Seen(HUB4, "65000:100", "65000:1:100")
    assert world.path("10.2.0.0/16") == Seen(HUB4, "65000:200", "65000:1:200")
    equal(world, section)
    section.show(world, "explain", "10.1.0.0/16")
    section.show(world, "explain", "10.2.0.0/16")
    world.lab.down("branch1", child="net")
    world.settle("10.2.0.0/16")
    section.say("Branch 1 has ended its tunnel:")
    section.show(world, "explain", "10.1.0.0/16")


def test_e14_ipv6_behind_an_ipv4_peer(world: World, section: Section) -> None:
    """E14: IPv6 networks behind IPv4 peers"""
    world.take("plain")
    world.lab.up("branch1", "net6")
    world.lab.up("branch2", "net6")
    world.settle("2001:db8:1::/48", "2001:db8:2::/48")
    assert world.path("2001:db8:1::/48") == Seen(HUB6, "65000:100", "65000:1:100")
    assert world.path("2001:db8:2::/48") == Seen(HUB6, "65000:200", "65000:1:200")
    equal(world, section)
    section.show(world, "explain", "2001:db8:1::/48")


STATIC = ("10.50.1.64/26", "10.50.1.128/25", "10.51.0.7/32", "2001:db8:51::/48")


def test_e3_e9_static_with_no_sa(world: World, section: Section) -> None:
    """E3, E9: static routes with no SA, without what a deny line takes"""
    world.take("static")
    world.settle(*STATIC)
    assert world.lab.children(state="") == []
    assert world.path("10.50.1.64/26") == world.path("10.50.1.128/25") == Seen(HUB4, "65000:0", "65000:1:0")
    equal(world, section)
    section.show(world, "explain", "10.50.1.128/25")
    section.show(world, "explain", "10.50.1.7")


def test_n8_tag_0(world: World, section: Section) -> None:
    """N8: tag 0 is a tag, and no tag is none"""
    world.take("static")
    world.settle(*STATIC)
    assert world.path("10.50.1.64/26") == Seen(HUB4, "65000:0", "65000:1:0")
    section.show(world, "explain", "10.50.1.64/26")
    world.take("static", (", tag: 0", ""))
    world.becomes("10.50.1.64/26", Seen(HUB4))
    equal(world, section)
    section.show(world, "explain", "10.50.1.64/26")


def test_n8_tag_4294967295(world: World, section: Section) -> None:
    """N8: tag 4294967295 goes out as a large community"""
    world.take("static")
    world.settle(*STATIC)
    assert world.path("10.51.0.7/32") == Seen(HUB4, "", "65000:1:4294967295")
    assert world.path("2001:db8:51::/48") == Seen(HUB6, "", "65000:1:4294967295")
    equal(world, section)
    section.show(world, "explain", "10.51.0.7/32")


@pytest.mark.parametrize(
    ("prefix", "kernel"),
    [
        ("10.61.0.0/16", ["10.61.0.0/16 to peer 192.0.2.1 metric 1"]),
        ("10.62.0.0/16", ["10.62.0.0/16 to peer 192.0.2.2 metric 1", "192.0.2.2/32 dev eth3 metric 1"]),
        ("10.63.0.0/16", ["10.63.0.0/16 via 203.0.113.14 metric 1"]),
        ("10.64.0.0/16", ["10.64.0.0/16 to peer 192.0.2.4 metric 1", "192.0.2.4/32 via 203.0.113.14 metric 1"]),
    ],
    ids=["n1", "n2", "n3", "n4"],
)
def test_n1_n2_n3_n4_remote_peer(world: World, section: Section, prefix: str, kernel: list[str]) -> None:
    """N1-N4: the forms of remote-peer, and the kernel routes that each intends"""
    world.take("remote-peer")
    world.settle("10.61.0.0/16", "10.62.0.0/16", "10.63.0.0/16", "10.64.0.0/16")
    assert world.path(prefix) == Seen(HUB4)
    equal(world, section)
    said = [line for route in kernel for line in section.show(world, "explain", route.split()[0]).splitlines()]
    assert [line.partition("): ")[2] for line in said if line.startswith("kernel route")] == kernel
    peers = [item["prefix"] for item in world.json("show", "kernel")["kernel"] if item["prefix"].endswith("/32")]
    assert sorted(peers) == ["192.0.2.2/32", "192.0.2.4/32"]


@pytest.mark.parametrize(
    ("setting", "ipv4", "ipv6"),
    [
        ("skip", (), ()),
        ("route", ("0.0.0.0/0",), ("::/0",)),
        ("halves", ("0.0.0.0/1", "128.0.0.0/1"), ("::/1", "8000::/1")),
    ],
)
def test_e10_default(
    world: World, section: Section, setting: str, ipv4: tuple[str, ...], ipv6: tuple[str, ...]
) -> None:
    """E10: a proxy 0.0.0.0/0, and ::/0, in the three settings"""
    world.take("proxies", ("allow-default: skip", f"allow-default: {setting}"))
    world.lab.up("branch1", "default")
    world.lab.up("branch1", "default6")
    world.settle(*ipv4, *ipv6)
    assert [world.path(prefix) for prefix in ipv4] == [Seen(HUB4, "65000:300", "65000:1:300")] * len(ipv4)
    assert [world.path(prefix) for prefix in ipv6] == [Seen(HUB6, "65000:300", "65000:1:300")] * len(ipv6)
    equal(world, section)
    section.show(world, "explain", "0.0.0.0/0")


def test_e11_port_proxy_skip(world: World, section: Section) -> None:
    """E11: a proxy limited to TCP port 443, skipped"""
    world.take("proxies")
    world.lab.up("branch1", "web")
    world.arrived()
    assert world.prefixes() == set()
    equal(world, section)
    assert "E11" in section.show(world, "explain", "10.41.0.0/24")


def test_e11_port_proxy_route(world: World, section: Section) -> None:
    """E11: a proxy limited to TCP port 443, as a route"""
    world.take("proxies", ("port-proxies: skip", "port-proxies: route"))
    world.lab.up("branch1", "web")
    world.settle("10.41.0.0/24")
    assert world.path("10.41.0.0/24") == Seen(HUB4, "65000:300", "65000:1:300")
    equal(world, section)
    section.show(world, "explain", "10.41.0.0/24")


def test_e11_port_proxy_flowspec(world: World, section: Section) -> None:
    """E11: a proxy limited to TCP port 443, as a FlowSpec rule"""
    world.take("proxies", ("port-proxies: skip", "port-proxies: flowspec"))
    world.lab.up("branch1", "web")
    world.arrived()
    assert world.prefixes() == set()
    world.rri("inspect", "--wait", "10", node="upstream")
    flows = world.show("show bgp ipv4 flowspec detail")
    section.keep("vtysh -c 'show bgp ipv4 flowspec detail'", flows)
    lines = [line.strip() for line in flows.splitlines()]
    assert lines[1:6] == [
        "Destination Address 10.41.0.0/24",
        "IP Protocol = 6",
        "Destination Port = 443",
        "FS:redirect IP 0x0",
        f"NLRI NH {HUB4}",
    ]
    equal(world, section)
    assert "10.41.0.0/24[6/443] is made of it" in section.show(world, "explain", "10.41.0.0/24")
    world.lab.down("branch1", child="web")
    wait_until(lambda: "Destination" not in world.show("show bgp ipv4 flowspec detail"), "the flow rule is withdrawn")
    world.rri("inspect", "--wait", "10", node="upstream")
