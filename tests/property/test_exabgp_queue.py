"""The draining queue against a model of ExaBGP: whatever the order of changes and answers, it ends as wanted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rri_bgp.model import Attributes, Destination, Path, Prefix, prefix_of
from rri_bgp.sinks import RouteState
from rri_bgp.sinks.exabgp.commands import Command, Verb
from rri_bgp.sinks.exabgp.forms import MAX_NLRI
from rri_bgp.sinks.exabgp.holdings import Unknown
from rri_bgp.sinks.exabgp.queue import DrainingQueue
from tests.values import HUB4, HUB6
from tests.wanted import Wanted

PREFIXES = [Prefix(4, number << 8, 24) for number in range(70)] + [Prefix(6, number << 64, 64) for number in range(70)]
GOOD = {4: [Path(HUB4), Path(HUB4, Attributes(med=1))], 6: [Path(HUB6), Path(HUB6, Attributes(med=1))]}
INVALID = {4: Path(HUB6), 6: Path(HUB4)}
POISON = {4: Path(HUB4, Attributes(med=666)), 6: Path(HUB6, Attributes(med=666))}
"""Passes our own checks; the model refuses it where the prefix is odd, and one bad prefix spoils its whole command."""

few = st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=4)
spans = st.tuples(st.integers(0, len(PREFIXES)), st.integers(0, len(PREFIXES))).map(
    lambda ends: PREFIXES[slice(*sorted(ends))]
)
choices = st.sampled_from(("first", "second", "invalid", "poison", "nothing"))


def spoilt(prefix: Destination, path: Path | None) -> bool:
    assert isinstance(prefix, Prefix)
    return path == POISON[prefix.version] and PREFIXES.index(prefix) % 2 == 1


class Model(RuleBasedStateMachine):
    """``held`` is what a real ExaBGP would have; the queue must bring it to ``wanted`` less what cannot be."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = Wanted()
        self.held: dict[Destination, Path] = {}
        self.queue = DrainingQueue(self.wanted.path)
        self.command: Command | None = None
        self.allowed = False
        self.unsure: set[Destination] = set()
        """In a command whose answer was lost, and in no answered one since."""

    def want(self, prefixes: list[Prefix], choice: str) -> None:
        for prefix in prefixes:
            version = prefix.version
            path = {
                "first": GOOD[version][0], "second": GOOD[version][1], "invalid": INVALID[version],
                "poison": POISON[version], "nothing": None,
            }[choice]  # fmt: skip
            if path is None:
                self.wanted.pop(prefix, None)
            else:
                self.wanted[prefix] = path
        self.queue.changed(prefixes)

    @rule(prefixes=few, choice=choices)
    def small_change(self, prefixes: list[Prefix], choice: str) -> None:
        self.want(prefixes, choice)

    @rule(prefixes=spans, choice=choices)
    def large_change(self, prefixes: list[Prefix], choice: str) -> None:
        self.want(prefixes, choice)

    @rule(prefixes=few, known=st.booleans())
    @precondition(lambda self: not self.held and self.command is None and not self.queue.confirmed)
    def earlier_life(self, prefixes: list[Prefix], known: bool) -> None:
        for prefix in prefixes:
            self.held[prefix] = Path(HUB4 if prefix.version == 4 else HUB6, Attributes(med=99))
        self.queue.adopt({prefix: path if known else Unknown.PATH for prefix, path in self.held.items()})

    @rule()
    def withdraws_allowed(self) -> None:
        self.allowed = True
        self.queue.allow_withdraw()

    @rule()
    def send(self) -> None:
        sent = self.queue.next_command()
        if self.command is not None:
            assert sent is None, "one command in flight"
            return
        self.command = sent
        if sent is None:
            return
        sent.line()
        assert 1 <= len(sent.destinations) <= MAX_NLRI
        assert len(set(sent.destinations)) == len(sent.destinations)
        assert {prefix_of(one).version for one in sent.destinations} == {sent.form.version}
        assert sent.verb is Verb.ANNOUNCE or self.allowed

    @rule(arrived=st.booleans())
    @precondition(lambda self: self.command is not None)
    def lost(self, arrived: bool) -> None:
        assert self.command is not None
        if arrived:
            self.apply()
        self.unsure.update(self.command.destinations)
        self.queue.unanswered()
        self.command = None

    @rule()
    @precondition(lambda self: self.command is not None)
    def answer(self) -> None:
        assert self.command is not None
        if self.apply():
            self.unsure.difference_update(self.command.destinations)
            self.queue.done()
        else:
            self.queue.error()
        self.command = None

    def apply(self) -> bool:
        assert self.command is not None
        command = self.command
        if command.verb is Verb.ANNOUNCE and any(spoilt(prefix, command.path) for prefix in command.destinations):
            return False
        for prefix in command.destinations:
            if command.verb is Verb.WITHDRAW:
                self.held.pop(prefix, None)
            elif command.path is not None:
                self.held[prefix] = command.path
        return True

    def expected(self) -> dict[Destination, Path]:
        found = {
            prefix: path
            for prefix, path in self.wanted.items()
            if path != INVALID[prefix_of(prefix).version] and not spoilt(prefix, path)
        }
        if not self.allowed:
            found.update({prefix: path for prefix, path in self.held.items() if prefix not in found})
        return found

    @rule()
    def drain(self) -> None:
        for _ in range(4 * len(PREFIXES) + 10):
            self.send()
            if self.command is None:
                break
            self.answer()
        assert self.queue.in_flight is None
        expected = self.expected()
        assert self.held == expected
        for prefix in PREFIXES:
            assert self.queue.state(prefix).state is self.state(prefix), prefix

    def state(self, prefix: Prefix) -> RouteState:
        wanted = self.wanted.get(prefix)
        if wanted is not None and (wanted == INVALID[prefix.version] or spoilt(prefix, wanted)):
            return RouteState.REFUSED
        if wanted is None and (prefix in self.held or prefix in self.unsure):
            return RouteState.PENDING
        return RouteState.ABSENT if wanted is None else RouteState.CONFIRMED

    @invariant()
    def bounded(self) -> None:
        assert self.queue.pending <= len(PREFIXES) + MAX_NLRI
        assert self.queue.refused <= len(self.wanted)

    def teardown(self) -> None:
        self.queue.allow_withdraw()
        self.allowed = True
        if self.command is not None:
            self.answer()
        self.drain()
        assert self.queue.pending == 0


TestQueue = Model.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@given(st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=MAX_NLRI, unique=True), st.booleans())
def test_small_changes_and_withdraws_go_before_bulk(urgent: list[Prefix], is_withdraw: bool) -> None:
    wanted = Wanted()
    queue = DrainingQueue(wanted.path)
    queue.allow_withdraw()
    if is_withdraw:
        wanted.update({prefix: GOOD[prefix.version][0] for prefix in urgent})
        queue.changed(urgent)
        while queue.next_command():
            queue.done()
    others = [prefix for prefix in PREFIXES if prefix not in urgent]
    wanted.update({prefix: GOOD[prefix.version][0] for prefix in others})
    queue.changed(others)
    first = queue.next_command()
    for prefix in urgent:
        if is_withdraw:
            del wanted[prefix]
        else:
            wanted[prefix] = GOOD[prefix.version][1]
    queue.changed(urgent)
    assert first is not None
    queue.done()
    sent: list[Destination] = []
    while len(sent) < len(urgent):
        command = queue.next_command()
        assert command is not None
        sent.extend(command.destinations)
        queue.done()
    assert set(sent) == set(urgent)
    assert len(sent) == len(urgent)
