"""A controller that starts while 10,000 SAs are up: from the start of its process to the last route upstream.

Beside it, the time that a running controller needs for as many routes (as in ``bulk``): the difference is the start of
Python, the reading of policy and recording, and the questions that the sink asks ExaBGP first.

It starts as it is installed: with its bytecode beside it, which pip makes. Python itself would make none of it where
``PYTHONDONTWRITEBYTECODE`` says so, and would translate all the sources anew at each start.
"""

from __future__ import annotations

import compileall

from bench import load
from bench.cases import Runs
from bench.cases.bulk import reading_time, run_bulk
from bench.figures import Figure, Result, ratio
from bench.load import Step
from bench.stage import ROOT, plugin

__all__ = ["measure"]

ROUTES = 10_000


async def measure(runs: Runs) -> Result:
    """Runs both in turn."""
    compileall.compile_dir(ROOT / "rri_bgp", quiet=1)
    routes = runs.sized(ROUTES)
    sas = [load.sa(number) for number in range(routes)]
    cold_steps = [Step(0.0, sas, whole=True)]
    warm_steps = [Step(0.0), Step(reading_time(routes), sas, whole=True)]
    cold, warm = [], []
    for number in range(runs.rounds):
        policy = load.write_policy(runs.folder, load.recording(runs.folder / "cold.jsonl", cold_steps))
        cold.append(await run_bulk(runs.folder, plugin(policy, plain=True), routes, step=0))
        policy = load.write_policy(runs.folder, load.recording(runs.folder / "warm.jsonl", warm_steps))
        warm.append(await run_bulk(runs.folder, plugin(policy), routes))
        runs.tell(f"cold {number + 1}/{runs.rounds}: {cold[-1].total:.2f} s, running {warm[-1].total:.2f} s")
    start = Figure("from the start of the process", "s", tuple(one.total for one in cold))
    running = Figure("a running controller, as many routes", "s", tuple(one.total for one in warm))
    return Result(
        name="cold",
        title=f"cold start: {routes:,} SAs are already up",
        figures=(
            start,
            running,
            Figure("until the first UPDATE", "s", tuple(one.total - one.wire for one in cold)),
            Figure("CPU of the controller", "s", tuple(one.cpu for one in cold)),
        ),
        ratios=(ratio("cold start / running", start, running, 1.3),),
        notes=("with its bytecode beside it, as it is installed; to translate the sources costs another 0.1 s",),
    )
