"""The command line: exit codes, exact lines on stderr, what people see and what programs read."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from rri_bgp import cli
from rri_bgp.cli import program
from rri_bgp.controller import Controller
from rri_bgp.sinks import NeighborState, RouteState, SinkRoute
from tests.unit.control.small import DEADLINE, DEFAULT_REFUSED, ROUTES, SA_FIELDS, SAS, STATUS, Quiet, served, small
from tests.values import pfx, policy, sa

VERBS = ("run", "check", "show", "explain", "inspect", "record", "demo", "completion")
POLICY = """\
version: 1
local: {{as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}}
sources:
  - vici: {{socket: {folder}/charon.vici}}
sinks:
  exabgp: {{}}
control: {{socket: {folder}/control.sock}}
crypto-maps:
  internet:
    entries:
      - seq: 10
        type: static
        set-peer: 203.0.113.2
        reverse-route: {{tag: 100}}
"""
NO_PIPE_HINT = (
    "  hint: name it in exabgp.conf, `process rri { run ...; encoder json; }`, and run `exabgp exabgp.conf`\n"
)


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


Call = Callable[..., Done]


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


def spawn(*arguments: str | Path, **environment: str) -> Done:
    """The same as a process, without stdin."""
    done = subprocess.run(
        [sys.executable, "-m", "rri_bgp", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
        env=os.environ | environment,
    )
    return Done(done.returncode, done.stdout, done.stderr)


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


# The program


def test_help_names_every_verb_and_the_exit_codes() -> None:
    result = CliRunner().invoke(program, ["--help"])
    assert result.exit_code == 0
    assert [verb for verb in VERBS if re.search(rf"^  {verb}  ", result.output, re.MULTILINE)] == list(VERBS)
    assert "Exit codes: 0 same or well, 1 different or not well, 2 trouble." in result.output


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("verb", [*VERBS, "show routes", "show sas", "show status"])
def test_every_verb_has_help(verb: str, flag: str) -> None:
    result = CliRunner().invoke(program, [*verb.split(), flag])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: program {verb} [OPTIONS]")


@pytest.mark.parametrize(
    ("verb", "codes"),
    [
        ("run", ["0", "2"]),
        ("check", ["0", "2"]),
        ("explain", ["0", "1", "2"]),
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


# check


def test_check_of_a_right_policy(file: Path, call: Call) -> None:
    assert call("check", file) == Done(0, f"{file}: right; 1 crypto map, 1 entry\n", "")


def test_check_of_the_example_that_is_shipped(call: Call) -> None:
    example = Path(__file__).parents[3] / "examples" / "hub.yaml"
    assert call("check", example) == Done(0, f"{example}: right; 1 crypto map, 3 entries\n", "")


def test_check_with_a_warning_is_right_and_says_it(file: Path, call: Call) -> None:
    file.write_text(file.read_text() + "tags:\n  900: {med: 5}\n")
    line = len(file.read_text().splitlines())
    warning = f"warning: {file}:{line}:3: tag 900 is used by no entry\n"
    assert call("check", file) == Done(0, f"{file}: right; 1 crypto map, 1 entry\n", warning)


def test_check_of_an_unknown_key(file: Path, call: Call) -> None:
    file.write_text(file.read_text().replace("vici: {socket:", "vici: {sockets:"))
    line = file.read_text().splitlines()[3]
    assert call("check", file) == Done(
        2,
        "",
        f"rri-bgp: {file}:4:12: sources[0].vici.sockets: unknown key `sockets`; allowed: name, socket, resync\n"
        f"{line}\n"
        "           ^\n"
        "  hint: did you mean `socket`?\n",
    )


def test_check_of_what_is_no_yaml(file: Path, call: Call) -> None:
    file.write_text("version: [1\nlocal: {}\n")
    what = "not YAML: while parsing a flow sequence, expected ',' or ']', but got ':'"
    assert call("check", file) == Done(2, "", f"rri-bgp: {file}:2:6: {what}\nlocal: {{}}\n     ^\n")


def test_check_of_a_missing_file(tmp_path: Path, call: Call) -> None:
    file = tmp_path / "no.yaml"
    assert call("check", file) == Done(2, "", f"rri-bgp: {file}: cannot read the policy: No such file or directory\n")


def test_an_error_is_exit_code_2_of_the_process_too(tmp_path: Path) -> None:
    file = tmp_path / "no.yaml"
    assert spawn("check", file) == Done(2, "", f"rri-bgp: {file}: cannot read the policy: No such file or directory\n")


# show


def rows(text: str) -> list[list[str]]:
    """A table's rows, cut where two blanks are."""
    return [re.split(r" {2,}", line.rstrip()) for line in text.splitlines()]


def test_show_routes(live: Path, call: Call) -> None:
    done = call("show", "routes", "--socket", live)
    assert (done.code, done.err) == (0, "")
    assert rows(done.out) == [
        ["PREFIX", "NEXT HOP", "COMMUNITIES", "ENTRY", "OWNERS", "STATE"],
        ["10.1.0.0/16", "198.51.100.1", "65000:100 65000:1:100", "mymap 10", "vici:1 vici:2", "exabgp confirmed"],
        ["10.1.5.0/24", "198.51.100.1", "-", "mymap 20", "vici:2", "exabgp pending"],
    ]


def test_show_routes_says_why_a_sink_refused(path: Path, call: Call) -> None:
    controller, sink = small()
    sink.has[pfx("10.1.0.0/16")] = SinkRoute(RouteState.REFUSED, reason="ExaBGP said error")
    with served(controller, path):
        done = call("show", "routes", "--socket", path)
    assert [row[-1] for row in rows(done.out)] == ["STATE", "exabgp refused: ExaBGP said error", "exabgp pending"]


def test_show_sas_with_their_refusals_g8(live: Path, call: Call) -> None:
    done = call("show", "sas", "--socket", live)
    assert (done.code, done.err) == (0, "")
    assert rows(done.out) == [
        ["SA", "CONNECTION", "CHILD", "PEER", "IDENTITY", "REMOTE SELECTORS", "ENTRY", "REFUSED"],
        ["vici:1", "branch1", "net", "203.0.113.2", "branch1.example", "10.1.0.0/16", "mymap 10", "-"],
        [
            "vici:2", "branch2", "net", "203.0.113.3", "-", "10.1.0.0/16 10.1.5.0/24 0.0.0.0/0", "mymap 20",
            "E10: 0.0.0.0/0 would be a default route",
        ],
        [
            "vici:3", "guest", "net", "203.0.113.9", "-", "10.9.0.0/16", "none",
            "E1: no map entry takes this SA",
        ],
    ]  # fmt: skip


def test_show_status(live: Path, call: Call) -> None:
    assert call("show", "status", "--socket", live) == Done(
        0,
        "rri-bgp 0.1.0: all is well\n"
        "3 SA pairs, 2 routes, 2 refused by the policy (show sas), 2 changes so far\n"
        "source vici: followed (1 snapshots, 0 updates, 0 losses)\n"
        "sink exabgp: ready, 2 confirmed, 1 pending, 0 refused\n"
        "  neighbor 192.0.2.2 (from 192.0.2.1): up\n"
        "  4 announced, 1 sessions up\n",
        "",
    )


def test_show_status_marks_what_is_not_well_and_exits_1(path: Path, call: Call) -> None:
    controller, sink = small()
    controller.lost("vici", "connection refused")
    sink.ready = False
    sink.neighbors = (NeighborState("192.0.2.1", "192.0.2.2", "down", "hold timer expired"),)
    with served(controller, path):
        done = call("show", "status", "--socket", path)
    assert (done.code, done.err) == (1, "")
    assert [line for line in done.out.splitlines() if re.search(r"[A-Z]{4,}|NOT", line)] == [
        "rri-bgp 0.1.0: NOT well",
        "source vici: LOST: connection refused (1 snapshots, 0 updates, 1 losses)",
        "sink exabgp: NOT READY, 2 confirmed, 1 pending, 0 refused",
        "  neighbor 192.0.2.2 (from 192.0.2.1): DOWN hold timer expired",
    ]


def test_show_status_before_the_source_has_spoken_exits_1(path: Path, call: Call) -> None:
    with served(Controller(policy(), [Quiet()]), path):
        done = call("show", "status", "--socket", path)
    assert (done.code, done.out.splitlines()[2]) == (
        1,
        "source vici: CONNECTING (0 snapshots, 0 updates, 0 losses)",
    )


@pytest.mark.parametrize(
    ("what", "words"),
    [("routes", "no routes: no SA pair is up that the policy takes\n"), ("sas", "no SA pairs are up\n")],
)
def test_show_of_nothing_says_so(path: Path, call: Call, what: str, words: str) -> None:
    with served(Controller(policy(), [Quiet()]), path):
        assert call("show", what, "--socket", path) == Done(0, words, "")


@pytest.mark.parametrize("what", [["show", "status"], ["show", "routes"], ["show", "sas"], ["explain", "10.1.0.0/16"]])
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


def test_a_long_row_is_one_line_in_a_pipe(path: Path, call: Call) -> None:
    selectors = [f"2001:db8:1234:{number:x}::/64" for number in range(0x1000, 0x1000 + 200)]
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, *selectors)])
    with served(controller, path):
        done = call("show", "sas", "--socket", path)
    assert len(done.out.splitlines()) == 2
    assert " ".join(selectors) in done.out


# A peer's own words


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


# explain


def test_explain_a_route_with_two_owners_g8(live: Path, call: Call) -> None:
    assert call("explain", "10.1.0.0/16", "--socket", live) == Done(
        0,
        "10.1.0.0/16 is announced: next hop 198.51.100.1, 65000:100 65000:1:100\n"
        "because: SA vici:1 (branch1/net, peer 203.0.113.2, branch1.example) has the remote selector 10.1.0.0/16\n"
        "  taken by entry mymap 10 (hub.yaml:10), rules E2, N1, N8, N9\n"
        "also wanted: SA vici:2 (branch2/net, peer 203.0.113.3) has the remote selector 10.1.0.0/16\n"
        "  taken by entry mymap 20 (hub.yaml:20), rules E1, N1, N9\n"
        "sink exabgp: confirmed\n"
        "refused (E10): 0.0.0.0/0 of SA vici:2 (branch2/net, peer 203.0.113.3): 0.0.0.0/0 would be a default route\n"
        "more specific routes within it (E12): 10.1.5.0/24\n",
        "",
    )


def test_explain_a_route_within_another_e12(path: Path, call: Call) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16", "10.1.5.0/24", "10.0.0.0/8")])
    with served(controller, path):
        done = call("explain", "10.1.5.0/24", "--socket", path)
    assert done.out.splitlines()[-1] == "it lies within (E12): 10.1.0.0/16, 10.0.0.0/8"


def test_explain_an_address_that_a_route_covers_e12(path: Path, call: Call) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    with served(controller, path):
        assert call("explain", "10.1.5.7", "--socket", path) == Done(
            0,
            "10.1.5.7/32 is no route of its own\n"
            "its traffic follows 10.1.0.0/16: next hop 198.51.100.1, entry mymap 10\n",
            "",
        )


def test_explain_what_nobody_wants_exits_1(path: Path, call: Call) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    with served(controller, path):
        assert call("explain", "192.0.2.0/24", "--socket", path) == Done(
            1,
            "192.0.2.0/24 is no route of its own\n"
            "no SA pair that is up has it in its remote selectors (`rri-bgp show sas` lists them)\n",
            "",
        )


def test_explain_a_refused_default_route_exits_1_e10(live: Path, call: Call) -> None:
    assert call("explain", "0.0.0.0/0", "--socket", live) == Done(
        1,
        "0.0.0.0/0 is no route of its own\n"
        "refused (E10): 0.0.0.0/0 of SA vici:2 (branch2/net, peer 203.0.113.3): 0.0.0.0/0 would be a default route\n"
        "refused (E1): the whole SA pair of SA vici:3 (guest/net, peer 203.0.113.9): no map entry takes this SA\n"
        "more specific routes within it (E12): 10.1.0.0/16, 10.1.5.0/24\n",
        "",
    )


def test_explain_what_a_sink_still_holds(live: Path, call: Call) -> None:
    done = call("explain", "10.8.0.0/16", "--socket", live)
    assert (done.code, done.out.splitlines()[1]) == (1, "sink exabgp still holds it, and is to withdraw it")


@pytest.mark.parametrize(
    ("prefix", "what"),
    [
        ("10.1.2.3/16", "10.1.2.3/16 has host bits set"),
        ("branch1", "'branch1' does not appear to be an IPv4 or IPv6 network"),
        ("", "'' does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_explain_with_a_prefix_that_is_none(live: Path, call: Call, prefix: str, what: str) -> None:
    error = f"rri-bgp: {what}; allowed: a prefix as 10.1.0.0/16, or an address\n"
    assert call("explain", prefix, "--socket", live) == Done(2, "", error)


# JSON


def test_json_documents(live: Path, call: Call) -> None:
    documents = {what: json.loads(call("show", what, "--json", "--socket", live).out) for what in ("routes", "sas")}
    assert documents == {"routes": {"schema": 1, "routes": ROUTES}, "sas": {"schema": 1, "sas": SAS}}
    assert json.loads(call("show", "status", "--json", "--socket", live).out) == {"schema": 1, **STATUS}


def test_json_of_explain(live: Path, call: Call) -> None:
    done = call("explain", "0.0.0.0/0", "--json", "--socket", live)
    story = json.loads(done.out)
    assert (done.code, story["schema"], story["route"], story["leftovers"]) == (1, 1, None, [])
    assert story["refusals"][0] == DEFAULT_REFUSED | {"sa": SA_FIELDS[1]}


def test_json_and_exit_code_of_a_status_that_is_not_well(path: Path, call: Call) -> None:
    controller, _ = small()
    controller.lost("vici", "connection refused")
    with served(controller, path):
        done = call("show", "status", "--json", "--socket", path)
    assert (done.code, json.loads(done.out)["well"]) == (1, False)


# run


def test_run_without_pipes_is_exit_code_2(file: Path) -> None:
    assert spawn("run", "--config", file) == Done(
        2,
        "",
        "rri-bgp: stdin is no pipe: this verb speaks ExaBGP's process API and is started by ExaBGP\n" + NO_PIPE_HINT,
    )


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


# record


def test_record_into_a_file_that_exists_is_refused_and_leaves_it_alone(tmp_path: Path, call: Call) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text("precious")
    assert call("record", file) == Done(2, "", f"rri-bgp: {file}: cannot write: File exists\n")
    assert file.read_text() == "precious"


def test_record_into_a_directory_that_is_not_there(tmp_path: Path, call: Call) -> None:
    file = tmp_path / "no" / "history.jsonl"
    assert call("record", file) == Done(2, "", f"rri-bgp: {file}: cannot write: No such file or directory\n")


def test_record_without_a_daemon_records_that(tmp_path: Path, call: Call) -> None:
    file = tmp_path / "history.jsonl"
    done = call("record", file, "--vici", tmp_path / "charon.vici", "--seconds", "0.2")
    header, first, *more = (json.loads(line) for line in file.read_text().splitlines())
    assert (done.code, done.out) == (0, f"{file}: {1 + len(more)} moments\n")
    assert header == {"format": "rri-bgp sa history", "version": 1}
    assert sorted(first) == ["at", "lost"]


# inspect


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


# completion


def bash_is_new_enough() -> bool:
    if shutil.which("bash") is None:
        return False
    version = subprocess.run(["bash", "-c", "echo $BASH_VERSION"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= (4, 4)


SHELLS = [
    pytest.param("bash", marks=pytest.mark.skipif(not bash_is_new_enough(), reason="needs bash 4.4")),
    "zsh",
    "fish",
]


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_for_this_program(shell: str, call: Call) -> None:
    done = call("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert "_RRI_BGP_COMPLETE" in done.out
    assert "rri-bgp" in done.out


def test_completion_for_another_shell_is_exit_code_2(call: Call) -> None:
    assert call("completion", "tcsh").code == 2


def test_what_completion_prints_is_what_the_program_answers_to() -> None:
    script = "import sys; sys.argv = ['rri-bgp']; from rri_bgp.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"_RRI_BGP_COMPLETE": "bash_complete", "COMP_WORDS": "rri-bgp sh", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert (done.returncode, done.stdout) == (0, "plain,show\n")
