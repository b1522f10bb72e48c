"""The controller's resident memory by the number of routes.

ExaBGP is played by ``bench.stub`` here: the controller's memory does not depend on who answers. The SAs come a hundred
at a time, so that no large line of a recording is in the figure, not even in that of a thousand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bench import load
from bench.cases import Runs
from bench.figures import Curve, Figure, Ratio, Result
from bench.load import Step
from bench.stub import starting

__all__ = ["measure"]

SIZES = (1_000, 10_000, 100_000, 500_000)
AIM = 2.0
"""KiB a route."""

_PIECE = 100
_SETTLE = 0.3
_DEADLINE = 300.0


async def measure(runs: Runs) -> Result:
    """Runs all sizes in turn, ``runs.rounds`` times; first with no SA, which is the base."""
    sizes = (0, *(runs.sized(size) for size in SIZES))
    found: dict[int, list[float]] = {size: [] for size in sizes}
    for number in range(runs.rounds):
        for size in sizes:
            found[size].append(await _rss(runs, size))
            runs.tell(f"memory {number + 1}/{runs.rounds}: {size} routes, {found[size][-1]:.0f} MiB")
    base = Figure("base: no SA", "MiB", tuple(found[0]))
    figures = [Figure(f"{size:,} routes", "MiB", tuple(found[size])) for size in sizes[1:]]
    each = [_each(size, figure, base) for size, figure in zip(sizes[1:], figures, strict=True)]
    points = [(float(size), Figure("", "", tuple(found[size])).median) for size in sizes]
    return Result(
        name="memory",
        title="memory: resident size of the controller",
        figures=(base, *figures),
        ratios=tuple(each),
        notes=("a route here is one SA pair with one prefix, and all strings and numbers of its own",),
        curves=(Curve("controller", tuple(points)),),
        axes={"x": "routes", "y": "MiB resident"},
    )


def _each(size: int, figure: Figure, base: Figure) -> Ratio:
    pairs = tuple((one - other) * 1024 / size for one, other in zip(figure.runs, base.runs, strict=True))
    return Ratio(f"over the base, each of {size:,}", pairs, AIM, "KiB")


async def _rss(runs: Runs, size: int) -> float:
    recording = load.recording(runs.folder / f"memory-{size}.jsonl", _steps(size))
    policy = load.write_policy(runs.folder, recording)
    async with starting(runs.folder, "-m", "rri_bgp", "run", "--config", str(policy)) as stub:
        await stub.until(size, _DEADLINE)
        await asyncio.sleep(_SETTLE)
        return stub.usage().rss / 1024


def _steps(size: int) -> Iterator[Step]:
    yield Step(0.0, whole=True)
    for start in range(0, size, _PIECE):
        yield Step(0.0, [load.sa(number) for number in range(start, min(start + _PIECE, size))])
