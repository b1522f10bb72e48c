"""``rri-bgp completion``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.unit.cli.support import Call
from tests.unit.control.small import DEADLINE


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


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("rri-bgp sh", ["show"]),
        ("rri-bgp re", ["reload", "record"]),
        ("rri-bgp show re", ["refusals"]),
        ("rri-bgp reload --con", ["--confirm"]),
        ("rri-bgp explain --v", ["--vrf"]),
    ],
)
def test_what_completion_prints_is_what_the_program_answers_to(words: str, found: list[str]) -> None:
    script = "import sys; sys.argv = ['rri-bgp']; from rri_bgp.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ
        | {"_RRI_BGP_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert (done.returncode, done.stdout) == (0, "".join(f"plain,{word}\n" for word in found))
