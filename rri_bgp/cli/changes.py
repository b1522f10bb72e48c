"""What a policy changes, for people: ``plan`` foretells it, ``reload`` reports it, in the same words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from rri_bgp.cli import words

__all__ = ["MARKS", "change_lines", "counted"]

Item = dict[str, Any]

MARKS = {"announce": "+", "change": "~", "withdraw": "-"}
_PLAIN_WIDTH = 20
"""Columns for a destination: an IPv4 prefix fits."""


def change_lines(changes: list[Item]) -> Iterator[str]:
    """Each change, grouped by the entry that makes it, the policy's order being lost: by name."""
    ordered = sorted(changes, key=lambda change: _entry_key(change["entry"]))
    for entry, found in groupby(ordered, key=lambda change: change["entry"]):
        yield f"entry {entry}"
        for change in found:
            yield from _lines(change)
        yield ""


def _entry_key(name: str) -> tuple[str, int]:
    """Entries of a map by number."""
    map_name, _, seq = name.rpartition(" ")
    return map_name, int(seq) if seq.isdigit() else 0


def _lines(change: Item) -> Iterator[str]:
    before, after = change["before"], change["after"]
    details = words.differing(before, after) if before and after else [words.path(after or before)]
    if before and after and before["entry"] != after["entry"]:
        details.append(f"entry {before['entry']} -> {after['entry']}")
    if not (before and after):
        details += [f"and {words.path(other)}" for other in (after or before)["alternates"]]
    start = f"  {MARKS[change['action']]} {words.destination(change):{_PLAIN_WIDTH}} "
    for detail in details:
        yield f"{start} {detail}"
        start = " " * len(start)


def counted(report: Item) -> str:
    """How many of each, in one line."""
    kept = report["routes"] - report["announced"] - report["changed"]
    return (
        f"{report['announced']} announced, {report['changed']} changed, {report['withdrawn']} withdrawn, "
        f"{kept} as they were"
    )
