"""10,000 CHILD_SA rekeys: the new SA pair comes, then the old one goes. Upstream must hear nothing.

A recording is played as fast as it can be read, with ExaBGP and the upstream as they are. Reading it is no work that a
gateway has, so it is measured beside: the same file, read here and told to nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from bench import BenchError, load
from bench.cases import Runs
from bench.figures import Figure, Ratio, Result
from bench.load import Step
from bench.stage import Helper, plugin, stage
from rri_bgp.sources.recording import read

__all__ = ["measure"]

REKEYS = 10_000
CPU_AIM = 2.0
_LEAD = 3.0
_LEAD_EACH = 0.001
"""Seconds, and seconds a route, after which the routes are upstream and the rekeys begin; a run checks that."""

_SILENCE = 1.0
"""Seconds after the last rekey in which an UPDATE would still be of its making."""

_DEADLINE = 120.0


async def measure(runs: Runs) -> Result:
    """Runs it ``runs.rounds`` times."""
    count = runs.sized(REKEYS)
    recording = load.recording(runs.folder / "rekey.jsonl", _steps(count))
    helper = plugin(load.write_policy(runs.folder, recording), noted=(0, 1, 2 * count))
    found = []
    for number in range(runs.rounds):
        one = await _run(runs.folder, helper, count)
        found.append((*one, _reading(recording)))
        runs.tell(f"rekey {number + 1}/{runs.rounds}: {count} rekeys, {one[0]} UPDATEs, {one[1]:.2f} s of CPU")
    updates, cpu, seconds, reading = (tuple(map(float, column)) for column in zip(*found, strict=True))
    return Result(
        name="rekey",
        title=f"rekey: {count:,} CHILD_SAs are rekeyed, the new SA up before the old is gone",
        figures=(
            Figure("UPDATEs upstream", "", updates),
            Figure("CPU of the controller", "s", cpu),
            Figure("of it, reading the recording (about)", "s", reading),
            Figure("time for all of them", "s", seconds),
        ),
        ratios=(Ratio("UPDATEs", updates, 0.0, ""), Ratio("CPU seconds", cpu, CPU_AIM, "s")),
    )


async def _run(folder: Path, helper: Helper, count: int) -> tuple[int, float, float]:
    """UPDATEs, CPU seconds and seconds of one run."""
    async with stage(folder, helper) as this:
        this.open()
        await this.until(count, _DEADLINE)
        settled = this.upstream.growth[-1][0]
        start = await this.until_step(1, _DEADLINE)
        if start < settled:
            raise BenchError("the rekeys began before the routes were upstream: this machine is too slow, or too busy")
        before, updates = this.controller().cpu, this.upstream.updates
        end = await this.until_step(2 * count, _DEADLINE)
        await asyncio.sleep(_SILENCE)
        return this.upstream.updates - updates, this.controller().cpu - before, (end - start) / 1e9


def _steps(count: int) -> Iterator[Step]:
    yield Step(0.0, [load.sa(number) for number in range(count)], whole=True)
    at = _LEAD + count * _LEAD_EACH
    for number in range(count):
        yield Step(at, [load.sa(number, 1)])
        yield Step(at, gone=(load.uniqueid(number),))


def _reading(recording: Path) -> float:
    """CPU seconds for reading all but the first moment."""
    moments = read(recording, load.SOURCE)
    next(moments)
    start = time.process_time()
    for _ in moments:
        pass
    return time.process_time() - start
