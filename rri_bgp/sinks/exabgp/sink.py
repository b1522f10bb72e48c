"""The dialogue with one ExaBGP over a pair of byte streams.

Rules of this file: one command in flight, and nothing is sent before its answer, so an answer belongs to a command.
Answers are always read, also while nothing is in flight: ExaBGP stops its whole daemon when its answers fill the pipe.
What is written is printable ASCII, one line a command. A change is written in the call that brings it, when nothing is
in flight.

It opens with questions: acknowledgements on, which version, which neighbours, which routes it still holds from an
earlier life of this process. Only then come routes. Routes in ExaBGP's table that nobody owns are withdrawn once every
source is complete, so the neighbours that name this process in their ``api`` must be fed by nobody else.

An answer that is late is waited for, however long: with a second command on its way no answer would belong to anything
any more. After ``ack_timeout`` one question follows whose output cannot be mistaken and which ExaBGP runs after the
command; when that is answered and the command was not, the answer is lost for good and the command is done again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rri_bgp.errors import EnvironmentProblem
from rri_bgp.model import Prefix
from rri_bgp.policy.config import ExabgpSettings
from rri_bgp.sinks import Desired, NeighborState, SinkRoute, SinkStatus
from rri_bgp.sinks.exabgp import answers
from rri_bgp.sinks.exabgp.answers import Done, Error, NeighborEvent, NeighborFamilies, Other, Shutdown
from rri_bgp.sinks.exabgp.commands import OPENING, SHOW_NEIGHBORS, SHOW_ROUTES, Command, Verb
from rri_bgp.sinks.exabgp.queue import DrainingQueue

__all__ = ["OLDEST_EXABGP", "ExabgpSink"]

log = logging.getLogger(__name__)

OLDEST_EXABGP = (5, 0, 13)
"""Before it a peer could write lines into our side of the process API (ExaBGP 5.0.11 to 5.0.13, SECURITY)."""

_EXIT_DELAY = 15.0
"""Seconds before giving up. ExaBGP starts a helper that ends at once six times in 64 s and then ends itself, sessions
and all: at this pace it never does."""

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class _Question:
    """A line to ask, who takes each line of its output, and what follows its answer.

    ``begins`` tells the line that no other command would have printed. An answer before that is not for this question:
    it is for the command in flight, or for a command of an earlier life, which ExaBGP answers to whoever lives now.
    """

    line: str
    take: Callable[[str], None]
    begins: Callable[[str], bool] | None = None
    answered: Callable[[], None] | None = None


class ExabgpSink:
    """Makes ExaBGP announce what is wanted. See ``rri_bgp.sinks.Sink`` for the contract."""

    def __init__(
        self,
        desired: Desired,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        settings: ExabgpSettings,
        *,
        name: str = "exabgp",
        exit_delay: float = _EXIT_DELAY,
    ) -> None:
        self._queue = DrainingQueue(desired)
        self._reader = reader
        self._writer = writer
        self._settings = settings
        self._name = name
        self._exit_delay = exit_delay
        self._questions = deque(self._opening())
        self._asked: _Question | None = None
        """The question in flight; while a command is in flight too, the one that shows whether its answer is lost."""
        self._begun = False
        """Whether the output of that question has begun: the next answer is its own."""
        self._opened = False
        self._is_open = False
        self._version: tuple[int, int, int] | None = None
        self._neighbors: dict[str, NeighborState] = {}
        self._families: dict[str, frozenset[str]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._late = 0
        self._counters: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """See ``Sink``."""
        return self._name

    def changed(self, prefixes: Iterable[Prefix]) -> None:
        """See ``Sink``. Written at once when nothing is in flight."""
        self._queue.changed(prefixes)
        self._pump()

    def allow_withdraw(self) -> None:
        """See ``Sink``."""
        self._queue.allow_withdraw()
        self._pump()

    def route(self, prefix: Prefix) -> SinkRoute:
        """See ``Sink``."""
        return self._queue.route(prefix)

    def status(self) -> SinkStatus:
        """See ``Sink``. Ready once ExaBGP has answered the opening questions and is not late with an answer."""
        return SinkStatus(
            name=self._name,
            ready=self._is_open and self._opened and not self._late,
            confirmed=self._queue.confirmed,
            pending=self._queue.pending,
            refused=self._queue.refused,
            neighbors=tuple(self._neighbors.values()),
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
        except EnvironmentProblem as problem:
            log.error("%s; ending in %g s", problem, self._exit_delay)
            await asyncio.sleep(self._exit_delay)
            raise
        finally:
            self._is_open = False
            self._stop_timer()

    async def _read(self) -> None:
        lines = answers.Lines()
        while data := await self._reader.read(_CHUNK):
            for line in lines.feed(data):
                answer = answers.parse(line)
                if isinstance(answer, Shutdown):
                    log.info("ExaBGP is shutting down")
                    return
                self._take(answer)
        log.info("ExaBGP closed the stream")

    def _take(self, answer: answers.Answer) -> None:
        match answer:
            case Done() | Error():
                self._answered(is_done=isinstance(answer, Done))
            case NeighborEvent(neighbor):
                self._session(neighbor)
            case Other(text) if self._asked is not None:
                self._begun = self._begun or (self._asked.begins is not None and self._asked.begins(text))
                self._asked.take(text)
            case _:
                self._counters["lines ignored"] += 1

    def _pump(self) -> None:
        """Sends what is next, if nothing is in flight."""
        if not self._is_open or self._asked is not None or self._queue.in_flight is not None:
            return
        if self._questions:
            self._ask(self._questions.popleft())
        elif command := self._queue.next_command():
            self._send(command.line())
            self._counters[f"{command.verb.value} commands"] += 1

    def _ask(self, question: _Question) -> None:
        self._asked = question
        self._begun = question.begins is None
        self._send(question.line)

    def _send(self, line: str) -> None:
        self._writer.write(line.encode("ascii") + b"\n")
        self._start_timer()

    def _answered(self, *, is_done: bool) -> None:
        command, asked = self._queue.in_flight, self._asked
        if asked is not None and self._begun:
            if command is not None:
                self._answer_lost(command)
            self._asked = None
            if asked.answered is not None:
                asked.answered()
        elif command is not None:
            self._command_answered(command, is_done=is_done)
        else:
            self._counters["answers to nothing"] += 1
        if self._asked is None:
            self._stop_timer()
            self._late = 0
        self._pump()

    def _command_answered(self, command: Command, *, is_done: bool) -> None:
        if is_done:
            self._queue.done()
            verb = "announced" if command.verb is Verb.ANNOUNCE else "withdrawn"
            self._counters[verb] += len(command.prefixes)
            return
        self._queue.error()
        self._counters["errors"] += 1
        if len(command.prefixes) == 1:
            log.error("ExaBGP refused to %s %s; its log says why", command.verb.value, command.prefixes[0])

    def _answer_lost(self, command: Command) -> None:
        self._queue.unanswered()
        self._counters["answers lost"] += 1
        log.warning("ExaBGP never answered a command with %d prefixes: doing it again", len(command.prefixes))

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._settings.ack_timeout, self._is_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_late(self) -> None:
        self._late += 1
        self._counters["answers late"] += 1
        log.warning("ExaBGP has not answered for %g s; waiting", self._late * self._settings.ack_timeout)
        if self._asked is None and self._queue.in_flight is not None:
            self._ask(self._neighbors_question())
        else:
            self._start_timer()

    def _opening(self) -> Iterable[_Question]:
        yield _Question(OPENING, self._take_version, lambda line: bool(answers.version(line)), self._check_version)
        yield self._neighbors_question()
        yield _Question(SHOW_ROUTES, self._take_route, answered=self._take_open)

    def _neighbors_question(self) -> _Question:
        return _Question(SHOW_NEIGHBORS, self._take_neighbors, lambda line: answers.neighbors(line) is not None)

    def _take_open(self) -> None:
        self._opened = True

    def _take_version(self, line: str) -> None:
        self._version = self._version or answers.version(line)

    def _check_version(self) -> None:
        needed = ".".join(map(str, OLDEST_EXABGP))
        if self._version is None:
            raise EnvironmentProblem(f"this is no ExaBGP that says its version; {needed} or later is needed")
        if self._version < OLDEST_EXABGP:
            found = ".".join(map(str, self._version))
            raise EnvironmentProblem(f"ExaBGP {found} is too old: {needed} or later is needed")

    def _take_neighbors(self, line: str) -> None:
        found = answers.neighbors(line)
        if found is not None:
            self._neighbors = {one.neighbor.peer: self._keep_reason(one) for one in found}
            self._families = {one.neighbor.peer: one.families for one in found}

    def _keep_reason(self, one: NeighborFamilies) -> NeighborState:
        known = self._neighbors.get(one.neighbor.peer)
        if known is None or known.state == "up" or one.neighbor.state == "up":
            return one.neighbor
        return known

    def _take_route(self, line: str) -> None:
        prefix = answers.held_prefix(line)
        if prefix is not None:
            self._queue.adopt(prefix)

    def _session(self, neighbor: NeighborState) -> None:
        level = logging.INFO if neighbor.state == "up" else logging.DEBUG
        log.log(level, "neighbor %s is %s %s", neighbor.peer, neighbor.state, neighbor.reason)
        self._neighbors[neighbor.peer] = neighbor
        if neighbor.state == "up":
            self._counters["sessions up"] += 1
            if not any(question.line == SHOW_NEIGHBORS for question in self._questions):
                self._questions.append(self._neighbors_question())
                self._pump()

    def _details(self) -> Iterable[str]:
        if not self._opened:
            yield "waiting for ExaBGP's first answers"
        if self._late:
            yield f"ExaBGP has not answered for {self._late * self._settings.ack_timeout:g} s"
        for peer, families in self._families.items():
            for version in (4, 6):
                if f"ipv{version} unicast" not in families and self._queue.holds_version(version):
                    yield f"neighbor {peer} has no `ipv{version} unicast`: it gets none of the IPv{version} routes"
