"""From what is wrong to errors that a person can act on: file, line, column, path, source line, caret, hint.

Rules of this file: it decides words and places only. pydantic's own wording never reaches a user.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rri_bgp.errors import PolicyError
from rri_bgp.policy.fields import did_you_mean
from rri_bgp.policy.schema import describe
from rri_bgp.policy.yaml_text import Key, Node, Place, Problem, show

__all__ = ["errors_from", "position", "schema_problems"]

_EXCERPT = 120
_NUMBER_TYPES = frozenset({"int_type", "float_type", "literal_error"})
"""What pydantic says of quoted numbers, among others."""


def errors_from(problems: Sequence[Problem], file: Path, lines: Sequence[str]) -> list[PolicyError]:
    """The errors for these problems, in file order, each place and text once."""
    placed = [problem if problem.offset is None else _at_the_word(problem, lines) for problem in problems]
    ordered = sorted(dict.fromkeys(placed), key=lambda problem: problem.place)
    return [_error(problem, file, lines) for problem in ordered]


def position(file: Path, place: Place) -> str:
    """``file:line:column``, both from 1."""
    return f"{file}:{place.line + 1}:{place.column + 1}"


def schema_problems(error: ValidationError, root: Node) -> list[Problem]:
    """What pydantic found, in our words and at the place in the text."""
    return [_problem(item, root) for item in error.errors(include_url=False)]


def _at_the_word(problem: Problem, lines: Sequence[str]) -> Problem:
    """A text's words stand in the file as they are, after its quote; not where it has escapes or is folded."""
    line, column = problem.place
    rest = lines[line][column:] if line < len(lines) else ""
    offset = (problem.offset or 0) + rest.startswith(('"', "'"))
    is_as_it_stands = offset <= len(rest) and "\\" not in rest[:offset] and "''" not in rest[:offset]
    # A block's text (| or >) is on the lines below.
    if not is_as_it_stands or rest.startswith(("|", ">")):
        return problem._replace(offset=None)
    return problem._replace(place=Place(line, column + offset), offset=None)


def _error(problem: Problem, file: Path, lines: Sequence[str]) -> PolicyError:
    where = position(file, problem.place)
    where = f"{where}: {problem.path}" if problem.path else where
    return PolicyError(problem.what, where=where, hint=problem.hint, excerpt=_excerpt(lines, problem.place))


def _excerpt(lines: Sequence[str], place: Place) -> str:
    """The source line and a caret under the column."""
    line = lines[place.line] if place.line < len(lines) else ""
    if not line.strip():
        return ""
    start = max(0, place.column - _EXCERPT // 2) if len(line) > _EXCERPT else 0
    cut = "".join(
        char if char.isprintable() else " " if char == "\t" else "\N{REPLACEMENT CHARACTER}"
        for char in line[start : start + _EXCERPT]
    )
    return f"{cut}\n{' ' * (place.column - start)}^"


def _problem(item: ErrorDetails, root: Node) -> Problem:
    loc: tuple[Key, ...] = item["loc"]
    kind: str = item["type"]
    if kind == "extra_forbidden":
        return _unknown_key(loc, root)
    if kind == "missing":
        return _missing_key(loc, root)
    if loc and loc[-1] == "[key]":
        node, place = _find(root, loc[:-1])
        return Problem(place, node.path, item["ctx"]["what"], item["ctx"]["hint"])
    node = _find(root, loc)[0]
    if kind == "policy":
        return Problem(node.place, node.path, item["ctx"]["what"], item["ctx"]["hint"], item["ctx"]["offset"])
    value, allowed = node.value, describe(loc)[1]
    hint = ""
    if kind in _NUMBER_TYPES and isinstance(value, str):
        # Only a literal's description is a list of words; a sentence is close to no word.
        hint = "write it without quotes" if value.isdecimal() else did_you_mean(value, allowed.split(" or "))
    return Problem(node.place, node.path, f"{show(value)} is not allowed here; allowed: {allowed}", hint)


def _unknown_key(loc: tuple[Key, ...], root: Node) -> Problem:
    """At the key, not at its value: the key is what is wrong."""
    model = describe(loc)[0]
    key = loc[-1]
    parent, _ = _find(root, loc[:-1])
    place = parent.keys.get(key, parent.place)
    path = parent.children[key].path if key in parent.children else parent.path
    name = show(key).strip('"')
    what = f"unknown key `{name}`; allowed: {', '.join(model.allowed())}"
    return Problem(place, path, what, did_you_mean(key, model.allowed()))


def _missing_key(loc: tuple[Key, ...], root: Node) -> Problem:
    """At the key that holds the mapping, for a mapping itself has no place but its first key."""
    parent, place = _find(root, loc[:-1])
    path = f"{parent.path}.{loc[-1]}" if parent.path else str(loc[-1])
    return Problem(place, path, f"`{loc[-1]}` is missing; allowed: {describe(loc)[1]}")


def _find(root: Node, loc: tuple[Key, ...]) -> tuple[Node, Place]:
    """The node at ``loc``, and where its key is written.

    pydantic names places that the text does not have (a list made of one value): then it is the innermost one.
    """
    node, place = root, root.place
    for part in loc:
        if part not in node.children:
            return node, place
        place = node.keys.get(part, node.children[part].place)
        node = node.children[part]
    return node, place
