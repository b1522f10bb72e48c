"""100,000 IPv4 routes that come at once: our plugin, the floor under it, and what most scripts do.

The time is from the moment when the routes are known (our replay source tells the controller its snapshot; the peers
may write their first line) until the upstream has the last one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from bench import load, proc
from bench.cases import Runs
from bench.figures import Curve, Figure, Result, ratio, thinned
from bench.load import Step
from bench.stage import Helper, Stage, floor, naive, plugin, stage
from rri_bgp.sinks.exabgp.commands import Verb

__all__ = ["Bulk", "measure", "reading_time", "run_bulk"]

ROUTES = 100_000
NAIVE_ROUTES = 10_000
"""Fewer: ExaBGP looks through its whole queue in each turn, so this way is slower the more there are."""

ROUNDS_EACH = 2
"""Rounds for each that was asked for: single runs of one script differ by more than the aim."""

_DEADLINE = 300.0


@dataclass(frozen=True, slots=True)
class Bulk:
    """One run, in seconds: all of it, from the first UPDATE to the last route, and CPU time of both processes.

    ``others``: how many CPUs all else on the machine kept busy meanwhile, the bench's own upstream left out.
    """

    total: float
    wire: float
    cpu: float
    exabgp_cpu: float
    others: float
    curve: tuple[tuple[float, float], ...]


def reading_time(routes: int) -> float:
    """Seconds after which the plugin has surely read the recording, so that it is told on time."""
    return 1.0 + routes * 60e-6


async def measure(runs: Runs) -> Result:
    """Runs the three in turn, forwards and backwards: what is asked for is a difference of a few per cent."""
    routes, few = runs.sized(ROUTES), runs.sized(NAIVE_ROUTES)
    helpers = _helpers(runs.folder, routes, few)
    found: dict[str, list[Bulk]] = {name: [] for name in helpers}
    rounds = runs.rounds * ROUNDS_EACH
    for number in range(rounds):
        for name in (list(helpers), list(reversed(helpers)))[number % 2]:
            count = few if name == "naive" else routes
            bulk = await run_bulk(runs.folder, helpers[name], count)
            runs.tell(f"bulk {number + 1}/{rounds} {name}: {count} routes in {bulk.total:.2f} s")
            found[name].append(bulk)
    return _result(found, routes, few)


async def run_bulk(folder: Path, helper: Helper, routes: int, step: int = 1) -> Bulk:
    """One run; the clock starts at this step of the helper."""
    async with stage(folder, helper) as this:
        this.open()
        start = await this.until_step(step, _DEADLINE)
        before = _Spent.now(this)
        await this.until(routes, _DEADLINE)
        return _bulk(this, start, before, _Spent.now(this))


@dataclass(frozen=True, slots=True)
class _Spent:
    """CPU seconds so far."""

    controller: float
    exabgp: float
    bench: float
    machine: float

    @classmethod
    def now(cls, this: Stage) -> _Spent:
        return cls(this.controller().cpu, this.speaker().cpu, time.process_time(), proc.machine_busy())


def _bulk(this: Stage, start: int, before: _Spent, after: _Spent) -> Bulk:
    controller, exabgp = after.controller - before.controller, after.exabgp - before.exabgp
    known = controller + exabgp + after.bench - before.bench
    growth = this.upstream.growth
    first, last = growth[0][0], growth[-1][0]
    curve = [(0.0, 0.0), *(((at - start) / 1e9, float(count)) for at, count in growth)]
    return Bulk(
        total=(last - start) / 1e9,
        wire=(last - first) / 1e9,
        cpu=controller,
        exabgp_cpu=exabgp,
        others=max(0.0, after.machine - before.machine - known) / ((last - start) / 1e9),
        curve=thinned(curve),
    )


def _helpers(folder: Path, routes: int, few: int) -> dict[str, Helper]:
    sas = [load.sa(number) for number in range(routes)]
    recording = load.recording(folder / "bulk.jsonl", [Step(0.0), Step(reading_time(routes), sas, whole=True)])
    lines = load.grouped(Verb.ANNOUNCE, range(routes))
    many = load.single(Verb.ANNOUNCE, range(few))
    return {
        "floor": floor(load.script(folder / "floor.jsonl", [(0.0, []), (0.1, lines)])),
        "ours": plugin(load.write_policy(folder, recording)),
        "naive": naive(load.script(folder / "naive.jsonl", [(0.0, []), (0.1, many)])),
    }


def _result(found: dict[str, list[Bulk]], routes: int, few: int) -> Result:
    ours, base, slow = found["ours"], found["floor"], found["naive"]
    total = Figure(f"ours, {routes:,} routes", "s", tuple(one.total for one in ours))
    floor_total = Figure(f"floor, {routes:,} routes", "s", tuple(one.total for one in base))
    wire = Figure("ours, first UPDATE to last route", "s", tuple(one.wire for one in ours))
    floor_wire = Figure("floor, first UPDATE to last route", "s", tuple(one.wire for one in base))
    rate = Figure("ours", "routes/s", tuple(routes / one.total for one in ours))
    naive_rate = Figure(f"naive, {few:,} routes", "routes/s", tuple(few / one.total for one in slow))
    return Result(
        name="bulk",
        title=f"bulk: {routes:,} IPv4 routes come at once",
        figures=(
            total, floor_total, wire, floor_wire, rate, naive_rate,
            Figure("ours, CPU of the controller", "s", tuple(one.cpu for one in ours)),
            Figure("floor, CPU of its script", "s", tuple(one.cpu for one in base)),
            Figure("ours, CPU of ExaBGP", "s", tuple(one.exabgp_cpu for one in ours)),
            Figure("floor, CPU of ExaBGP", "s", tuple(one.exabgp_cpu for one in base)),
            Figure("beside ours, CPUs that others kept busy", "", tuple(one.others for one in ours)),
            Figure("beside the floor, CPUs that others kept busy", "", tuple(one.others for one in base)),
        ),
        ratios=(
            ratio("ours / floor", total, floor_total, 1.05),
            ratio("ours / floor, on the wire only", wire, floor_wire),
            ratio("ours / naive, routes per second", rate, naive_rate),
        ),
        notes=(
            "floor: the same commands ready-made, the same window (one command of 49 routes in flight), no more",
            "where others kept much more than 0 CPUs busy, run it again: the figures are theirs too",
            "naive: one `announce route` line a route, no window",
        ),
        curves=tuple(Curve(name, found[name][-1].curve) for name in ("ours", "floor", "naive")),
        axes={"x": "seconds since the routes are known", "y": "routes upstream"},
    )  # fmt: skip
