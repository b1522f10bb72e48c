"""What a hostile peer proposes in vain (rule G1): upstream keeps what it has; refusals are counted and explained."""

from __future__ import annotations

import pytest

from lab.harness import wait_until
from lab.semantics.report import Section
from lab.semantics.world import Seen, World

OFFICE = "10.2.0.0/16"
"""The network of a branch that is up all the time."""

MANY = 5000
LIMIT = 50
"""``max-routes-per-peer`` of guard.yaml."""


def refused(world: World) -> dict[str, int]:
    """How many refusals the hub has now, by rule."""
    counts: dict[str, int] = {}
    for reason in world.json("show", "refusals")["reasons"]:
        counts[reason["rule"]] = counts.get(reason["rule"], 0) + reason["count"]
    return counts


@pytest.mark.parametrize(
    ("child", "prefix", "rule", "words"),
    [
        ("everything", "0.0.0.0/0", "E10", "default route"),
        ("lan", "10.0.1.0/24", "G1", "of this machine"),
        ("neighbor", "198.51.100.2/32", "G1", "BGP neighbor"),
        ("half", "128.0.0.0/1", "G1", "peer's own address"),
        ("itself", "192.0.2.33/32", "G1", "peer's own address"),
        ("multicast", "224.0.0.0/4", "G1", "multicast"),
    ],
)
def test_g1_one_proposal(world: World, section: Section, child: str, prefix: str, rule: str, words: str) -> None:
    """G1: a peer that proposes what is not its own"""
    world.take("guard")
    world.lab.up("branch2", "net")
    world.settle(OFFICE)
    with world.wire() as wire:
        world.lab.up("hostile", child)
        wait_until(lambda: refused(world) == {rule: 1}, f"{prefix} is refused by {rule}")
        world.arrived()
        said = section.show(world, "explain", prefix)
        world.rri("inspect", node="upstream")
    assert f"refused ({rule})" in said
    assert words in said
    assert world.prefixes() == {OFFICE}
    assert wire.updates() == []


def test_g1_5000_prefixes(world: World, section: Section) -> None:
    """G1: a peer that proposes 5,000 networks has the 50 routes that its entry allows, or those of an allow-list"""
    world.take("guard")
    world.lab.up("branch2", "net")
    world.settle(OFFICE)
    world.lab.exec("hostile", "bash", "/lab/hostile/initiate-many", timeout=120)
    wait_until(lambda: refused(world) == {"G1": MANY - LIMIT}, f"{MANY - LIMIT} networks are refused", 60, 1)
    world.rri("inspect", "--wait", "10", node="upstream")
    found = world.prefixes()
    assert len(found) == LIMIT + 1
    assert OFFICE in found
    section.show(world, "show", "refusals")
    section.show(world, "inspect", node="upstream")
    last = "10.119.135.0/24"
    assert last not in found
    section.show(world, "explain", last)
    allowed = [f"10.119.{n}.0/24" for n in range(128, 136)]
    world.take("guard", ("{max-routes-per-peer: 50}", "{allow: [10.119.128.0/21 ge 24 le 24]}"))
    world.settle(OFFICE, *allowed)
    assert refused(world) == {"G1": MANY - len(allowed)}
    assert world.path(last) == Seen("198.51.100.1", "65000:666", "65000:1:666")
    section.say("With `guard: {allow: [10.119.128.0/21 ge 24 le 24]}`:")
    section.show(world, "show", "refusals")
    section.show(world, "inspect", node="upstream")
    section.show(world, "explain", "10.100.0.0/24")
