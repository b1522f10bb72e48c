"""``rri-bgp inspect``: what it cannot look at."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.support import Call, Done


def test_inspect_with_an_upstream_that_cannot_be(live: Path, call: Call) -> None:
    done = call("inspect", "--upstream", "moon", "--socket", live)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("rri-bgp: ")


def test_inspect_with_a_neighbor_that_is_no_address(live: Path, call: Call) -> None:
    done = call("inspect", "--neighbor", "moon", "--socket", live)
    error = "rri-bgp: --neighbor: 'moon' does not appear to be an IPv4 or IPv6 address; allowed: an address\n"
    assert done == Done(2, "", error)


def test_inspect_without_a_controller_is_exit_code_2(path: Path, call: Call) -> None:
    done = call("inspect", "--socket", path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"rri-bgp: {path}: no such file or directory\n")
