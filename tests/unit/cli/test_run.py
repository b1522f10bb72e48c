"""``rri-bgp run``: how it ends, and that it never hangs."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rri_bgp.cli.run import _sources
from rri_bgp.policy.config import ReplaySettings, SourceSettings, ViciSettings, XfrmSettings
from tests.unit.cli.support import Done, spawn
from tests.unit.control.small import DEADLINE

NO_PIPE_HINT = (
    "  hint: name it in exabgp.conf, `process rri { run ...; encoder json; }`, and run `exabgp exabgp.conf`\n"
)


def test_run_without_pipes_is_exit_code_2(file: Path) -> None:
    assert spawn("run", "--config", file) == Done(
        2,
        "",
        "rri-bgp: stdin is no pipe: this verb speaks ExaBGP's process API and is started by ExaBGP\n" + NO_PIPE_HINT,
    )


@pytest.mark.parametrize(
    ("settings", "joined"),
    [
        ((ViciSettings(), XfrmSettings()), ["_Witnessed", "_Witnessed"]),
        (
            (ViciSettings(is_witnessed=False), XfrmSettings(), ReplaySettings()),
            ["ViciSource", "XfrmSource", "ReplaySource"],
        ),
        (
            (ViciSettings("a", is_witnessed=False), ViciSettings("b"), XfrmSettings()),
            ["ViciSource", "_Witnessed", "_Witnessed"],
        ),
        ((ViciSettings(),), ["ViciSource"]),
    ],
)
def test_e8_the_kernel_is_a_witness_of_who_wants_one(settings: tuple[SourceSettings, ...], joined: list[str]) -> None:
    sources = _sources(settings)
    assert [type(one).__name__ for one in sources] == joined
    assert [one.name for one in sources] == [one.name for one in settings]


def test_run_with_a_policy_that_is_missing_is_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "no.yaml"
    expected = Done(2, "", f"rri-bgp: {file}: cannot read the policy: No such file or directory\n")
    assert spawn("run", "--config", file) == expected


def started(file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rri_bgp", "run", "--log-level", "error", "--config", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_of(process: subprocess.Popen[str]) -> Done:
    """What a process did that ends by itself, its stdin open; none is left behind."""
    try:
        code = process.wait(DEADLINE)
        out, err = process.communicate(timeout=DEADLINE)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return Done(code, out, err)


def test_run_with_the_control_socket_of_another_is_exit_code_2_and_does_not_hang(file: Path, live: Path) -> None:
    done = end_of(started(file))
    assert done == Done(
        2,
        "",
        f"rri-bgp: {live}: another controller answers here\n  hint: stop it, or name another path\n",
    )


def wait_for_socket(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < end:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"no control socket: {process.communicate()[1]}")


def test_run_ends_with_code_0_on_sigterm_and_takes_its_socket_along(file: Path, path: Path) -> None:
    process = started(file)
    wait_for_socket(path, process)
    process.send_signal(signal.SIGTERM)
    done = end_of(process)
    assert (done.code, done.err, path.exists()) == (0, "", False)


def test_run_ends_with_code_0_on_sigterm_while_somebody_is_at_its_socket(file: Path, path: Path) -> None:
    process = started(file)
    wait_for_socket(path, process)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(str(path))
        spawn("show", "status", "--socket", path)  # answered after the silent one was accepted
        process.send_signal(signal.SIGTERM)
        done = end_of(process)
    assert (done.code, done.err, path.exists()) == (0, "", False)


def test_run_ends_with_code_0_when_exabgp_does(file: Path, path: Path) -> None:
    process = started(file)
    wait_for_socket(path, process)
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    done = end_of(process)
    assert (done.code, done.err, path.exists()) == (0, "", False)


def test_run_answers_show_status_and_says_that_it_is_not_well_yet(file: Path, path: Path) -> None:
    process = started(file)
    wait_for_socket(path, process)
    done = spawn("show", "status", "--json", "--socket", path)
    process.terminate()
    assert end_of(process).code == 0
    assert (done.code, json.loads(done.out)["well"], json.loads(done.out)["sinks"][0]["ready"]) == (1, False, False)
