"""Two branches with one network (rule E13): who wins, and that a takeover is one UPDATE and no withdraw."""

from __future__ import annotations

import pytest

from lab.semantics.report import WITH_NEIGHBORS, Section
from lab.semantics.world import Seen, World

SHARED = "10.30.0.0/16"
FIRST = Seen("192.0.2.1", "65000:130", "65000:1:130")
SECOND = Seen("192.0.2.17", "65000:130", "65000:1:130")


def both_up(world: World) -> None:
    """First branch 1, then branch 2."""
    world.lab.up("branch1", "shared")
    world.becomes(SHARED, FIRST)
    world.lab.up("branch2", "shared")


def test_e13_newest(world: World, section: Section) -> None:
    """E13: the newest of two branches wins, and when it goes the other takes over with one UPDATE"""
    world.take("overlap")
    with world.wire() as wire:
        both_up(world)
        world.becomes(SHARED, SECOND)
        section.show(world, "explain", SHARED)
        world.lab.down("branch2", child="shared")
        world.becomes(SHARED, FIRST)
        world.arrived()
    assert wire.updates() == [f"+{SHARED}"] * 3
    world.rri("inspect", "--wait", "10", node="upstream")
    section.say("Branch 2 has ended its tunnel; upstream was told by one UPDATE:")
    section.show(world, "explain", SHARED)
    section.show(world, "inspect", node="upstream")


def test_e13_oldest(world: World, section: Section) -> None:
    """E13: the oldest of two branches wins"""
    world.take("overlap", ("overlap: newest", "overlap: oldest"))
    with world.wire() as wire:
        both_up(world)
        world.rri("explain", SHARED)
        world.arrived()
        assert world.paths(SHARED) == (FIRST,)
        section.show(world, "explain", SHARED)
        world.lab.down("branch1", child="shared")
        world.becomes(SHARED, SECOND)
        world.arrived()
    assert wire.updates() == [f"+{SHARED}"] * 2
    world.rri("inspect", "--wait", "10", node="upstream")
    section.show(world, "inspect", node="upstream")


def test_e13_ecmp(world: World, section: Section) -> None:
    """E13: both of two branches, for the router that takes several paths"""
    world.take("overlap", ("overlap: newest", "overlap: ecmp"))
    both_up(world)
    world.becomes(SHARED, FIRST, SECOND, node="edge")
    world.becomes(SHARED, SECOND)
    for node in ("upstream", "edge"):
        world.rri("inspect", "--wait", "10", node=node)
    section.show(world, "explain", SHARED, lines=WITH_NEIGHBORS)
    section.keep(
        f"vtysh -c 'show bgp ipv4 unicast {SHARED}'   (edge)", world.show(f"show bgp ipv4 unicast {SHARED}", "edge")
    )
    with world.wire() as wire:
        world.lab.down("branch2", child="shared")
        world.becomes(SHARED, FIRST, node="edge")
        world.becomes(SHARED, FIRST)
        world.arrived()
    assert wire.updates() == [f"+{SHARED}"]
    world.rri("inspect", "--wait", "10", node="upstream")


@pytest.mark.parametrize("overlap", ["newest", "oldest", "ecmp"])
def test_e6_e13_a_rekey_of_either_changes_nothing(world: World, overlap: str) -> None:
    world.take("overlap", ("overlap: newest", f"overlap: {overlap}"))
    both_up(world)
    world.arrived()
    before = world.paths(SHARED)
    with world.wire() as wire:
        world.rekey("shared", "branch1", "branch2")
        world.next_snapshot()
    assert wire.updates() == []
    assert world.paths(SHARED) == before
