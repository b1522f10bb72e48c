"""Routes that take their time: hold-down, and worse before withdrawn (rules G4, G5)."""

from __future__ import annotations

import time

from lab.harness import wait_until
from lab.semantics.report import Section
from lab.semantics.world import Seen, World

HUB = "198.51.100.1"
FLAPS = 3
BRANCH1, BRANCH2 = "10.1.0.0/16", "10.2.0.0/16"


def test_g4_a_flapping_tunnel_sends_nothing(world: World, section: Section) -> None:
    """G4: a tunnel that flaps within its withdraw-delay sends no UPDATE"""
    world.take("delays")
    world.lab.up("branch1", "net")
    world.settle(BRANCH1)
    with world.wire() as wire:
        for flap in range(FLAPS):
            world.lab.down("branch1", child="net")
            wait_until(lambda: not world.lab.children(), "the hub has no CHILD_SA")
            if not flap:
                assert "withdraw-delay" in section.show(world, "explain", BRANCH1)
            world.lab.up("branch1", "net")
        world.next_snapshot()
        assert wire.updates() == []
        world.lab.down("branch1", child="net")
        gone = time.monotonic()
        world.settle()
        assert 7 < time.monotonic() - gone < 16
    assert wire.updates() == [f"-{BRANCH1}"]
    section.say(f"{FLAPS} flaps: 0 UPDATEs. A tunnel that stays down: withdrawn after 8 s.")
    section.show(world, "inspect", node="upstream")


def test_g4_announce_delay(world: World, section: Section) -> None:
    """G4: announce-delay waits before the first announcement"""
    world.take("delays", ("announce-delay: 2", "announce-delay: 5"))
    world.settle()
    started = time.monotonic()
    world.lab.up("branch2", "net")
    assert "announce-delay" in section.show(world, "explain", BRANCH2)
    assert world.prefixes() == set()
    world.settle(BRANCH2)
    assert time.monotonic() - started > 5


def test_g5_worse_before_withdrawn(world: World, section: Section) -> None:
    """G5: a peer that does not answer has its MED raised first, and is withdrawn when it is known to be dead"""
    world.take("delays")
    world.lab.up("branch2", "net")
    world.becomes(BRANCH2, Seen(HUB, "65000:105", "65000:1:105"))
    with world.wire() as wire:
        world.lab.exec("branch2", "pkill", "-STOP", "-x", "charon-systemd")
        try:
            world.becomes(BRANCH2, Seen(HUB, "65000:105", "65000:1:105", med=500))
            section.show(world, "explain", BRANCH2)
            section.show(world, "inspect", node="upstream")
            world.settle()
        finally:
            world.lab.exec("branch2", "pkill", "-CONT", "-x", "charon-systemd")
    assert wire.updates() == [f"+{BRANCH2}", f"-{BRANCH2}"]
    section.say("Withdrawn when charon gave the peer up:")
    section.show(world, "explain", BRANCH2)


def test_g5_back_to_what_it_was(world: World) -> None:
    """A peer that answers again in time loses nothing."""
    world.take("delays")
    world.lab.up("branch2", "net")
    well = Seen(HUB, "65000:105", "65000:1:105")
    world.becomes(BRANCH2, well)
    with world.wire() as wire:
        world.lab.exec("branch2", "pkill", "-STOP", "-x", "charon-systemd")
        try:
            world.becomes(BRANCH2, Seen(HUB, "65000:105", "65000:1:105", med=500))
        finally:
            world.lab.exec("branch2", "pkill", "-CONT", "-x", "charon-systemd")
        world.becomes(BRANCH2, well)
    assert wire.updates() == [f"+{BRANCH2}"] * 2
