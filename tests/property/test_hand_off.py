"""Whatever happens in whatever order, the hand-off table ends as it should be, and no tag change leaves a gap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.model import Prefix
from rri_bgp.sinks.handoff.ledger import Change, Ledger
from rri_bgp.sinks.handoff.marks import Mark, mark_of

PREFIXES = st.sampled_from([Prefix(4, number << 8, 24) for number in range(4)])
MARKS = st.sampled_from([mark_of(tag) for tag in (None, 0, 1, 2, 2**32 - 2, 2**32 - 1)])


class Kernel:
    """A table as the kernel keeps it: one route for each prefix and metric; the ledger hears what others do."""

    def __init__(self) -> None:
        self.wanted: dict[Prefix, Mark] = {}
        self.routes: dict[tuple[Prefix, int], Mark] = {}
        self.ledger = Ledger(self.wanted.get)
        self.dump: dict[Prefix, tuple[Mark, ...]] = {}

    def marks(self, prefix: Prefix) -> tuple[Mark, ...]:
        return tuple(mark for (there, _), mark in self.routes.items() if there == prefix)

    def read(self) -> None:
        """A reading begins; what it says is old when it ends."""
        self.ledger.begin()
        self.dump = {prefix: self.marks(prefix) for prefix, _ in self.routes}

    def work(self, most: int) -> None:
        """One batch."""
        for change in self.ledger.next_batch(most):
            self._carry_out(change)
        self.ledger.answered({})

    def _carry_out(self, change: Change) -> None:
        place = (change.prefix, change.mark.metric)
        had_any = bool(self.marks(change.prefix))
        if change.gone:
            self.routes.pop(place, None)
        else:
            assert change.replaces == (place in self.routes), "EEXIST"
            self.routes[place] = change.mark
        if had_any and change.prefix in self.wanted:
            assert self.marks(change.prefix), "a gap"

    def meddle(self, prefix: Prefix, mark: Mark) -> None:
        """Somebody takes a route away, or puts one there, under our number."""
        place = (prefix, mark.metric)
        gone = self.routes.get(place) == mark
        if gone:
            del self.routes[place]
        else:
            self.routes[place] = mark
        self.ledger.heard(prefix, mark, gone=gone)


STEPS = st.one_of(
    st.tuples(st.just("want"), PREFIXES, st.none() | MARKS),
    st.tuples(st.just("meddle"), PREFIXES, MARKS),
    st.tuples(st.just("work"), st.integers(1, 3)),
    st.tuples(st.just("read")),
    st.tuples(st.just("adopt")),
)


@given(st.lists(STEPS, max_size=60))
def test_e7_g6_g7_the_table_ends_as_it_should_be(steps: list[tuple[object, ...]]) -> None:
    kernel = Kernel()
    ledger = kernel.ledger
    kernel.read()
    ledger.adopt({})
    ledger.allow_delete()
    is_reading = False
    for step in steps:
        match step:
            case ("want", Prefix() as prefix, mark):
                kernel.wanted.pop(prefix, None)
                if isinstance(mark, Mark):
                    kernel.wanted[prefix] = mark
                ledger.changed([prefix], bulk=bool(prefix.network & 256))
            case ("meddle", Prefix() as prefix, Mark() as mark):
                kernel.meddle(prefix, mark)
            case ("work", int() as most):
                kernel.work(most)
            case ("read",) if not is_reading:
                is_reading = True
                kernel.read()
            case ("adopt",) if is_reading:
                is_reading = False
                ledger.adopt(dict(kernel.dump))
            case _:
                pass
    while ledger.pending:
        kernel.work(100)
    assert {prefix: kernel.marks(prefix) for prefix, _ in kernel.routes} == {
        prefix: (mark,) for prefix, mark in kernel.wanted.items()
    }
    assert ledger.confirmed == len(kernel.wanted)
