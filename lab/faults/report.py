"""The table of docs/results/faults.md."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Outcome", "write"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault did: routes with an owner that upstream's FIB was without for a while, and for how long (ms)."""

    target: str
    fault: str
    load: str
    missing: int
    longest: float
    settled: float
    """Seconds from the fault until upstream was exact again."""


_HEAD = """# What a fault costs

Written by `make faults` on {date}; ESP: {esp}. The hub's controller runs as a service of its own, ExaBGP runs the
relay, with graceful restart (60 s) and a hold time of 9 s; {bulk} routes beside four real tunnels. Loads: *bulk* is a
policy reload that sends all of them anew, *rekeys* a storm of CHILD_SA rekeys. STOP lasts 30 s. *Missing* counts the
routes with an owner throughout that upstream's FIB was without for a while, *longest* is the longest time of any. After
each fault upstream was exact against the SA snapshot: 0 stale, 0 missing.

| part | fault | load | missing | longest | exact after |
|---|---|---|---|---|---|
"""


def write(file: Path, outcomes: Iterable[Outcome], esp: str, bulk: int) -> None:
    """Writes the table."""
    text = _HEAD.format(date=dt.datetime.now(dt.UTC).date(), esp=esp, bulk=bulk)
    for one in outcomes:
        longest = f"{one.longest:.0f} ms" if one.missing else "-"
        text += f"| {one.target} | {one.fault} | {one.load} | {one.missing} | {longest} | {one.settled:.1f} s |\n"
    file.write_text(text)
