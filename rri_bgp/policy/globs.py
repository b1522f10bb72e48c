"""What two shell globs have to do with each other: whether one takes all that the other takes, or any of it.

Rules of this file: ``includes`` is never wrong when it says yes. ``meets`` may say yes where a bracket expression,
which counts as any character, would say no. Two globs that are too long to compare have nothing in common.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache

__all__ = ["includes", "literal_start", "meets"]

_WILD = frozenset("*?[")
_MAX_WORK = 10_000
"""Steps of one comparison. Globs of a hundred characters each are within it."""
_STAR, _ANY = "*", "?"


def literal_start(glob: str) -> str:
    """What all that it takes begins with."""
    for index, char in enumerate(glob):
        if char in _WILD:
            return glob[:index]
    return glob


@lru_cache(maxsize=4096)
def includes(outer: str, inner: str) -> bool:
    """Whether ``outer`` takes all that ``inner`` takes."""
    if outer == inner or set(outer) == {"*"}:
        return True
    if not _WILD & set(inner):
        return fnmatchcase(inner, outer)
    if "[" in outer or "[" in inner:
        return False
    return _walk(outer, inner, is_inclusion=True)


@lru_cache(maxsize=4096)
def meets(one: str, other: str) -> bool:
    """Whether there is text that both take."""
    if not _WILD & set(other):
        return fnmatchcase(other, one)
    if not _WILD & set(one):
        return fnmatchcase(one, other)
    return _walk(_without_brackets(one), _without_brackets(other), is_inclusion=False)


def _without_brackets(glob: str) -> str:
    text, rest = "", glob
    while rest:
        end = rest.find("]", 2) if rest[0] == "[" else -1
        text += _ANY if end > 0 else rest[0]
        rest = rest[end + 1 :] if end > 0 else rest[1:]
    return text


def _walk(outer: str, inner: str, *, is_inclusion: bool) -> bool:
    """Both from the left, keeping all positions in ``outer`` that are possible after each part of ``inner``."""
    if len(outer) * len(inner) > _MAX_WORK:
        return False
    at = _closed({0}, outer)
    for part in inner:
        after = set()
        for place in at:
            after |= _step(outer, place, part, is_inclusion)
        if part == _STAR and not is_inclusion:
            after |= set(range(min(at), len(outer) + 1)) if at else set()
        at = _closed(after, outer)
        if not at:
            return False
    return len(outer) in at


def _step(outer: str, place: int, part: str, is_inclusion: bool) -> set[int]:
    """Where ``outer`` may be once it has taken one part of ``inner``."""
    if place == len(outer):
        return set()
    mine = outer[place]
    if mine == _STAR:
        return {place}
    if part == _STAR:
        return set()
    is_taken = mine in (_ANY, part) or (part == _ANY and not is_inclusion)
    return {place + 1} if is_taken else set()


def _closed(places: set[int], glob: str) -> set[int]:
    """With those behind stars that take nothing."""
    found = set(places)
    for place in range(min(places, default=len(glob)), len(glob)):
        if place in found and glob[place] == _STAR:
            found.add(place + 1)
    return found
