"""The sinks that a controller feeds, and who of them comes first.

Rules of this file: no I/O. Where there is a *foundation* (the kernel), it is told everything first and the others
announce what it has (rules G3, N7); it also hears of what is all the same to upstream, as a peer that moves. The others
may not withdraw before it has been looked through: until then it has let nothing pass, and what an earlier life of this
process announced would be taken back (rule G7).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from rri_bgp.model import Destination
from rri_bgp.rri import Policy, Rib
from rri_bgp.sinks import Foundation, Sink, Wanted

__all__ = ["Outlets"]


class Outlets:
    """See the head of this file. It is the foundation's ``Upstream``.

    ``is_caught_up`` says whether what is not wanted now may be withdrawn.
    """

    def __init__(self, rib: Rib, is_caught_up: Callable[[], bool]) -> None:
        self._rib = rib
        self._is_caught_up = is_caught_up
        self.sinks: list[Sink] = []
        """Those that are fed, and those whose other side has gone, until one of the same name takes their place."""
        self.foundation: Foundation | None = None
        self._is_founded = True
        """The foundation has been looked through, where there is one."""
        self._fed: set[str] = set()
        self._bound: set[str] = set()
        """Sinks that may not withdraw yet."""

    def lay(self, foundation: Foundation) -> None:
        """The others announce what this one has. To be called before any sink is fed."""
        self.foundation = foundation
        self._is_founded = False
        self._rib.track()

    @property
    def wanted(self) -> Wanted:
        """What sinks that announce are to read."""
        return self._rib if self.foundation is None else self.foundation.wanted

    def add(self, sink: Sink) -> None:
        """Feeds a sink from now on, beginning with all there is. It takes the place of one of the same name."""
        self.sinks = [other for other in self.sinks if other.name != sink.name] + [sink]
        self._fed.add(sink.name)
        if len(self._rib):
            sink.changed(self._rib.destinations())
        self._bound.add(sink.name)
        if self._is_caught_up():
            self.allow_withdraw()

    def remove(self, sink: Sink) -> None:
        """Its other side is gone: it is not fed any more, but stays to be seen."""
        self._fed.discard(sink.name)
        if self.foundation is not None:
            self.foundation.released()

    def is_fed(self, name: str) -> bool:
        """Whether a sink of that name is fed."""
        return name in self._fed

    @property
    def live(self) -> list[Sink]:
        """Those that are fed."""
        return [sink for sink in self.sinks if sink.name in self._fed]

    @property
    def _announcing(self) -> list[Sink]:
        return [sink for sink in self.live if sink is not self.foundation]

    # What they are told ----------------------------------------------------------------------------------------------

    def changed(self, changed: Collection[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        """These have other paths. See ``Sink``."""
        self._tell_foundation(bulk=bulk)
        if changed:
            for sink in self._announcing:
                sink.changed(changed, bulk=bulk, moves=moves)

    def _tell_foundation(self, *, bulk: bool) -> None:
        touched = self._rib.take_touched() if self.foundation is not None else None
        if touched and self.foundation is not None and self.is_fed(self.foundation.name):
            self.foundation.changed(touched, bulk=bulk)

    def take_settings(self, policy: Policy) -> None:
        """Another policy holds, and the RIB has it already."""
        for sink in self.live:
            sink.take_settings(policy)

    def allow_withdraw(self) -> None:
        """What is not wanted now may go."""
        for sink in self.live:
            if sink.name in self._bound and (self._is_founded or sink is self.foundation):
                self._bound.discard(sink.name)
                sink.allow_withdraw()

    async def finish(self) -> None:
        """Each leaves its routes or withdraws them, as its settings say; the foundation last (rule G3)."""
        async with asyncio.TaskGroup() as group:
            for sink in self._announcing:
                group.create_task(sink.finish())
        if self.foundation is not None:
            await self.foundation.finish()

    # What they tell --------------------------------------------------------------------------------------------------

    def tell(self, destinations: Collection[Destination], *, bulk: bool) -> None:
        """See ``Upstream``."""
        for sink in self._announcing:
            sink.changed(destinations, bulk=bulk)

    def has(self, destination: Destination, /) -> bool:
        """See ``Upstream``."""
        return any(sink.holds(destination) for sink in self._announcing)

    def may_withdraw(self) -> None:
        """See ``Upstream``."""
        self._is_founded = True
        if self._is_caught_up():
            self.allow_withdraw()

    def released(self, destinations: Iterable[Destination]) -> None:
        """See ``Feeder``."""
        if self.foundation is not None:
            self.foundation.released(destinations)
