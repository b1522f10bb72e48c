"""How tests call the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.unit.control.small import DEADLINE

__all__ = ["POLICY", "Call", "Done", "rows", "spawn"]

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


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


Call = Callable[..., Done]


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


def rows(text: str) -> list[list[str]]:
    """A table's rows, cut where two blanks are."""
    return [re.split(r" {2,}", line.rstrip()) for line in text.splitlines()]
