"""Policies of many entries, made by code: as a hub of a thousand branches has them, and as bad as they can be."""

from __future__ import annotations

from collections.abc import Callable

from bench.policies import HEAD, branches

__all__ = ["HEAD", "SHAPES", "branches"]


def _entries(write: Callable[[int], str]) -> Callable[[int], str]:
    def make(count: int) -> str:
        lines = "".join(f"      - {{seq: {number + 1}, {write(number)}}}\n" for number in range(count))
        return f"{HEAD}crypto-maps:\n  hub:\n    entries:\n{lines}"

    return make


def _lists(count: int) -> str:
    """Entries that differ in their access list only, all of which overlap."""
    lists = "".join(f"  a{number}: [permit ip 192.168.{number % 250}.0/24 10.0.0.0/8]\n" for number in range(count))
    entries = "".join(
        f"      - {{seq: {number + 1}, type: dynamic, match-address: a{number}, reverse-route: true}}\n"
        for number in range(count)
    )
    return f"{HEAD}access-lists:\n{lists}crypto-maps:\n  hub:\n    entries:\n{entries}"


def _one_list(count: int) -> str:
    """One list of many lines, each with a source of its own."""
    lines = "".join(
        f"    - permit ip 10.{number // 250}.{number % 250}.0/24 172.16.0.0/12\n    - deny ip any host 10.1.1.1\n"
        for number in range(count)
    )
    entry = "      - {seq: 1, type: static, set-peer: 203.0.113.2, match-address: a, reverse-route: {static: true}}\n"
    return f"{HEAD}access-lists:\n  a:\n{lines}crypto-maps:\n  hub:\n    entries:\n{entry}"


SHAPES: dict[str, Callable[[int], str]] = {
    "branches": branches,
    "connections": _entries(lambda number: f'type: dynamic, match: {{connection: "site{number}-*"}}'),
    "endings": _entries(lambda number: f'type: dynamic, match: {{connection: "*-{number}-*"}}'),
    "identities": _entries(lambda number: f'type: dynamic, match: {{identity: "*@site{number}.example"}}'),
    "if-ids": _entries(lambda number: f"type: dynamic, match: {{if-id: {number}}}"),
    "marks": _entries(lambda number: f"type: dynamic, match: {{mark: {number}}}"),
    "one peer": _entries(lambda number: f"type: static, set-peer: 203.0.113.2, match: {{child: c{number}}}"),
    "lists": _lists,
    "one list": _one_list,
}
"""By name, each a policy of so many entries (or lines)."""
