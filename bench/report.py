"""The results for people and programs: rich tables, a JSON document, a Markdown page.

Rules of this file: values in, text out. A figure is shown with its median, its least and its most; nothing here names
the machine beyond its CPU, or a path on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench.figures import Result

__all__ = ["FORMAT", "document", "markdown", "number", "tables", "together"]

FORMAT = 1

_ABOUT = {
    "cpus": "CPUs",
    "cpu": "CPU",
    "memory": "memory",
    "load": "load average before",
    "python": "Python",
    "exabgp": "ExaBGP",
    "rri-bgp": "rri-bgp",
    "linux": "Linux",
    "rounds": "rounds",
    "scale": "scale",
}


def number(value: float) -> str:
    """A number with three digits that say something, and no exponent."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if value == int(value):
        return f"{int(value)}"
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:.{digits}f}" if size >= 0.001 else "under 0.001"


def tables(results: Iterable[Result]) -> Group:
    """One table a case, for a terminal."""
    return Group(*(_table(result) for result in results))


def document(about: Mapping[str, Any], results: Iterable[Result]) -> dict[str, Any]:
    """All of it as a JSON object. Each case says of which day and revision it is."""
    of = {key: about.get(key, "") for key in ("date", "revision")}
    return {"format": FORMAT, "about": dict(about), "cases": [result.document() | {"of": of} for result in results]}


def together(earlier: Mapping[str, Any], newer: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """Such a document with the cases of an earlier one that it does not have."""
    if earlier.get("format") != FORMAT:
        return dict(newer)
    cases = {one["name"]: one for found in (earlier, newer) for one in found["cases"]}
    return {**newer, "cases": sorted(cases.values(), key=lambda one: order.index(one["name"]))}


def markdown(found: Mapping[str, Any]) -> str:
    """Such a document as a page."""
    about = found["about"]
    sections = (line for one in found["cases"] for line in _section(Result.read(one), one["of"]))
    return "\n".join([*_opening(about), *sections]) + "\n"


def _table(result: Result) -> Table:
    table = Table(title=result.title, title_justify="left", title_style="bold", caption_justify="left")
    table.add_column("what")
    for column in ("median", "min", "max", "unit", "aim"):
        table.add_column(column, justify="left" if column == "unit" else "right", no_wrap=True)
    for what, middle, low, high, unit, aim, is_met in _rows(result):
        style = {None: "", True: "green", False: "bold red"}[is_met]
        table.add_row(Text(what), Text(middle, style), low, high, unit, aim, end_section=what == _last_figure(result))
    table.caption = "\n".join(result.notes)
    return table


def _last_figure(result: Result) -> str:
    return result.figures[-1].name if result.figures else ""


def _rows(result: Result) -> Iterator[tuple[str, str, str, str, str, str, bool | None]]:
    for figure in result.figures:
        yield (figure.name, *_spread(figure.median, figure.runs), figure.unit, "", None)
    for one in result.ratios:
        aim = "" if one.aim is None else f"≤ {number(one.aim)}"
        yield (one.name, *_spread(one.median, one.pairs), one.unit, aim, one.is_met)


def _spread(median: float, runs: Sequence[float]) -> tuple[str, str, str]:
    return number(median), number(min(runs)), number(max(runs))


def _opening(about: Mapping[str, Any]) -> Iterator[str]:
    yield "# Measurements"
    yield ""
    yield "Written by `python -m bench --docs`; do not edit. Read the ratios: the absolute figures are of one machine."
    yield "Each figure is the median of several runs, with the least and the most; runs of what is compared alternate,"
    yield "and a ratio is the median of the ratios of the pairs. What each word means is said where it is measured, in"
    yield "`bench/cases`."
    yield ""
    yield "| | |"
    yield "|---|---|"
    for key, name in _ABOUT.items():
        if about.get(key) not in (None, ""):
            yield f"| {name} | {about[key]} |"


def _section(result: Result, of: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield f"## {result.title}"
    yield ""
    yield f"Measured on {of['date']}{', at revision ' if of['revision'] else ''}{of['revision']}."
    yield ""
    yield "| what | median | min | max | unit | aim | |"
    yield "|---|---:|---:|---:|---|---:|---|"
    for what, middle, low, high, unit, aim, is_met in _rows(result):
        verdict = {None: "", True: "met", False: "**missed**"}[is_met]
        yield f"| {what} | {middle} | {low} | {high} | {unit} | {aim} | {verdict} |"
    if result.notes:
        yield ""
        yield from (f"- {note}" for note in result.notes)
