"""``rri-bgp demo`` as a user runs it: two real ExaBGPs, the shipped recording, and nothing left behind."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

DEADLINE = 90.0
"""Seconds; it takes about ten where the machine is not shared."""


def demo(*options: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rri_bgp", "demo", *options]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
        env={**os.environ, **(environment or {})},
    )


def test_the_upstream_learns_what_it_should_and_rekeys_are_silent(tmp_path: Path) -> None:
    done = demo(environment={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [re.sub(r"^ *[\d.]+ s +", "", line) for line in done.stdout.splitlines()]
    learned = {line.split()[1] for line in lines if line.startswith("learned")}
    withdrawn = {line.split()[1] for line in lines if line.startswith("withdrawn")}
    assert learned == {
        "10.1.0.0/16", "2001:db8:1::/48", "10.2.0.0/16", "2001:db8:2::/48", "10.9.0.1/32",
        "10.23.0.17/32", "10.23.0.18/31", "10.23.0.20/32",
    }  # fmt: skip
    assert withdrawn == {"10.1.0.0/16", "2001:db8:1::/48", "10.23.0.17/32", "10.23.0.18/31", "10.23.0.20/32"}
    assert [line for line in lines if line.startswith("rekey")] == ["rekey: 2 SAs replaced, 0 UPDATEs"] * 2
    assert "learned 10.1.0.0/16  next hop 198.51.100.1  community 65000:100  large 65000:1:100" in lines
    assert list(tmp_path.iterdir()) == [], "its folder is removed"


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo("--port", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"rri-bgp: 127.0.0.2:{port}: cannot listen there: address already in use\n"
        "  hint: leave out `--port`, and a free one is taken\n"
    )


def test_an_exabgp_that_is_too_old_is_one_clear_line() -> None:
    """The version is read from what is installed: here an older one stands before it on the path."""
    with tempfile.TemporaryDirectory() as folder:
        info = Path(folder) / "exabgp-4.2.25.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: exabgp\nVersion: 4.2.25\n")
        done = demo(environment={"PYTHONPATH": folder})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "rri-bgp: exabgp 4.2.25 is too old: 5.0.13 or later is needed\n  hint: pip install -U exabgp\n"
    )
