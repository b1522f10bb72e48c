"""The core and the queue alone, in this process, with no I/O: where the controller's own time goes.

A snapshot goes the way that it goes in the controller: through the table of tunnels to that of routes. Its figures are
of one SA table after another, each fresh; the change's are medians over many changes. Sizes are in SAs.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from bench import load
from bench.cases import Runs
from bench.figures import Curve, Figure, Ratio, Result, ratio
from bench.load import Step
from rri_bgp.model import Prefix, SaPair
from rri_bgp.policy import load as load_policy
from rri_bgp.rri import Policy, Rib, Surroundings
from rri_bgp.rri.entries import Group
from rri_bgp.rri.scratch import routes_from_scratch
from rri_bgp.rri.tunnels import Tunnels
from rri_bgp.sinks.exabgp.queue import DrainingQueue

__all__ = ["measure"]

SAS = 100_000
SIZES = (1_000, 10_000, 1_000_000)
"""Besides ``SAS``."""
CHANGES = 2_000
MOST_SNAPSHOT_SECONDS = 1.5
MOST_CHANGE_MICROSECONDS = 50.0

_AROUND = Surroundings(
    addresses=frozenset((IPv4Address("10.0.0.5"),)), networks=frozenset((Prefix(4, 0x0A000100, 24),))
)
"""Fences off some of the SAs' prefixes."""
_GROUP = Group("bench", (IPv4Address("198.51.100.9"),))


@dataclass(frozen=True, slots=True)
class _Run:
    """Seconds each, ``change`` in microseconds."""

    snapshot: float
    again: float
    scratch: float
    place: float
    drain: float
    change: float
    policy: float
    around: float
    group: float


async def measure(runs: Runs) -> Result:
    """Runs it ``runs.rounds`` times."""
    count = runs.sized(SAS)
    policy = _policy(runs.folder)
    found: list[_Run] = []
    each: dict[int, list[float]] = {runs.sized(size): [] for size in SIZES}
    for number in range(runs.rounds):
        found.append(_run(policy, _sas(count), count))
        for size, times in each.items():
            times.append(_snapshot(policy, _sas(size))[2] / size * 1e6)
        runs.tell(f"core {number + 1}/{runs.rounds}: snapshot of {count} in {found[-1].snapshot:.2f} s")
    each[count] = [one.snapshot / count * 1e6 for one in found]
    return _result(count, found, each)


def _result(count: int, found: Sequence[_Run], each: dict[int, list[float]]) -> Result:
    snapshot = Figure(f"snapshot of {count:,} SAs to routes", "s", tuple(one.snapshot for one in found))
    scratch = Figure("routes from scratch, the plain form", "s", tuple(one.scratch for one in found))
    change = Figure(f"one SA comes or goes at {count:,}", "µs", tuple(one.change for one in found))
    from_scratch = Figure("", "µs", tuple(one * 1e6 for one in scratch.runs))
    sizes = [Figure(f"snapshot, each of {size:,}", "µs", tuple(times)) for size, times in sorted(each.items())]
    return Result(
        name="core",
        title=f"core: {count:,} SAs, no I/O",
        figures=(
            snapshot,
            Figure("the same snapshot again, nothing changed", "s", tuple(one.again for one in found)),
            scratch,
            Figure(f"queue takes {count:,} changed prefixes", "s", tuple(one.place for one in found)),
            Figure(f"queue gives {count:,} prefixes as command lines", "s", tuple(one.drain for one in found)),
            change,
            Figure("another policy that changes nothing", "s", tuple(one.policy for one in found)),
            Figure("a network of this machine comes and bars some of them", "s", tuple(one.around for one in found)),
            Figure("the group of all routes loses its address", "s", tuple(one.group for one in found)),
            *sizes,
        ),
        ratios=(
            ratio("snapshot / from scratch", snapshot, scratch),
            ratio("one change / from scratch", change, from_scratch),
            Ratio("snapshot", snapshot.runs, MOST_SNAPSHOT_SECONDS, "s"),
            Ratio("one change", change.runs, MOST_CHANGE_MICROSECONDS, "µs"),
        ),
        notes=(
            "the snapshot and the queue's taking are one call each here; the controller takes both in pieces",
            "a group and a policy are taken in pieces too: what is here is the sum of them",
        ),
        curves=(Curve("core", tuple((size, statistics.median(times)) for size, times in sorted(each.items()))),),
        axes={"x": "SAs", "y": "µs an SA, snapshot to routes"},
    )


def _sas(count: int) -> list[SaPair]:
    return [load.sa(index) for index in range(count)]


def _policy(folder: Path) -> Policy:
    return load_policy(load.write_policy(folder, load.recording(folder / "core.jsonl", [Step(0.0)]))).policy


def _snapshot(policy: Policy, sas: Sequence[SaPair]) -> tuple[Tunnels, Rib, float]:
    """A snapshot of them all, and how long it took."""
    gc.collect()
    tunnels, rib = Tunnels(policy), Rib(policy)
    return tunnels, rib, _timed(lambda: _hear(tunnels, rib, sas))


def _hear(tunnels: Tunnels, rib: Rib, sas: Sequence[SaPair]) -> None:
    rib.update(tunnels.update(tunnels.difference(load.SOURCE, sas), 0.0))


def _run(policy: Policy, sas: list[SaPair], count: int) -> _Run:
    tunnels, rib, snapshot = _snapshot(policy, sas)
    queue = DrainingQueue(rib.path)
    destinations = set(rib.destinations())
    return _Run(
        snapshot=snapshot,
        again=_timed(lambda: _hear(tunnels, rib, sas)),
        scratch=_timed(lambda: routes_from_scratch(policy, sas)),
        place=_timed(lambda: queue.changed(destinations)),
        drain=_timed(lambda: _drain(queue)),
        change=_change(tunnels, rib, count),
        policy=_timed(lambda: rib.take_policy(replace(policy))),
        around=_timed(lambda: rib.take_surroundings(_AROUND)),
        group=_group(policy, sas),
    )


def _group(policy: Policy, sas: list[SaPair]) -> float:
    """How long it takes to withdraw everything because the virtual address went elsewhere (rule G2)."""
    entries = tuple(replace(entry, redundancy=_GROUP.name) for entry in policy.entries)
    rib = Rib(replace(policy, entries=entries, groups={_GROUP.name: _GROUP}), Surroundings(held=frozenset(("bench",))))
    rib.snapshot(load.SOURCE, sas)
    return _timed(lambda: rib.take_surroundings(Surroundings()))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _drain(queue: DrainingQueue) -> None:
    while command := queue.next_command():
        command.line()
        queue.done()


def _change(tunnels: Tunnels, rib: Rib, count: int) -> float:
    one = load.sa(count)
    times = []
    for number in range(CHANGES):
        changes = {one.key: None if number % 2 else one}
        start = time.perf_counter()
        rib.update(tunnels.update(changes, 0.0))
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6
