"""One withdraw while 60,000 routes are on their way: from the change to the UPDATE that withdraws it.

The routes to be withdrawn are announced before. The floor knows the withdraw when it is due and sends it next; ours is
timed from the moment when the source tells the controller. Naive scripts have no window: a withdraw waits behind all.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from bench import load
from bench.cases import Runs
from bench.cases.bulk import reading_time
from bench.figures import Figure, Ratio, Result, percentile, ratio
from bench.load import Step
from bench.stage import Helper, floor, naive, plugin, stage
from rri_bgp.sinks.exabgp.commands import Verb

__all__ = ["measure"]

ROUTES = 60_000
NAIVE_ROUTES = 10_000
SAMPLES = 120
_LEAD = 0.5
"""Seconds from the start of the bulk to the first withdraw."""

_SPREAD = 0.04
"""Seconds between two withdraws, on average."""

OURS = "ours, with `rri-bgp exabgp`"
"""As packaging/systemd runs it."""

_DEADLINE = 300.0
_FIRST = 2  # steps 0 and 1 are the routes to be withdrawn, and the bulk


async def measure(runs: Runs) -> Result:
    """Runs them in turn."""
    helpers = _helpers(runs)
    found: dict[str, list[list[float]]] = {name: [] for name in helpers}
    for number in range(runs.rounds):
        for name, helper in helpers.items():
            found[name].append(await _run(runs, helper, name))
            middle = percentile(found[name][-1], 0.5)
            runs.tell(f"urgent {number + 1}/{runs.rounds} {name}: {SAMPLES} withdraws, p50 {middle:.1f} ms")
    return _result(runs, found)


async def _run(runs: Runs, helper: Helper, name: str) -> list[float]:
    """The latencies of one run, in milliseconds."""
    async with stage(runs.folder, helper) as this:
        this.open()
        await this.until_step(_FIRST + SAMPLES - 1, _DEADLINE)
        withdrawals = this.upstream.withdrawals
        what = f"{SAMPLES} withdraws"
        await this.upstream.until(lambda: len(withdrawals) >= SAMPLES, what, _DEADLINE, this.trouble)
        if name != "naive" and len(this.upstream.table) >= runs.sized(ROUTES):
            runs.tell("urgent: the bulk was over before the last withdraw; this machine wants a larger one")
        on_wire = {prefix: at for at, prefix in withdrawals}
        return [(on_wire[load.prefix_of(one)] - this.notes[_FIRST + one]) / 1e6 for one in range(SAMPLES)]


def _helpers(runs: Runs) -> dict[str, Helper]:
    many, few = runs.sized(ROUTES), runs.sized(NAIVE_ROUTES)
    begin = reading_time(many)
    dues = _dues(begin + _LEAD)
    base = range(SAMPLES)
    steps = [Step(0.0, [load.sa(one) for one in base], whole=True)]
    steps.append(Step(begin, [load.sa(SAMPLES + one) for one in range(many)]))
    steps.extend(Step(due, gone=(load.uniqueid(number),)) for number, due in enumerate(dues))
    recording = load.recording(runs.folder / "urgent.jsonl", steps)
    scripts = {}
    for name, count, lines in (("floor", many, load.grouped), ("naive", few, load.single)):
        bulk = range(SAMPLES, SAMPLES + count)
        pairs: list[tuple[float, Sequence[str]]] = [(0.0, lines(Verb.ANNOUNCE, base))]
        pairs.append((begin, lines(Verb.ANNOUNCE, bulk)))
        pairs.extend((due, lines(Verb.WITHDRAW, [number])) for number, due in enumerate(dues))
        scripts[name] = load.script(runs.folder / f"urgent-{name}.jsonl", pairs)
    ours = plugin(load.write_policy(runs.folder, recording))
    return {
        "floor": floor(scripts["floor"]),
        "ours": ours,
        OURS: replace(ours, speaker=("rri_bgp", "exabgp")),
        "naive": naive(scripts["naive"]),
    }


def _dues(start: float) -> list[float]:
    """When the withdraws are due: uneven, so that they meet ExaBGP at any place of its turn; the same each run."""
    chance = random.Random(1)  # noqa: S311  # no secret
    return [start + _SPREAD * (number + chance.random()) for number in range(SAMPLES)]


def _result(runs: Runs, found: dict[str, list[list[float]]]) -> Result:
    def figure(name: str, rank: float) -> Figure:
        return Figure(f"{name} p{rank * 100:g}", "ms", tuple(percentile(run, rank) for run in found[name]))

    figures = {(name, rank): figure(name, rank) for name in found for rank in (0.5, 0.99)}
    return Result(
        name="urgent",
        title=f"urgent: one withdraw inside a bulk of {runs.sized(ROUTES):,}",
        figures=tuple(figures.values()),
        ratios=(
            ratio("ours / floor, p50", figures["ours", 0.5], figures["floor", 0.5]),
            ratio("ours / floor, p99", figures["ours", 0.99], figures["floor", 0.99]),
            ratio("ours / naive, p50", figures["ours", 0.5], figures["naive", 0.5]),
            Ratio(f"{OURS}, p50", figures[OURS, 0.5].runs, 20, "ms"),
            Ratio(f"{OURS}, p99", figures[OURS, 0.99].runs, 150, "ms"),
        ),
        notes=(
            f"{SAMPLES} withdraws a run",
            "ExaBGP as it is stops for its garbage collector whenever its table has grown by a quarter: that is p99",
            f"naive has a bulk of {runs.sized(NAIVE_ROUTES):,} only",
        ),
    )
