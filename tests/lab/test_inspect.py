"""The inspector against a real FRR: from within the router, and into its container."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.harness import Lab, wait_until

ROOT = Path(__file__).parents[2]
FILTER = ("router bgp 65000", "address-family ipv4")


def from_outside(*options: str) -> tuple[int, str]:
    """``rri-bgp inspect`` on this machine, which reads FRR in its container."""
    command = [
        str(ROOT / ".venv/bin/rri-bgp"), "inspect", "--socket", str(ROOT / ".lab/run/hub/control.sock"),
        "--upstream", "container:clab-rri-upstream", *options,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_equal_is_0_and_a_route_taken_out_by_hand_is_1(lab: Lab) -> None:
    lab.up("branch1", "net")
    lab.up("branch1", "net6")
    code, said = from_outside("--wait", "20")
    assert code == 0, said
    lab.configure_upstream(*FILTER, "neighbor 198.51.100.1 prefix-list without-branch1 in")
    try:
        wait_until(lambda: "10.1.0.0/16" not in lab.prefixes(), "the filter has taken the route out")
        code, said = from_outside()
        assert code == 1, said
        assert [line for line in said.splitlines() if "10.1.0.0/16" in line and "missing" in line], said
        assert "2001:db8:1::/48" not in said
    finally:
        lab.configure_upstream(*FILTER, "no neighbor 198.51.100.1 prefix-list without-branch1 in")
    code, said = lab.rri("inspect", "--wait", "20", node="upstream")
    assert code == 0, said


def test_a_route_with_a_wrong_tag_is_named(lab: Lab) -> None:
    lab.up("branch1", "net")
    lab.configure_upstream("route-map wrong permit 10", "set community 65000:999", "set large-community 65000:1:999")
    lab.configure_upstream(*FILTER, "neighbor 198.51.100.1 route-map wrong in")
    try:
        wait_until(lambda: "wrong tag" in from_outside()[1], "the inspector says wrong tag")
        assert from_outside()[0] == 1
    finally:
        lab.configure_upstream(*FILTER, "no neighbor 198.51.100.1 route-map wrong in")
        lab.configure_upstream("no route-map wrong")
    assert from_outside("--wait", "20")[0] == 0


def test_what_cannot_be_looked_at_is_2() -> None:
    code, said = from_outside("--upstream", "container:clab-rri-nobody")
    assert code == 2, said
