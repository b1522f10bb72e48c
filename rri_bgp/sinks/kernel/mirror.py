"""What is in the kernel's tables, as far as it has told: our routes, and those of others that compete with them.

Rules of this file: pure. Three tell what is there: a change of ours that the kernel took (``put``, ``drop``), an event
of somebody else's (``take``), and a dump (``Dump``). Where an event leaves open what is there now the mirror is *in
doubt*, and a dump tells: another route of the place of one of ours may have taken its place or stand beside it, and of
an IPv6 route with several ways only some may be gone. A dump takes time, so what else is heard while it runs is newer
than what it says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from rri_bgp.model import Address, Prefix
from rri_bgp.rri.reconcile import Found, Place
from rri_bgp.sinks.kernel.kernel import Spot
from rri_bgp.sinks.kernel.wire import RouteNews, Via

__all__ = ["CHARON", "Dump", "Foreign", "Mirror"]

CHARON = 220
"""The table that strongSwan's charon puts routes into by itself (``charon.routing_table``)."""

_PIECE = 1000
"""Spots that are compared between two turns of everybody else: about a millisecond."""


class Foreign(NamedTuple):
    """A route of somebody else's. ``kind`` is what it does (rtm_type)."""

    metric: int
    protocol: int
    kind: int
    via: Via


Ours = tuple[tuple[int, Via], ...]
"""Metric and way of each of our routes at a spot: one, mostly."""


class Mirror:
    """See the head of this file. ``protocol`` is ours (rule G6), but not in ``spared``: another sink has these tables.

    Of others' routes those in ``tables`` matter.
    """

    def __init__(self, protocol: int, tables: Collection[int] = (), spared: Collection[int] = ()) -> None:
        self.protocol = protocol
        self.tables = frozenset(tables)
        self._spared = frozenset(spared)
        self.ours: dict[Spot, Ours] = {}
        self.foreign: dict[Spot, tuple[Foreign, ...]] = {}
        self.has_charons = False
        """There has been a route of charon's own."""
        self.in_doubt = False
        """Only a dump can tell what is there; a dump that begins clears it."""
        self._single: dict[tuple[int, Via], Ours] = {}
        """One object for all spots that have the same: there are many."""
        self._latest: Ours = ((0, ()),)
        self._dump: Dump | None = None

    # -- what is there -----------------------------------------------------------------------------------------------

    def via(self, place: Place) -> Via | None:
        """Where our route of this place leads; None where there is none."""
        table, prefix, metric = place
        for at, via in self.ours.get(Spot(table, prefix), ()):
            if at == metric:
                return via
        return None

    def is_taken(self, place: Place) -> bool:
        """Whether somebody else's route is there, in the place of ours or beside it."""
        table, prefix, metric = place
        return any(one.metric == metric for one in self.foreign.get(Spot(table, prefix), ()))

    def others(self, spot: Spot) -> Iterator[Found[Via]]:
        """Somebody else's routes that compete with ours there."""
        for one in self.foreign.get(spot, ()):
            yield Found(Place(*spot, one.metric), one.protocol, one.via)

    def longest(self, table: int, address: Address, device: int = 0) -> Foreign | None:
        """The route that would lead to an address if ours were not there; through ``device`` where it is not 0."""
        version, bits, number = address.version, address.max_prefixlen, int(address)
        for length in range(bits, -1, -1):
            network = number >> (bits - length) << (bits - length)
            found = self.foreign.get(Spot(table, Prefix(version, network, length)), ())
            fits = [one for one in found if not device or any(way.device == device for way in one.via)]
            if fits:
                return min(fits)
        return None

    # -- what changes ------------------------------------------------------------------------------------------------

    def put(self, place: Place, via: Via) -> bool:
        """The kernel took this route of ours. Returns whether there is another one of ours beside it."""
        table, prefix, metric = place
        spot = Spot(table, prefix)
        before = self.ours.get(spot)
        if before is None:
            self.ours[spot] = self._shared(metric, via)
        else:
            self.ours[spot] = (*(one for one in before if one[0] != metric), (metric, via))
        if self._dump is not None:
            self._dump.outdated.add(spot)
        return len(self.ours[spot]) > 1

    def drop(self, place: Place) -> None:
        """Ours is not there any more."""
        table, prefix, metric = place
        spot = Spot(table, prefix)
        self._set(self.ours, spot, tuple(one for one in self.ours.get(spot, ()) if one[0] != metric))
        self._touch(spot)

    def take(self, news: RouteNews) -> Spot | None:
        """Takes an event that is not of our own doing. Returns the spot that has changed, None where none has."""
        table, prefix, metric = news.place
        spot = Spot(table, prefix)
        if self.is_ours(news):
            self._take_ours(spot, metric, news)
        elif table in self.tables:
            self._take_foreign(spot, metric, news)
        else:
            return None
        self._touch(spot)
        return spot

    def is_ours(self, news: RouteNews) -> bool:
        """Whether a route is one of ours, by whomever it was put there."""
        return news.protocol == self.protocol and news.place.table not in self._spared

    def _take_ours(self, spot: Spot, metric: int, news: RouteNews) -> None:
        before = self.via(news.place)
        if not news.gone:
            self.in_doubt |= before is not None or self.is_taken(news.place)
            self.put(news.place, news.via)
        elif before is not None:
            self.in_doubt |= before != news.via
            self.drop(news.place)

    def _take_foreign(self, spot: Spot, metric: int, news: RouteNews) -> None:
        found = Foreign(metric, news.protocol, news.kind, news.via)
        before = self.foreign.get(spot, ())
        if news.gone:
            left = [one for one in before if one != found]
            if len(left) == len(before):  # of an IPv6 route with several ways only one went
                left = [one for one in before if one[:3] != found[:3]]
                self.in_doubt |= len(left) != len(before)
            self._set(self.foreign, spot, tuple(left))
        else:
            self.has_charons |= spot.table == CHARON
            if self.via(news.place) is not None:  # most likely it has been replaced
                self.in_doubt = True
                self.drop(news.place)
            self.foreign[spot] = (*(one for one in before if one.metric != metric), found)

    def _shared(self, metric: int, via: Via) -> Ours:
        ((before, way),) = self._latest
        if way is via and before == metric:
            return self._latest
        found = self._single.get((metric, via))
        if found is None:
            if len(self._single) > len(self.ours) + _PIECE:  # those that nobody has any more
                self._single.clear()
            found = self._single[metric, via] = ((metric, via),)
        self._latest = found
        return found

    @staticmethod
    def _set(table: dict[Spot, tuple[Foreign, ...]] | dict[Spot, Ours], spot: Spot, value: tuple) -> None:  # type: ignore[type-arg]
        if value:
            table[spot] = value
        else:
            table.pop(spot, None)

    def _touch(self, spot: Spot) -> None:
        if self._dump is not None:
            self._dump.outdated.add(spot)

    # -- dumps -------------------------------------------------------------------------------------------------------

    def begin(self, *, only_ours: bool = False) -> Dump:
        """A dump begins: give it each row, then let it ``settle``. The one before it is void."""
        self.in_doubt = False
        self._dump = Dump(self, only_ours=only_ours)
        return self._dump

    def end(self) -> None:
        """It has told all, or is given up."""
        self._dump = None


class Dump:
    """What a dump says is there; ``only_ours``: it has no routes but ours."""

    def __init__(self, mirror: Mirror, *, only_ours: bool) -> None:
        self._mirror = mirror
        self._only_ours = only_ours
        self._ours: dict[Spot, Ours] = {}
        self._foreign: dict[Spot, tuple[Foreign, ...]] = {}
        self.outdated: set[Spot] = set()
        """Of these something newer is known."""

    def row(self, news: RouteNews) -> None:
        """A route that is there."""
        table, prefix, metric = news.place
        spot = Spot(table, prefix)
        if self._mirror.is_ours(news):
            before = self._ours.get(spot)
            self._ours[spot] = (
                self._mirror._shared(metric, news.via) if before is None else (*before, (metric, news.via))  # noqa: SLF001
            )
        elif table in self._mirror.tables:
            self._mirror.has_charons |= table == CHARON
            found = Foreign(metric, news.protocol, news.kind, news.via)
            self._foreign[spot] = (*self._foreign.get(spot, ()), found)

    def settle(self) -> Iterator[set[Spot]]:
        """Makes the mirror as the dump has it, in pieces. Yields the spots that were otherwise."""
        mirror = self._mirror
        yield from self._compare(mirror.ours, self._ours)
        if not self._only_ours:
            yield from self._compare(mirror.foreign, self._foreign)
        mirror.end()

    def discard(self) -> Iterator[None]:
        """Throws away what it has, in pieces: all at once takes 50 ms at 100,000 routes."""
        for table in (self._ours, self._foreign):
            while table:
                for _ in range(min(len(table), _PIECE)):
                    table.popitem()
                yield

    def _compare(self, known: dict[Spot, tuple], found: Mapping[Spot, tuple]) -> Iterator[set[Spot]]:  # type: ignore[type-arg]
        for spots in (iter(list(found)), iter(list(known))):
            while piece := list(islice(spots, _PIECE)):
                changed = set()
                for spot in piece:
                    before, there = known.get(spot, ()), found.get(spot, ())
                    if before != there and set(before) != set(there) and spot not in self.outdated:
                        Mirror._set(known, spot, there)  # noqa: SLF001
                        changed.add(spot)
                yield changed
