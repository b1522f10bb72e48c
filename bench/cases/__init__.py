"""One measurement a file; each has ``async def measure(runs: Runs) -> Result``.

``Runs`` says how much: how often each is repeated, where files go, and whom to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Runs"]


@dataclass(frozen=True, slots=True)
class Runs:
    """``rounds``: how often everything is run, in turn. ``scale``: 1.0 for the sizes that are published."""

    folder: Path
    rounds: int
    scale: float
    tell: Callable[[str], None]

    def sized(self, count: int) -> int:
        """A number of routes, scaled; never so few that there is nothing to measure."""
        return max(100, int(count * self.scale))
