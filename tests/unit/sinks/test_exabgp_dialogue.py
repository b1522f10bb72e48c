"""Whose answer is it: every cell of the table, the stories that it is made of, and any interleaving of answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.errors import ExabgpError
from rri_bgp.sinks.exabgp.dialogue import TRANSITIONS, Dialogue, Effect, Heard, State

OURS = {Heard.ASK, Heard.ASK_UNMARKED, Heard.COMMAND}
THEIRS = set(Heard) - OURS
"""From ExaBGP and the clock: these can happen at any time."""

WAY: dict[State, tuple[Heard, ...]] = {
    State.IDLE: (),
    State.ASKED: (Heard.ASK,),
    State.TOLD: (Heard.ASK_UNMARKED,),
    State.COMMANDED: (Heard.COMMAND,),
    State.PROBED: (Heard.COMMAND, Heard.LATE),
    State.LOST: (Heard.COMMAND, Heard.LATE, Heard.BEGIN),
    State.OVER: (Heard.SHUTDOWN,),
}
"""How to get there."""

COMMAND_WAITS = {State.COMMANDED, State.PROBED, State.LOST}
QUESTION_WAITS = {State.ASKED, State.TOLD, State.PROBED, State.LOST}

CELLS = """
            BEGIN           OUTPUT          DONE               ERROR              LATE
IDLE        IDLE STRAY      IDLE STRAY      IDLE STRAY         IDLE STRAY         IDLE NOTHING
ASKED       TOLD TAKE       ASKED STRAY     ASKED STRAY        ASKED STRAY        ASKED WAIT
TOLD        TOLD TAKE       TOLD TAKE       IDLE ANSWERED      IDLE ANSWERED      TOLD WAIT
COMMANDED   COMMANDED STRAY COMMANDED STRAY IDLE DONE          IDLE ERROR         PROBED PROBE
PROBED      LOST NOTHING    PROBED STRAY    ASKED DONE         ASKED ERROR        PROBED WAIT
LOST        LOST NOTHING    LOST NOTHING    IDLE UNANSWERED    IDLE UNANSWERED    LOST WAIT
OVER        OVER NOTHING    OVER NOTHING    OVER NOTHING       OVER NOTHING       OVER NOTHING
"""


def at(state: State) -> Dialogue:
    dialogue = Dialogue()
    for heard in WAY[state]:
        dialogue.step(heard)
    assert dialogue.state is state
    return dialogue


def cells() -> list[tuple[State, Heard, State, Effect]]:
    head, *rows = (line.split() for line in CELLS.strip().splitlines())
    return [
        (State[row[0]], Heard[name], State[row[1 + 2 * column]], Effect[row[2 + 2 * column]])
        for row in rows
        for column, name in enumerate(head)
    ]


@pytest.mark.parametrize(("state", "heard", "after", "effect"), cells())
def test_what_comes_in_each_state(state: State, heard: Heard, after: State, effect: Effect) -> None:
    dialogue = at(state)
    assert (dialogue.step(heard), dialogue.state) == (effect, after)


def test_the_table_says_something_to_all_that_can_happen() -> None:
    assert set(TRANSITIONS) == set(State)
    for state, row in TRANSITIONS.items():
        assert set(row) == (set(Heard) if state in (State.IDLE, State.OVER) else THEIRS), state


@pytest.mark.parametrize("state", [state for state in State if state not in (State.IDLE, State.OVER)])
@pytest.mark.parametrize("heard", [Heard.ASK, Heard.ASK_UNMARKED, Heard.COMMAND])
def test_nothing_more_is_said_while_something_waits(state: State, heard: Heard) -> None:
    dialogue = at(state)
    with pytest.raises(ExabgpError) as raised:
        dialogue.step(heard)
    assert raised.value.what == f"not while {state.value} waits: {heard.value}"
    assert dialogue.state is state


def test_words_for_people() -> None:
    dialogue = at(State.COMMANDED)
    with pytest.raises(ExabgpError, match=r"^not while a command waits: we ask a question$"):
        dialogue.step(Heard.ASK)


@pytest.mark.parametrize(
    ("heard", "after"),
    [(Heard.ASK, State.ASKED), (Heard.ASK_UNMARKED, State.TOLD), (Heard.COMMAND, State.COMMANDED)],
)
def test_only_when_idle_something_is_said(heard: Heard, after: State) -> None:
    dialogue = Dialogue()
    assert dialogue.is_idle
    assert dialogue.step(heard) is Effect.NOTHING
    assert dialogue.state is after
    assert not dialogue.is_idle


@pytest.mark.parametrize("state", list(State))
def test_shutdown_ends_it_from_every_state_and_for_good(state: State) -> None:
    dialogue = at(state)
    assert dialogue.step(Heard.SHUTDOWN) is Effect.NOTHING
    for heard in Heard:
        assert dialogue.step(heard) is Effect.NOTHING
        assert dialogue.state is State.OVER
        assert not dialogue.is_idle


# The stories: what happens, what follows, and where the dialogue is then


def tell(*story: tuple[Heard, Effect, State]) -> Dialogue:
    dialogue = Dialogue()
    for number, (heard, effect, after) in enumerate(story):
        assert (dialogue.step(heard), dialogue.state) == (effect, after), number
    return dialogue


def test_story_g7_answers_to_an_earlier_life_come_before_the_marked_question_begins() -> None:
    tell(
        (Heard.DONE, Effect.STRAY, State.IDLE),
        (Heard.ASK, Effect.NOTHING, State.ASKED),
        (Heard.DONE, Effect.STRAY, State.ASKED),
        (Heard.ERROR, Effect.STRAY, State.ASKED),
        (Heard.OUTPUT, Effect.STRAY, State.ASKED),
        (Heard.BEGIN, Effect.TAKE, State.TOLD),
        (Heard.OUTPUT, Effect.TAKE, State.TOLD),
        (Heard.DONE, Effect.ANSWERED, State.IDLE),
        (Heard.COMMAND, Effect.NOTHING, State.COMMANDED),
        (Heard.DONE, Effect.DONE, State.IDLE),
    )


def test_story_a_late_answer_comes_after_all() -> None:
    tell(
        (Heard.COMMAND, Effect.NOTHING, State.COMMANDED),
        (Heard.LATE, Effect.PROBE, State.PROBED),
        (Heard.LATE, Effect.WAIT, State.PROBED),
        (Heard.DONE, Effect.DONE, State.ASKED),
        (Heard.BEGIN, Effect.TAKE, State.TOLD),
        (Heard.OUTPUT, Effect.TAKE, State.TOLD),
        (Heard.DONE, Effect.ANSWERED, State.IDLE),
    )


def test_story_a_late_refusal_comes_after_all() -> None:
    tell(
        (Heard.COMMAND, Effect.NOTHING, State.COMMANDED),
        (Heard.LATE, Effect.PROBE, State.PROBED),
        (Heard.ERROR, Effect.ERROR, State.ASKED),
        (Heard.LATE, Effect.WAIT, State.ASKED),
        (Heard.BEGIN, Effect.TAKE, State.TOLD),
        (Heard.DONE, Effect.ANSWERED, State.IDLE),
    )


def test_story_an_answer_is_lost() -> None:
    tell(
        (Heard.COMMAND, Effect.NOTHING, State.COMMANDED),
        (Heard.LATE, Effect.PROBE, State.PROBED),
        (Heard.OUTPUT, Effect.STRAY, State.PROBED),
        (Heard.BEGIN, Effect.NOTHING, State.LOST),
        (Heard.OUTPUT, Effect.NOTHING, State.LOST),
        (Heard.LATE, Effect.WAIT, State.LOST),
        (Heard.DONE, Effect.UNANSWERED, State.IDLE),
        (Heard.COMMAND, Effect.NOTHING, State.COMMANDED),
        (Heard.DONE, Effect.DONE, State.IDLE),
    )


def test_story_a_question_that_fails_is_answered_too() -> None:
    tell((Heard.ASK_UNMARKED, Effect.NOTHING, State.TOLD), (Heard.ERROR, Effect.ANSWERED, State.IDLE))


def test_story_a_clock_that_rings_after_the_answer_means_nothing() -> None:
    dialogue = tell(
        (Heard.COMMAND, Effect.NOTHING, State.COMMANDED),
        (Heard.DONE, Effect.DONE, State.IDLE),
        (Heard.LATE, Effect.NOTHING, State.IDLE),
    )
    assert dialogue.is_idle


def test_lates_count_since_the_last_word_that_was_meant() -> None:
    dialogue = at(State.COMMANDED)
    for expected in (1, 2, 3):
        dialogue.step(Heard.LATE)
        assert dialogue.lates == expected
    dialogue.step(Heard.OUTPUT)
    assert dialogue.lates == 3, "a stray proves nothing"
    dialogue.step(Heard.DONE)
    assert dialogue.lates == 0


# Any interleaving


@given(st.lists(st.sampled_from(list(Heard)), max_size=60))
def test_a_command_has_at_most_one_end_and_so_has_a_question(happenings: list[Heard]) -> None:
    dialogue, commands, ends, questions, answers = Dialogue(), 0, 0, 0, 0
    for heard in happenings:
        if heard in OURS and not dialogue.is_idle:
            continue
        commands += heard is Heard.COMMAND
        questions += heard in (Heard.ASK, Heard.ASK_UNMARKED)
        effect = dialogue.step(heard)
        questions += effect is Effect.PROBE
        ends += effect in (Effect.DONE, Effect.ERROR, Effect.UNANSWERED)
        answers += effect in (Effect.ANSWERED, Effect.UNANSWERED)
        if effect in (Effect.DONE, Effect.ERROR):
            assert heard.name == effect.name, "the end is what ExaBGP said"
        if dialogue.state is State.OVER:
            return
        assert commands - ends == (dialogue.state in COMMAND_WAITS)
        assert questions - answers == (dialogue.state in QUESTION_WAITS)


ENDS = (Effect.DONE, Effect.ERROR, Effect.UNANSWERED)
strays = st.lists(st.sampled_from((Heard.DONE, Heard.ERROR, Heard.OUTPUT)), max_size=5)
noise = st.lists(st.just(Heard.OUTPUT), max_size=3)


@given(strays, st.lists(st.tuples(st.sampled_from(ENDS), st.integers(0, 3), noise), max_size=10))
def test_an_exabgp_that_keeps_its_order_is_never_misread(
    earlier: list[Heard], script: list[tuple[Effect, int, list[Heard]]]
) -> None:
    """It answers an earlier life first, runs what it is told in order, and leaves some commands without an answer."""
    dialogue = Dialogue()
    dialogue.step(Heard.ASK)
    for heard in earlier:
        assert dialogue.step(heard) is Effect.STRAY
    assert [dialogue.step(heard) for heard in (Heard.BEGIN, Heard.DONE)] == [Effect.TAKE, Effect.ANSWERED]
    for end, lates, between in script:
        dialogue.step(Heard.COMMAND)
        rings = max(lates, end is Effect.UNANSWERED)
        effects = [dialogue.step(heard) for heard in (*between, *[Heard.LATE] * rings)]
        if end is not Effect.UNANSWERED:
            effects.append(dialogue.step(Heard[end.name]))
        if rings:
            effects += [dialogue.step(heard) for heard in (*between, Heard.BEGIN, *between, Heard.DONE)]
        assert [effect for effect in effects if effect in ENDS] == [end]
        assert dialogue.is_idle
