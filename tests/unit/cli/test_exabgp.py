"""``rri-bgp exabgp``: ExaBGP as it is, but for the collector."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import exabgp.application.main as application
import pytest
from click.testing import CliRunner

from rri_bgp.cli import program
from rri_bgp.cli.exabgp import THRESHOLDS


@pytest.fixture
def collector() -> Iterator[None]:
    """The garbage collector and the arguments, as they were before."""
    thresholds, arguments = gc.get_threshold(), sys.argv
    yield
    gc.set_threshold(*thresholds)
    sys.argv = arguments


@pytest.mark.usefixtures("collector")
def test_it_sets_the_collector_and_hands_all_arguments_over(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[tuple[int, int, int], list[str]]] = []

    def main() -> int:
        seen.append((gc.get_threshold(), sys.argv))
        return 3

    monkeypatch.setattr(application, "main", main)
    result = CliRunner().invoke(program, ["exabgp", "server", "--once", "exabgp.conf"])
    assert result.exit_code == 3
    ((thresholds, arguments),) = seen
    assert thresholds == THRESHOLDS
    assert arguments == [str(Path(sys.prefix) / "bin" / "exabgp"), "server", "--once", "exabgp.conf"]


def test_it_is_exabgp() -> None:
    """The real one, in a process of its own."""
    command = [sys.executable, "-m", "rri_bgp", "exabgp", "version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert "ExaBGP" in done.stdout
