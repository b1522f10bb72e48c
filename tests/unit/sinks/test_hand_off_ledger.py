"""What the hand-off does next: order, adoption, what the kernel refuses, what others do."""

from __future__ import annotations

import pytest

from rri_bgp.model import Prefix
from rri_bgp.sinks.handoff.ledger import Change, Ledger
from rri_bgp.sinks.handoff.marks import BLACKHOLE, Mark, mark_of
from tests.values import pfx

A, B, C = pfx("10.1.0.0/16"), pfx("10.2.0.0/16"), pfx("2001:db8:1::/48")
M100, M200 = Mark(BLACKHOLE, 100), Mark(BLACKHOLE, 200)
MOST = 10


class Stage:
    """A ledger and what it wants."""

    def __init__(self) -> None:
        self.wanted: dict[Prefix, Mark] = {}
        self.ledger = Ledger(self.wanted.get)

    def want(self, **marks: Mark | None) -> None:
        """Changes what is wanted for A, B or C, and tells."""
        for name, mark in marks.items():
            prefix = globals()[name]
            self.wanted.pop(prefix, None)
            if mark is not None:
                self.wanted[prefix] = mark
            self.ledger.changed([prefix])

    def drain(self) -> list[Change]:
        """Carries out all there is to do."""
        done: list[Change] = []
        while changes := self.ledger.next_batch(MOST):
            done += changes
            self.ledger.answered({})
        return done


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    made.ledger.begin()
    made.ledger.adopt({})
    made.ledger.allow_delete()
    return made


def test_e1_a_route_comes_and_goes(stage: Stage) -> None:
    stage.want(A=M100)
    assert stage.ledger.is_pending(A)
    assert stage.drain() == [Change(A, M100)]
    assert (stage.ledger.marks(A), stage.ledger.confirmed, stage.ledger.pending) == ((M100,), 1, 0)
    stage.want(A=None)
    assert stage.drain() == [Change(A, M100, gone=True)]
    assert (stage.ledger.marks(A), stage.ledger.confirmed) == ((), 0)


def test_e13_another_tag_comes_before_the_old_one_goes(stage: Stage) -> None:
    stage.want(A=M200)
    stage.drain()
    stage.want(A=M100)
    assert stage.drain() == [Change(A, M100), Change(A, M200, gone=True)]
    assert stage.ledger.marks(A) == (M100,)


@pytest.mark.parametrize(("tag", "other"), [(None, 4294967295), (0, 4294967294), (4294967295, None)])
def test_n8_another_tag_with_the_same_metric_takes_the_place(stage: Stage, tag: int | None, other: int | None) -> None:
    stage.want(A=mark_of(tag))
    stage.drain()
    stage.want(A=mark_of(other))
    assert stage.drain() == [Change(A, mark_of(other), replaces=True)]
    assert stage.ledger.marks(A) == (mark_of(other),)


def test_e6_what_is_right_is_left_alone(stage: Stage) -> None:
    stage.want(A=M100)
    stage.drain()
    stage.ledger.changed([A])
    assert stage.drain() == []
    assert stage.ledger.pending == 0


def test_single_changes_go_before_large_ones(stage: Stage) -> None:
    many = [Prefix(4, number << 8, 24) for number in range(3 * MOST)]
    stage.wanted.update(dict.fromkeys(many, M100))
    stage.ledger.changed(many, bulk=True)
    assert [change.prefix for change in stage.ledger.next_batch(MOST)] == many[:MOST]
    stage.ledger.answered({})
    stage.want(A=M200)
    assert stage.ledger.next_batch(MOST) == [Change(A, M200)]
    stage.ledger.answered({})
    stage.ledger.changed(many[-1:])
    assert [change.prefix for change in stage.drain()] == [many[-1], *many[MOST:-1]]


def test_g7_nothing_goes_before_it_may(stage: Stage) -> None:
    ledger = Ledger(stage.wanted.get)
    ledger.begin()
    ledger.adopt({A: (M100,), B: (M200,)})
    stage.wanted[A] = M100
    assert ledger.next_batch(MOST) == []
    assert ledger.pending == 0
    ledger.allow_delete()
    assert ledger.next_batch(MOST) == [Change(B, M200, gone=True)]


def test_g7_a_wanted_route_loses_the_other_mark_that_a_crash_has_left(stage: Stage) -> None:
    stage.wanted[A] = M100
    stage.ledger.begin()
    stage.ledger.adopt({A: (M200, M100)})
    assert stage.drain() == [Change(A, M200, gone=True)]


def test_g7_what_changed_while_the_table_was_read_is_not_taken_from_the_reading(stage: Stage) -> None:
    stage.want(A=M100, B=M100)
    stage.drain()
    stage.ledger.begin()
    stage.want(A=None, B=M200)
    stage.drain()
    stage.ledger.adopt({A: (M100,), B: (M100,)})
    assert stage.drain() == []
    assert (stage.ledger.marks(A), stage.ledger.marks(B)) == ((), (M200,))


def test_g6_what_others_take_away_comes_back_and_what_they_put_there_goes(stage: Stage) -> None:
    stage.want(A=M100)
    stage.drain()
    stage.ledger.heard(A, M100, gone=True)
    assert stage.drain() == [Change(A, M100)]
    stage.ledger.heard(A, M200, gone=False)
    stage.ledger.heard(B, M200, gone=False)
    assert stage.drain() == [Change(A, M200, gone=True), Change(B, M200, gone=True)]
    stage.ledger.heard(A, M200, gone=True)
    assert stage.ledger.pending == 0, "it was known to be gone"


def test_g6_a_place_that_is_taken_is_refused_until_it_is_tried_again(stage: Stage) -> None:
    stage.want(A=M100, B=M100)
    assert stage.ledger.next_batch(MOST) == [Change(A, M100), Change(B, M100)]
    stage.ledger.answered({0: "taken"})
    assert (stage.ledger.refusal(A), stage.ledger.refusal(B), stage.ledger.refused) == ("taken", "", 1)
    assert (stage.ledger.marks(A), stage.ledger.confirmed) == ((), 1)
    assert stage.drain() == []
    stage.ledger.retry()
    assert stage.drain() == [Change(A, M100)]
    assert stage.ledger.refused == 0


def test_a_batch_that_nobody_answered_is_done_again(stage: Stage) -> None:
    stage.want(A=M100)
    assert stage.ledger.next_batch(MOST) == [Change(A, M100)]
    stage.ledger.unanswered()
    assert stage.drain() == [Change(A, M100)]


def test_at_the_end_all_of_it_goes(stage: Stage) -> None:
    stage.want(A=M100, C=M200)
    stage.drain()
    stage.want(B=M100)
    stage.ledger.delete_all()
    assert set(stage.drain()) == {Change(A, M100, gone=True), Change(C, M200, gone=True)}
    assert stage.ledger.confirmed == 0
