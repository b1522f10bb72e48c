"""Redundancy groups: who holds the virtual address announces (rule G2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.semantics.report import Section
from lab.semantics.world import Seen, World

VIRTUAL, HUB = "198.51.100.254", "198.51.100.1"
OFFICE, BRANCH = "10.50.0.0/16", "10.2.0.0/16"
GROUP = f"pair: {{virtual-address: {VIRTUAL}, standby: silent}}"
AS_HOLDER = {
    OFFICE: Seen(VIRTUAL, "65000:10", "65000:1:10"),
    BRANCH: Seen(VIRTUAL, "65000:20", "65000:1:20"),
}


@pytest.fixture
def address(world: World) -> Iterator[World]:
    """The lab, where the test may give the hub the virtual address."""
    yield world
    world.lab.try_exec("hub", "ip", "address", "del", f"{VIRTUAL}/24", "dev", "eth1")


def announces_as_holder(world: World) -> None:
    """Upstream has all with the virtual address as next hop."""
    world.settle(OFFICE, BRANCH)
    for prefix, wanted in AS_HOLDER.items():
        world.becomes(prefix, wanted)


def test_g2_the_holder_announces(address: World, section: Section) -> None:
    """G2: silent without the virtual address, static routes too; with it, all with that next hop"""
    world = address
    world.take("redundancy")
    world.lab.up("branch2", "net")
    world.arrived()
    assert world.prefixes() == set()
    section.show(world, "explain", OFFICE)
    world.lab.exec("hub", "ip", "address", "add", f"{VIRTUAL}/24", "dev", "eth1")
    announces_as_holder(world)
    section.say(f"`ip address add {VIRTUAL}/24 dev eth1`:")
    section.show(world, "explain", OFFICE)
    world.rri("inspect", "--wait", "10", node="upstream")
    section.show(world, "inspect", node="upstream")
    with world.wire() as wire:
        world.lab.exec("hub", "ip", "address", "del", f"{VIRTUAL}/24", "dev", "eth1")
        world.settle()
    gone = " ".join(wire.updates()).split()
    assert sorted(gone) == [f"-{BRANCH}", f"-{OFFICE}"]


def test_g2_a_standby_with_a_worse_med(address: World, section: Section) -> None:
    """G2: a standby that announces a worse MED with its own next hop"""
    world = address
    world.take("redundancy", ("standby: silent", "standby: {med: 200}"))
    world.settle(OFFICE)
    assert world.path(OFFICE) == Seen(HUB, "65000:10", "65000:1:10", med=200)
    section.show(world, "explain", OFFICE)
    with world.wire() as wire:
        world.lab.exec("hub", "ip", "address", "add", f"{VIRTUAL}/24", "dev", "eth1")
        world.becomes(OFFICE, AS_HOLDER[OFFICE])
    assert wire.updates() == [f"+{OFFICE}"]


def test_g2_keepalived(world: World, section: Section) -> None:
    """G2: keepalived holds the address, and tells of it in its FIFO"""
    notify = "notify: {fifo: /run/rri-bgp/keepalived.fifo, instance: VI_1}"
    world.take("redundancy", (GROUP, f"{GROUP[:-1]}, {notify}}}"))
    world.lab.up("branch2", "net")
    world.arrived()
    assert world.prefixes() == set()
    world.lab.exec("hub", "keepalived", "--use-file=/lab/hub/keepalived.conf", "--vrrp")
    try:
        announces_as_holder(world)
        section.show(world, "explain", OFFICE)
        world.rri("inspect", "--wait", "10", node="upstream")
    finally:
        world.lab.kill("hub", "keepalived", "TERM")
    world.settle()
    section.say("keepalived has ended:")
    section.show(world, "explain", OFFICE)
