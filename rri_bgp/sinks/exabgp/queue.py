"""What ExaBGP holds, what it should hold, and the next command: a pure, level-triggered draining queue.

Rules of this file: no I/O, no clock. A key (a destination, or one of its paths with add-path) has at most one place in
the queue, so memory is bounded by the number of routes and never by the number of changes; a change costs O(1). A place
is made from what is wanted *now* against what ExaBGP will hold once it has answered the command in flight. ``lanes.py``
says whose turn is next. One command is in flight at a time (docs/decisions/0001-one-command-in-flight.md):
``next_command``, then ``done``, ``error`` or ``unanswered``.

Where a destination has several keys, what is to go waits until what is to come has landed, so that there is no gap.
What is *outdated* goes first, and all else of the destination comes after it: ExaBGP holds it in a way that a mere
announcement would not end (see ``views.py``).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import cast

from rri_bgp.errors import ExabgpError
from rri_bgp.model import Destination, Path, Prefix
from rri_bgp.sinks import RouteState
from rri_bgp.sinks.exabgp.checks import destination_fault, fault
from rri_bgp.sinks.exabgp.commands import EVERYBODY, Audience, Command, Verb
from rri_bgp.sinks.exabgp.forms import MAX_NLRI, PLAIN, Key, Numbered, destination_of, form_of
from rri_bgp.sinks.exabgp.holdings import Held, KeyState, Refused, Unknown, worst
from rri_bgp.sinks.exabgp.lanes import Kind, Lane, Lanes, Turn, Where
from rri_bgp.sinks.exabgp.paths import is_same

__all__ = ["Desired", "DrainingQueue"]

Desired = Callable[[Destination], Path | Mapping[int, Path] | None]
"""What should be announced for a destination now: one path, or several by path identifier, or nothing."""

_Names = tuple[Destination, ...]

REFUSED_BY_EXABGP = "ExaBGP answered error; its log says why"


class DrainingQueue:
    """Drains the difference between what is wanted and what ExaBGP holds, one command at a time.

    A destination's VRF is a route distinguisher here, ``labels`` are by that. ``audience`` hears all the commands.
    """

    def __init__(
        self,
        desired: Desired,
        labels: Mapping[str, int] = MappingProxyType({}),
        audience: Audience = EVERYBODY,
    ) -> None:
        self._desired = desired
        self._labels = labels
        self._audience = audience
        self._held: dict[Key, Held] = {}
        self._families: Counter[str] = Counter()
        """How many of them are of each address family."""
        self._lanes = Lanes()
        self._unwanted: dict[Key, None] = {}
        """Held, wanted by nobody, and kept until withdraws are allowed."""
        self._refused: dict[Key, Refused] = {}
        self._suspects: dict[Key, int] = {}
        """Were in a grouped command that was refused: each half is tried once more, by itself, until one is left."""
        self._numbers: dict[Destination, set[int]] = {}
        """The path identifiers of destinations that have any."""
        self._outdated: set[Key] = set()
        self._batches = itertools.count()
        self._foreseen: tuple[Turn, Command] | None = None
        self._flying: Command | None = None
        self._aloft: dict[Key, None] = {}
        """The keys of the command in flight, in its order."""
        self._flying_where = Where.SMALL
        self._may_withdraw = False

    # -- what is wanted ----------------------------------------------------------------------------------------------

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        """Looks again at what is wanted for these; ``bulk``: part of a large change; ``moves``: see ``Sink``."""
        found = list(destinations if isinstance(destinations, AbstractSet) else dict.fromkeys(destinations))
        if bulk or len(found) > MAX_NLRI:
            self._look_at_many(found, Where.LARGE_MOVE if moves else Where.LARGE)
            return
        for destination in found:
            self._look(destination, Where.SMALL_MOVE if moves else Where.SMALL)

    def retry_refused(self) -> None:
        """What was refused is tried again: something has changed that may have been the reason."""
        refused, self._refused = self._refused, {}
        self.changed(map(destination_of, refused), bulk=True)

    def withdraw_all(self) -> None:
        """Nothing is wanted any more, whatever ``desired`` says."""
        self._desired = _nothing
        self._may_withdraw = True
        self.changed(map(destination_of, [*self._held, *self._lanes.places, *self._aloft]), bulk=True)

    def allow_withdraw(self) -> None:
        """Every source is complete: from now on what nobody wants is withdrawn."""
        self._may_withdraw = True
        self.changed(map(destination_of, list(self._unwanted)), bulk=True)

    def adopt(self, found: Mapping[Key, Held], outdated: Iterable[Key] = (), *, moves: bool = False) -> None:
        """What ExaBGP says that it holds, all of it, and which of it is outdated.

        Raises:
            ExabgpError: a command is in flight; nobody can tell whether it is in ``found``.
        """
        if self._flying is not None:
            raise ExabgpError("adoption while a command is in flight")
        before, self._held = self._held, dict(found)
        self._families = Counter(form_of(key, self._labels).family for key in found)
        self._outdated = set(outdated)
        for key in found:
            if isinstance(key, Numbered):
                self._numbers.setdefault(key.destination, set()).add(key.path_id)
        self.changed(map(destination_of, before.keys() | found.keys()), bulk=True, moves=moves)

    # -- what is said ------------------------------------------------------------------------------------------------

    @property
    def first_lane(self) -> Lane | None:
        """The lane of the next command, None for none."""
        return self._lanes.first

    def foresee(self) -> Command | None:
        """What ``next_command`` will give after this one, as things are: time to write it down before it is due."""
        turn = self._lanes.foresee(self._suspects)
        if turn is None:
            self._foreseen = None
            return None
        if self._foreseen is None or self._foreseen[0] is not turn:
            _lane, verb, form, path = turn.kind
            names = tuple(map(destination_of, turn.keys)) if form.path_id is not None else cast(_Names, turn.keys)
            self._foreseen = (turn, Command(verb, form, path, names, self._audience))
        return self._foreseen[1]

    def next_command(self) -> Command | None:
        """The next command, which is in flight from now on; None while there is one, or nothing to do."""
        if self._flying is not None or self.foresee() is None or self._foreseen is None:
            return None
        turn, self._flying = self._foreseen
        self._foreseen = None
        self._lanes.take(turn)
        self._aloft = dict.fromkeys(turn.keys)
        self._flying_where = Where.after(turn.kind.lane)
        return self._flying

    def done(self) -> Command:
        """The command in flight was answered ``done``."""
        command, keys = self._land()
        before = len(self._held)
        if command.path is not None and command.verb is Verb.ANNOUNCE:
            self._held.update(dict.fromkeys(keys, command.path))
        else:
            for key in keys:
                self._held.pop(key, None)
        self._families[command.form.family] += len(self._held) - before
        if self._suspects:
            for key in keys:
                self._suspects.pop(key, None)
        if self._numbers or self._outdated:
            self._go_on(command.verb, keys)
        return command

    def _go_on(self, verb: Verb, keys: Iterable[Key]) -> None:
        """What waited for these keys to land."""
        for key in keys:
            was_outdated = verb is Verb.WITHDRAW and key in self._outdated
            if was_outdated:
                self._outdated.discard(key)
            if was_outdated or destination_of(key) in self._numbers:
                self._look(destination_of(key), self._flying_where)

    def error(self) -> Command:
        """It was answered ``error``: ExaBGP took none of it. Of several keys, each half is tried by itself."""
        command, keys = self._land()
        self._lanes.reconsider()
        if len(keys) == 1:
            self._refuse(keys[0], command)
        else:
            middle = len(keys) // 2
            for half in (keys[:middle], keys[middle:]):
                self._suspects.update(dict.fromkeys(half, next(self._batches)))
        self._replace(keys)
        return command

    def unanswered(self) -> Command:
        """Its answer is lost for good: nobody knows whether ExaBGP took it, so it is done again."""
        command, keys = self._land()
        before = len(self._held)
        self._held.update(dict.fromkeys(keys, Unknown.PATH))
        self._families[command.form.family] += len(self._held) - before
        self._replace(keys)
        return command

    # -- what is so --------------------------------------------------------------------------------------------------

    @property
    def in_flight(self) -> Command | None:
        """The command that waits for its answer."""
        return self._flying

    @property
    def held(self) -> Mapping[Key, Held]:
        """What ExaBGP holds, as far as it has answered."""
        return self._held

    def state(self, destination: Destination) -> KeyState:
        """How far this destination is."""
        numbers = self._numbers.get(destination)
        if not numbers:
            return self._state(destination)
        return worst(
            self._state(key) for key in (destination, *(Numbered(destination, one) for one in sorted(numbers)))
        )

    def _state(self, key: Key) -> KeyState:
        held = self._held.get(key)
        paths = (held,) if isinstance(held, Path) else ()
        refused = self._refused.get(key)
        if refused is not None:
            return KeyState(RouteState.REFUSED, paths, refused.reason)
        if key in self._lanes or key in self._unwanted or key in self._aloft or held is Unknown.PATH:
            return KeyState(RouteState.PENDING, paths)
        return KeyState(RouteState.CONFIRMED if paths else RouteState.ABSENT, paths)

    def holds(self, destination: Destination) -> bool:
        """Whether ExaBGP has it, in whatever shape, or may have it once it has answered."""
        if destination in self._held or destination in self._aloft:
            return True
        numbers = self._numbers.get(destination, ())
        return any(self._expected(Numbered(destination, number)) is not None for number in numbers)

    @property
    def confirmed(self) -> int:
        """How many keys ExaBGP holds."""
        return len(self._held)

    @property
    def pending(self) -> int:
        """How many keys wait: for their turn, for an answer, or for leave to be withdrawn."""
        return len(self._lanes) + len(self._unwanted) + len(self._aloft)

    @property
    def refused(self) -> int:
        """How many keys cannot be had as they are wanted."""
        return len(self._refused)

    def holds_family(self, family: str) -> bool:
        """Whether ExaBGP holds anything of this address family."""
        return self._families[family] > 0

    # -- places ------------------------------------------------------------------------------------------------------

    def _look_at_many(self, found: list[Destination], where: Where) -> None:
        """As ``_look`` for each. Most are plain, and new: these go to their groups together."""
        desired, held, places, aloft = self._desired, self._held, self._lanes.places, self._aloft
        special = self._refused.keys() | self._suspects.keys() | self._numbers.keys() | self._outdated
        runs: dict[int, dict[int, tuple[Path, list[Prefix]]]] = {4: {}, 6: {}}
        for destination in found:
            if (
                not isinstance(destination, Prefix)
                or destination in held
                or destination in places
                or destination in aloft
                or (special and destination in special)
            ):
                self._look(destination, where)
                continue
            wanted = desired(destination)
            if wanted is None:
                continue
            run = runs[destination[0]].get(id(wanted))
            if run is None:
                if not isinstance(wanted, Path) or fault(PLAIN[destination[0]], wanted):
                    self._look(destination, where)
                    continue
                run = runs[destination[0]][id(wanted)] = (wanted, [])
            run[1].append(destination)
        for version, by_path in runs.items():
            for path, prefixes in by_path.values():
                self._lanes.enter_new(prefixes, Kind(where.value[0], Verb.ANNOUNCE, PLAIN[version], path))

    def _look(self, destination: Destination, where: Where) -> None:
        """Gives a destination the places that it needs now, or none."""
        wanted = self._desired(destination)
        if isinstance(wanted, Mapping) or destination in self._numbers or destination in self._outdated:
            self._place_several(destination, wanted, where)
        else:
            self._place(destination, wanted, where)

    def _place_several(self, destination: Destination, wanted: Path | Mapping[int, Path] | None, where: Where) -> None:
        numbers = self._numbers.pop(destination, set())
        paths: dict[Key, Path] = {}
        if isinstance(wanted, Mapping):
            numbers.update(wanted)
            paths.update((Numbered(destination, number), path) for number, path in wanted.items())
        elif wanted is not None:
            paths[destination] = wanted
        if numbers:
            self._numbers[destination] = numbers
        known: list[Key] = [destination, *(Numbered(destination, number) for number in sorted(numbers))]
        if any(key in self._outdated for key in known):
            paths.clear()
        for key in known:
            if key in paths:
                self._place(key, paths[key], where)
        comes = any(key in self._lanes or key in self._aloft for key in paths)
        for key in known:
            if key not in paths:
                self._go(key, where, may_go=not comes)
        self._forget_numbers(destination)

    def _go(self, key: Key, where: Where, *, may_go: bool) -> None:
        """A key that is not wanted: it goes, or waits for others to come. Until then it has no place."""
        if may_go or self._expected(key) is None:
            self._place(key, None, where)
        else:
            self._lanes.leave(key)

    def _forget_numbers(self, destination: Destination) -> None:
        """Those of which nothing is left."""
        numbers = self._numbers.get(destination, set())
        gone = {number for number in numbers if not self._knows(Numbered(destination, number))}
        numbers -= gone
        if not numbers:
            self._numbers.pop(destination, None)

    def _knows(self, key: Key) -> bool:
        return any(key in some for some in (self._held, self._lanes, self._aloft, self._refused))

    def _place(self, key: Key, wanted: Path | None, where: Where) -> None:
        """Gives a key the place that it needs now, or none."""
        attainable = self._attainable(key, wanted)
        expected = self._expected(key)
        if self._unwanted:
            self._unwanted.pop(key, None)
        if attainable == expected or (
            isinstance(attainable, Path) and isinstance(expected, Path) and is_same(expected, attainable)
        ):
            self._lanes.leave(key)
            self._suspects.pop(key, None)
        elif isinstance(attainable, Path):
            self._enter(key, where, Verb.ANNOUNCE, attainable)
        elif self._may_withdraw:
            self._enter(key, where, Verb.WITHDRAW, expected if isinstance(expected, Path) else None)
        else:
            self._lanes.leave(key)
            self._unwanted[key] = None

    def _attainable(self, key: Key, wanted: Path | None) -> Held | None:
        """What is wanted, without what was refused: a refused path leaves nothing rather than the path before it."""
        refused = self._refused.get(key)
        if refused is not None and refused.path != wanted:
            del self._refused[key]
            self._suspects.pop(key, None)
            refused = None
        if refused is None and wanted is not None:
            why = fault(form_of(key, self._labels), wanted) or destination_fault(destination_of(key))
            if why:
                refused = self._refused[key] = Refused(wanted, why)
        if refused is None:
            return wanted
        return self._expected(key) if refused.kept else None

    def _expected(self, key: Key) -> Held | None:
        """What ExaBGP holds once it has taken the command in flight."""
        command = self._flying
        if command is not None and key in self._aloft:
            return None if command.verb is Verb.WITHDRAW else command.path
        return self._held.get(key)

    def _enter(self, key: Key, where: Where, verb: Verb, path: Path | None) -> None:
        lane = where.value[verb is Verb.WITHDRAW]
        if self._lanes.lane_of(key) is Lane.SMALL:
            lane = Lane.SMALL  # a large change that touches it again must not push it back
        self._lanes.enter(key, Kind(lane, verb, form_of(key, self._labels), path))

    # -- answers -----------------------------------------------------------------------------------------------------

    def _land(self) -> tuple[Command, tuple[Key, ...]]:
        command, keys = self._flying, tuple(self._aloft)
        if command is None:
            raise ExabgpError("an answer, but no command in flight")
        self._flying, self._aloft = None, {}
        return command, keys

    def _refuse(self, key: Key, command: Command) -> None:
        self._suspects.pop(key, None)
        if command.verb is Verb.WITHDRAW:
            before = self._refused.get(key)
            path, reason = (None, REFUSED_BY_EXABGP) if before is None else (before.path, before.reason)
            self._refused[key] = Refused(path, reason, kept=True)
        else:
            self._refused[key] = Refused(command.path, REFUSED_BY_EXABGP)

    def _replace(self, keys: Iterable[Key]) -> None:
        for destination in dict.fromkeys(map(destination_of, keys)):
            self._look(destination, self._flying_where)


def _nothing(_destination: Destination) -> None:
    """Nothing is wanted."""
