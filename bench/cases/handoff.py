"""100,000 tagged routes that come at once: handed off to BIRD or FRR, and by way of ExaBGP, to the same upstream.

The time is from the moment when the routes are known (our replay source tells the controller its snapshot) until a BIRD
upstream has the last one. Each run is in a network namespace of its own, as root; the daemons are this machine's, or
those of the lab's tree.
"""

from __future__ import annotations

import shutil

from bench.apart import run_apart
from bench.cases import Runs
from bench.figures import Figure, Result, ratio

__all__ = ["measure"]

ROUTES = 100_000
_DEADLINE = 600.0
WAYS = {"bird": "hand-off, BIRD", "frr": "hand-off, FRR", "exabgp": "ExaBGP"}


async def measure(runs: Runs) -> Result:
    """Runs the three in turn."""
    routes = runs.sized(ROUTES)
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for number in range(runs.rounds):
        for way in (list(WAYS), list(reversed(WAYS)))[number % 2]:
            one = await _run(runs, way, routes)
            runs.tell(f"handoff {number + 1}/{runs.rounds} {way}: {routes} routes in {one['total']:.2f} s")
            found[way].append(one)
    return _result(found, routes)


async def _run(runs: Runs, way: str, routes: int) -> dict[str, float]:
    folder = runs.folder / "handoff"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    one: dict[str, float] = await run_apart("bench.handoff", way, folder, routes, deadline=_DEADLINE)
    return one


def _result(found: dict[str, list[dict[str, float]]], routes: int) -> Result:
    total = {way: Figure(name, "s", tuple(one["total"] for one in found[way])) for way, name in WAYS.items()}
    return Result(
        name="handoff",
        title=f"hand-off: {routes:,} tagged IPv4 routes come at once, until a BIRD upstream has them",
        figures=(
            *total.values(),
            *(
                Figure(f"{name}, CPU of the controller", "s", tuple(one["cpu"] for one in found[way]))
                for way, name in WAYS.items()
            ),
            *(
                Figure(f"{name}, CPU of the machine", "s", tuple(one["machine"] for one in found[way]))
                for way, name in WAYS.items()
            ),
        ),
        ratios=(
            ratio("hand-off, BIRD / ExaBGP", total["bird"], total["exabgp"]),
            ratio("hand-off, FRR / ExaBGP", total["frr"], total["exabgp"]),
        ),
        notes=(
            "the same controller and the same recording; BIRD and FRR are configured as docs/howto/hand-off.md says",
            "CPU of the machine: of all that ran on it, others too",
            "at the end every route has its tag upstream, as a standard and as a large community",
        ),
    )
