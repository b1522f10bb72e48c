"""What is being said with ExaBGP: whose answer is this?

Theory of operation. ExaBGP answers ``done`` or ``error`` without saying to what, so at most one thing waits for an
answer: a *command* (it changes routes) or a *question* (it prints something, then is answered). Between the lines of
its output come events, and, after a restart of this process, answers to what an earlier life asked: ExaBGP answers to
whoever lives now. Hence:

- a question that ``begins`` with a line that nothing else prints is answered by the first answer after that line; an
  answer before it is a stray;
- an answer that is late is waited for, however long: sending a second command would leave neither with an answer of its
  own. But some commands are never answered (ExaBGP 4.2: a keyword it does not know). After a while one question, the
  *probe*, follows the command. ExaBGP runs the two in order: if the probe's output begins before the command was
  answered, the answer is lost for good.

All of that is in ``TRANSITIONS``; nothing else decides what an answer means.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from rri_bgp.errors import ExabgpError

__all__ = ["TRANSITIONS", "Dialogue", "Effect", "Heard", "State"]


class State(enum.Enum):
    """Who waits for an answer."""

    IDLE = "nobody"
    ASKED = "a question, whose output has not begun"
    TOLD = "a question, whose output has begun"
    COMMANDED = "a command"
    PROBED = "a command, and after it a probe whose output has not begun"
    LOST = "a probe whose output has begun; the command before it was never answered"
    OVER = "nobody, ever again"


class Heard(enum.Enum):
    """What happens: the first three are ours, the others come from ExaBGP or from the clock."""

    ASK = "we ask a question"
    ASK_UNMARKED = "we ask a question that any answer is for"
    COMMAND = "we give a command"
    BEGIN = "the line with which the output of the question in flight begins"
    OUTPUT = "any other line"
    DONE = "done"
    ERROR = "error"
    LATE = "nothing was heard for a while"
    SHUTDOWN = "shutdown, or the end of the stream"


class Effect(enum.Enum):
    """What follows."""

    NOTHING = "go on"
    STRAY = "an answer to nothing, or a line that nobody asked for"
    TAKE = "the line belongs to the question"
    ANSWERED = "the question is answered"
    DONE = "the command is done"
    ERROR = "the command is refused"
    UNANSWERED = "the command's answer is lost; the probe is answered"
    PROBE = "ask the probe"
    WAIT = "go on waiting"


def _stray(state: State) -> dict[Heard, tuple[State, Effect]]:
    return dict.fromkeys((Heard.BEGIN, Heard.OUTPUT, Heard.DONE, Heard.ERROR), (state, Effect.STRAY))


def _is_over() -> dict[Heard, tuple[State, Effect]]:
    return dict.fromkeys(Heard, (State.OVER, Effect.NOTHING))


_END = {Heard.SHUTDOWN: (State.OVER, Effect.NOTHING)}

TRANSITIONS: dict[State, dict[Heard, tuple[State, Effect]]] = {
    State.IDLE: _END
    | _stray(State.IDLE)
    | {
        Heard.ASK: (State.ASKED, Effect.NOTHING),
        Heard.ASK_UNMARKED: (State.TOLD, Effect.NOTHING),
        Heard.COMMAND: (State.COMMANDED, Effect.NOTHING),
        Heard.LATE: (State.IDLE, Effect.NOTHING),
    },
    State.ASKED: _END
    | _stray(State.ASKED)
    | {
        Heard.BEGIN: (State.TOLD, Effect.TAKE),
        Heard.LATE: (State.ASKED, Effect.WAIT),
    },
    State.TOLD: _END
    | {
        Heard.BEGIN: (State.TOLD, Effect.TAKE),
        Heard.OUTPUT: (State.TOLD, Effect.TAKE),
        Heard.DONE: (State.IDLE, Effect.ANSWERED),
        Heard.ERROR: (State.IDLE, Effect.ANSWERED),
        Heard.LATE: (State.TOLD, Effect.WAIT),
    },
    State.COMMANDED: _END
    | _stray(State.COMMANDED)
    | {
        Heard.DONE: (State.IDLE, Effect.DONE),
        Heard.ERROR: (State.IDLE, Effect.ERROR),
        Heard.LATE: (State.PROBED, Effect.PROBE),
    },
    State.PROBED: _END
    | _stray(State.PROBED)
    | {
        Heard.BEGIN: (State.LOST, Effect.NOTHING),
        Heard.DONE: (State.ASKED, Effect.DONE),
        Heard.ERROR: (State.ASKED, Effect.ERROR),
        Heard.LATE: (State.PROBED, Effect.WAIT),
    },
    State.LOST: _END
    | {
        Heard.BEGIN: (State.LOST, Effect.NOTHING),
        Heard.OUTPUT: (State.LOST, Effect.NOTHING),
        Heard.DONE: (State.IDLE, Effect.UNANSWERED),
        Heard.ERROR: (State.IDLE, Effect.UNANSWERED),
        Heard.LATE: (State.LOST, Effect.WAIT),
    },
    State.OVER: _is_over(),
}


@dataclass(slots=True)
class Dialogue:
    """Where the dialogue is. ``lates`` counts the ``LATE`` since the last answer."""

    state: State = State.IDLE
    lates: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether something may be sent now."""
        return self.state is State.IDLE

    def step(self, heard: Heard) -> Effect:
        """Takes what happened; returns what follows.

        Raises:
            ExabgpError: we must not send that now; a fault of ours.
        """
        try:
            after, effect = TRANSITIONS[self.state][heard]
        except KeyError:
            raise ExabgpError(f"not while {self.state.value} waits: {heard.value}") from None
        self.state = after
        if heard is Heard.LATE:
            self.lates += 1
        elif effect is not Effect.STRAY:
            self.lates = 0
        return effect
