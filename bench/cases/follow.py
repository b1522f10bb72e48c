"""How soon the kernel's routes follow: a gateway that changes underneath, and SAs that come one by one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from typing import Any

from bench import BenchError
from bench.cases import Runs
from bench.figures import Figure, Ratio, Result, percentile
from bench.stage import ROOT

__all__ = ["measure"]

PEERS = 1_000
ROUTES = 100_000
SINGLE = 1_000

MOST_SECONDS = 1.0
"""For the routes of all peers to move."""

_DEADLINE = 600.0


async def measure(runs: Runs) -> Result:
    """Runs it ``runs.rounds`` times."""
    peers, routes, single = runs.sized(PEERS), runs.sized(ROUTES), runs.sized(SINGLE)
    found = []
    for number in range(runs.rounds):
        found.append(await _round(peers, routes, single))
        runs.tell(f"follow {number + 1}/{runs.rounds}: {peers} peers moved in {found[-1]['moved']:.3f} s")
    moved = tuple(one["moved"] for one in found)
    few = f"the gateway of {peers:,} peers changes: the last of their {peers:,} routes has moved"
    return Result(
        name="follow",
        title="follow: how soon the kernel's routes are as they should be",
        figures=(
            Figure(few, "s", moved),
            Figure(f"the same with {routes:,} routes behind them", "s", tuple(one["moved all"] for one in found)),
            Figure("an SA comes: its route is in the kernel, p50", "µs", _ranked(found, 0.5)),
            Figure("an SA comes: its route is in the kernel, p99", "µs", _ranked(found, 0.99)),
        ),
        ratios=(Ratio("the gateway changes", moved, MOST_SECONDS, "s"),),
        notes=(
            "the gateway: `rri-bgp run` in a process of its own, from ip(8)'s start to the kernel's word of the last",
            f"an SA: from the source's word to the kernel's answer, {single:,} of them, {routes:,} routes are there",
        ),
    )


def _ranked(found: list[dict[str, Any]], rank: float) -> tuple[float, ...]:
    return tuple(percentile(one["came"], rank) for one in found)


async def _round(peers: int, routes: int, single: int) -> dict[str, Any]:
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    words = ("unshare", "--net", *user, sys.executable, "-m", "bench.follow", str(peers), str(routes), str(single))
    program = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=PIPE, cwd=ROOT)
    try:
        async with asyncio.timeout(_DEADLINE):
            out, error = await program.communicate()
    except TimeoutError:
        raise BenchError(f"follow: it took more than {_DEADLINE:.0f} s") from None
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    if program.returncode:
        raise BenchError(f"follow: {error.decode(errors='replace').strip().splitlines()[-1]}")
    taken: dict[str, Any] = json.loads(out)
    return taken
