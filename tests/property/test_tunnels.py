"""What counts is a plain function of what was said and when, whatever the history (rules E6, E7, E13, G4, G5).

The model has no table that is kept up to date, no timers and no keys in stock: it asks for the state of one line after
one step, which asks for the state before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.model import SaKey, SaPair
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.tunnels import Tunnels
from tests.values import entry, policy, sa

Line = tuple[object, ...]

EPOCH = 1_700_000_000.0

POLICIES = (
    policy(),
    policy(entry(10, connection="branch1", withdraw_delay=4), entry(20, announce_delay=3)),
    policy(entry(10, connection="branch1", withdraw_delay=4, announce_delay=3), entry(20, degrade_med=5)),
    policy(entry(10, withdraw_delay=2, announce_delay=5, degrade_med=5)),
    policy(entry(10, connection="branch2", announce_delay=1, withdraw_delay=9)),
)

pairs = st.builds(
    lambda uniqueid, remote, connection, identity, since, is_suspect: sa(
        uniqueid, *remote, connection=connection, identity=identity, since=since, is_suspect=is_suspect
    ),
    st.integers(1, 5),
    st.sampled_from((("10.1.0.0/16",), ("10.1.0.0/24",), ("10.2.0.0/16",), ())),
    st.sampled_from(("branch1", "branch2")),
    st.sampled_from(("a", "a", "b")),
    st.sampled_from((0, 0, 1_700_000_000, 1_700_000_007)),
    st.booleans(),
)
news = st.lists(st.tuples(pairs, st.sampled_from((True, True, False))), max_size=3).map(
    lambda found: {one.key: one if is_up else None for one, is_up in found}
)


@dataclass(frozen=True)
class Step:
    """After ``wait`` seconds these changes come; or, where ``rules`` is not None, another policy."""

    wait: int
    changes: dict[SaKey, SaPair | None]
    rules: Policy | None = None


steps = st.one_of(
    st.builds(Step, st.integers(0, 4), news),
    st.builds(Step, st.integers(0, 4), news),
    st.builds(Step, st.integers(0, 4), st.just({}), st.sampled_from(POLICIES)),
)
histories = st.lists(steps, max_size=10)


@dataclass(frozen=True)
class State:
    """A line that is there: its age, whether it waits, its pairs; ``gone``: when the last one went, and which."""

    since: int
    first: int
    start: float
    waits: bool
    members: tuple[SaPair, ...] = ()
    gone: tuple[float, SaPair] | None = None


class Model:
    """Answers for a whole history; step 0 is before all of it."""

    def __init__(self, rules: Policy, history: Sequence[Step]) -> None:
        self.times, self.rules, self.raw = [0.0], [rules], [dict[SaKey, SaPair]()]
        self.changes: list[dict[SaKey, SaPair | None]] = [{}]
        for step in history:
            self.times.append(self.times[-1] + step.wait)
            self.rules.append(step.rules or self.rules[-1])
            now = {**self.raw[-1], **{key: one for key, one in step.changes.items() if one is not None}}
            self.raw.append({key: one for key, one in now.items() if step.changes.get(key, one) is not None})
            self.changes.append({k: one for k, one in step.changes.items() if self.raw[-2].get(k) != one})
        self.memory: dict[tuple[int, Line], State | None] = {}

    def delay(self, step: int, name: object, which: str) -> float:
        for one in self.rules[step].entries:
            if one.match.connection in ("*", name):
                return float(getattr(one, which))
        return 0.0

    def degrades(self, step: int, name: object) -> bool:
        found = [one for one in self.rules[step].entries if one.match.connection in ("*", name)]
        return bool(found) and found[0].degrade_med is not None

    def at(self, state: State | None, step: int, name: object, now: float) -> State | None:
        """What time makes of a state under the policy of this step."""
        if state is None:
            return None
        if state.gone is not None:
            return None if now >= state.gone[0] + self.delay(step, name, "withdraw_delay") else state
        return replace(state, waits=state.waits and now < state.start + self.delay(step, name, "announce_delay"))

    def state(self, step: int, line: Line) -> State | None:
        """A line after a step."""
        if step == 0:
            return None
        if (step, line) not in self.memory:
            self.memory[step, line] = self.work_out(step, line)
        return self.memory[step, line]

    def before(self, step: int, line: Line) -> State | None:
        """A line when a step comes, by the policy of before it."""
        return self.at(self.state(step - 1, line), step - 1, line[0], self.times[step])

    def work_out(self, step: int, line: Line) -> State | None:
        now, was, raw = self.times[step], self.raw[step - 1], self.raw[step]
        state = self.before(step, line)
        come = [one for one in self.changes[step].values() if one and line_of(one) == line]
        come = [one for one in come if one.key not in was or line_of(was[one.key]) != line]
        if come and state is None:
            state = self.begin(step, come[0])
        if state is None:
            return None
        members = tuple(one for one in raw.values() if line_of(one) == line)
        if members:
            return self.at(replace(state, members=members, gone=None), step, line[0], now)
        left = [was[key] for key in self.changes[step] if key in was and line_of(was[key]) == line]
        if left:
            last = left[-1]
            if last.key in raw and name_of(raw[last.key]) == name_of(last):
                return None
            state = replace(state, members=(), gone=(now, last))
        return self.at(state, step, line[0], now)

    def begin(self, step: int, one: SaPair) -> State:
        now, was = self.times[step], self.raw[step - 1].get(one.key)
        if was is not None and name_of(was) == name_of(one):
            before = self.before(step, line_of(was))
            assert before is not None
            return before
        age = now + EPOCH - one.since
        start = now - age if one.since and age > 2 else now
        return State(one.since, one.key.uniqueid, start, waits=True)

    def counts(self, step: int, now: float) -> set[SaPair]:
        """What counts at some time after a step and before the next; of the key of a held one nobody cares."""
        found = set()
        for line in {line_of(one) for raw in self.raw for one in raw.values()}:
            state = self.at(self.state(step, line), step, line[0], now)
            if state is None or state.waits:
                continue
            pairs_ = (*state.members, *(() if state.gone is None else (state.gone[1],)))
            for one in pairs_:
                is_suspect = one.is_suspect and self.degrades(step, line[0])
                shown = replace(one, since=state.since, first=state.first, is_suspect=is_suspect)
                found.add(shown if state.members else without_key(replace(shown, is_held=True)))
        return found


def name_of(one: SaPair) -> Line:
    return (one.connection, one.identity)


def line_of(one: SaPair) -> Line:
    return (one.connection, one.identity, one.remote_ts)


def without_key(one: SaPair) -> SaPair:
    return replace(one, key=SaKey("", 0))


def normal(one: SaPair) -> SaPair:
    full = replace(one, first=one.first or one.key.uniqueid)
    return without_key(full) if one.is_held else full


def apply(table: dict[SaKey, SaPair], told: dict[SaKey, SaPair | None]) -> None:
    for key, one in told.items():
        table.pop(key, None)
        if one is not None:
            table[key] = one


@given(st.sampled_from(POLICIES), histories, st.integers(0, 12))
def test_g4_g5_e6_e13_what_counts_is_a_function_of_the_history(rules: Policy, history: list[Step], more: int) -> None:
    model, tunnels = Model(rules, history), Tunnels(rules, EPOCH)
    counts: dict[SaKey, SaPair] = {}
    for number, step in enumerate(history, 1):
        now = model.times[number]
        apply(counts, tunnels.advance(now))
        told = tunnels.update(step.changes, now) if step.rules is None else tunnels.take_policy(step.rules, now)
        assert not {key for key, one in told.items() if one is not None and counts.get(key) == one}, "told in vain"
        apply(counts, told)
        assert all(one.key == key for key, one in counts.items())
        assert {normal(one) for one in counts.values()} == model.counts(number, now)
        assert {key: tunnels.sa(key) for key in model.raw[number]} == model.raw[number]
    end = model.times[-1] + more
    apply(counts, tunnels.advance(end))
    assert {normal(one) for one in counts.values()} == model.counts(len(history), end)
    assert tunnels.due is None or tunnels.due > end


@given(st.sampled_from(POLICIES), histories)
def test_g4_due_says_when_there_is_something_to_do(rules: Policy, history: list[Step]) -> None:
    """To look at each due time, and at no other, ends as to look all the time."""
    now, rested, restless = 0.0, Tunnels(rules, EPOCH), Tunnels(rules, EPOCH)
    one: dict[SaKey, SaPair] = {}
    other: dict[SaKey, SaPair] = {}
    for step in [*history, Step(20, {})]:
        end = now + step.wait
        while rested.due is not None and rested.due <= end:
            apply(one, rested.advance(rested.due))
        while now < end:
            now += 0.5
            apply(other, restless.advance(now))
        for tunnels, counts in ((rested, one), (restless, other)):
            told = tunnels.update(step.changes, end) if step.rules is None else tunnels.take_policy(step.rules, end)
            apply(counts, told)
        assert one == other
    assert rested.due is None
    assert not any(found.is_held for found in one.values())
