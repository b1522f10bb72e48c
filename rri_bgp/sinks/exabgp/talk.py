"""The talk with one ExaBGP, over a pair of byte streams: questions, commands, and whose answer is whose.

Rules of this file: ``dialogue.py`` says what an answer means; here are the streams and the timer. Answers are always
read, also while nothing is in flight: ExaBGP stops its whole daemon when its answers fill the pipe. What is written is
printable ASCII, one line a command.

ExaBGP waits for nothing but the next command, so little is done between an answer and that: it has been written down
before, and the timer is not moved for each but looks at the time when it rings.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rri_bgp.sinks import NeighborState
from rri_bgp.sinks.exabgp import answers
from rri_bgp.sinks.exabgp.answers import Done, Error, NeighborEvent, Other, Shutdown
from rri_bgp.sinks.exabgp.commands import OPENING_ANSWERS, PROBE, PROBE_BEGINS
from rri_bgp.sinks.exabgp.dialogue import Dialogue, Effect, Heard, State
from rri_bgp.sinks.exabgp.streams import EagerReader

__all__ = ["Question", "Speaker", "Talk"]

log = logging.getLogger(__name__)

_DONE = b"done\n"


@dataclass(frozen=True, slots=True)
class Question:
    """A line to ask, and who takes its answer; ``begins`` tells the line that nothing else would print.

    ``take`` is given each line as it comes (a table may be long), ``answered`` is called after the last.
    """

    line: str
    take: Callable[[str], None]
    answered: Callable[[], None]
    begins: Callable[[str], bool] | None = None


class Speaker(Protocol):
    """Who has something to say."""

    def next_line(self) -> str | None:
        """The next command, in flight from now on; None for none. Whoever has a question to ask first, asks it here."""

    def foresee(self) -> None:
        """A command is with ExaBGP: time to write down what will be next."""

    def done(self) -> None:
        """The command in flight was answered ``done``."""

    def refused(self) -> None:
        """It was answered ``error``."""

    def unanswered(self) -> None:
        """Its answer is lost for good."""

    def session(self, neighbor: NeighborState) -> None:
        """A neighbour's session changed its state."""


class Talk:
    """One thing in flight at a time, and questions before commands. ``patience``: seconds until an answer is late."""

    def __init__(
        self,
        reader: EagerReader,
        writer: asyncio.StreamWriter,
        speaker: Speaker,
        patience: float,
        name: str,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._speaker = speaker
        self._patience = patience
        self._name = name
        self._dialogue = Dialogue()
        self._lines = answers.Lines()
        self._questions: deque[Question] = deque()
        self._asked: Question | None = None
        self._unmeant_answers = OPENING_ANSWERS - 1
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: float | None = None
        """When the answer will be late, None while nothing is in flight."""
        self._is_open = False
        self.drained = asyncio.Event()
        """Nothing is in flight, and there is nothing to say."""
        self.counters: Counter[str] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether ExaBGP is there."""
        return self._is_open

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight."""
        return self._dialogue.is_idle

    @property
    def silence(self) -> float:
        """For how many seconds an answer has been late, in whole turns of patience; 0 where none is."""
        return self._dialogue.lates * self._patience

    def ask(self, question: Question) -> None:
        """Asks it when its turn comes, before any command."""
        self._questions.append(question)

    def will_ask(self, line: str) -> bool:
        """Whether that is going to be asked."""
        return any(question.line == line for question in self._questions)

    async def run(self) -> None:
        """Until ExaBGP says shutdown, closes the stream, or cancelled."""
        self._is_open = True
        try:
            self.pump()
            await self._reader.hand_over(self._hear)
            self._dialogue.step(Heard.SHUTDOWN)
            log.info("%s is shutting down, or has closed the stream", self._name)
        finally:
            self._is_open = False
            self._deadline = None
            if self._timer is not None:
                self._timer.cancel()
            self.drained.set()

    def pump(self) -> None:
        """Sends what is next, if nothing is in flight."""
        if not self._is_open or not self._dialogue.is_idle:
            return
        if not self._questions and (line := self._speaker.next_line()) is not None:
            self._dialogue.step(Heard.COMMAND)
            self._send(line)
            self._speaker.foresee()
        elif self._questions:
            self._ask(self._questions.popleft())
        else:
            self._deadline = None
            self.drained.set()

    # -- from ExaBGP -------------------------------------------------------------------------------------------------

    def _hear(self, data: bytes) -> bool:
        """Takes some bytes; False where ExaBGP is going."""
        if data == _DONE and self._dialogue.state is State.COMMANDED and self._lines.is_whole:
            self._step(Heard.DONE)
            return True
        for line in self._lines.feed(data):
            answer = answers.parse(line)
            if isinstance(answer, Shutdown):
                return False
            self._take(answer)
        return True

    def _take(self, answer: answers.Answer) -> None:
        match answer:
            case Done():
                self._step(Heard.DONE)
            case Error():
                self._step(Heard.ERROR)
            case NeighborEvent(neighbor):
                self._speaker.session(neighbor)
            case Other(text):
                self._step(Heard.BEGIN if self._begins(text) else Heard.OUTPUT, text)

    def _begins(self, text: str) -> bool:
        return self._asked is not None and self._asked.begins is not None and self._asked.begins(text)

    def _step(self, heard: Heard, text: str = "") -> None:
        effect = self._dialogue.step(heard)
        match effect:
            case Effect.DONE:
                self._speaker.done()
            case Effect.TAKE if self._asked is not None:
                self._asked.take(text)
                return
            case Effect.STRAY:
                self._stray(text)
                return
            case Effect.NOTHING | Effect.TAKE:
                return
            case Effect.ERROR:
                self._speaker.refused()
            case Effect.UNANSWERED:
                self._asked = None
                self.counters["answers lost"] += 1
                self._speaker.unanswered()
            case Effect.ANSWERED:
                self._answered()
            case Effect.PROBE | Effect.WAIT:
                self._late(effect)
                return
        self.pump()

    def _stray(self, text: str) -> None:
        if not text and self._unmeant_answers:
            self._unmeant_answers -= 1
        else:
            self.counters["lines ignored" if text else "answers to nothing"] += 1

    def _answered(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.answered()

    # -- to ExaBGP ---------------------------------------------------------------------------------------------------

    def _ask(self, question: Question) -> None:
        self._asked = question
        self._dialogue.step(Heard.ASK_UNMARKED if question.begins is None else Heard.ASK)
        self._send(question.line)

    def _send(self, line: str) -> None:
        self.drained.clear()
        self._writer.write(line.encode("ascii", "replace") + b"\n")
        self._expect_answer()

    def _expect_answer(self) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + self._patience
        if self._timer is None:
            self._timer = loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if self._deadline is None:
            return
        if loop.time() < self._deadline:
            self._timer = loop.call_at(self._deadline, self._ring)
        else:
            self._step(Heard.LATE)

    def _late(self, effect: Effect) -> None:
        self.counters["answers late"] += 1
        log.warning("%s has not answered for %g s; waiting", self._name, self.silence)
        if effect is Effect.PROBE:
            self._asked = Question(PROBE, _ignore, _nothing, lambda line: line.startswith(PROBE_BEGINS))
            self._send(PROBE)
        else:
            self._expect_answer()


def _ignore(_line: str) -> None:
    """Nobody wants to know."""


def _nothing() -> None:
    """Nothing follows."""
