"""One ExaBGP as a sink, over a pair of byte streams.

Rules of this file: ``dialogue.py`` says what an answer means and ``queue.py`` what to do next; here are the streams,
the timer and the questions. Answers are always read, also while nothing is in flight: ExaBGP stops its whole daemon
when its answers fill the pipe. What is written is printable ASCII, one line a command. A change is written in the call
that brings it, when nothing is in flight.

It opens with questions: which version, which neighbours, which routes it still holds from an earlier life of this
process. Only then come routes: what is right already is left alone. Routes in ExaBGP's table that nobody owns are
withdrawn once every source is complete, so the neighbours that name this process in their ``api`` must be fed by nobody
else.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rri_bgp.errors import EnvironmentProblem
from rri_bgp.model import Destination, Path, Prefix
from rri_bgp.policy.config import ExabgpSettings, OnExit
from rri_bgp.rri.entries import Policy
from rri_bgp.sinks import NeighborState, RouteState, SinkRoute, SinkStatus, Wanted
from rri_bgp.sinks.exabgp import answers
from rri_bgp.sinks.exabgp.answers import Done, Error, NeighborEvent, NeighborFamilies, Other, Shutdown
from rri_bgp.sinks.exabgp.commands import (
    OPENING,
    OPENING_ANSWERS,
    PROBE,
    PROBE_BEGINS,
    SHOW_ROUTES,
    Command,
    Verb,
    end_of_rib,
)
from rri_bgp.sinks.exabgp.dialects import ALLOWED, EXABGP5, dialect_of
from rri_bgp.sinks.exabgp.dialogue import Dialogue, Effect, Heard
from rri_bgp.sinks.exabgp.queue import DrainingQueue

__all__ = ["ExabgpSink"]

log = logging.getLogger(__name__)

_CHUNK = 65536
_FAMILY = {4: "ipv4 unicast", 6: "ipv6 unicast"}


@dataclass(frozen=True, slots=True)
class _Question:
    """A line to ask, and who takes its answer; ``begins`` tells the line that nothing else would print.

    ``take`` is given each line as it comes (a table may be long), ``answered`` is called after the last.
    """

    line: str
    take: Callable[[str], None]
    answered: Callable[[], None]
    begins: Callable[[str], bool] | None = None


class ExabgpSink:
    """Makes ExaBGP announce what is wanted. See ``rri_bgp.sinks.Sink`` for the contract."""

    def __init__(
        self,
        wanted: Wanted,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        settings: ExabgpSettings,
        *,
        name: str = "exabgp",
    ) -> None:
        self._queue = DrainingQueue(wanted.path)
        self._reader = reader
        self._writer = writer
        self._settings = settings
        self._name = name
        self._dialogue = Dialogue()
        self._dialect = EXABGP5
        self._questions = deque([_Question(OPENING, self._take_version, self._check_version, _is_version)])
        self._asked: _Question | None = None
        self._unmeant_answers = OPENING_ANSWERS - 1
        self._version: tuple[int, int, int] | None = None
        self._neighbor_lines: list[str] = []
        self._routes: dict[Prefix, dict[str, Path | None]] = {}
        """What ExaBGP holds for whom, while it tells."""
        self._is_open = self._is_ready = self._may_withdraw = False
        self._neighbors: dict[str, NeighborFamilies] = {}
        self._waiting_for_rib: set[str] = set()
        """Neighbours that came up and have not been told that the table is complete."""
        self._timer: asyncio.TimerHandle | None = None
        self._drained = asyncio.Event()
        self._counters: Counter[str] = Counter()

    # -- the contract ------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """See ``Sink``."""
        return self._name

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        """See ``Sink``. Written at once when nothing is in flight."""
        self._queue.changed([one for one in destinations if isinstance(one, Prefix)], bulk=bulk)
        self._pump()

    def allow_withdraw(self) -> None:
        """See ``Sink``."""
        self._may_withdraw = True
        self._queue.allow_withdraw()
        self._pump()

    def take_settings(self, policy: Policy) -> None:
        """See ``Sink``."""
        self.retry()

    def retry(self) -> None:
        """See ``Sink``."""
        self._queue.retry_refused()
        self._pump()

    def route(self, destination: Destination, /) -> SinkRoute:
        """See ``Sink``."""
        return self._queue.route(destination) if isinstance(destination, Prefix) else SinkRoute(RouteState.ABSENT)

    def status(self) -> SinkStatus:
        """See ``Sink``. Ready once ExaBGP has answered the opening questions and is not late with an answer."""
        return SinkStatus(
            name=self._name,
            ready=self._is_open and self._is_ready and not self._dialogue.lates,
            confirmed=self._queue.confirmed,
            pending=self._queue.pending,
            refused=self._queue.refused,
            neighbors=tuple(one.neighbor for one in self._neighbors.values()),
            counters=tuple(sorted(self._counters.items())),
            detail="; ".join(self._details()),
        )

    async def run(self) -> None:
        """Talks until ExaBGP says shutdown or closes the stream.

        Raises:
            EnvironmentProblem: this ExaBGP is too old.
        """
        self._is_open = True
        try:
            self._pump()
            await self._read()
        finally:
            self._is_open = False
            self._stop_timer()
            self._drained.set()

    async def finish(self) -> None:
        """See ``Sink``: withdraws everything where the policy says ``on-exit: withdraw``, and waits for the answers."""
        if self._settings.on_exit is OnExit.WITHDRAW and self._is_open:
            self._queue.withdraw_all()
            self._pump()
            await self._drained.wait()

    # -- from ExaBGP -------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        lines = answers.Lines()
        while data := await self._reader.read(_CHUNK):
            for line in lines.feed(data):
                answer = answers.parse(line)
                if isinstance(answer, Shutdown):
                    self._dialogue.step(Heard.SHUTDOWN)
                    log.info("%s is shutting down", self._name)
                    return
                self._take(answer)
        self._dialogue.step(Heard.SHUTDOWN)
        log.info("%s closed the stream", self._name)

    def _take(self, answer: answers.Answer) -> None:
        match answer:
            case Done():
                self._step(Heard.DONE)
            case Error():
                self._step(Heard.ERROR)
            case NeighborEvent(neighbor):
                self._session(neighbor)
            case Other(text):
                self._step(Heard.BEGIN if self._begins(text) else Heard.OUTPUT, text)

    def _begins(self, text: str) -> bool:
        return self._asked is not None and self._asked.begins is not None and self._asked.begins(text)

    def _step(self, heard: Heard, text: str = "") -> None:
        effect = self._dialogue.step(heard)
        match effect:
            case Effect.TAKE if self._asked is not None:
                self._asked.take(text)
                return
            case Effect.STRAY:
                self._stray(text)
                return
            case Effect.NOTHING | Effect.TAKE:
                return
            case Effect.DONE:
                self._done(self._queue.done())
            case Effect.ERROR:
                self._refused(self._queue.error())
            case Effect.UNANSWERED:
                self._asked = None
                self._counters["answers lost"] += 1
                command = self._queue.unanswered()
                log.warning("%s never answered a command with %d prefixes: again", self._name, len(command.prefixes))
            case Effect.ANSWERED:
                self._answered()
            case Effect.PROBE | Effect.WAIT:
                self._late(effect)
                return
        self._pump()

    def _stray(self, text: str) -> None:
        if not text and self._unmeant_answers:
            self._unmeant_answers -= 1
        else:
            self._counters["lines ignored" if text else "answers to nothing"] += 1

    def _done(self, command: Command) -> None:
        self._counters["announced" if command.verb is Verb.ANNOUNCE else "withdrawn"] += len(command.prefixes)

    def _refused(self, command: Command) -> None:
        self._counters["errors"] += 1
        if len(command.prefixes) == 1:
            log.error("%s refused to %s %s; its log says why", self._name, command.verb.value, command.prefixes[0])

    def _answered(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.answered()

    # -- to ExaBGP ---------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Sends what is next, if nothing is in flight."""
        if not self._is_open or not self._dialogue.is_idle:
            return
        self._stop_timer()
        if self._questions:
            self._ask(self._questions.popleft())
        elif command := self._queue.next_command():
            self._dialogue.step(Heard.COMMAND)
            self._counters[f"{command.verb.value} commands"] += 1
            self._send(command.line())
            self._foresee()
        elif self._waiting_for_rib and self._may_withdraw:
            self._tell_end_of_rib()
        else:
            self._drained.set()

    def _foresee(self) -> None:
        """Writes down what will be next while ExaBGP is busy: it works on at once when it is there at once."""
        if foreseen := self._queue.foresee():
            foreseen.line()

    def _ask(self, question: _Question) -> None:
        self._asked = question
        self._dialogue.step(Heard.ASK_UNMARKED if question.begins is None else Heard.ASK)
        self._send(question.line)

    def _send(self, line: str) -> None:
        self._drained.clear()
        self._writer.write(line.encode("ascii", "replace") + b"\n")
        self._start_timer()

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._settings.ack_timeout, self._step, Heard.LATE)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self, effect: Effect) -> None:
        self._counters["answers late"] += 1
        log.warning("%s has not answered for %g s; waiting", self._name, self._silence())
        if effect is Effect.PROBE:
            self._asked = _Question(PROBE, _ignore, _nothing, lambda line: line.startswith(PROBE_BEGINS))
            self._send(PROBE)
        else:
            self._start_timer()

    def _silence(self) -> float:
        return self._dialogue.lates * self._settings.ack_timeout

    # -- questions ---------------------------------------------------------------------------------------------------

    def _take_version(self, line: str) -> None:
        self._version = self._version or answers.version(line)

    def _check_version(self) -> None:
        if self._version is None:
            raise EnvironmentProblem(f"this is no ExaBGP that says its version; {ALLOWED} is needed")
        self._dialect = dialect_of(self._version)
        self._questions.extend((self._neighbors_question(), self._routes_question()))

    def _neighbors_question(self) -> _Question:
        dialect, take = self._dialect, self._neighbor_lines.append
        return _Question(dialect.show_neighbors, take, self._take_neighbors, dialect.begins)

    def _take_neighbors(self) -> None:
        found = {one.neighbor.peer: one for one in self._dialect.read_neighbors(self._neighbor_lines)}
        self._neighbor_lines.clear()
        come = found.keys() - self._neighbors.keys()
        self._neighbors = {peer: self._with_reason(one) for peer, one in found.items()}
        if self._is_ready:
            if come:
                log.info("%s has a new neighbor: %s", self._name, ", ".join(sorted(come)))
            # A session came up. ExaBGP may have been reloaded before: a neighbour that is new, back, or has another
            # name or family, has none of the routes that it was given earlier, and nothing tells of that.
            self._questions.append(self._routes_question())
        else:
            self._waiting_for_rib.update(peer for peer, one in found.items() if one.neighbor.state == "up")

    def _with_reason(self, one: NeighborFamilies) -> NeighborFamilies:
        known = self._neighbors.get(one.neighbor.peer)
        if known is None or known.neighbor.state == "up" or one.neighbor.state == "up":
            return one
        return NeighborFamilies(known.neighbor, one.families, one.graceful)

    def _routes_question(self) -> _Question:
        return _Question(SHOW_ROUTES, self._take_route, self._adopt)

    def _take_route(self, line: str) -> None:
        route = answers.held_route(line)
        if route is not None:
            self._routes.setdefault(route.prefix, {})[route.peer] = route.path

    def _adopt(self) -> None:
        """What ExaBGP holds is known. A path that not every neighbour of the family has goes to all once more."""
        self._queue.adopt({prefix: self._common_path(prefix, held) for prefix, held in self._routes.items()})
        self._routes.clear()
        self._is_ready = True

    def _common_path(self, prefix: Prefix, held: dict[str, Path | None]) -> Path | None:
        family = _FAMILY[prefix.version]
        peers = [peer for peer, one in self._neighbors.items() if family in one.families]
        found = {held.get(peer) for peer in peers or held}
        return found.pop() if len(found) == 1 else None

    # -- neighbours --------------------------------------------------------------------------------------------------

    def _session(self, neighbor: NeighborState) -> None:
        is_up = neighbor.state == "up"
        log.log(
            logging.INFO if is_up else logging.DEBUG,
            "neighbor %s is %s %s",
            neighbor.peer,
            neighbor.state,
            neighbor.reason,
        )
        known = self._neighbors.get(neighbor.peer)
        if known is not None:
            self._neighbors[neighbor.peer] = NeighborFamilies(neighbor, known.families, known.graceful)
        if is_up and self._is_ready:
            self._counters["sessions up"] += 1
            self._waiting_for_rib.add(neighbor.peer)
            self._queue.retry_refused()
            if not any(question.line == self._dialect.show_neighbors for question in self._questions):
                self._questions.append(self._neighbors_question())
            self._pump()

    def _tell_end_of_rib(self) -> None:
        """The table is out. A neighbour with graceful restart keeps what it had before until it hears of that."""
        peer = self._waiting_for_rib.pop()
        one = self._neighbors.get(peer)
        families = sorted(one.families & set(_FAMILY.values())) if one is not None and one.graceful else []
        self._questions.extend(_Question(end_of_rib(peer, family), _ignore, _nothing) for family in families)
        self._pump()

    def _details(self) -> Iterator[str]:
        if not self._is_ready:
            yield "waiting for ExaBGP's first answers"
        if self._dialogue.lates:
            yield f"ExaBGP has not answered for {self._silence():g} s"
        for peer, one in self._neighbors.items():
            for version, family in _FAMILY.items():
                if family not in one.families and self._queue.holds_version(version):
                    yield f"neighbor {peer} has no `{family}`: it gets none of the IPv{version} routes"


def _is_version(line: str) -> bool:
    return answers.version(line) is not None


def _ignore(_line: str) -> None:
    """Nobody wants to know."""


def _nothing() -> None:
    """Nothing follows."""
