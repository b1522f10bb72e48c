"""This machine's kernel as a sink: the shell around what decides.

``wishes.py`` is what should be there and ``mirror.py`` what is, ``resolve.py`` where routes lead, ``keeper.py`` what is
to be done, ``gate.py`` what upstream may hear of; ``watch.py`` follows what others do, ``sockets.py`` are the kernel.

Here is when: what is told is done in the call that tells it, so that the kernel has a route before ExaBGP is told; what
is too much for that is done in pieces, with turns for everybody between
(docs/decisions/0014-the-kernel-before-upstream.md).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from rri_bgp.errors import NetlinkError
from rri_bgp.model import Address, Destination, FlowRule, Prefix, prefix_of, vrf_of
from rri_bgp.netlink import why
from rri_bgp.policy.config import KernelSettings, OnExit, Unresolved
from rri_bgp.refusals import Pace
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.rib import Rib
from rri_bgp.sinks import KernelEntry, KernelHop, RouteState, SinkRoute, SinkStatus, Upstream, Wanted
from rri_bgp.sinks.kernel.devices import Devices
from rri_bgp.sinks.kernel.faults import Hindrance
from rri_bgp.sinks.kernel.gate import Gate
from rri_bgp.sinks.kernel.keeper import Keeper
from rri_bgp.sinks.kernel.kernel import MAIN, Spot
from rri_bgp.sinks.kernel.mirror import CHARON, Mirror
from rri_bgp.sinks.kernel.resolve import Resolver
from rri_bgp.sinks.kernel.sockets import Requests, events_socket
from rri_bgp.sinks.kernel.watch import Watch
from rri_bgp.sinks.kernel.wishes import Wish, Wishes

__all__ = ["KernelSink"]

log = logging.getLogger(__name__)

_RESYNC = 60.0
_RETRY = 1.0
"""Seconds before the kernel is looked at again after it would not tell."""

_AT_ONCE = 512
"""Destinations that are worked out in one turn: a few milliseconds."""

_MANY = 16
"""More than that at once is a large change: everything else goes first upstream."""


class KernelSink:
    """Makes the kernel have what is wanted. See ``rri_bgp.sinks.Sink`` and ``Foundation`` for the contract.

    ``rib`` has to track (``Rib.track``), and ``changed`` is to be told what it tracked.
    """

    def __init__(
        self,
        rib: Rib,
        settings: KernelSettings,
        upstream: Upstream,
        *,
        spared: Collection[int] = (),
        resync: float = _RESYNC,
    ) -> None:
        """Opens the socket to the kernel. ``spared`` are tables in which another sink has routes with our number.

        Raises:
            EnvironmentProblem: this process may not change routes.
        """
        self._rib = rib
        self._settings = settings
        self._upstream = upstream
        self._counters: Counter[str] = Counter()
        self._requests = Requests(settings.protocol)
        self._devices = Devices()
        self._mirror = Mirror(settings.protocol, spared=spared)
        self._gate = Gate(rib)
        self._wishes = Wishes(rib, settings.table)
        self._resolver = Resolver(self._requests, self._devices, self._mirror, self._wishes.redirected)
        self._keeper = Keeper(
            self._requests, self._mirror, self._resolver, self._gate, self, self._is_held, self._counters,
            stands_in=settings.unresolved is Unresolved.BLACKHOLE,
        )  # fmt: skip
        self._watch = Watch(self._mirror, self._devices, self._resolver, self._look, self._counters, resync)
        self._later: deque[Iterator[Iterable[Spot]]] = deque()
        """Large changes that have yet to be worked out, in pieces."""
        self._is_ready = self._may_withdraw = self._is_through = self._is_leaving = False
        self._trouble = ""
        self._pace = Pace()
        self._warned = False
        self._awake = asyncio.Event()
        self._take_tables(rib.policy)

    # -- the contract ------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """See ``Sink``."""
        return "kernel"

    @property
    def wanted(self) -> Wanted:
        """See ``Foundation``."""
        return self._gate

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        """See ``Sink``. What is little is in the kernel when this returns; ``moves`` makes no difference here."""
        del moves
        found = list(destinations)
        if len(found) > _AT_ONCE:
            self._later.append(self._touched(found))
        else:
            for spots in self._touched(found):
                self._keeper.look(spots, bulk=bulk)
            self._act(bulk=bulk)
        self._awake.set()  # what is left to do, or when, may be something else now

    def allow_withdraw(self) -> None:
        """See ``Sink``."""
        self._may_withdraw = True
        self._let_go()
        self._awake.set()

    def _let_go(self) -> None:
        """What nobody wants may go, once it has been heard of all that somebody may want."""
        if self._may_withdraw and not self._later:
            self._keeper.allow_delete()

    def take_settings(self, policy: Policy) -> None:
        """See ``Sink``. Tables that the policy uses no more are emptied; all routes are worked out anew.

        Where they lead too: another policy may have other routes to the peers, or another table for their VRF.
        """
        self._take_tables(policy)
        self._watch.ask_soon(time.monotonic())
        self._keeper.forbid_delete()
        self._later.append(self._touched(list(self._rib.destinations())))
        self._later.append(_in_pieces(iter(list(self._mirror.ours))))
        self.retry()

    def retry(self) -> None:
        """See ``Sink``."""
        self._keeper.try_again()
        self._awake.set()

    def released(self, destinations: Iterable[Destination] | None = None) -> None:
        """See ``Foundation``."""
        if destinations is None:
            self._keeper.release_all()
        else:
            self._keeper.released(spot for spot in map(self._wishes.spot_of, destinations) if spot is not None)
            self._act(bulk=False)
        self._awake.set()

    def holds(self, destination: Destination, /) -> bool:
        """See ``Sink``."""
        spot = self._wishes.spot_of(destination)
        return spot is not None and spot in self._mirror.ours

    def route(self, destination: Destination, /) -> SinkRoute:
        """See ``Sink``."""
        if isinstance(destination, FlowRule):
            return SinkRoute(RouteState.ABSENT, reason="a flow has no place in the kernel's tables")
        entry = self.entry(vrf_of(destination), prefix_of(destination))
        return SinkRoute(entry.state, None, entry.reason)

    def entry(self, vrf: str, prefix: Prefix) -> KernelEntry:
        """See ``Foundation``."""
        spot = self._wishes.spot(vrf, prefix)
        ours, wish = self._mirror.ours.get(spot, ()), self.at(spot)
        fault = self._keeper.faults.get(spot)
        via = next((via for metric, via in ours if wish is None or metric == wish.metric), None)
        if fault is not None:
            state = RouteState.CONFIRMED if fault.why is Hindrance.BEATEN else RouteState.REFUSED
        elif self._keeper.is_pending(spot) or (wish is None) != (via is None):
            state = RouteState.PENDING
        else:
            state = RouteState.ABSENT if wish is None else RouteState.CONFIRMED
        hops = tuple(
            KernelHop("" if hop.gateway is None else str(hop.gateway), self._devices.name(hop.device), hop.onlink)
            for hop in via or ()
        )
        metric = wish.metric if wish is not None else ours[0][0] if ours else None
        return KernelEntry(state, spot.table, metric, hops, via == (), "; ".join(self._reasons(spot)))

    def _reasons(self, spot: Spot) -> Iterator[str]:
        fault = self._keeper.faults.get(spot)
        if fault is not None:
            yield fault.text
        if spot in self._keeper.shadowed:
            yield _CHARON

    def status(self) -> SinkStatus:
        """See ``Sink``. Ready once the kernel has been looked at, and while it can be."""
        return SinkStatus(
            name=self.name,
            ready=self._is_ready and not self._trouble,
            confirmed=len(self._mirror.ours),
            pending=self._keeper.pending + len(self._later),
            refused=self._keeper.faults.refused,
            counters=tuple(sorted(self._counters.items())),
            detail="; ".join(self._details()),
        )

    def _details(self) -> Iterator[str]:
        if self._trouble:
            yield f"the kernel cannot be looked at: {self._trouble}"
        elif not self._is_ready:
            yield "waiting for a first look at the kernel"
        for count, spot, fault in self._keeper.faults.examples():
            yield f"{count} {fault.why.label}, {spot.prefix} for example: {fault.text}"
        if self._keeper.shadowed:
            yield _CHARON

    async def run(self) -> None:
        """Keeps the kernel's routes as they are wanted, until cancelled."""
        try:
            with events_socket(but_of=self._requests.port) as events, self._watch.listening(events):
                loop = asyncio.get_running_loop()
                loop.add_reader(events, self._awake.set)
                try:
                    while True:
                        await self._turn()
                finally:
                    loop.remove_reader(events)
        finally:
            self._is_ready = False
            self._requests.close()

    async def finish(self) -> None:
        """See ``Sink``: takes our routes out of the kernel where the policy says ``on-exit: withdraw``."""
        if self._settings.on_exit is not OnExit.WITHDRAW or not self._is_ready:
            return
        self._is_leaving = True
        self._keeper.allow_delete()
        self._look(self._mirror.ours, is_bulk=True)
        while not self._keeper.is_idle:
            self._act(bulk=True)
            await asyncio.sleep(0)

    # -- turns -------------------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        """Does what there is to do, or waits for something."""
        self._awake.clear()
        now = time.monotonic()
        if self._watch.is_look_due(now):
            await self._look_at_all()
        if self._watch.is_asking_due(now):
            await self._ask_again()
        if self._later:
            spots = next(self._later[0], None)
            if spots is None:
                self._later.popleft()
                self._let_go()
            else:
                self._keeper.look(spots, bulk=True)
        has_more = self._act(bulk=True)
        self._note_progress()
        if has_more:
            await asyncio.sleep(0)
            return
        due = min(self._watch.due, self._keeper.due or self._watch.due)
        try:
            async with asyncio.timeout(max(due - time.monotonic(), 0)):
                await self._awake.wait()
        except TimeoutError:
            return

    async def _look_at_all(self) -> None:
        try:
            await self._watch.look()
        except (OSError, NetlinkError) as error:
            trouble = why(error)
            if trouble != self._trouble:
                log.warning("the kernel's routes cannot be looked at: %s", trouble)
            self._trouble = trouble
            await asyncio.sleep(_RETRY)
            return
        self._trouble = ""
        self._keeper.look_at_puzzles()
        self._keeper.try_again()
        if not self._is_ready:
            self._is_ready = True
            log.info("the kernel has %d routes of ours", len(self._mirror.ours))
            self._look(self._mirror.ours, is_bulk=True)

    async def _ask_again(self) -> None:
        try:
            await self._watch.ask_again()
        except OSError as error:
            self._is_unanswered(error)
        self._keeper.try_again()

    def _act(self, *, bulk: bool) -> bool:
        """Does a piece of what is to be done, and tells upstream. Returns whether there may be more."""
        if not self._is_ready:
            return False
        now = time.monotonic()
        has_more = self._watch.hear(now)
        if self._watch.is_blind:
            return has_more
        try:
            self._keeper.work(now)
        except OSError as error:
            self._is_unanswered(error)
            return False
        self._say()
        moved = self._gate.take_moved()
        if moved and not self._is_leaving:  # the others have ended as their own settings say
            self._upstream.tell(moved, bulk=bulk and len(moved) > _MANY)
        return has_more or not self._keeper.is_idle or bool(self._later)

    def _is_unanswered(self, error: OSError) -> None:
        """What the kernel has done nobody knows."""
        log.warning("the kernel has not answered (%s): looking at what it has done", why(error))
        self._counters["answers lost"] += 1
        self._watch.is_blind = True
        now = time.monotonic()
        self._watch.look_soon(now, at_all=True)
        self._watch.ask_soon(now)
        self._awake.set()

    def _note_progress(self) -> None:
        is_idle = self._keeper.is_idle and not self._keeper.is_puzzled and not self._later
        if self._is_ready and self._may_withdraw and not self._is_through and is_idle:
            self._is_through = True
            self._upstream.may_withdraw()

    def _say(self) -> None:
        """Logs what has come to hinder a route, and what hinders it no more."""
        now = time.monotonic()
        for spot, fault in self._keeper.faults.take_news():
            is_wanted = fault is not None or self._resolver.is_used(spot)
            if is_wanted and self._pace.may_speak(now):
                what = "is in the kernel as it should be" if fault is None else fault.text
                level = logging.INFO if fault is None else logging.WARNING
                log.log(level, "%s: %s%s", self._wishes.destination(spot), what, self._pace.unsaid())
        if bool(self._keeper.shadowed) is not self._warned:
            self._warned = not self._warned
            if self._warned:
                log.warning("%s", _CHARON)

    # -- what is wanted ----------------------------------------------------------------------------------------------

    def _take_tables(self, policy: Policy) -> None:
        """Which table each VRF has."""
        self._gate.forget(self._wishes.take_policy(policy))
        self._resolver.tables = self._wishes.tables
        needed = frozenset((*self._wishes.tables.values(), MAIN, CHARON))
        if not needed <= self._mirror.tables:
            self._mirror.tables |= needed
            self._is_ready = False  # nobody knows what others have there
            self._watch.look_soon(time.monotonic(), at_all=True)

    def _touched(self, destinations: Iterable[Destination]) -> Iterator[Iterable[Spot]]:
        """The spots that a change of these is about, in pieces."""
        left = iter(destinations)
        while piece := list(islice(left, _AT_ONCE)):
            spots, peers = self._wishes.touched(piece)
            yield spots
            for vrf, peer in peers:
                yield self._led_over(vrf, peer)

    def _led_over(self, vrf: str, peer: Address) -> Iterable[Spot]:
        """Those whose way is another one now, if this is a peer with a route of its own."""
        try:
            return self._resolver.peer_moved(vrf, peer)
        except OSError as error:
            self._is_unanswered(error)
            return ()

    def _look(self, spots: Iterable[Spot], is_bulk: bool) -> None:
        self._keeper.look(spots, bulk=is_bulk)

    def at(self, spot: Spot) -> Wish | None:
        """See ``Wanting``: nothing any more once the routes are to go."""
        return None if self._is_leaving else self._wishes.at(spot)

    def destination(self, spot: Spot) -> Destination | None:
        """See ``Wanting``."""
        return self._wishes.destination(spot)

    def _is_held(self, destination: Destination) -> bool:
        return not self._is_leaving and self._upstream.has(destination)


def _in_pieces(spots: Iterator[Spot]) -> Iterator[Iterable[Spot]]:
    while piece := list(islice(spots, _AT_ONCE)):
        yield piece


_CHARON = (
    "charon installs routes of its own in table 220, which is looked up before main: "
    "set charon.install_routes = no in strongswan.conf"
)
