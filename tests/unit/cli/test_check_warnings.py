"""``rri-bgp check``: its warnings, ``--strict``, ``--elsewhere`` and ``--json``."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rri_bgp import surroundings
from rri_bgp.cli import program
from rri_bgp.errors import PolicyErrors
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.surroundings import Surroundings
from tests.policies import HEAD

RIGHT = f"""{HEAD}crypto-maps:
  m:
    entries:
      - {{seq: 10, type: dynamic, match: {{connection: "b*"}}, reverse-route: true}}
"""
ODD = f"{RIGHT}      - {{seq: 20, type: dynamic, match: {{connection: b1}}}}\ntags:\n  100: {{med: 5}}\n"
WARNINGS = ["9: m 20 is never reached: m 10 ({}:8) takes every SA that it would", "11:3: tag 100 is used by no entry"]


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine has the addresses that the policies name."""
    here = Surroundings(addresses=frozenset(map(ip_address, ("198.51.100.1", "2001:db8:100::1"))))

    def look_now(policy: Policy | None = None) -> Surroundings:
        assert policy is not None
        return here

    monkeypatch.setattr(surroundings, "look_now", look_now)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "p.yaml"


def run(file: Path, text: str, *options: str) -> Result:
    file.write_text(text, encoding="utf-8")
    return CliRunner().invoke(program, ["check", str(file), *options])


def test_a_policy_that_is_right(file: Path) -> None:
    for options in ((), ("--strict",), ("--elsewhere",)):
        done = run(file, RIGHT, *options)
        assert (done.exit_code, done.stdout, done.stderr) == (0, f"{file}: right; 1 crypto map, 1 entry\n", "")


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), 1)])
def test_warnings_are_exit_code_1_where_strict(file: Path, options: tuple[str, ...], code: int) -> None:
    done = run(file, ODD, *options)
    assert done.exit_code == code
    assert done.stdout == f"{file}: right; 1 crypto map, 2 entries\n"
    assert done.stderr == "".join(f"warning: {file}:{text.format(file)}\n" for text in WARNINGS)


def test_for_programs(file: Path) -> None:
    done = run(file, ODD, "--json")
    assert json.loads(done.stdout) == {
        "schema": 1,
        "file": str(file),
        "right": True,
        "errors": [],
        "warnings": [f"{file}:{text.format(file)}" for text in WARNINGS],
        "maps": 1,
        "entries": 2,
    }


def test_mistakes_are_exit_code_2(file: Path) -> None:
    wrong = RIGHT.replace("dynamic", "dynamc")
    assert isinstance(run(file, wrong).exception, PolicyErrors)
    done = run(file, wrong, "--json", "--strict")
    assert done.exit_code == 2
    assert json.loads(done.stdout) == {
        "schema": 1,
        "file": str(file),
        "right": False,
        "errors": [
            {
                "where": f"{file}:8:25: crypto-maps.m.entries[0].type",
                "what": '"dynamc" is not allowed here; allowed: static or dynamic',
                "hint": "did you mean `dynamic`?",
            }
        ],
        "warnings": [],
    }


def test_a_file_that_is_not_there_for_programs(tmp_path: Path) -> None:
    done = CliRunner().invoke(program, ["check", str(tmp_path / "none.yaml"), "--json"])
    assert done.exit_code == 2
    (error,) = json.loads(done.stdout)["errors"]
    assert error["what"] == "cannot read the policy: No such file or directory"


def test_n9_this_machine_is_looked_at_unless_the_policy_is_for_another(file: Path) -> None:
    text = RIGHT.replace("reverse-route: true", "reverse-route: true, next-hop: 192.0.2.7")
    assert "the next hop 192.0.2.7 of m 10 is no address of this machine" in run(file, text).stderr
    assert run(file, text, "--elsewhere").stderr == ""


def test_what_a_terminal_would_act_on_is_written_out(file: Path) -> None:
    done = run(file, RIGHT.replace("  m:", '  "m\\u202e":').replace("type: dynamic", "type: dynamic"))
    assert "\u202e" not in done.output
