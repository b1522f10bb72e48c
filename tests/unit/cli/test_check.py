"""``rri-bgp check``: exit codes, and exact lines."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.support import Call, Done, spawn


def test_check_of_a_right_policy(file: Path, call: Call) -> None:
    assert call("check", "--elsewhere", file) == Done(0, f"{file}: right; 1 crypto map, 1 entry\n", "")


def test_check_of_the_example_that_is_shipped(call: Call) -> None:
    example = Path(__file__).parents[3] / "examples" / "hub.yaml"
    assert call("check", "--elsewhere", example) == Done(0, f"{example}: right; 1 crypto map, 3 entries\n", "")


def test_check_with_a_warning_is_right_and_says_it(file: Path, call: Call) -> None:
    file.write_text(file.read_text() + "tags:\n  900: {med: 5}\n")
    line = len(file.read_text().splitlines())
    warning = f"warning: {file}:{line}:3: tag 900 is used by no entry\n"
    assert call("check", "--elsewhere", file) == Done(0, f"{file}: right; 1 crypto map, 1 entry\n", warning)


def test_check_of_an_unknown_key(file: Path, call: Call) -> None:
    file.write_text(file.read_text().replace("vici: {socket:", "vici: {sockets:"))
    line = file.read_text().splitlines()[3]
    assert call("check", file) == Done(
        2,
        "",
        f"rri-bgp: {file}:4:12: sources[0].vici.sockets: unknown key `sockets`; allowed: name, socket, resync, kernel\n"
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
