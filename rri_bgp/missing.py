"""SA pairs that no kernel carries though their IKE daemon calls them installed, for operators: said once, counted.

Each is a warning when it is found so, with who it is; at most ``_BURST`` lines at once and one a second, as of many at
once (a flush) the first ones tell enough. What there is now is in ``now``, and ``so_far`` only grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rri_bgp.model import SaKey, SaPair
from rri_bgp.refusals import Pace, name_of

__all__ = ["MissingLog"]


class MissingLog:
    """See the head of this file."""

    def __init__(self) -> None:
        self.now: set[SaKey] = set()
        self.so_far = 0
        self._pace = Pace()

    def note(self, changes: Mapping[SaKey, SaPair | None], now: float) -> Iterator[str]:
        """Takes what sources said of SA pairs. Yields lines for the log; ``now`` is in seconds."""
        for key, sa in changes.items():
            if sa is None or not sa.not_in_kernel:
                self.now.discard(key)
            elif key not in self.now:
                self.now.add(key)
                self.so_far += 1
                if self._pace.may_speak(now):
                    what = " ".join(map(str, sa.not_in_kernel))
                    yield f"{name_of(key, sa)}: installed, and not in the kernel (E8): {what}{self._pace.unsaid()}"
