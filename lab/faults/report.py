"""The table of docs/results/faults.md: the newest outcome of each cell, so that a part may be run by itself."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
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
    day: str = dataclasses.field(default_factory=lambda: dt.datetime.now(dt.UTC).date().isoformat())


_HEAD = """# What a fault costs

Written by `make faults`; ESP: {esp}. The hub's controller runs as a service of its own, ExaBGP runs the relay, with
graceful restart (60 s) and a hold time of 9 s; {bulk} routes beside four real tunnels. Loads: *bulk* is a policy reload
that sends all of them anew, *rekeys* a storm of CHILD_SA rekeys. STOP lasts 30 s. *Missing* counts the routes with an
owner throughout that upstream's FIB was without for a while, *longest* is the longest time of any. After each fault
upstream was exact against the SA snapshot: 0 stale, 0 missing. A row is of the newest run of its cell.

What bounds the others: a stopped ExaBGP or bgpd is silent for longer than the hold time, so the session ends and its
routes go until it is back (graceful restart is for restarts). When bgpd dies, zebra drops its routes at once; they are
back when watchfrr has started bgpd and ExaBGP, which waits longer after each failed try, has connected again.

| part | fault | load | missing | longest | exact after | day |
|---|---|---|---|---|---|---|
"""


def write(page: Path, kept: Path, outcomes: Iterable[Outcome], esp: str, bulk: int) -> None:
    """Writes the table: these outcomes, and those ``kept`` from earlier runs for other cells."""
    cells = {_cell(one): one for one in _read(kept)}
    cells.update({_cell(one): one for one in outcomes})
    kept.write_text(json.dumps([dataclasses.asdict(one) for one in cells.values()], indent=1))
    text = _HEAD.format(esp=esp, bulk=bulk)
    for one in sorted(cells.values(), key=lambda one: not one.fault):
        longest = f"{one.longest:.0f} ms" if one.missing else "-"
        where = f"| {one.target} | {one.fault or '-'} | {one.load or '-'} "
        text += f"{where}| {one.missing} | {longest} | {one.settled:.1f} s | {one.day} |\n"
    page.write_text(text)


def _read(kept: Path) -> list[Outcome]:
    return [Outcome(**one) for one in json.loads(kept.read_text())] if kept.exists() else []


def _cell(one: Outcome) -> tuple[str, str, str]:
    return one.target, one.fault, one.load
