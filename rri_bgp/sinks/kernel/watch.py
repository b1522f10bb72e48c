"""Follows what others do in the kernel: hears of it, and looks at all there is where hearing is not enough.

Rules of this file: events say which spots to look at again and when to ask anew where routes lead; nothing is decided
here. A look tells what events did not: what was lost on the way (ENOBUFS), and IPv4 routes that went with their device
or its last address, of which the kernel says nothing. A look never waits for the next: they keep a distance that grows
with what one takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from socket import socket

from rri_bgp.errors import NetlinkError
from rri_bgp.netlink import why
from rri_bgp.sinks.kernel.devices import Devices
from rri_bgp.sinks.kernel.kernel import MAIN, Spot
from rri_bgp.sinks.kernel.mirror import CHARON, Mirror
from rri_bgp.sinks.kernel.requests import dump_links, dump_routes
from rri_bgp.sinks.kernel.resolve import Resolver
from rri_bgp.sinks.kernel.sockets import Answers, dump, receive
from rri_bgp.sinks.kernel.wire import LinkNews, News, RouteNews, Underlay, read

__all__ = ["Watch"]

log = logging.getLogger(__name__)

_SETTLES = 0.02
"""Seconds that something underneath has to settle before it is asked anew where routes lead."""

_LOOKUPS, _LOOKS = 0.1, 0.5
"""Seconds at least between two times of asking all that, and between two looks."""

_SHARE = 10
"""A look that was asked for waits so many times as long as the last one took: a tenth of the time goes into them."""

_TRIES = 5
"""Looks that changes interrupted, before one is taken as it is and another follows later."""

_MANY = 10_000
"""Spots with routes of others: with more of them a look that is only due again is at ours alone."""

_AT_ONCE = 256
"""Datagrams that are read between two turns of everybody else: a few milliseconds."""

_QUEUED = 256
"""So many times that are in the socket's buffer at most; who changes routes faster than we read is not waited for."""


class Watch:
    """See the head of this file.

    ``changed`` is told spots whose routes are others now. ``resync``: seconds between two looks, whatever was heard.
    """

    def __init__(
        self,
        mirror: Mirror,
        devices: Devices,
        resolver: Resolver,
        changed: Callable[[Iterable[Spot], bool], None],
        counters: Counter[str],
        resync: float,
    ) -> None:
        self._mirror = mirror
        self._devices = devices
        self._resolver = resolver
        self._changed = changed
        self._counters = counters
        self._resync = resync
        self._events: socket | None = None
        self.is_blind = True
        """Something was lost: what others have put there nobody knows before the next look is over."""
        self._wants_all = True
        """The next look is at everybody's routes, however many there are."""
        self._look_due = 0.0
        self._looked = 0.0
        """When the last look ended."""
        self._took = 0.0
        """Seconds that it took."""
        self._ask_due: float | None = None
        self._asked = 0.0

    # -- when --------------------------------------------------------------------------------------------------------

    @property
    def due(self) -> float:
        """When there is something to do, on the monotonic clock."""
        return self._look_due if self._ask_due is None else min(self._look_due, self._ask_due)

    def is_look_due(self, now: float) -> bool:
        """Whether it is time to look."""
        if self._mirror.in_doubt:
            self.look_soon(now)
            self._mirror.in_doubt = False
        return self._look_due <= now

    def is_asking_due(self, now: float) -> bool:
        """Whether it is time to ask anew where routes lead."""
        return self._ask_due is not None and self._ask_due <= now

    def look_soon(self, now: float, *, at_all: bool = False) -> None:
        """Only a look can tell what is there; ``at_all``: what others have there too."""
        self._wants_all |= at_all
        self._look_due = min(self._look_due, max(now + _SETTLES, self._looked + max(_LOOKS, _SHARE * self._took)))

    def ask_soon(self, now: float) -> None:
        """What leads to peers may be something else now."""
        if self._ask_due is None:
            self._ask_due = max(now + _SETTLES, self._asked + _LOOKUPS)

    # -- hearing -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def listening(self, events: socket) -> Iterator[None]:
        """Hears what this socket does, while it is open."""
        self._events = events
        try:
            yield
        finally:
            self._events = None

    def hear(self, now: float) -> bool:
        """Takes what has been said so far. Returns whether there may be more."""
        if self._events is None:
            return False
        for _ in range(_AT_ONCE):
            try:
                datagram = receive(self._events)
                if datagram is None:
                    return False
                for news in read(datagram):
                    self._take(news, now)
            except (OSError, NetlinkError) as error:
                log.info("what the kernel said was lost (%s): looking at all of it", why(error))
                self._counters["losses"] += 1
                self.is_blind = True
                self.look_soon(now, at_all=True)
                self.ask_soon(now)
                return True
        return True

    def _take(self, news: News, now: float) -> None:
        match news:
            case RouteNews():
                self._take_route(news, now)
            case LinkNews():
                if self._devices.take(news):
                    self.ask_soon(now)
                    if not news.is_up or news.gone:  # IPv4 routes over it went without a word
                        self.look_soon(now, at_all=True)
            case Underlay.ADDRESSES:  # with the last one of a device too
                self.ask_soon(now)
                self.look_soon(now, at_all=True)
            case Underlay.RULES:
                self.ask_soon(now)

    def _take_route(self, news: RouteNews, now: float) -> None:
        spot = self._mirror.take(news)
        is_ours = self._mirror.is_ours(news)
        if not is_ours and self._resolver.concerns(news.place.prefix):
            self.ask_soon(now)
        if spot is None:
            return
        if is_ours:
            self._counters["changed by others"] += 1
            self._changed([spot], False)
        else:
            here = Spot(MAIN, spot.prefix) if spot.table == CHARON else spot
            if here in self._mirror.ours or self._resolver.is_used(here):
                self._changed([here], False)

    # -- looking -----------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Takes all there is, with turns for everybody between.

        Raises:
            OSError: the kernel does not say.
            NetlinkError: it says what cannot be read.
        """
        start = time.monotonic()
        for _ in range(_QUEUED):  # what was said before is older than what is seen now
            if not self.hear(start):
                break
            await asyncio.sleep(0)
        only_ours = not self._wants_all and len(self._mirror.foreign) > _MANY
        self._wants_all, self._look_due = False, math.inf
        losses = self._counters["losses"]
        is_whole = False
        try:
            for _ in range(_TRIES):
                is_whole = await self._look(only_ours=only_ours)
                if is_whole:
                    break
        except (OSError, NetlinkError):
            self._mirror.end()
            self._wants_all |= not only_ours
            raise
        finally:
            self._looked = time.monotonic()
            self._took = self._looked - start
            self._look_due = min(self._look_due, self._looked + self._resync)
        self.is_blind = self._counters["losses"] > losses
        self._counters["looks"] += 1
        if not is_whole:
            self.look_soon(self._looked, at_all=not only_ours)
        self.ask_soon(self._looked)

    async def _look(self, *, only_ours: bool) -> bool:
        """One look; whether nothing changed meanwhile that might have been left out."""
        answers = Answers()
        links = [news for piece in dump(dump_links(1), answers) for news in piece if isinstance(news, LinkNews)]
        self._devices.take_all(links)
        found = self._mirror.begin(only_ours=only_ours)
        for version in (4, 6):
            protocol = self._mirror.protocol if only_ours else 0
            for piece in dump(dump_routes(version, 0, protocol, 1), answers):
                for news in piece:
                    if isinstance(news, RouteNews):
                        found.row(news)
                await asyncio.sleep(0)
        for spots in found.settle():
            self._counters["changed unheard"] += len(spots)
            self._changed(spots, True)
            await asyncio.sleep(0)
        for _ in found.discard():
            await asyncio.sleep(0)
        return answers.is_whole

    async def ask_again(self) -> None:
        """Asks anew where routes lead, with turns for everybody between."""
        self._ask_due, self._asked = None, time.monotonic()
        for spots in self._resolver.again():
            self._changed(spots, False)
            await asyncio.sleep(0)
