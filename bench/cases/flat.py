"""The controller's memory over a long life: a hundred thousand SA events, and a million.

A thousand SAs are rekeyed in turn, and every tenth event one of them goes and comes back. What is kept must be bounded
by what is there, never by what has happened. ExaBGP is played by ``bench.stub``.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench import load
from bench.cases import Runs
from bench.figures import Figure, Ratio, Result
from bench.load import Step, uniqueid
from bench.stub import starting

__all__ = ["measure"]

EVENTS = (100_000, 1_000_000)
AIM = 1.1
"""RSS after the million, beside that after the first hundred thousand."""

_SAS = 1_000
_LAST = 5_000
"""SAs that come at the very end, so that the end is seen in the number of routes."""

_DEADLINE = 1200.0


async def measure(runs: Runs) -> Result:
    """Runs both in turn, ``runs.rounds`` times."""
    found: dict[int, list[float]] = {events: [] for events in EVENTS}
    for number in range(runs.rounds):
        for events in EVENTS:
            found[events].append(await _rss(runs, runs.sized(events)))
            runs.tell(f"flat {number + 1}/{runs.rounds}: {events} events, {found[events][-1]:.0f} MiB")
    few, many = (Figure(f"after {events:,} events", "MiB", tuple(found[events])) for events in EVENTS)
    ratios = tuple(one / other for one, other in zip(many.runs, few.runs, strict=True))
    return Result(
        name="flat",
        title="memory over a long life",
        figures=(few, many),
        ratios=(Ratio("a million / the first hundred thousand", ratios, AIM),),
        notes=(f"{_SAS:,} SAs are rekeyed in turn; every tenth event one goes and comes back",),
    )


async def _rss(runs: Runs, events: int) -> float:
    recording = load.recording(runs.folder / f"flat-{events}.jsonl", _steps(events))
    policy = load.write_policy(runs.folder, recording)
    async with starting(runs.folder, "-m", "rri_bgp", "run", "--config", str(policy)) as stub:
        usage = await stub.until(_SAS + _LAST, _DEADLINE)
    recording.unlink()
    return usage.rss / 1024


def _steps(events: int) -> Iterator[Step]:
    yield Step(0.0, [load.sa(number) for number in range(_SAS)], whole=True)
    for event in range(events):
        generation, number = divmod(event, _SAS)
        come, gone = [load.sa(number, generation + 1)], [uniqueid(number, generation)]
        if event % 10:
            yield Step(0.0, come, gone)
        else:
            yield Step(0.0, (), gone)
            yield Step(0.0, come)
    yield Step(0.0, [load.sa(number) for number in range(_SAS, _SAS + _LAST)])
