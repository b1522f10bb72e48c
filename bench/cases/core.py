"""The core and the queue alone, in this process, with no I/O: where the controller's own time goes.

The snapshot's figures are of one SA table after another, each fresh; the change's are medians over many changes.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import load
from bench.cases import Runs
from bench.figures import Figure, Result, ratio
from bench.load import Step
from rri_bgp.model import SaPair
from rri_bgp.policy import load as load_policy
from rri_bgp.rri import Policy, Rib
from rri_bgp.rri.scratch import routes_from_scratch
from rri_bgp.sinks.exabgp.queue import DrainingQueue

__all__ = ["measure"]

SAS = 100_000
CHANGES = 2_000


@dataclass(frozen=True, slots=True)
class _Run:
    """Seconds each, ``change`` in microseconds."""

    snapshot: float
    again: float
    scratch: float
    place: float
    drain: float
    change: float


async def measure(runs: Runs) -> Result:
    """Runs it ``runs.rounds`` times."""
    count = runs.sized(SAS)
    policy = _policy(runs.folder)
    found = []
    for number in range(runs.rounds):
        found.append(_run(policy, [load.sa(index) for index in range(count)], count))
        runs.tell(f"core {number + 1}/{runs.rounds}: snapshot of {count} in {found[-1].snapshot:.2f} s")
    snapshot = Figure(f"snapshot of {count:,} SAs to routes", "s", tuple(one.snapshot for one in found))
    again = Figure("the same snapshot again, nothing changed", "s", tuple(one.again for one in found))
    scratch = Figure("routes from scratch, the plain form", "s", tuple(one.scratch for one in found))
    change = Figure(f"one SA comes or goes at {count:,}", "µs", tuple(one.change for one in found))
    from_scratch = Figure("", "µs", tuple(one * 1e6 for one in scratch.runs))
    return Result(
        name="core",
        title=f"core: {count:,} SAs, no I/O",
        figures=(
            snapshot, again, scratch,
            Figure(f"queue takes {count:,} changed prefixes", "s", tuple(one.place for one in found)),
            Figure(f"queue gives {count:,} prefixes as command lines", "s", tuple(one.drain for one in found)),
            change,
        ),
        ratios=(
            ratio("snapshot / from scratch", snapshot, scratch),
            ratio("one change / from scratch", change, from_scratch),
        ),
        notes=("the snapshot and the queue's taking are one call: nothing else runs meanwhile",),
    )  # fmt: skip


def _policy(folder: Path) -> Policy:
    return load_policy(load.write_policy(folder, load.recording(folder / "core.jsonl", [Step(0.0)]))).policy


def _run(policy: Policy, sas: list[SaPair], count: int) -> _Run:
    gc.collect()
    rib = Rib(policy)
    queue = DrainingQueue(rib.path)
    snapshot = _timed(lambda: rib.snapshot(load.SOURCE, sas))
    destinations = set(rib.destinations())
    return _Run(
        snapshot=snapshot,
        again=_timed(lambda: rib.snapshot(load.SOURCE, sas)),
        scratch=_timed(lambda: routes_from_scratch(policy, sas)),
        place=_timed(lambda: queue.changed(destinations)),
        drain=_timed(lambda: _drain(queue)),
        change=_change(rib, count),
    )


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _drain(queue: DrainingQueue) -> None:
    while command := queue.next_command():
        command.line()
        queue.done()


def _change(rib: Rib, count: int) -> float:
    one = load.sa(count)
    times = []
    for number in range(CHANGES):
        changes = {one.key: None if number % 2 else one}
        start = time.perf_counter()
        rib.update(changes)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6
