"""A policy that changes: only differences go out, ``plan`` says them before, and one not confirmed goes back (E4)."""

from __future__ import annotations

import time
from typing import Any

from lab.semantics.report import Section
from lab.semantics.world import Seen, World, policy

HUB = "198.51.100.1"
OFFICES, BRANCHES = ("10.50.0.0/16", "10.51.0.0/16"), ("10.1.0.0/16", "10.2.0.0/16")
RETAGGED = ("tag: 20", "tag: 21")
NEXT = "/run/rri-bgp/next.yaml"


def all_up(world: World) -> None:
    """The first policy, and two branches."""
    world.take("reload")
    world.lab.up("branch1", "net")
    world.lab.up("branch2", "net")
    world.settle(*OFFICES, *BRANCHES)


def tags(world: World) -> dict[str, str]:
    """The large community of each of upstream's routes."""
    return {prefix: world.path(prefix).large for prefix in world.prefixes()}


def test_e4_n8_a_changed_tag_is_one_update_a_route(world: World, section: Section) -> None:
    """E4, N8: a reload that changes a tag sends one UPDATE a route and no withdraw"""
    all_up(world)
    with world.wire() as wire:
        world.take("reload", RETAGGED)
        for prefix in BRANCHES:
            world.becomes(prefix, Seen(HUB, "65000:21", "65000:1:21"))
    assert sorted(" ".join(wire.updates()).split()) == [f"+{prefix}" for prefix in BRANCHES]
    world.rri("inspect", "--wait", "10", node="upstream")
    section.show(world, "explain", BRANCHES[0])
    section.show(world, "inspect", node="upstream")


def test_e4_a_reload_that_is_not_confirmed_goes_back(world: World, section: Section) -> None:
    """E4: a reload that is not confirmed goes back"""
    all_up(world)
    before = tags(world)
    world.write(policy("reload", RETAGGED))
    with world.wire() as wire:
        started = time.monotonic()
        section.show(world, "reload", "--confirm", "3")
        world.becomes(BRANCHES[0], Seen(HUB, "65000:21", "65000:1:21"))
        section.show(world, "show", "status", lines="the policy")
        world.becomes(BRANCHES[0], Seen(HUB, "65000:20", "65000:1:20"))
        assert 2.5 < time.monotonic() - started < 16
        world.becomes(BRANCHES[1], Seen(HUB, "65000:20", "65000:1:20"))
    assert sorted(" ".join(wire.updates()).split()) == sorted([f"+{prefix}" for prefix in BRANCHES] * 2)
    assert tags(world) == before
    section.say("Not confirmed within 3 s:")
    section.show(world, "show", "status", lines="the policy")
    section.show(world, "inspect", node="upstream")


def test_e4_a_reload_that_is_confirmed_stays(world: World) -> None:
    """The other way."""
    all_up(world)
    world.write(policy("reload", RETAGGED))
    world.rri("reload", "--confirm", "2")
    world.rri("confirm")
    world.becomes(BRANCHES[0], Seen(HUB, "65000:21", "65000:1:21"))
    time.sleep(2.5)  # it is that time that must change nothing
    assert world.path(BRANCHES[0]) == Seen(HUB, "65000:21", "65000:1:21")


def test_e4_plan_says_what_the_reload_then_does(world: World, section: Section) -> None:
    """E4: plan against the running hub says what the reload then does"""
    all_up(world)
    moved = ("    - permit ip any 10.50.0.0/16\n", "    - permit ip any 10.52.0.0/16\n")
    world.write(policy("reload", RETAGGED, moved), NEXT)
    section.show(world, "plan", NEXT)
    plan = world.json("plan", NEXT, code=1)
    before = tags(world)
    with world.wire() as wire:
        did = world.json("reload", NEXT)
        world.settle("10.51.0.0/16", "10.52.0.0/16", *BRANCHES)
        for prefix in BRANCHES:
            world.becomes(prefix, Seen(HUB, "65000:21", "65000:1:21"))
    after = tags(world)
    assert plan["changes"] == did["changes"]
    assert (plan["announced"], plan["changed"], plan["withdrawn"]) == (1, 2, 1)
    assert told(plan, "before") == {prefix: tag for prefix, tag in before.items() if after.get(prefix) != tag}
    assert told(plan, "after") == {prefix: tag for prefix, tag in after.items() if before.get(prefix) != tag}
    said = " ".join(wire.updates()).split()
    assert sorted(said) == ["+10.1.0.0/16", "+10.2.0.0/16", "+10.52.0.0/16", "-10.50.0.0/16"]
    section.show(world, "inspect", node="upstream")
    section.say("Once it is taken:")
    section.show(world, "plan", NEXT)
    world.rri("plan", NEXT, code=0)


def told(plan: dict[str, Any], when: str) -> dict[str, str]:
    """The large communities that a plan foretells, before or after."""
    return {one["prefix"]: one[when]["large_communities"][0] for one in plan["changes"] if one[when] is not None}


def test_e4_withdraws_come_last(world: World, section: Section) -> None:
    """E4: where a prefix moves, what is announced goes out before what is withdrawn"""
    world.take("reload")
    world.settle(*OFFICES)
    split = (
        "    - permit ip any 10.50.0.0/16\n",
        "    - permit ip any 10.50.0.0/17\n    - permit ip any 10.50.128.0/17\n",
    )
    with world.wire() as wire:
        world.take("reload", split)
        world.settle("10.50.0.0/17", "10.50.128.0/17", "10.51.0.0/16")
    said = " ".join(wire.updates()).split()
    assert sorted(said[:-1]) == ["+10.50.0.0/17", "+10.50.128.0/17"]
    assert said[-1] == "-10.50.0.0/16"
    section.say(f"UPDATEs, in this order: `{'`, `'.join(said)}`")
    section.show(world, "explain", "10.50.0.0/16")
