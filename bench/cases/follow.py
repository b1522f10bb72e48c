"""How soon the kernel's routes follow: a gateway that changes underneath, and SAs that come one by one."""

from __future__ import annotations

from typing import Any

from bench.apart import run_apart
from bench.cases import Runs
from bench.figures import Figure, Ratio, Result, percentile

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
        found.append(await run_apart("bench.follow", peers, routes, single, deadline=_DEADLINE))
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
