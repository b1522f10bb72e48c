"""What two shell globs have to do with each other: whether one takes all that the other takes, or any of it.

Rules of this file: ``includes`` is never wrong when it says yes, ``meets`` never when it says no. A bracket expression
counts as any character, so that neither has to look into it. Each costs about as much as one match.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache

__all__ = ["includes", "literal_end", "literal_start", "meets"]

_WILD = frozenset("*?[")
_BRACKETS = re.compile(r"\[!?\]?[^\]]*\]")
# Two characters that no glob has (they are not printable): what an inner glob's wildcards stand for.
_ANY, _ALL = "\ue000", "\ue001"


def literal_start(glob: str) -> str:
    """What all that it takes begins with."""
    for index, char in enumerate(glob):
        if char in _WILD:
            return glob[:index]
    return glob


def literal_end(glob: str) -> str:
    """What all that it takes ends with."""
    for index in range(len(glob), 0, -1):
        if glob[index - 1] in "*?]":
            return glob[index:]
    return glob


def includes(outer: str, inner: str) -> bool:
    """Whether ``outer`` takes all that ``inner`` takes."""
    if outer == inner or set(outer) == {"*"}:
        return True
    if not _WILD & set(inner):
        return fnmatchcase(inner, outer)
    if "[" in outer or "[" in inner:
        return False
    return _taker(outer).fullmatch(inner.replace("?", _ANY).replace("*", _ALL)) is not None


@lru_cache(maxsize=4096)
def _taker(outer: str) -> re.Pattern[str]:
    """Takes an inner glob's text: its star is only within a star, its other wildcard within any."""
    parts = {"*": ".*", "?": f"[^{_ALL}]"}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in re.sub(r"\*+", "*", outer)), re.DOTALL)


def meets(one: str, other: str) -> bool:
    """Whether there is text that both take."""
    if one == other or not _WILD & set(other):
        return one == other or fnmatchcase(other, one)
    if not _WILD & set(one):
        return fnmatchcase(one, other)
    mine, its = _BRACKETS.sub("?", one), _BRACKETS.sub("?", other)
    if "*" in mine and "*" in its:
        # Between their beginnings and their ends there is room for all that either wants.
        return _agree(mine.split("*")[0], its.split("*")[0]) and _agree(
            mine.rsplit("*")[-1][::-1], its.rsplit("*")[-1][::-1]
        )
    fixed, free = (mine, its) if "*" in its else (its, mine)
    return _meeter(free).fullmatch(fixed.replace("?", _ANY)) is not None


@lru_cache(maxsize=4096)
def _meeter(glob: str) -> re.Pattern[str]:
    """Takes a glob's text that has no star: where its wildcard stands, anything goes."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char) or f"[{re.escape(char)}{_ANY}]" for char in glob), re.DOTALL)


def _agree(one: str, other: str) -> bool:
    """Whether two beginnings may be of the same text."""
    return all(mine == its or "?" in (mine, its) for mine, its in zip(one, other, strict=False))
