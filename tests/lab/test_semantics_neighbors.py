"""Several routers: who is given what, and VRFs upstream (rules N6, N8, N10)."""

from __future__ import annotations

from lab.harness import wait_until
from lab.semantics.report import WITH_NEIGHBORS, Section
from lab.semantics.world import Seen, World

HUB = "198.51.100.1"
RED, GREEN, BLUE = "10.1.0.0/16", "10.2.0.0/16", "10.30.0.0/16"


def test_n10_a_vrf_as_vpn_routes_and_in_a_session_of_its_own(world: World, section: Section) -> None:
    """N6, N10: a VRF as VPNv4 routes, and as plain routes in a session of its own"""
    world.take("neighbors")
    world.lab.up("branch1", "net")
    world.lab.up("branch1", "net6")
    world.lab.up("branch2", "net")
    world.settle(GREEN)
    world.settle(GREEN, node="edge")
    wait_until(lambda: world.from_neighbor("198.51.101.11") == {RED}, "edge has VRF red's routes in their session")
    wanted = Seen(HUB, "65000:100", "65000:1:100", extended="RT:65000:1 RT:65000:99")
    assert world.vpn("ipv4") == {("65000:1", RED): wanted}
    assert world.vpn("ipv6").keys() == {("65000:1", "2001:db8:1::/48")}
    for node in ("upstream", "edge"):
        world.rri("inspect", "--wait", "10", node=node)
        section.show(world, "inspect", node=node)
    section.show(world, "explain", RED, "--vrf", "red", lines=WITH_NEIGHBORS)
    section.keep("vtysh -c 'show bgp ipv4 vpn 10.1.0.0/16'   (upstream)", world.show(f"show bgp ipv4 vpn {RED}"))
    world.lab.down("branch1", child="net")
    wait_until(
        lambda: world.vpn("ipv4") == {} == dict.fromkeys(world.from_neighbor("198.51.101.11")), "it is withdrawn"
    )


def test_n6_one_prefix_in_two_vrfs(world: World, section: Section) -> None:
    """N6: one prefix in two VRFs"""
    world.take("neighbors")
    world.lab.up("branch1", "shared")
    world.lab.up("branch2", "shared")
    world.settle(BLUE)
    world.settle(BLUE, node="edge")
    assert world.path(BLUE) == Seen(HUB, "65000:200", "65000:1:200")
    assert world.vpn("ipv4").keys() == {("65000:1", BLUE)}
    world.rri("inspect", "--wait", "10", node="upstream")
    section.show(world, "explain", BLUE, lines=WITH_NEIGHBORS)
    section.show(world, "explain", BLUE, "--vrf", "red", lines=WITH_NEIGHBORS)


def test_n8_a_neighbor_is_given_its_tags_alone(world: World, section: Section) -> None:
    """N8: a neighbour that is given one tag alone"""
    world.take("neighbors")
    world.lab.up("branch2", "net")
    world.lab.up("hostile", "many0")
    world.settle(GREEN, *(f"10.100.{n}.0/24" for n in range(250)))
    world.arrived()
    assert world.from_neighbor("198.51.101.1") == {GREEN}
    section.show(world, "explain", "10.100.7.0/24", lines=WITH_NEIGHBORS)
    with world.wire() as wire:
        world.take("neighbors", ("tags: [200]", "tags: [200, 300]"))
        world.settle(GREEN, *(f"10.100.{n}.0/24" for n in range(250)), node="edge")
    assert wire.updates() == []
