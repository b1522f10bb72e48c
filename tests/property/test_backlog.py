"""A backlog changes when a thing is told, never what is true in the end, and it opens no gap (rules E6, E7)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.backlog import Backlog
from rri_bgp.model import SaKey, SaPair
from tests.values import sa

PEERS = ("203.0.113.2", "203.0.113.3")

pairs = st.builds(
    lambda uniqueid, peer: sa(uniqueid, "10.1.0.0/16", peer=peer), st.integers(1, 60), st.sampled_from(PEERS)
)
updates = st.lists(st.tuples(pairs, st.booleans()), min_size=1, max_size=3)
snapshots = st.lists(pairs, max_size=50)
steps = st.lists(st.one_of(updates, st.tuples(snapshots), st.none()), max_size=12)
"""News of a few, a snapshot, or time for one piece."""


class Told:
    """What the far end of the backlog has been told, and what is true."""

    def __init__(self) -> None:
        self.known: dict[SaKey, SaPair] = {}
        self.truth: dict[SaKey, SaPair] = {}
        self.backlog = Backlog(self.known.get)

    def take(self, changes: dict[SaKey, SaPair | None]) -> None:
        apply(self.known, changes)

    def step(self, step: object) -> None:
        if step is None:
            self.take(self.backlog.next_piece())
        elif isinstance(step, tuple):
            self.truth = {one.key: one for one in step[0]}
            changes: dict[SaKey, SaPair | None] = {key: None for key in self.known if key not in self.truth}
            self.backlog.take_snapshot("vici", changes | self.truth)
        elif isinstance(step, list):
            changes = {one.key: one if is_up else None for one, is_up in step}
            apply(self.truth, changes)
            self.take(self.backlog.overtake(changes))


def apply(table: dict[SaKey, SaPair], changes: dict[SaKey, SaPair | None]) -> None:
    for key, one in changes.items():
        table.pop(key, None)
        if one is not None:
            table[key] = one


@given(steps)
def test_e7_when_the_backlog_is_empty_what_was_told_is_what_is_true(history: list[object]) -> None:
    told = Told()
    for step in history:
        told.step(step)
    while told.backlog:
        told.step(None)
    assert told.known == told.truth


@given(steps)
def test_e6_a_peer_that_has_an_sa_throughout_is_never_told_to_have_none(history: list[object]) -> None:
    told = Told()
    for step in history:
        before = ({one.peer for one in told.known.values()}, {one.peer for one in told.truth.values()})
        told.step(step)
        after = ({one.peer for one in told.known.values()}, {one.peer for one in told.truth.values()})
        lost = before[0] & before[1] & after[1] - after[0]
        assert lost == set()
