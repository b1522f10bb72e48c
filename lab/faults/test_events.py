"""Other things that go wrong: the session flaps, charon's socket is cut or refuses, a tunnel comes unseen or flaps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.faults.cut import cut
from lab.faults.gaps import gaps
from lab.faults.report import Outcome
from lab.faults.world import TARGETS, World
from lab.harness import wait_until
from lab.taps import FibTap

VICI = "/run/charon.vici"
FLAPS = 50

pytestmark = pytest.mark.timeout(600)


@contextmanager
def watched(world: World, outcomes: list[Outcome], name: str, flapping: str = "") -> Iterator[None]:
    """At rest before; afterwards upstream is exact again. Notes what was missing meanwhile, but for ``flapping``."""
    world.rest()
    before = world.wanted() - {flapping}
    with FibTap(world.lab.pid("upstream")) as fib:
        start = time.time_ns()
        yield
        world.settle()
        end = time.time_ns()
        missing = gaps(fib.seen(start), before & world.wanted(), end)
    longest = max(missing.values(), default=0.0)
    outcomes.append(Outcome(name, "", "", len(missing), longest, (end - start) / 1e9))


def times_lost(world: World) -> int:
    """How often the controller has lost charon so far."""
    return int(world.lab.status()["sources"][0]["losses"])


def test_the_session_flaps(world: World, outcomes: list[Outcome]) -> None:
    with watched(world, outcomes, "session cleared by upstream"):
        world.lab.exec("upstream", "vtysh", "-c", "clear bgp 198.51.100.1")


def test_the_stream_of_events_is_cut(world: World, outcomes: list[Outcome]) -> None:
    losses = times_lost(world)
    with watched(world, outcomes, "VICI connections cut"):
        assert cut(world.lab.host_pid("hub", TARGETS["controller"][1]), Path(VICI).name) >= 2
        wait_until(lambda: times_lost(world) > losses, "the controller has noticed")
    assert outcomes[-1].missing == 0


def test_charons_socket_refuses(world: World, outcomes: list[Outcome]) -> None:
    with watched(world, outcomes, "VICI socket refuses for 10 s"):
        world.lab.exec("hub", "chmod", "0", VICI)
        try:
            cut(world.lab.host_pid("hub", TARGETS["controller"][1]), Path(VICI).name)
            wait_until(lambda: "denied" in world.lab.status()["sources"][0]["why"], "the controller is refused")
            time.sleep(10)  # the fault is a time
        finally:
            world.lab.exec("hub", "chmod", "0770", VICI)
        wait_until(lambda: world.lab.status()["sources"][0]["connected"], "the controller follows again")
    assert outcomes[-1].missing == 0


def test_a_branch_comes_up_while_the_controller_is_down(world: World, outcomes: list[Outcome]) -> None:
    world.rest()
    world.lab.down("branch2", child="net")
    wait_until(lambda: "10.2.0.0/16" not in world.lab.prefixes(), "branch 2's route is gone")
    pattern = TARGETS["controller"][1]
    world.lab.exec("hub", "pkill", "-STOP", "-f", pattern)
    world.lab.up("branch2", "net")
    start = time.time_ns()
    world.lab.exec("hub", "pkill", "-KILL", "-f", pattern)
    wait_until(lambda: world.lab.fib("10.2.0.0/16"), "the route has come", 60)
    outcomes.append(Outcome("tunnel up, controller down", "", "", 0, 0.0, (time.time_ns() - start) / 1e9))
    world.settle()


def test_a_tunnel_flaps(world: World, outcomes: list[Outcome]) -> None:
    with watched(world, outcomes, f"another tunnel flapped {FLAPS} times", "10.1.0.0/16"):
        for _ in range(FLAPS):
            world.lab.down("branch1", child="net")
            world.lab.up("branch1", "net")
        wait_until(lambda: "10.1.0.0/16" in world.wanted(), "the tunnel is seen as up")
