"""From text to a tree of nodes that know their line and column. YAML 1.2 core scalars, and less than all of YAML.

YAML surprises: plain PyYAML reads ``65000:10`` as 3900010, ``010`` as 8 and ``no`` as false, and lets the last of two
equal keys win. So this file resolves scalars itself, refuses what would be read differently elsewhere (leading
zeros, duplicate keys, tags, anchors) and bounds size and depth before anything recursive sees the text.

Rules of this file: it knows nothing of policies. What makes the text unreadable is raised (``Unreadable``), what is
merely wrong in one place is collected in ``Document.problems``, so that the reader can report all of it at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import yaml

__all__ = ["MAX_SIZE", "Document", "Key", "Node", "Place", "Problem", "Unreadable", "read", "show", "split_lines"]

MAX_SIZE = 4 * 1024 * 1024
MAX_DEPTH = 20
_MAX_DIGITS = 40
_SHORT = 40
_REWORD_SIZE = 256 * 1024
"""Above this size a syntax error keeps libyaml's wording: the Python parser would take seconds to say it better."""

# libyaml is several times faster, and gives the same events and marks.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_BREAK = re.compile(r"\r\n|\r|\n")
# U+0085, U+2028 and U+2029 are line breaks to YAML and to no editor: line numbers would be off.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_NUMBERS = frozenset("+-.0123456789")
"""What every number begins with; most values are none."""
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")

# What the Python parser lets escape for some directives and for escapes beyond Unicode.
_PARSER_BUGS = (ValueError, OverflowError)

Key = str | int


class Place(NamedTuple):
    """A place in the text; both count from 0."""

    line: int
    column: int


class Problem(NamedTuple):
    """One thing that is wrong, and where; ``offset``: in the text at that place, where a part of it is wrong."""

    place: Place
    path: str
    what: str
    hint: str = ""
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it is written.

    ``value`` is the plain data (dict, list, str, int, float, bool, None), ``children`` the nodes below by key or
    index, ``keys`` where the keys of a mapping are written, and ``path`` the way from the root: ``sources[0].vici``.
    """

    value: object
    place: Place
    path: str = ""
    children: dict[Key, Node] = field(default_factory=dict)
    keys: dict[Key, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """What ``read`` makes of a text. ``problems`` may be in any order."""

    root: Node
    problems: tuple[Problem, ...]


class Unreadable(Exception):
    """The text cannot be read at all; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def split_lines(text: str) -> list[str]:
    """The lines of a text as YAML counts them, without their ends."""
    return _BREAK.split(text)


def show(value: object, limit: int = _SHORT) -> str:
    """A value as an error names it: short, on one line, harmless on a terminal."""
    if isinstance(value, dict | list):
        kind = "mapping" if isinstance(value, dict) else "list"
        return f"a {kind}" if value else f"an empty {kind}"
    if value is None or isinstance(value, bool):
        return {None: "nothing (null)", True: "true", False: "false"}[value]
    text = str(value)
    text = text if len(text) <= limit else text[: limit - 3] + "..."
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return f'"{text}"' if isinstance(value, str) else text


def read(text: str) -> Document:
    """The document that ``text`` holds; an empty text holds null.

    Raises:
        Unreadable: not YAML, more than one document, too large, too deep, or with control characters.
    """
    _check_characters(text)
    builder = _Builder(iter(yaml.parse(text, Loader=_LOADER)))
    try:
        root = builder.document()
    except (yaml.YAMLError, *_PARSER_BUGS) as error:
        raise Unreadable(_syntax_problem(text, error)) from error
    return Document(root, tuple(builder.problems))


def _check_characters(text: str) -> None:
    if len(text) > MAX_SIZE:
        raise Unreadable(
            Problem(Place(0, 0), "", f"the file is too large; allowed: up to {MAX_SIZE // 1024 // 1024} MiB")
        )
    found = _UNPRINTABLE.search(text)
    if found is not None:
        before = split_lines(text[: found.start()])
        place = Place(len(before) - 1, len(before[-1]))
        what = f"the character U+{ord(found[0]):04X} cannot be used; allowed: printable text, tabs and line ends"
        raise Unreadable(Problem(place, "", what))


def _syntax_problem(text: str, error: Exception) -> Problem:
    """The problem in the words of the Python parser, which says more than libyaml does."""
    if len(text) <= _REWORD_SIZE:
        try:
            for _ in yaml.parse(text, Loader=yaml.SafeLoader):
                pass
        except yaml.YAMLError as better:
            error = better
        except _PARSER_BUGS:  # libyaml's words have to do
            pass
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    words = [getattr(error, "context", None), getattr(error, "problem", None)]
    what = ", ".join(str(word) for word in words if word) or "unreadable"
    place = Place(mark.line, mark.column) if mark is not None else Place(0, 0)
    hint = "indent with spaces: YAML takes no tabs" if "'\\t'" in what else ""
    return Problem(place, "", f"not YAML: {what}", hint)


class _Builder:
    """Makes nodes from parser events, in one pass. PyYAML's own composer recurses without a bound."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self.problems: list[Problem] = []

    def document(self) -> Node:
        next(self._events)  # the stream starts
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return Node(None, Place(0, 0))
        root = self._node(next(self._events), "", 1)
        next(self._events)  # the document ends
        more = next(self._events)
        if not isinstance(more, yaml.StreamEndEvent):
            _fail(more, "", "a second document starts here; allowed: one document per file")
        return root

    def _node(self, event: yaml.Event, path: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            _fail(event, path, f"nested too deep; allowed: {MAX_DEPTH} levels")
        if getattr(event, "anchor", None) is not None:  # an alias, or what one could refer to
            self._wrong(event, path, "anchors and aliases are not supported; allowed: the value, written out")
        elif getattr(event, "tag", None) is not None:
            self._wrong(event, path, "tags (`!`) are not supported; allowed: values without tags")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, path, depth)
        value = self._scalar(event, path) if isinstance(event, yaml.ScalarEvent) else None
        return Node(value, _place(event), path)

    def _sequence(self, start: yaml.Event, path: str, depth: int) -> Node:
        children: dict[Key, Node] = {}
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            index = len(children)
            children[index] = self._node(event, f"{path}[{index}]", depth + 1)
        return Node([child.value for child in children.values()], _place(start), path, children)

    def _mapping(self, start: yaml.Event, path: str, depth: int) -> Node:
        children: dict[Key, Node] = {}
        keys: dict[Key, Place] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path, depth)
            below = path if key is None else _join(path, key)
            value = self._node(next(self._events), below, depth + 1)
            if key is None:
                continue
            if key in keys:
                what = f"the key `{_name(key)}` is given twice; the first one is on line {keys[key].line + 1}"
                self._wrong(event, below, what)
                continue
            keys[key] = _place(event)
            children[key] = value
        return Node({key: child.value for key, child in children.items()}, _place(start), path, children, keys)

    def _key(self, event: yaml.Event, path: str, depth: int) -> Key | None:
        """The key, None if it is none (that has been noted then)."""
        noted = len(self.problems)
        node = self._node(event, path, depth + 1)
        if len(self.problems) > noted:
            return None
        if node.value == "<<":
            self._wrong(event, path, "merge keys (`<<`) are not supported; allowed: the keys, written out")
            return None
        if isinstance(node.value, bool) or not isinstance(node.value, str | int):
            self._wrong(event, path, f"{show(node.value)} cannot be a key; allowed: text or a whole number")
            return None
        return node.value

    def _scalar(self, event: yaml.ScalarEvent, path: str) -> object:
        text = str(event.value)
        if not event.implicit[0]:  # quoted, or a block: text as it stands
            return text
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if text[0] not in _NUMBERS:
            return text
        if _LEADING_ZERO.match(text):
            what = f"{show(text)[1:-1]} has leading zeros; allowed: a decimal number without them, or quoted text"
            self._wrong(event, path, what, "some YAML readers take such a number for octal")
            return text
        if _INT.match(text) and len(text) <= _MAX_DIGITS:
            return int(text)
        return float(text) if _FLOAT.match(text) and len(text) <= _MAX_DIGITS else text

    def _wrong(self, event: yaml.Event, path: str, what: str, hint: str = "") -> None:
        self.problems.append(Problem(_place(event), path, what, hint))


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(mark.line, mark.column) if mark is not None else Place(0, 0)


def _fail(event: yaml.Event, path: str, what: str) -> NoReturn:
    raise Unreadable(Problem(_place(event), path, what))


def _name(key: Key) -> str:
    if isinstance(key, str) and len(key) <= _SHORT and key.isprintable():
        return key.strip('"')
    return show(key).strip('"')


def _join(path: str, key: Key) -> str:
    return f"{path}.{_name(key)}" if path else _name(key)
