"""docs/results/semantics.md: what the inspector and ``explain`` say of each scenario, as its test saw it.

Kept as they are but for what differs between two runs of the same scenario: ids that charon gives, and times.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from lab.semantics.world import World

__all__ = ["Page"]

_HEAD = """# The rules, in the lab

Written by `make semantics` (tests/lab/test_semantics_*.py, lab/semantics): strongSwan, ExaBGP and FRR; ESP: {esp}. Each
section is a test, which has also checked at FRR the exact prefixes, next hops and communities. `inspect` is run on the
upstream router, all else on the hub; N stands for what charon or the clock gives. What the rules are:
[rules.md](../reference/rules.md).
"""

_IDS = re.compile(r"\b(vici:|version )\d+")
_TIMES = re.compile(
    r"\b\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\b|\b\d{4}-\d\d-\d\d[T ][\d:.]+Z?|\b\d\d:\d\d:\d\d(?:\.\d+)?"
    r"|\b\d+(?:\.\d+)? (?:ms|s)\b(?= (?:ago|left))"
)


@dataclass(slots=True)
class Page:
    """Sections by the name of their test; those of tests that did not run are kept from earlier runs."""

    kept: Path
    esp: str = ""
    sections: dict[str, str] = field(default_factory=dict)

    def section(self, name: str, title: str) -> Section:
        """Begins the section of a test anew."""
        self.sections[name] = f"\n## {title}\n"
        return Section(self, name)

    def write(self, page: Path) -> None:
        """Writes the page, by rule."""
        everything = (json.loads(self.kept.read_text()) if self.kept.exists() else {}) | self.sections
        self.kept.write_text(json.dumps(everything, indent=1))
        page.write_text(_HEAD.format(esp=self.esp) + "".join(sorted(everything.values(), key=_rule)))


@dataclass(frozen=True, slots=True)
class Section:
    """Where a test puts what it has seen."""

    page: Page
    name: str

    def say(self, text: str) -> None:
        """A paragraph."""
        self.page.sections[self.name] += f"\n{text}\n"

    def show(self, world: World, *arguments: str, node: str = "hub", most: int = 30, history: int = 0) -> str:
        """Runs an ``rri-bgp`` command and keeps what it prints, ``most`` lines at most; returns all of it.

        Of the history, which goes back to before the test, the last ``history`` lines are kept.
        """
        _, said = world.lab.rri(*arguments, node=node)
        lines = said.splitlines()
        past = [line for line in lines if line.startswith("history:")]
        dropped = past[: len(past) - history]
        self.keep(
            f"rri-bgp {' '.join(arguments)}", "\n".join(lines[: len(lines) - len(past)] + past[len(dropped) :]), most
        )
        return said

    def keep(self, command: str, said: str, most: int = 30) -> None:
        """A command and what it printed."""
        lines = _TIMES.sub("N", _IDS.sub(r"\1N", said)).rstrip().splitlines()
        if len(lines) > most:
            lines = [*lines[: most - 1], f"... ({len(lines) - most + 1} more lines)"]
        text = "\n".join(line.rstrip() for line in lines)
        self.page.sections[self.name] += f"\n```\n$ {command}\n{text}\n```\n"


def _rule(section: str) -> tuple[str, int, str]:
    """Where a section belongs: by the first rule that its title names."""
    found = re.search(r"([A-Z])(\d+)", section.splitlines()[1])
    return (found[1], int(found[2]), section) if found else ("~", 0, section)
