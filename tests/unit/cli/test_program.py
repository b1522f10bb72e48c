"""The program itself: verbs, help, exit codes, and what is loaded."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rri_bgp.cli import program
from tests.unit.cli.support import Call, Done, spawn
from tests.unit.control.small import DEADLINE

VERBS = (
    "run", "check", "help", "plan", "reload", "confirm", "show", "explain", "watch", "events", "inspect", "record",
    "demo", "exabgp", "completion",
)  # fmt: skip
SHOWN = ("show routes", "show sas", "show refusals", "show kernel", "show status")


def test_help_names_every_verb_and_the_exit_codes() -> None:
    result = CliRunner().invoke(program, ["--help"])
    assert result.exit_code == 0
    assert [verb for verb in VERBS if re.search(rf"^  {verb}  ", result.output, re.MULTILINE)] == list(VERBS)
    assert "Exit codes: 0 same or well, 1 different or not well, 2 trouble." in result.output


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("verb", [*VERBS, *SHOWN])
def test_every_verb_has_help(verb: str, flag: str) -> None:
    result = CliRunner().invoke(program, [*verb.split(), flag])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: program {verb} [OPTIONS]")


@pytest.mark.parametrize(
    ("verb", "codes"),
    [
        ("run", ["0", "2"]),
        ("check", ["0", "1", "2"]),
        ("explain", ["0", "1", "2"]),
        ("plan", ["0", "1", "2"]),
        ("reload", ["0", "2"]),
        ("confirm", ["0", "2"]),
        ("watch", ["2"]),
        ("events", ["2"]),
        ("inspect", ["0", "1", "2"]),
        ("demo", ["0", "1", "2"]),
        ("show status", ["0", "1", "2"]),
    ],
)
def test_a_verb_that_has_exit_codes_says_what_they_mean(verb: str, codes: list[str]) -> None:
    output = " ".join(CliRunner().invoke(program, [*verb.split(), "--help"]).output.split())
    assert re.findall(r"(?:code |[.;] )(\d)\b", output[output.index("Exit code") :]) == codes


def test_version(call: Call) -> None:
    assert call("--version") == Done(0, "rri-bgp, version 0.1.0\n", "")


@pytest.mark.parametrize("arguments", [["show", "nothing"], ["nothing"], ["explain"], ["check", "--colour"]])
def test_a_wrong_command_line_is_exit_code_2(call: Call, arguments: list[str]) -> None:
    done = call(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: rri-bgp")


def test_show_status_against_no_socket_loads_nothing_heavy(path: Path) -> None:
    script = (
        "import sys\n"
        "from rri_bgp import cli\n"
        f"sys.argv = ['rri-bgp', 'show', 'status', '--socket', {str(path)!r}]\n"
        "try:\n"
        "    cli.main()\n"
        "except SystemExit as ended:\n"
        "    heavy = {'pydantic', 'docker', 'yaml', 'exabgp', 'asyncio', 'rich'}\n"
        "    print(ended.code, *sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=DEADLINE)
    assert done.stdout == "2\n"


@pytest.mark.parametrize("what", [*map(str.split, SHOWN), ["explain", "vici:1"], ["reload"], ["confirm"]])
def test_no_controller_is_exit_code_2_and_one_line_with_a_hint(path: Path, call: Call, what: list[str]) -> None:
    assert call(*what, "--socket", path) == Done(
        2,
        "",
        f"rri-bgp: {path}: no such file or directory\n"
        "  hint: is the controller running? `--socket` names another control socket\n",
    )


def test_the_socket_may_come_from_the_environment(live: Path) -> None:
    done = spawn("show", "status", RRI_BGP_SOCKET=str(live))
    assert (done.code, done.err, done.out.splitlines()[0]) == (0, "", "rri-bgp 0.1.0: all is well")
