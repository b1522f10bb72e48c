"""The policies that the lab shows the rules with are right, and give no warning that they do not mean to give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.semantics.world import POLICIES
from rri_bgp.cli import program


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_check_says_right(file: Path) -> None:
    done = CliRunner().invoke(program, ["check", "--elsewhere", "--strict", str(file)])
    assert done.exit_code == 0, done.output
    assert re.fullmatch(rf"{re.escape(str(file))}: right; 1 crypto map, \d entr(y|ies)\n", done.output)
