"""A peer's own words: no markup, no control characters, whatever they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rri_bgp.controller import Controller
from tests.unit.cli.support import Call, rows
from tests.unit.control.small import Quiet, served
from tests.values import policy, sa


def hostile(path: Path, identity: str) -> Controller:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [replace(sa(1, "10.1.0.0/16"), identity=identity)])
    return controller


def test_brackets_in_an_identity_are_no_markup(path: Path, call: Call) -> None:
    with served(hostile(path, "[bold]x[/bold] [link=http://192.0.2.9]y"), path):
        table, story = call("show", "sas", "--socket", path).out, call("explain", "10.1.0.0/16", "--socket", path).out
    assert rows(table)[1][4] == "[bold]x[/bold] [link=http://192.0.2.9]y"
    assert "[bold]x[/bold] [link=http://192.0.2.9]y" in story


@pytest.mark.parametrize("identity", ["a\x1b[2Jb", "a\nvici:9 forged", "a\rb", "a\x07b", "a\x9b2Jb"])
@pytest.mark.parametrize("what", [["show", "sas"], ["explain", "10.1.0.0/16"]])
def test_control_characters_in_an_identity_do_not_reach_the_terminal(
    path: Path, identity: str, what: list[str], call: Call
) -> None:
    with served(hostile(path, "plain"), path):
        lines = len(call(*what, "--socket", path).out.splitlines())
    with served(hostile(path, identity), path):
        done = call(*what, "--socket", path)
    assert [char for char in done.out if not char.isprintable() and char != "\n"] == []
    assert len(done.out.splitlines()) == lines


def test_control_characters_are_escaped_in_json(path: Path, call: Call) -> None:
    with served(hostile(path, "a\x1b[2J\nb"), path):
        done = call("show", "sas", "--json", "--socket", path)
    assert [char for char in done.out if not char.isprintable() and char != "\n"] == []
    assert json.loads(done.out)["sas"][0]["identity"] == "a\x1b[2J\nb"
