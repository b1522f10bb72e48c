"""docs/results/semantics.md: what the inspector and ``explain`` say of each scenario, as its test saw it.

Kept as they are but for what differs between two runs of the same scenario: ids that charon gives, and times.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from lab.semantics.world import World

__all__ = ["WITH_NEIGHBORS", "Page", "Section"]

_HEAD = """# The rules, in the lab

Written by `make semantics` (tests/lab/test_semantics_*.py, lab/semantics): strongSwan, ExaBGP and FRR in containers.
ESP: {esp}.

Each section is a test or some alike, which have also checked at FRR the exact prefixes, next hops and communities, and
where it says so the UPDATEs on the wire. `inspect` is run on the upstream router, all else on the hub. Left out: the
lines on each neighbour and of the past, unless they are the point. N stands for what charon or the clock gives. The
rules: [rules.md](../reference/rules.md).
"""

WITH_NEIGHBORS = "(?!history:)"
"""For ``lines`` of ``Section.show``: those on each neighbour too."""

_USUAL = r"(?!history:|  neighbor )"
_IDS = re.compile(r"\b(vici:|version |RX )\d+")
_TIMES = re.compile(
    r"\b\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\b|\b\d{4}-\d\d-\d\d[T ][\d:.]+Z?|\b\d\d:\d\d:\d\d(?:\.\d+)?"
    r"|\b\d+(?:\.\d+)? (?:ms|s)\b(?= (?:ago|left|unless)|$)",
    re.MULTILINE,
)


@dataclass(slots=True)
class Page:
    """Sections by the name of their test; those of tests that did not run are kept from earlier runs."""

    kept: Path
    esp: str = ""
    sections: dict[str, str] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    """Which policy each section has named last."""

    def section(self, name: str, title: str) -> Section:
        """Begins the section of a test anew."""
        self.sections[name] = f"\n## {title}\n"
        return Section(self, name)

    def write(self, page: Path) -> None:
        """Writes the page, by rule."""
        everything = (json.loads(self.kept.read_text()) if self.kept.exists() else {}) | self.sections
        self.kept.write_text(json.dumps(everything, indent=1))
        text, title = _HEAD.format(esp=self.esp), ""
        for section in sorted(everything.values(), key=_rule):
            before, title = title, section.splitlines()[1]
            text += section.removeprefix(f"\n{title}\n") if title == before else section
        page.write_text(text)


@dataclass(frozen=True, slots=True)
class Section:
    """Where a test puts what it has seen."""

    page: Page
    name: str

    def say(self, text: str) -> None:
        """A paragraph."""
        self.page.sections[self.name] += f"\n{text}\n"

    def show(self, world: World, *arguments: str, node: str = "hub", lines: str = _USUAL) -> str:
        """Runs an ``rri-bgp`` command, returns what it prints, and keeps the lines of it that ``lines`` fits."""
        self.tell(world)
        _, said = world.lab.rri(*arguments, node=node)
        where = f"   ({node})" if node not in ("hub", "upstream") else ""
        kept = "\n".join(line for line in said.splitlines() if re.match(lines, line))
        self.keep(f"rri-bgp {' '.join(arguments)}{where}", kept)
        return said

    def tell(self, world: World) -> None:
        """Names the policy that holds, where it is another than before."""
        if world.policy != self.page.policies.get(self.name):
            self.page.policies[self.name] = world.policy
            self.say(world.policy)

    def keep(self, command: str, said: str, most: int = 30) -> None:
        """A command and what it printed, ``most`` lines at most."""
        lines = _TIMES.sub("N", _IDS.sub(r"\1N", said)).rstrip().splitlines()
        if len(lines) > most:
            lines = [*lines[: most - 1], f"... ({len(lines) - most + 1} more lines)"]
        text = "\n".join(line.rstrip() for line in lines)
        self.page.sections[self.name] += f"\n```\n$ {command}\n{text}\n```\n"


def _rule(section: str) -> tuple[str, int, str]:
    """Where a section belongs: by the first rule that its title names."""
    found = re.search(r"([A-Z])(\d+)", section.splitlines()[1])
    return (found[1], int(found[2]), section) if found else ("~", 0, section)
