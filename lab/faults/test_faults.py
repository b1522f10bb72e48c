"""The fault matrix: after each fault upstream is exact, and what dies on the hub's side of BGP loses no route."""

from __future__ import annotations

import time

import pytest

from lab.faults.gaps import gaps
from lab.faults.report import Outcome
from lab.faults.world import LOADS, SIGNALS, TARGETS, World
from lab.taps import FibTap

SILENT = ("controller", "relay")
"""Whatever happens to these, no route that has an owner is lost."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("target", TARGETS)
def test_fault(world: World, outcomes: list[Outcome], target: str, signal: str, load: str) -> None:
    world.rest()
    before = world.wanted()
    with FibTap(world.lab.pid("upstream")) as fib:
        start = time.time_ns()
        with world.load(load):
            world.inject(target, signal)
        world.settle()
        end = time.time_ns()
        missing = gaps(fib.seen(start), before & world.wanted(), end)
    outcome = Outcome(target, signal, load, len(missing), max(missing.values(), default=0.0), (end - start) / 1e9)
    outcomes.append(outcome)
    print(outcome)
    if target in SILENT:
        assert missing == {}
