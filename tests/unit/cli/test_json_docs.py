"""docs/reference/json.md has every field that ``--json`` prints, in its section."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rri_bgp.control.client import ask
from rri_bgp.control.protocol import Ask, Request
from tests.unit.cli.support import Call

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "json.md").read_text()
SHARED = ("Route", "Owner", "SA pair", "Refusal", "Kernel route", "SA story", "Source", "Sink")
"""Sections that the others name."""

NAMED_BY_DATA = ("sinks", "counters", "refused_so_far")
"""Objects whose names are no fields."""


def sections() -> dict[str, str]:
    found = re.split(r"^#{2,3} (.+)$", TEXT, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def documented(section: str) -> set[str]:
    """The names of fields in a section, and in those that others name."""
    texts = [sections()[section], *(sections()[name] for name in SHARED)]
    names = {name for text in texts for name in re.findall(r"`([^`\n]+)`", text)}
    return {part for name in names for part in re.split(r"[.\[\]]+", name)}


def fields(value: Any) -> Iterator[str]:  # any JSON
    """Every name of a field, but for objects whose names are data."""
    if isinstance(value, list):
        for one in value:
            yield from fields(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name
            has_data = name in NAMED_BY_DATA and isinstance(one, dict)
            yield from fields(list(one.values()) if has_data else one)


@pytest.mark.parametrize(
    ("section", "arguments"),
    [
        ("`show status --json`", ["show", "status"]),
        ("`show routes --json`", ["show", "routes"]),
        ("`show sas --json`", ["show", "sas"]),
        ("`show refusals --json`", ["show", "refusals"]),
        ("`show kernel --json`", ["show", "kernel"]),
        ("`explain --json`", ["explain", "10.1.0.0/16"]),
        ("`explain --json`", ["explain", "203.0.113.2"]),
        ("`explain --json`", ["explain", "vici:2"]),
    ],
)
def test_every_field_that_is_printed_is_documented(live: Path, call: Call, section: str, arguments: list[str]) -> None:
    document = json.loads(call(*arguments, "--json", "--socket", live).out)
    assert set(fields(document)) - documented(section) == set()


def test_every_field_of_an_event_is_documented(live: Path) -> None:
    found: set[str] = set()
    for item in ask(live, Request(Ask.EVENTS)):
        found |= set(fields(item))
        if item["kind"] == "end":
            break
    assert found - documented("`events --json`") - documented("`show status --json`") == set()


def test_every_question_is_documented() -> None:
    assert {ask.value for ask in Ask} - documented("The control socket") == set()
