"""Makes the kernel's routes agree with the policy's, a few at a time, and says what upstream may hear of.

Rules of this file: no I/O of its own, no clock. Level-triggered: a spot that is looked at is made from what is wanted
now and what is there now; why it is looked at does not matter, and how often neither. A route of somebody else's is
never touched (rule G6). What is new is added before what it replaces goes, and what nobody wants any more waits until
upstream has let go of it (rule G3).
"""

from __future__ import annotations

import errno
import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rri_bgp.model import Destination
from rri_bgp.protocols import owner_of
from rri_bgp.rri.reconcile import Place, Verdict, verdict
from rri_bgp.sinks.kernel.faults import Fault, Faults, Hindrance
from rri_bgp.sinks.kernel.gate import Gate
from rri_bgp.sinks.kernel.kernel import MAIN, Change, Kernel, Refusal, Spot, Verb
from rri_bgp.sinks.kernel.mirror import CHARON, Mirror
from rri_bgp.sinks.kernel.resolve import Leads, Resolver, via_for
from rri_bgp.sinks.kernel.wire import Via
from rri_bgp.sinks.kernel.wishes import Wanting, Wish

__all__ = ["PATIENCE", "PIECE", "Keeper"]

PIECE = 64
"""Spots that are worked on at once: a millisecond or two."""

PATIENCE = 10.0
"""Seconds that a route stays for upstream's sake after nobody wants it: it may have its own reasons not to let go."""


class Keeper:
    """See the head of this file.

    ``is_held`` says whether upstream still has a destination.
    ``stands_in``: a blackhole stands for what cannot be resolved.
    """

    def __init__(
        self,
        kernel: Kernel,
        mirror: Mirror,
        resolver: Resolver,
        gate: Gate,
        wanting: Wanting,
        is_held: Callable[[Destination], bool],
        counters: Counter[str],
        *,
        stands_in: bool,
    ) -> None:
        self._kernel = kernel
        self._mirror = mirror
        self._resolver = resolver
        self._gate = gate
        self._wanting = wanting
        self._is_held = is_held
        self._counters = counters
        self._stands_in = stands_in
        self._urgent: OrderedDict[Spot, None] = OrderedDict()
        self._bulk: OrderedDict[Spot, None] = OrderedDict()
        """Both ordered, as they are emptied from the front."""
        self._leaving: dict[Spot, float] = {}
        """Unwanted, and kept for upstream until it lets go, or until then; soonest first."""
        self.faults = Faults()
        self._refused: dict[Spot, tuple[Change, Refusal]] = {}
        """What the kernel refused last at a spot: not tried again before ``try_again``."""
        self._may_delete = False
        self._bound: dict[Spot, None] = {}
        """Have something that is to go, and that may not go yet."""
        self.shadowed: set[Spot] = set()
        """Ours, and charon has one of its own for the same traffic in a table that is looked up before."""
        self._puzzles: dict[Spot, None] = {}
        """Here the kernel is not as the mirror has it."""

    # -- what to look at ---------------------------------------------------------------------------------------------

    def look(self, spots: Iterable[Spot], *, bulk: bool = False) -> None:
        """Something about these has changed."""
        if not bulk:
            self._urgent.update(dict.fromkeys(spots))
        elif self._urgent:
            self._bulk.update((spot, None) for spot in spots if spot not in self._urgent)
        else:
            self._bulk.update(dict.fromkeys(spots))

    def forbid_delete(self) -> None:
        """What nobody wants stays for now: it is yet to be heard of what somebody does."""
        self._may_delete = False

    def allow_delete(self) -> None:
        """Every source is complete: what nobody wants may go."""
        self._may_delete = True
        bound, self._bound = self._bound, {}
        self.look(bound, bulk=True)

    def look_at_puzzles(self) -> None:
        """The mirror has been made as the kernel is."""
        puzzles, self._puzzles = self._puzzles, {}
        self.look(puzzles)

    def try_again(self) -> None:
        """Something has changed that may have been why the kernel refused."""
        refused, self._refused = self._refused, {}
        self.look(refused, bulk=True)

    def released(self, spots: Iterable[Spot]) -> None:
        """Upstream has let go of these."""
        if self._leaving:
            self.look(spot for spot in spots if spot in self._leaving)

    def release_all(self) -> None:
        """Somebody who may have held what is leaving is gone."""
        self.look(self._leaving, bulk=True)

    # -- what is so --------------------------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look at."""
        return not (self._urgent or self._bulk)

    @property
    def pending(self) -> int:
        """How many spots are to be looked at, or wait: for upstream, for leave to go, for a look at the kernel."""
        now = len(self._urgent) + len(self._bulk)
        return now + len(self._leaving) + len(self._bound) + len(self._puzzles)

    @property
    def is_puzzled(self) -> bool:
        """Whether the kernel is known to be otherwise than the mirror, somewhere."""
        return bool(self._puzzles)

    @property
    def due(self) -> float | None:
        """When the next route that waits for upstream goes anyway."""
        return next(iter(self._leaving.values()), None)

    def is_pending(self, spot: Spot) -> bool:
        """Whether it is to be looked at, or waits."""
        return any(spot in some for some in (self._urgent, self._bulk, self._leaving, self._bound, self._puzzles))

    # -- work --------------------------------------------------------------------------------------------------------

    def work(self, now: float, count: int = PIECE) -> None:
        """Looks at so many spots, and does about them what is to be done.

        Raises:
            OSError: see ``Kernel``; they are to be looked at again.
        """
        for spot, deadline in self._leaving.items():
            if deadline > now:
                break
            self._urgent[spot] = None
        spots = self._take(count)
        try:
            if spots:
                self._work(spots, now)
        except OSError:
            self._bulk.update(dict.fromkeys(spots))
            raise

    def _take(self, count: int) -> list[Spot]:
        spots: list[Spot] = []
        urgent, bulk = self._urgent, self._bulk
        while urgent and len(spots) < count:
            spot, _ = urgent.popitem(last=False)
            bulk.pop(spot, None)
            spots.append(spot)
        while bulk and len(spots) < count:
            spots.append(bulk.popitem(last=False)[0])
        return spots

    def _work(self, spots: Sequence[Spot], now: float) -> None:
        aims = self._aims(spots)
        changes: list[Change] = []
        for spot, aim in zip(spots, aims, strict=True):
            changes += self._plan(spot, aim, now)
        refused = self._kernel.change(changes) if changes else {}
        for index, change in enumerate(changes):
            if refused and index in refused:
                self._note_refusal(change, refused[index])
            else:
                self._note(change)
        self._counters.update(_COUNTED[change.verb] for index, change in enumerate(changes) if index not in refused)
        for spot, aim in zip(spots, aims, strict=True):
            self._judge(spot, aim)

    def _aims(self, spots: Sequence[Spot]) -> list[_Aim | None]:
        """What should be at these, resolved."""
        wishes = [self._wanting.at(spot) for spot in spots]
        leads = [
            self._resolver.use(spot, () if wish is None else wish.targets)
            for spot, wish in zip(spots, wishes, strict=True)
        ]
        self._resolver.resolve(lead for some in leads for lead in some)
        return [
            None if wish is None else self._aim(spot, wish, found)
            for spot, wish, found in zip(spots, wishes, leads, strict=True)
        ]

    def _aim(self, spot: Spot, wish: Wish, leads: Leads) -> _Aim:
        ways = [lead.way for lead in leads if lead.way is not None]
        reached = [way for way in ways if way.hops]
        if reached:
            return _Aim(wish.metric, via_for(spot.prefix, reached, crosses=wish.crosses))
        why = ways[0].why if ways else "nobody says who the peer is"
        if self._stands_in:
            return _Aim(wish.metric, (), Fault(Hindrance.BLACKHOLED, (why,)))
        return _Aim(wish.metric, None, Fault(Hindrance.UNRESOLVED, (why,)))

    # -- what is to be done ------------------------------------------------------------------------------------------

    def _plan(self, spot: Spot, aim: _Aim | None, now: float) -> list[Change]:
        """The changes that bring a spot nearer to what it should be; the rest follows when they are made."""
        ours = self._mirror.ours.get(spot, ())
        if aim is not None and aim.via is not None:
            place = Place(spot.table, spot.prefix, aim.metric)
            if not (ours or self._refused or self._leaving) and spot not in self._mirror.foreign:  # as most that come
                return [Change(Verb.ADD, place, aim.via)]
            here = [via for metric, via in ours if metric == aim.metric]
            is_taken = self._mirror.is_taken(place)
            if here == [aim.via] and not is_taken:
                self._leaving.pop(spot, None)
                others = [one for metric, via in ours if metric != aim.metric for one in _gone(spot, metric, via)]
                return others if others and self._may_go(spot) else []
            if not is_taken:  # and where it is, ours is not to be beside it: which of them packets take is chance
                if len(here) > 1 or _is_joined(here, spot):  # which of them a replacement would take nobody can say
                    gone = [one for via in here for one in _gone(spot, aim.metric, via)]
                    return [*gone, Change(Verb.ADD, place, aim.via)]
                return self._unless_refused(spot, Change(Verb.REPLACE if here else Verb.ADD, place, aim.via))
        if not ours:
            self._leaving.pop(spot, None)
            return []
        if not self._may_go(spot) or self._is_waited_for(spot, now):
            return []
        gone = [one for metric, via in ours for one in _gone(spot, metric, via)]
        return [change for one in gone for change in self._unless_refused(spot, one)]

    def _unless_refused(self, spot: Spot, change: Change) -> list[Change]:
        return [] if spot in self._refused and self._refused[spot][0] == change else [change]

    def _may_go(self, spot: Spot) -> bool:
        if not self._may_delete:
            self._bound[spot] = None
        return self._may_delete

    def _is_waited_for(self, spot: Spot, now: float) -> bool:
        """Whether what is at a spot must stay for a while, because upstream still sends here (rule G3)."""
        destination = self._wanting.destination(spot)
        if destination is None or not self._is_held(destination):
            self._leaving.pop(spot, None)
            return False
        if self._leaving.setdefault(spot, now + PATIENCE) > now:
            return True
        del self._leaving[spot]
        return False

    # -- what has come of it -----------------------------------------------------------------------------------------

    def _note(self, change: Change) -> None:
        """The kernel has made this change."""
        verb, place, via, _ = change
        if verb is Verb.DELETE:
            self._mirror.drop(place)
        elif self._mirror.put(place, via):
            self._urgent[Spot(place.table, place.prefix)] = None  # what it replaces goes now

    def _note_refusal(self, change: Change, refusal: Refusal) -> None:
        verb, place, *_ = change
        spot = Spot(place.table, place.prefix)
        if verb is Verb.DELETE and refusal.errno == errno.ESRCH:
            self._mirror.drop(place)
        elif refusal.errno == errno.EEXIST:
            self._mirror.in_doubt = True
            self._puzzles[spot] = None
        else:
            self._counters["refused by the kernel"] += 1
            self._refused[spot] = (change, refusal)

    def _judge(self, spot: Spot, aim: _Aim | None) -> None:
        """Whether upstream may hear of it, and why not."""
        destination = self._wanting.destination(spot)
        if self._mirror.has_charons:
            self._note_shadow(spot, is_wanted=aim is not None)
        if destination is None:
            return
        if aim is None:
            self.faults.set(spot, None)
            self._refused.pop(spot, None)
            self._gate.shut(destination)
            return
        fault, is_open = self._verdict(spot, aim)
        self.faults.set(spot, fault)
        if is_open:
            self._gate.open(destination)
        elif fault is not None:
            self._gate.shut(destination)

    def _verdict(self, spot: Spot, aim: _Aim) -> tuple[Fault | None, bool]:
        """What hinders it, and whether upstream may hear of it. Neither: it is not there, and will be (drift)."""
        metric, via, fault = aim
        mirror = self._mirror
        if via is None:
            return fault, False
        place = Place(spot.table, spot.prefix, metric)
        if spot not in mirror.foreign and mirror.via(place) == via:  # as most are
            return fault, True
        standing, by = verdict(place, mirror.others(spot))
        if by is not None and standing is Verdict.BLOCKED:  # also where ours is beside it: packets may take either
            return Fault(Hindrance.BLOCKED, (owner_of(by.protocol),)), False
        if by is not None and standing is Verdict.BEATEN and spot in mirror.ours:
            return Fault(Hindrance.BEATEN, (owner_of(by.protocol), by.place.metric)), False
        if mirror.via(place) == via:
            return fault, True
        if spot in self._refused:
            refusal = self._refused[spot][1]
            return Fault(Hindrance.REFUSED, (refusal.text or os.strerror(refusal.errno),)), False
        return None, False

    def _note_shadow(self, spot: Spot, *, is_wanted: bool) -> None:
        if is_wanted and spot.table == MAIN and Spot(CHARON, spot.prefix) in self._mirror.foreign:
            self.shadowed.add(spot)
        elif self.shadowed:
            self.shadowed.discard(spot)


class _Aim(NamedTuple):
    """A wish, resolved. ``via`` None: nothing is to be there; with a ``fault`` it does not lead where it should."""

    metric: int
    via: Via | None
    fault: Fault | None = None


def _gone(spot: Spot, metric: int, via: Via) -> list[Change]:
    """What deletes a route of ours: of an IPv6 one way by way, or those of others that the kernel has joined to it go
    too."""
    place = Place(spot.table, spot.prefix, metric)
    ways = via if spot.prefix.version == 6 else ()
    return [Change(Verb.DELETE, place, (way,)) for way in ways] or [Change(Verb.DELETE, place)]


def _is_joined(here: Sequence[Via], spot: Spot) -> bool:
    """Whether there are several ways, of which the kernel does not say whose they are."""
    return spot.prefix.version == 6 and any(len(via) > 1 for via in here)


_COUNTED = {Verb.ADD: "added", Verb.REPLACE: "replaced", Verb.DELETE: "deleted"}
