"""One object for equal values that many SA pairs have in common: a hub holds hundreds of thousands of pairs."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import TypeVar

__all__ = ["shared"]

_T = TypeVar("_T", bound=Hashable)


@lru_cache(maxsize=4096)
def shared(value: _T) -> _T:
    """The value, or one that is equal to it and was asked for before."""
    return value
