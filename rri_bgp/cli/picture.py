"""The picture that ``watch`` draws on a terminal: what is well, what moved last, and the last changes in words."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from rri_bgp.cli import words
from rri_bgp.cli.news import News
from rri_bgp.cli.options import plain
from rri_bgp.cli.status import status_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Picture"]

Item = dict[str, Any]

_CHANGES = 100
_LEAST = 3
"""Rows of each table, however low the terminal is."""


class Picture:
    """Takes events and draws. Of what there is most the last is shown: what moved last stands first."""

    def __init__(self) -> None:
        self._news = News()
        self._tunnels: dict[str, Item] = {}
        self._routes: dict[str, Item] = {}
        self._changes: deque[tuple[float, str]] = deque(maxlen=_CHANGES)

    def take(self, item: Item) -> None:
        """An event."""
        self._changes.extendleft((item["time"], line) for line in self._news.take(item))
        if item["kind"] == "sa":
            _move(self._tunnels, f"{item['source']}:{item['uniqueid']}", item["sa"])
        elif item["kind"] == "route":
            _move(self._routes, words.destination(item), item["route"])

    def draw(self, height: int) -> RenderableType:
        """The picture, for a terminal of that many rows."""
        from rich.console import Group  # noqa: PLC0415  # slow to import, and not needed into a pipe
        from rich.text import Text  # noqa: PLC0415

        status = self._news.status
        head = [Text(plain(line), _style(line)) for line in (status_lines(status) if status else ())]
        rows = max((height - len(head) - 10) // 3, _LEAST)
        return Group(
            *head,
            _title(f"{words.count(len(self._tunnels), 'tunnel')}"),
            _table(("SA", "CONNECTION", "PEER", "IDENTITY", "REMOTE SELECTORS", "ENTRY"), self._tunnel_rows(rows)),
            _title(f"{words.count(len(self._routes), 'route')}"),
            _table(("PREFIX", "NEXT HOP", "COMMUNITIES", "ENTRY"), self._route_rows(rows)),
            _title("last changes"),
            *(
                Text(
                    f"{time.strftime('%H:%M:%S', time.localtime(at))}  {plain(line)}", no_wrap=True, overflow="ellipsis"
                )
                for at, line in islice(self._changes, rows)
            ),
        )

    def _tunnel_rows(self, count: int) -> Iterator[tuple[str, ...]]:
        for name, sa in islice(reversed(self._tunnels.items()), count):
            selectors = " ".join(sa["remote_ts"]) or "-"
            yield name, sa["connection"], sa["peer"], sa["identity"] or "-", selectors, sa["entry"] or "none"

    def _route_rows(self, count: int) -> Iterator[tuple[str, ...]]:
        for name, route in islice(reversed(self._routes.items()), count):
            yield name, words.next_hops(route), words.communities(route) or "-", route["entry"]


def _change(at: float, line: str) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415  # as above

    when = time.strftime("%H:%M:%S", time.localtime(at))
    return Text(f"{when}  {plain(line)}", no_wrap=True, overflow="ellipsis")


def _move(table: dict[str, Item], key: str, value: Item | None) -> None:
    """To the end of the table, or out of it."""
    table.pop(key, None)
    if value is not None:
        table[key] = value


def _style(line: str) -> str:
    """What is not well stands in capitals."""
    return "bold red" if any(word.isupper() and len(word) > 2 for word in line.split()) else ""


def _title(text: str) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415  # as above

    return Text(f"\n{text}", "bold")


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415  # as above
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table
