"""A kernel for tests, as far as routes go: what Linux does with requests, and what it tells of what others do."""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from rri_bgp.model import Destination, Prefix, VrfPrefix
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel.kernel import MAIN, Change, Question, Refusal, Spot, Verb
from rri_bgp.sinks.kernel.wire import BLACKHOLE, UNICAST, LinkNews, Nexthop, RouteNews, Via
from rri_bgp.sinks.kernel.wishes import Wish

__all__ = ["ETH0", "ETH1", "OURS", "STATIC", "ModelKernel", "Wishing", "link", "via"]

OURS, STATIC = 82, 4
ETH0, ETH1 = 2, 3


def via(gateway: str = "", device: int = ETH0, *, onlink: bool = False) -> Via:
    """One way."""
    return (Nexthop(ip_address(gateway) if gateway else None, device, onlink),)


def link(
    index: int, name: str, *, is_up: bool = True, master: int = 0, table: int = 0, if_id: int = 0, mark: int = 0
) -> LinkNews:
    """A link that is there."""
    return LinkNews(index, name, is_up, master, table, if_id, mark, gone=False)


class Wishing(dict[Spot, Wish]):
    """What is wanted, as a test says; ``vrfs`` are the VRFs by table."""

    def __init__(self, vrfs: Mapping[int, str] | None = None) -> None:
        super().__init__()
        self.vrfs = vrfs or {MAIN: ""}

    def at(self, spot: Spot) -> Wish | None:
        """See ``Wanting``."""
        return self.get(spot)

    def destination(self, spot: Spot) -> Destination | None:
        """See ``Wanting``."""
        vrf = self.vrfs.get(spot.table)
        return None if vrf is None else VrfPrefix(vrf, spot.prefix) if vrf else spot.prefix


Row = tuple[int, int, Via]
"""Metric, protocol and way of a route."""


class ModelKernel:
    """``events`` are what others' doings made it say, ours never. ``touched`` are routes of others that a request of
    ours has removed: none may be."""

    def __init__(self) -> None:
        self.rows: dict[Spot, list[Row]] = defaultdict(list)
        self.events: list[RouteNews] = []
        self.touched: list[tuple[Spot, Row]] = []
        self.refuses: dict[Prefix, int] = {}
        """Requests for these fail, with that errno."""
        self.requests = self.asked = 0

    # -- ours --------------------------------------------------------------------------------------------------------

    def change(self, changes: Sequence[Change]) -> Mapping[int, Refusal]:
        """See ``Kernel``."""
        refused = {}
        for index, (verb, place, way, _) in enumerate(changes):
            self.requests += 1
            code = self.refuses.get(place.prefix, 0) or self._change(verb, place, way)
            if code:
                refused[index] = Refusal(code)
        return refused

    def _change(self, verb: Verb, place: Place, way: Via) -> int:
        table, prefix, metric = place
        rows = self.rows[Spot(table, prefix)]
        here = [row for row in rows if row[0] == metric]
        if verb is Verb.DELETE:
            mine = [row for row in here if row[1] == OURS]
            if not mine:
                return errno.ESRCH
            rows.remove(mine[0])
        elif verb is Verb.ADD:
            if here:
                return errno.EEXIST
            rows.append((metric, OURS, way))
        elif here:
            if here[0][1] != OURS:
                self.touched.append((Spot(table, prefix), here[0]))
            rows[rows.index(here[0])] = (metric, OURS, way)
        else:
            rows.append((metric, OURS, way))
        return 0

    def ask(self, questions: Sequence[Question]) -> Sequence[RouteNews | Refusal]:
        """See ``Kernel``; there is one table, and a device makes no difference."""
        self.asked += len(questions)
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> RouteNews | Refusal:
        found = [spot for spot in self.rows if spot.prefix.has_address(question.address) and self.rows[spot]]
        if not found:
            return Refusal(errno.ENETUNREACH)
        spot = max(found, key=lambda spot: spot.prefix.length)
        return self.news(spot, min(self.rows[spot], key=lambda row: row[0]))

    # -- others' -----------------------------------------------------------------------------------------------------

    def put(self, prefix: Prefix, row: Row, *, replaces: bool = True, table: int = MAIN) -> None:
        """Somebody adds a route, or puts it in the place of what is there; ``replaces`` False: beside it.

        There is nothing beside a route that is the same.
        """
        rows = self.rows[Spot(table, prefix)]
        if row in rows:
            return
        here = [other for other in rows if other[0] == row[0]]
        if here and replaces:
            rows[rows.index(here[0])] = row
        else:
            rows.append(row)
        self.events.append(self.news(Spot(table, prefix), row))

    def take(self, prefix: Prefix, row: Row, *, table: int = MAIN) -> None:
        """Somebody removes a route."""
        self.rows[Spot(table, prefix)].remove(row)
        self.events.append(self.news(Spot(table, prefix), row, gone=True))

    @staticmethod
    def news(spot: Spot, row: Row, *, gone: bool = False) -> RouteNews:
        """What it says of a route."""
        metric, protocol, way = row
        return RouteNews(Place(*spot, metric), protocol, way, UNICAST if way else BLACKHOLE, gone, 0, 0)

    # -- what is there -----------------------------------------------------------------------------------------------

    def dump(self) -> list[RouteNews]:
        """All there is."""
        return [self.news(spot, row) for spot, rows in self.rows.items() for row in rows]

    def of(self, *protocols: int) -> dict[Spot, list[Row]]:
        """The routes of these."""
        found = {spot: sorted(row for row in rows if row[1] in protocols) for spot, rows in self.rows.items()}
        return {spot: rows for spot, rows in found.items() if rows}
