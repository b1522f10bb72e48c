"""The machine's links, by what a route may name them by: index, name, xfrm if_id, vti mark, a VRF's table.

Rules of this file: pure. Every message says what a link is now, so one that is heard twice does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable

from rri_bgp.sinks.kernel.wire import LinkNews

__all__ = ["Devices"]


class Devices:
    """See the head of this file."""

    def __init__(self) -> None:
        self._links: dict[int, LinkNews] = {}
        self._names: dict[str, int] = {}
        self._if_ids: dict[int, int] = {}
        self._marks: dict[int, int] = {}
        self._vrfs: dict[int, int] = {}

    def take(self, news: LinkNews) -> bool:
        """Takes what the kernel says of a link; whether it was news."""
        before = self._links.pop(news.link, None)
        for index, number in _keys(before):
            if self._table(index).get(number) == news.link:
                del self._table(index)[number]
        if before is not None and self._names.get(before.name) == news.link:
            del self._names[before.name]
        if news.gone:
            return before is not None
        self._links[news.link] = news
        self._names[news.name] = news.link
        for index, number in _keys(news):
            self._table(index)[number] = news.link
        return before != news

    def take_all(self, found: Iterable[LinkNews]) -> bool:
        """Takes all that there are; whether any of it was news."""
        links = {news.link: news for news in found}
        gone = [self._links[link] for link in self._links.keys() - links.keys()]
        changed = [self.take(news._replace(gone=True)) for news in gone] + [self.take(news) for news in links.values()]
        return any(changed)

    def _table(self, name: str) -> dict[int, int]:
        return {"if_id": self._if_ids, "mark": self._marks, "vrf": self._vrfs}[name]

    def get(self, index: int) -> LinkNews | None:
        """The link of this index."""
        return self._links.get(index)

    def named(self, name: str) -> LinkNews | None:
        """The link of this name."""
        return self._links.get(self._names.get(name, 0))

    def of_if_id(self, number: int) -> LinkNews | None:
        """The xfrm interface of this id."""
        return self._links.get(self._if_ids.get(number, 0))

    def of_mark(self, number: int) -> LinkNews | None:
        """The vti interface that gives this mark to what goes out."""
        return self._links.get(self._marks.get(number, 0))

    def of_vrf(self, table: int) -> LinkNews | None:
        """The VRF device of this table."""
        return self._links.get(self._vrfs.get(table, 0))

    def name(self, index: int) -> str:
        """What people call it."""
        link = self._links.get(index)
        return f"device {index}" if link is None else link.name


def _keys(link: LinkNews | None) -> list[tuple[str, int]]:
    """What a special link is found by."""
    if link is None:
        return []
    found = (("if_id", link.if_id), ("mark", link.mark), ("vrf", link.vrf_table))
    return [(name, number) for name, number in found if number]
