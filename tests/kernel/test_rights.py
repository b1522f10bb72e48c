"""What the program may do is what its user may: CAP_NET_ADMIN is enough, and without it nothing breaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest

from rri_bgp.sources.recording import Recorder
from tests.kernel.gateways import DEADLINE, run
from tests.values import sa

_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
_RIGHT = ("--inh-caps=+net_admin", "--ambient-caps=+net_admin")

_POLICY = """\
version: 1
local: {{as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}}
sources:
  - replay: {{file: {folder}/sas.jsonl}}
sinks: {{{sink}}}
control: {{socket: {folder}/run/control.sock}}
crypto-maps:
  hub:
    entries: [{{seq: 10, type: dynamic, reverse-route: true}}]
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that anybody may write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize("what", ["lost", "snapshot"])
def test_a_user_with_and_without_the_right(folder: Path, what: str) -> None:
    """Nobody, and nobody with CAP_NET_ADMIN, records the kernel's SAs."""
    rights = _RIGHT if what == "snapshot" else ()
    file = folder / "history.jsonl"
    run(*_NOBODY, *rights, sys.executable, "-m", "rri_bgp", "record", str(file), "--xfrm", "--seconds", "0.3")
    _, first, *_ = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    wanted = "xfrm: cannot read the kernel's SAs: Operation not permitted; it takes CAP_NET_ADMIN"
    assert first[what] == ([] if what == "snapshot" else wanted)


@pytest.fixture
def hub(folder: Path) -> Iterator[Path]:
    """A namespace with a way to everywhere, and the folder; nobody's sockets go into ``run``."""
    (folder / "run").mkdir(mode=0o750)
    os.chown(folder / "run", 65534, 65534)
    run("ip", "netns", "delete", "hub", check=False)
    run("ip", "netns", "add", "hub")
    for line in (
        "link set lo up", "link add wan type veth peer name far", "link set wan up", "link set far up",
        "address add 192.0.2.1/24 dev wan", "route add default via 192.0.2.254",
    ):  # fmt: skip
        run("ip", "-n", "hub", *line.split())
    yield folder
    run("ip", "netns", "delete", "hub")


def _recording() -> str:
    """One SA, from the start."""
    found = StringIO()
    Recorder(found, lambda: 0.0).snapshot("replay", [sa(1, "10.1.0.0/16", source="replay")])
    return found.getvalue()


def _started(hub: Path, sink: str, *rights: str) -> subprocess.Popen[bytes]:
    """Nobody runs the program, with the rights and a sink."""
    policy = hub / "hub.yaml"
    policy.write_text(_POLICY.format(sink=sink, folder=hub))
    (hub / "sas.jsonl").write_text(_recording())
    words = ("ip", "netns", "exec", "hub", *_NOBODY, *rights, sys.executable, "-m", "rri_bgp", "run")
    with (hub / "log").open("wb") as log:
        return subprocess.Popen([*words, "--config", str(policy)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited {DEADLINE:g} s in vain until {what}"
        time.sleep(0.05)


def _rights(process: subprocess.Popen[bytes]) -> str:
    """The capabilities in force, and the user."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return f"{int(status['CapEff'], 16):x} {status['Uid'].split()[1]}"


def test_nobody_with_the_right_keeps_the_kernels_routes(hub: Path) -> None:
    process = _started(hub, "kernel: {on-exit: withdraw}", *_RIGHT)
    try:
        _until(lambda: "10.1.0.0/16 via" in run("ip", "-n", "hub", "route", "show", "proto", "82"), "there are routes")
        assert _rights(process) == "1000 65534", "CAP_NET_ADMIN is bit 12"
    finally:
        process.terminate()
        assert process.wait(DEADLINE) == 0
    assert run("ip", "-n", "hub", "route", "show", "proto", "82") == ""


def test_nobody_without_the_right_is_told_so(hub: Path) -> None:
    process = _started(hub, "kernel: {}")
    assert process.wait(DEADLINE) == 2
    first, *_ = (hub / "log").read_text().splitlines()
    assert first == "rri-bgp: sinks: kernel: this user may not change routes: it takes CAP_NET_ADMIN"


def test_nobody_needs_no_right_to_announce_alone(hub: Path) -> None:
    process = _started(hub, f"exabgp: {{listen: {hub}/run/exabgp.sock}}")
    try:
        _until(lambda: b"all sources complete" in (hub / "log").read_bytes(), "the sources are complete")
        assert _rights(process) == "0 65534"
        assert b"WARNING" not in (hub / "log").read_bytes()
        assert (hub / "run" / "exabgp.sock").is_socket()
    finally:
        process.terminate()
        assert process.wait(DEADLINE) == 0
