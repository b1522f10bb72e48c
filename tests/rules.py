"""``python -m tests.rules [-q]``: every rule of docs/reference/rules.md, and the tests that hold it.

A test holds a rule when its name, or the id of one of its parameters, has the rule's id as a word of its own:
``test_e10_a_default_route_is_refused``. Tests are found by reading the files, not by running them. The exit code is 1
where a rule has no test, or a test names a rule that there is not; ``-q`` prints no more than that.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["Holder", "main", "report", "rules_in", "table", "tests_in"]

ROOT = Path(__file__).parent.parent
_ROW = re.compile(r"^\| *([EGN][0-9]+) *\|", re.MULTILINE)
_RULE = re.compile(r"[egn][0-9]+")
_WORD = re.compile(r"[a-z0-9]+")


class Holder(NamedTuple):
    """A test function, and the rules that it names, as ``E10``."""

    file: str
    name: str
    rules: frozenset[str]

    def __str__(self) -> str:
        return f"{self.file}::{self.name}"


def rules_in(page: str) -> tuple[str, ...]:
    """The ids in the first column of the page's tables, in order."""
    return tuple(_ROW.findall(page))


def tests_in(root: Path) -> Iterator[Holder]:
    """All tests under ``tests`` and ``lab``."""
    files = sorted(file for folder in ("tests", "lab") for file in (root / folder).rglob("test_*.py"))
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                words = {word for text in (node.name, *_parameter_ids(node)) for word in _WORD.findall(text.lower())}
                rules = frozenset(word.upper() for word in words if _RULE.fullmatch(word))
                yield Holder(str(file.relative_to(root)), node.name, rules)


def _parameter_ids(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The ids that are written out: ``ids=["…"]`` and ``pytest.param(…, id="…")``."""
    for decorator in test.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.keyword) and node.arg in ("id", "ids"):
                constants = (one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant))
                yield from (value for value in constants if isinstance(value, str))


def table(rules: Iterable[str], tests: Iterable[Holder]) -> dict[str, list[Holder]]:
    """The tests of each rule."""
    found: dict[str, list[Holder]] = {rule: [] for rule in rules}
    for test in tests:
        for rule in test.rules & found.keys():
            found[rule].append(test)
    return found


def report(found: Mapping[str, list[Holder]]) -> Iterator[str]:
    """The table as lines: a rule, how many tests it has, and their names."""
    for rule, tests in found.items():
        yield f"{rule:4} {f'{len(tests)} tests' if len(tests) != 1 else '1 test'}" if tests else f"{rule:4} NO TEST"
        yield from (f"     {test}" for test in sorted(tests))


def main(root: Path = ROOT, *, is_quiet: bool = False) -> int:
    """Prints the table, unless ``is_quiet``, and what is wrong; returns the exit code."""
    rules = rules_in((root / "docs" / "reference" / "rules.md").read_text(encoding="utf-8"))
    tests = list(tests_in(root))
    found = table(rules, tests)
    if not is_quiet:
        sys.stdout.writelines(f"{line}\n" for line in report(found))
    empty = [rule for rule, holding in found.items() if not holding]
    strays = [f"{test} names {rule}" for test in tests for rule in sorted(test.rules - found.keys())]
    sys.stdout.writelines(f"no such rule: {stray}\n" for stray in strays)
    sys.stdout.write(f"{len(found)} rules, {len(empty)} without a test{': ' if empty else ''}{', '.join(empty)}\n")
    return 1 if empty or strays or not found else 0


if __name__ == "__main__":
    sys.exit(main(is_quiet="-q" in sys.argv[1:]))
