"""How the programs that ``netns`` runs report."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

__all__ = ["capabilities", "say"]


def say(**what: object) -> None:
    """A JSON line on stdout."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def capabilities() -> int:
    """The capabilities of this process, as a set of bits."""
    match = re.search(r"(?m)^CapEff:\s+([0-9a-f]+)$", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1], 16)
