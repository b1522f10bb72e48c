"""What ExaBGP holds, what it should hold, and the next command: a pure, level-triggered draining queue.

Rules of this file: no I/O, no clock. A prefix has at most one place in the queue, so memory is bounded by the number of
routes and never by the number of changes; a change costs O(1). A place is made from what is wanted *now* against
what ExaBGP will hold once it has answered the command in flight. Three lanes, the first that has something wins:

1. small changes (at most ``MAX_NLRI`` prefixes at a time), withdraws and announcements as they came;
2. the withdraws of large changes; 3. the announcements of large changes.

Within a lane the places lie in groups of equal verb, family and path, so that a command carries up to ``MAX_NLRI`` of
them. One command is in flight at a time (docs/decisions/0001-one-command-in-flight.md): ``next_command``, then
``done``, ``error`` or ``unanswered``.
"""

from __future__ import annotations

import enum
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from rri_bgp.errors import ExabgpError
from rri_bgp.model import Path, Prefix
from rri_bgp.sinks import RouteState, SinkRoute
from rri_bgp.sinks.exabgp.commands import MAX_NLRI, Command, Verb, check

__all__ = ["DrainingQueue"]

Desired = Callable[[Prefix], Path | None]

REFUSED_BY_EXABGP = "ExaBGP answered error; its log says why"


class _Unknown(enum.Enum):
    """ExaBGP holds the prefix, with a path that nobody knows: an earlier life announced it, or an answer was lost."""

    PATH = "unknown"


_Held = Path | _Unknown | None


@dataclass(frozen=True, slots=True)
class _Refused:
    """A path that cannot be had, None for a withdraw that failed; ``kept``: ExaBGP would not withdraw what it has."""

    path: Path | None
    reason: str
    kept: bool = False


class _Lane(enum.IntEnum):
    SMALL = 0
    WITHDRAWS = 1
    BULK = 2


@dataclass(frozen=True, slots=True)
class _Group:
    """What one command may carry: ``path`` is what to announce or what was announced."""

    lane: _Lane
    verb: Verb
    version: int
    path: Path | None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.lane, self.verb, self.version, self.path)))

    def __hash__(self) -> int:
        return self._hash


class DrainingQueue:
    """Drains the difference between what is wanted and what ExaBGP holds, one command at a time."""

    def __init__(self, desired: Desired) -> None:
        self._desired = desired
        self._held: dict[Prefix, Path | _Unknown] = {}
        self._places: dict[Prefix, _Group] = {}
        self._lanes: tuple[dict[_Group, OrderedDict[Prefix, None]], ...] = ({}, {}, {})
        """Ordered dictionaries, as they are emptied from the front: a plain one would skip what is gone each time."""
        self._unwanted: dict[Prefix, None] = {}
        """Held, wanted by nobody, and kept until withdraws are allowed."""
        self._refused: dict[Prefix, _Refused] = {}
        self._suspects: dict[Prefix, int] = {}
        """Were in a grouped command that was refused: each half is tried once more, by itself, until one is left."""
        self._batches = itertools.count()
        self._last_group: _Group | None = None
        self._flying: Command | None = None
        self._aloft: frozenset[Prefix] = frozenset()
        self._flying_lane = _Lane.SMALL
        self._may_withdraw = False

    def changed(self, prefixes: Iterable[Prefix], *, bulk: bool = False) -> None:
        """Looks again at what is wanted for these prefixes; ``bulk``: they are part of a large change."""
        found = list(prefixes)
        small = not bulk and len(found) <= MAX_NLRI
        for prefix in found:
            self._place(prefix, small)

    def adopt(self, found: Mapping[Prefix, Path | None]) -> None:
        """What ExaBGP says that it holds, all of it; None for a path that we cannot have sent, or not to everybody.

        Raises:
            ExabgpError: a command is in flight; nobody can tell whether it is in ``found``.
        """
        if self._flying is not None:
            raise ExabgpError("adoption while a command is in flight")
        before = self._held
        self._held = {prefix: _Unknown.PATH if path is None else path for prefix, path in found.items()}
        for prefix in before.keys() | self._held.keys():
            self._place(prefix, small=False)

    def retry_refused(self) -> None:
        """What was refused is tried again: something has changed that may have been the reason."""
        refused, self._refused = self._refused, {}
        for prefix in refused:
            self._place(prefix, small=False)

    def withdraw_all(self) -> None:
        """Nothing is wanted any more, whatever ``desired`` says."""
        self._desired = _nothing
        self._may_withdraw = True
        for prefix in [*self._held, *self._places, *self._aloft]:
            self._place(prefix, small=False)

    def allow_withdraw(self) -> None:
        """Every source is complete: from now on what nobody wants is withdrawn."""
        self._may_withdraw = True
        for prefix in list(self._unwanted):
            self._place(prefix, small=False)

    def next_command(self) -> Command | None:
        """The next command, which is in flight from now on; None while there is one, or nothing to do."""
        if self._flying is not None:
            return None
        for group, prefixes in self._turns():
            self._leave_together(group, prefixes)
            self._flying = Command(group.verb, group.version, group.path, prefixes)
            self._aloft = frozenset(prefixes)
            self._flying_lane = group.lane
            return self._flying
        return None

    def foresee(self) -> Command | None:
        """What ``next_command`` will give after this one, as things are: time to write it down before it is due."""
        return next((Command(group.verb, group.version, group.path, found) for group, found in self._turns()), None)

    def done(self) -> Command:
        """The command in flight was answered ``done``."""
        command = self._land()
        if command.path is not None and command.verb is Verb.ANNOUNCE:
            self._held.update(dict.fromkeys(command.prefixes, command.path))
        else:
            for prefix in command.prefixes:
                self._held.pop(prefix, None)
        if self._suspects:
            for prefix in command.prefixes:
                self._suspects.pop(prefix, None)
        return command

    def error(self) -> Command:
        """It was answered ``error``: ExaBGP took none of it. Of several prefixes, each half is tried by itself."""
        command = self._land()
        if len(command.prefixes) == 1:
            self._refuse(command.prefixes[0], command)
        else:
            middle = len(command.prefixes) // 2
            for half in (command.prefixes[:middle], command.prefixes[middle:]):
                self._suspects.update(dict.fromkeys(half, next(self._batches)))
        self._replace(command)
        return command

    def unanswered(self) -> Command:
        """Its answer is lost for good: nobody knows whether ExaBGP took it, so it is done again."""
        command = self._land()
        for prefix in command.prefixes:
            self._held[prefix] = _Unknown.PATH
        self._replace(command)
        return command

    @property
    def in_flight(self) -> Command | None:
        """The command that waits for its answer."""
        return self._flying

    def route(self, prefix: Prefix) -> SinkRoute:
        """How far this prefix is."""
        held = self._held.get(prefix)
        path = held if isinstance(held, Path) else None
        refused = self._refused.get(prefix)
        if refused is not None:
            return SinkRoute(RouteState.REFUSED, path, refused.reason)
        if prefix in self._places or prefix in self._unwanted or prefix in self._aloft or held is _Unknown.PATH:
            return SinkRoute(RouteState.PENDING, path)
        return SinkRoute(RouteState.ABSENT if path is None else RouteState.CONFIRMED, path)

    @property
    def confirmed(self) -> int:
        """How many prefixes ExaBGP holds."""
        return len(self._held)

    @property
    def pending(self) -> int:
        """How many prefixes wait: for their turn, for an answer, or for leave to be withdrawn."""
        return len(self._places) + len(self._unwanted) + len(self._aloft)

    @property
    def refused(self) -> int:
        """How many prefixes cannot be had as they are wanted."""
        return len(self._refused)

    def holds_version(self, version: int) -> bool:
        """Whether ExaBGP holds any prefix of this IP version; looks through the table."""
        return any(prefix.version == version for prefix in self._held)

    def _place(self, prefix: Prefix, small: bool) -> None:
        """Gives a prefix the place that it needs now, or none."""
        wanted = self._attainable(prefix)
        expected = self._expected(prefix)
        if self._unwanted:
            self._unwanted.pop(prefix, None)
        if wanted == expected or (
            isinstance(wanted, Path) and isinstance(expected, Path) and _is_same(expected, wanted)
        ):
            self._leave(prefix)
            self._suspects.pop(prefix, None)
        elif isinstance(wanted, Path):
            self._enter(prefix, small, Verb.ANNOUNCE, wanted)
        elif self._may_withdraw:
            self._enter(prefix, small, Verb.WITHDRAW, expected if isinstance(expected, Path) else None)
        else:
            self._leave(prefix)
            self._unwanted[prefix] = None

    def _attainable(self, prefix: Prefix) -> _Held:
        """What is wanted, without what was refused: a refused path leaves nothing rather than the path before it."""
        wanted = self._desired(prefix)
        refused = self._refused.get(prefix)
        if refused is not None and refused.path != wanted:
            del self._refused[prefix]
            self._suspects.pop(prefix, None)
            refused = None
        if refused is None and wanted is not None:
            try:
                check(prefix.version, wanted)
            except ExabgpError as error:
                refused = self._refused[prefix] = _Refused(wanted, error.what)
        if refused is None:
            return wanted
        return self._expected(prefix) if refused.kept else None

    def _expected(self, prefix: Prefix) -> _Held:
        """What ExaBGP holds once it has taken the command in flight."""
        command = self._flying
        if command is not None and prefix in self._aloft:
            return None if command.verb is Verb.WITHDRAW else command.path
        return self._held.get(prefix)

    def _enter(self, prefix: Prefix, small: bool, verb: Verb, path: Path | None) -> None:
        place = self._places.get(prefix)
        lane = _Lane.SMALL if small else _Lane.WITHDRAWS if verb is Verb.WITHDRAW else _Lane.BULK
        if place is not None and place.lane is _Lane.SMALL:
            lane = _Lane.SMALL  # a large change that touches it again must not push it back
        group = self._group(lane, verb, prefix.version, path)
        if place != group:
            if place is not None:
                self._leave(prefix)
            self._places[prefix] = group
            waiting = self._lanes[lane].get(group)
            if waiting is None:
                waiting = self._lanes[lane][group] = OrderedDict()
            waiting[prefix] = None

    def _group(self, lane: _Lane, verb: Verb, version: int, path: Path | None) -> _Group:
        """Most often the one before: many prefixes of one path come together, and to build one takes a while."""
        last = self._last_group
        if last is None or last.path is not path or (last.lane, last.verb, last.version) != (lane, verb, version):
            last = self._last_group = _Group(lane, verb, version, path)
        return last

    def _leave(self, prefix: Prefix) -> None:
        group = self._places.pop(prefix, None)
        if group is not None:
            waiting = self._lanes[group.lane][group]
            del waiting[prefix]
            if not waiting:
                del self._lanes[group.lane][group]

    def _leave_together(self, group: _Group, prefixes: tuple[Prefix, ...]) -> None:
        """As ``_leave``, for the first ones of a group."""
        waiting = self._lanes[group.lane][group]
        for prefix in prefixes:
            del self._places[prefix], waiting[prefix]
        if not waiting:
            del self._lanes[group.lane][group]

    def _turns(self) -> Iterator[tuple[_Group, tuple[Prefix, ...]]]:
        """Whose turn it is: the next command's group and prefixes first."""
        for lane in self._lanes:
            for group, waiting in lane.items():
                yield group, self._pick(waiting)

    def _pick(self, waiting: OrderedDict[Prefix, None]) -> tuple[Prefix, ...]:
        """The first prefixes that may be in one command: suspects of one batch, or no suspects."""
        if not self._suspects:
            return tuple(itertools.islice(waiting, MAX_NLRI))
        picked: list[Prefix] = []
        batch: int | None = None
        for prefix in waiting:
            suspect = self._suspects.get(prefix)
            if picked and suspect != batch:
                break
            batch = suspect
            picked.append(prefix)
            if len(picked) == MAX_NLRI:
                break
        return tuple(picked)

    def _land(self) -> Command:
        command = self._flying
        if command is None:
            raise ExabgpError("an answer, but no command in flight")
        self._flying, self._aloft = None, frozenset()
        return command

    def _refuse(self, prefix: Prefix, command: Command) -> None:
        self._suspects.pop(prefix, None)
        if command.verb is Verb.WITHDRAW:
            before = self._refused.get(prefix)
            path, reason = (None, REFUSED_BY_EXABGP) if before is None else (before.path, before.reason)
            self._refused[prefix] = _Refused(path, reason, kept=True)
        else:
            self._refused[prefix] = _Refused(command.path, REFUSED_BY_EXABGP)

    def _replace(self, command: Command) -> None:
        for prefix in command.prefixes:
            self._place(prefix, small=self._flying_lane is _Lane.SMALL)


def _nothing(_prefix: Prefix) -> None:
    """Nothing is wanted."""


def _is_same(held: Path, wanted: Path) -> bool:
    """Whether they are one path to a peer: communities are sets (RFC 1997), and ExaBGP orders them as it likes."""
    return held == wanted or _canonical(held) == _canonical(wanted)


@lru_cache(maxsize=4096)
def _canonical(path: Path) -> Path:
    attributes = replace(
        path.attributes,
        communities=tuple(sorted(path.attributes.communities)),
        large_communities=tuple(sorted(path.attributes.large_communities)),
    )
    return Path(path.next_hop, attributes)
