"""What tests of the command line start from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rri_bgp import cli
from tests.unit.cli.support import POLICY, Call, Done
from tests.unit.control.small import served, small


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """``rri-bgp ARGUMENTS`` in this process, through ``main``."""
    monkeypatch.delenv("RRI_BGP_SOCKET", raising=False)

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["rri-bgp", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def live(path: Path) -> Iterator[Path]:
    """The control socket of a small controller."""
    with served(small()[0], path):
        yield path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A policy file that is right."""
    file = tmp_path / "hub.yaml"
    file.write_text(POLICY.format(folder=tmp_path))
    return file
