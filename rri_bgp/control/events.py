"""Follows a controller for a client: all there is first, then what changes (``Ask.EVENTS``).

Level-triggered, as the sinks are: what changed is noted, once a key, and told as it is when its turn comes. A client
that is slow is told less often, ends at the truth all the same, and delays nobody; memory is bounded by the number of
routes and SA pairs, never by the number of events.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from rri_bgp.control.protocol import encode
from rri_bgp.control.views.routes import announcement, in_order
from rri_bgp.control.views.sas import sa_item
from rri_bgp.control.views.status import status
from rri_bgp.control.views.values import Item, destination_fields
from rri_bgp.controller import Controller
from rri_bgp.model import Destination, SaKey
from rri_bgp.reload import Reloader
from rri_bgp.sockets import hang_up

__all__ = ["follow"]

log = logging.getLogger(__name__)

_PATIENCE = 30.0
"""Seconds for a client to read a piece."""

_PIECE = 100
"""Items between two turns of everybody else: about a millisecond."""

_PERIOD = 1.0
"""Seconds between two looks at the state of sources and sinks."""


async def follow(
    controller: Controller, reloader: Reloader | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Tells a client until it leaves, or reads no more."""
    follower = _Follower(controller, reloader, writer)
    async with asyncio.TaskGroup() as group:
        telling = group.create_task(_tell(follower, writer))
        leaving = group.create_task(reader.read(1))
        await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
        for task in (telling, leaving):
            task.cancel()


async def _tell(follower: _Follower, writer: asyncio.StreamWriter) -> None:
    try:
        await follower.run()
    except (OSError, TimeoutError) as error:
        log.debug("a follower went away: %r", error)
        hang_up(writer)


class _Follower:
    def __init__(self, controller: Controller, reloader: Reloader | None, writer: asyncio.StreamWriter) -> None:
        self._controller = controller
        self._reloader = reloader
        self._writer = writer
        self._destinations: dict[Destination, None] = {}
        self._keys: dict[SaKey, None] = {}
        """What changed and was not told yet, both in the order in which they changed first."""
        self._news = asyncio.Event()
        self._status: Item = {}
        """As told last."""

    def heard(self, destinations: set[Destination], keys: set[SaKey]) -> None:
        """The controller has taken a change."""
        self._destinations.update(dict.fromkeys(destinations))
        self._keys.update(dict.fromkeys(keys))
        self._news.set()

    async def run(self) -> None:
        """Tells everything, and then what changes."""
        stop = self._controller.subscribe(self.heard)
        try:
            rib = self._controller.rib
            self._status = status(self._controller, self._reloader)
            await self._write("snapshot", [{"kind": "status", "status": self._status}])
            await self._write_all("snapshot", self._of_keys(sorted(sa.key for sa in rib.sas())))
            await self._write_all("snapshot", self._of_destinations(in_order(rib.destinations())))
            await self._write("snapshot", [{"kind": "end"}])
            while True:
                await self._tell_news()
        finally:
            stop()

    async def _tell_news(self) -> None:
        """What has changed since, or a while of nothing."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PERIOD):
                await self._news.wait()
        self._news.clear()
        keys, self._keys = self._keys, {}
        destinations, self._destinations = self._destinations, {}
        await self._write_all("live", self._of_keys(keys))
        await self._write_all("live", self._of_destinations(destinations))
        now = status(self._controller, self._reloader)
        if now != self._status:
            self._status = now
            await self._write("live", [{"kind": "status", "status": now}])

    def _of_keys(self, keys: Iterable[SaKey]) -> Iterator[Item]:
        for key in keys:
            sa = self._controller.rib.sa(key)
            found = None if sa is None else sa_item(self._controller, sa)
            yield {"kind": "sa", "source": key.source, "uniqueid": key.uniqueid, "sa": found}

    def _of_destinations(self, destinations: Iterable[Destination]) -> Iterator[Item]:
        rib = self._controller.rib
        for destination in destinations:
            route = rib.route(destination)
            found = None if route is None else announcement(rib.policy, route)
            yield {"kind": "route", **destination_fields(destination), "route": found}

    async def _write_all(self, origin: str, items: Iterator[Item]) -> None:
        while piece := list(islice(items, _PIECE)):
            await self._write(origin, piece)

    async def _write(self, origin: str, items: Iterable[Item]) -> None:
        now = round(time.time(), 3)
        # Not `writelines`: Python 3.12's never says that the buffer is full, whatever a slow client leaves unread.
        self._writer.write(b"".join(encode({"time": now, "origin": origin, **item}) for item in items))
        async with asyncio.timeout(_PATIENCE):
            await self._writer.drain()
        await asyncio.sleep(0)
