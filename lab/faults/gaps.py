"""How long a router was without a route. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

__all__ = ["gaps"]


def gaps(events: Iterable[tuple[int, str]], owned: Collection[str], end: int) -> dict[str, float]:
    """The longest time (ms) for which each prefix was away; prefixes that were never away are not in it.

    ``events`` are ``add PREFIX`` and ``del PREFIX`` with their times (ns), in order; ``end`` (ns) closes what is open.
    """
    since: dict[str, int] = {}
    longest: dict[str, float] = {}
    for at, event in events:
        what, _, prefix = event.partition(" ")
        if prefix not in owned:
            continue
        if what == "del":
            since.setdefault(prefix, at)
        elif prefix in since:
            _close(longest, prefix, since.pop(prefix), at)
    for prefix, start in since.items():
        _close(longest, prefix, start, end)
    return longest


def _close(longest: dict[str, float], prefix: str, start: int, end: int) -> None:
    longest[prefix] = max(longest.get(prefix, 0.0), (end - start) / 1e6)
