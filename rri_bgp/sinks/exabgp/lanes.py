"""Who waits for a turn, and in which order: the container under the draining queue.

Rules of this file: pure; a key has at most one place, and memory is bounded by the number of places, never by how often
they change. Keys of one kind lie in one group, so that a command carries several of them; the groups of a lane have
their turns in the order in which they were opened.

A group's queue may hold keys that have left it: to take one out of the middle would cost more than to skip it when its
turn comes. They are swept out before they outnumber those that wait.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rri_bgp.model import Path
from rri_bgp.sinks.exabgp.commands import Verb
from rri_bgp.sinks.exabgp.forms import Form, Key

__all__ = ["Kind", "Lane", "Lanes", "Turn", "Where"]

_SWEEP = 64
"""So many that have left a group may stay in its queue, besides as many as wait in it."""


class Lane(enum.IntEnum):
    """The first lane that has something wins."""

    SMALL = 0
    """Small changes, withdraws and announcements as they came."""
    WITHDRAWS = 1
    """The withdraws of large changes."""
    BULK = 2
    """The announcements of large changes."""
    LAST = 3
    """Withdraws of what may come back in another shape."""


class Where(enum.Enum):
    """The lanes of a change: of its announcements, and of its withdraws."""

    SMALL = (Lane.SMALL, Lane.SMALL)
    LARGE = (Lane.BULK, Lane.WITHDRAWS)
    SMALL_MOVE = (Lane.SMALL, Lane.LAST)
    LARGE_MOVE = (Lane.BULK, Lane.LAST)

    @classmethod
    def after(cls, lane: Lane) -> Where:
        """Where that belongs which follows from a command of this lane."""
        return {Lane.SMALL: cls.SMALL, Lane.LAST: cls.LARGE_MOVE}.get(lane, cls.LARGE)


class Kind(NamedTuple):
    """What one command may carry: ``path`` is what to announce or what was announced."""

    lane: Lane
    verb: Verb
    form: Form
    path: Path | None


@dataclass(slots=True, eq=False)
class _Group:
    """Keys of a kind; ``count`` of those in ``waiting`` wait indeed."""

    kind: Kind
    waiting: deque[Key] = field(default_factory=deque)
    count: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Keys of one kind whose turn is next."""

    group: _Group
    keys: tuple[Key, ...]

    @property
    def kind(self) -> Kind:
        """What the command is."""
        return self.group.kind


class Lanes:
    """The places."""

    def __init__(self) -> None:
        self._places: dict[Key, _Group] = {}
        self._lanes: tuple[dict[Kind, _Group], ...] = tuple({} for _ in Lane)
        self._turn: Turn | None = None
        """Foreseen: its keys still have their places, but are out of the group's queue."""

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: Key) -> bool:
        return key in self._places

    @property
    def places(self) -> Collection[Key]:
        """All that wait, in no order; to look in it is faster than to ask here."""
        return self._places

    def lane_of(self, key: Key) -> Lane | None:
        """Where a key waits."""
        group = self._places.get(key)
        return None if group is None else group.kind.lane

    @property
    def first(self) -> Lane | None:
        """The lane whose turn it is."""
        return next((lane for lane in Lane if self._lanes[lane]), None)

    def enter(self, key: Key, kind: Kind) -> None:
        """Gives a key its place, and takes the one that it had."""
        before = self._places.get(key)
        if before is not None:
            if before.kind == kind:
                return
            self.leave(key)
        self.enter_new((key,), kind)

    def enter_new(self, keys: Sequence[Key], kind: Kind) -> None:
        """As ``enter`` for each of them; they are all different, and none has a place."""
        if not keys:
            return
        groups = self._lanes[kind.lane]
        group = groups.get(kind)
        if group is None:
            group = groups[kind] = _Group(kind)
        self._places.update(dict.fromkeys(keys, group))
        group.waiting.extend(keys)
        group.count += len(keys)
        if self._turn is not None and kind.lane < self._turn.kind.lane:
            self.reconsider()

    def leave(self, key: Key) -> None:
        """Takes a key out, wherever it waits."""
        group = self._places.get(key)
        if group is None:
            return
        if self._turn is not None and self._turn.group is group:
            self.reconsider()
        del self._places[key]
        group.count -= 1
        if not group.count:
            self._close(group)
        elif len(group.waiting) > 2 * group.count + _SWEEP:
            group.waiting = deque(dict.fromkeys(one for one in group.waiting if self._places.get(one) is group))

    def foresee(self, suspects: Mapping[Key, int]) -> Turn | None:
        """Whose turn is next, as things are: asked again, the same, until something before it changes.

        Of ``suspects`` only those of one number go together, and with no others.
        """
        if self._turn is None:
            group = next((group for lane in self._lanes for group in lane.values()), None)
            if group is not None:
                self._turn = Turn(group, self._pick(group, suspects))
        return self._turn

    def take(self, turn: Turn) -> None:
        """Their turn has come: what ``foresee`` said last."""
        self._turn = None
        for key in turn.keys:
            del self._places[key]
        turn.group.count -= len(turn.keys)
        if not turn.group.count:
            self._close(turn.group)

    def reconsider(self) -> None:
        """What was foreseen may not be next any more."""
        if self._turn is not None:
            self._turn.group.waiting.extendleft(reversed(self._turn.keys))
            self._turn = None

    def _pick(self, group: _Group, suspects: Mapping[Key, int]) -> tuple[Key, ...]:
        """The first keys that may be in one command, out of the queue."""
        waiting, places, most = group.waiting, self._places, group.kind.form.most
        if not suspects and len(waiting) == group.count:  # nobody has left it
            return tuple([waiting.popleft() for _ in range(min(most, len(waiting)))])
        picked: dict[Key, None] = {}
        batch: int | None = None
        while waiting and len(picked) < most:
            key = waiting[0]
            if places.get(key) is group and key not in picked:
                if suspects:
                    if picked and suspects.get(key) != batch:
                        break
                    batch = suspects.get(key)
                picked[key] = None
            waiting.popleft()
        return tuple(picked)

    def _close(self, group: _Group) -> None:
        del self._lanes[group.kind.lane][group.kind]
        group.waiting.clear()
