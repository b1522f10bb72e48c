"""Both sources together, over random histories: in the end what counts is the join of what each said last (rule E7).

The model has no index, no time and no memory: it compares each pair of the one kind with all of the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.model import Mode, SaKey, SaPair, TrafficSelector
from rri_bgp.rri.witness import GRACE, Told, Witness
from tests.values import sa, ts

DAEMONS, KERNELS = ("vici", "other"), ("xfrm", "red")

REMOTE = ("10.1.0.0/16", "10.2.0.0/16", "10.1.0.17..10.1.0.20", "fd01::/64")
AROUND = {"10.1.0.17..10.1.0.20": "10.1.0.16/29"}
SIDES = (("10.0.0.0/16",), ("10.0.0.0/16", "fd00::/64"), ("10.9.0.0/16",), ())

common = {
    "peer": st.sampled_from(("203.0.113.2", "203.0.113.3")),
    "local_ts": st.sampled_from(SIDES),
    "if_id": st.sampled_from((0, 0, 5)),
    "mark": st.sampled_from((0, 0, 7)),
}
remotes = st.lists(st.sampled_from(REMOTE), max_size=3, unique=True)
installed = st.builds(
    lambda source, uniqueid, remote, protocol, **more: sa(
        uniqueid, *(ts(one, protocol) for one in remote), source=source, **more
    ),
    st.sampled_from(("vici", "vici", "other")),
    st.integers(1, 3),
    remotes,
    st.sampled_from((0, 0, 6)),
    mode=st.sampled_from((Mode.TUNNEL, Mode.TUNNEL, Mode.BEET, Mode.TRANSPORT)),
    **common,
)
carried = st.builds(
    lambda source, uniqueid, remote, **more: sa(
        uniqueid, *(AROUND.get(one, one) for one in remote), source=source, connection="", child="", **more
    ),
    st.sampled_from(("xfrm", "xfrm", "red")),
    st.integers(1, 3),
    remotes.filter(bool),
    **common,
)


@dataclass(frozen=True)
class Step:
    """After ``wait`` seconds a source says something: all it has, what changed, or that it is lost."""

    wait: float
    kind: str
    source: str
    sas: tuple[SaPair, ...]
    gone: tuple[SaPair, ...] = ()


def steps(pairs: st.SearchStrategy[SaPair], sources: tuple[str, ...]) -> st.SearchStrategy[Step]:
    some = st.lists(pairs, max_size=3).map(tuple)
    kinds = st.sampled_from(("snapshot", "update", "update", "update", "lost"))
    return st.builds(
        Step, st.sampled_from((0.0, 0.0, 0.5, GRACE)), kinds, st.sampled_from((sources[0], *sources)), some, some
    )


histories = st.lists(steps(installed, DAEMONS) | steps(carried, KERNELS), max_size=14)


def around(selector: TrafficSelector) -> tuple[int, int, int]:
    """The prefix around it, bit by bit."""
    start, end, length = selector.start, selector.end, 32 if selector.version == 4 else 128
    while start != end:
        start, end, length = start >> 1, end >> 1, length - 1
    return selector.version, start, length


def has_local_side(kernel: SaPair, daemon: SaPair, version: int) -> bool:
    theirs = {around(one) for one in kernel.local_ts}
    return all(around(one) in theirs for one in daemon.local_ts if one.version == version)


def meet(daemon: SaPair, remote: TrafficSelector, kernel: SaPair, other: TrafficSelector) -> bool:
    """Whether a daemon's selector and a kernel's are one policy."""
    return (
        daemon.mode is not Mode.TRANSPORT
        and (daemon.if_id, daemon.mark) == (kernel.if_id, kernel.mark)
        and around(remote) == around(other)
        and has_local_side(kernel, daemon, remote.version)
    )


def join(daemons: Iterable[SaPair], kernels: Iterable[SaPair]) -> tuple[set[SaPair], set[SaPair]]:
    """Daemons' pairs with what is missing, and kernels' pairs that are of their own."""
    shown, own = set(), set()
    for one in daemons:
        lost = tuple(
            remote
            for remote in one.remote_ts
            if one.mode is not Mode.TRANSPORT
            and not any(meet(one, remote, kernel, other) for kernel in kernels for other in kernel.remote_ts)
        )
        shown.add(replace(one, not_in_kernel=lost))
    for kernel in kernels:
        left = tuple(
            other
            for other in kernel.remote_ts
            if not any(
                (one.peer, one.local) == (kernel.peer, kernel.local) and meet(one, remote, kernel, other)
                for one in daemons
                for remote in one.remote_ts
            )
        )
        if left:
            own.add(replace(kernel, remote_ts=left))
    return shown, own


class Stage:
    """The witness, what its sources have, and what its observer knows."""

    def __init__(self) -> None:
        self.witness = Witness(DAEMONS, KERNELS)
        self.has: dict[SaKey, SaPair] = {}
        self.knows: dict[SaKey, SaPair] = {}
        self.blind = set(KERNELS)
        self.now = 0.0

    def hear(self, told: Told) -> None:
        for changes in (told.come, told.installed, told.gone):
            for key, one in changes.items():
                self.knows.pop(key, None)
                if one is not None:
                    assert one.key == key
                    self.knows[key] = one

    def play(self, step: Step) -> None:
        self.now += step.wait
        mine = {one.key: one for one in step.sas if one.key.source == step.source}
        if step.kind == "lost":
            self.witness.lost(step.source)
            self.blind |= {step.source} & {*KERNELS}
        elif step.kind == "snapshot":
            self.has = {key: one for key, one in self.has.items() if key.source != step.source} | mine
            self.blind.discard(step.source)
            self.hear(self.witness.snapshot(step.source, list(mine.values()), self.now))
            self.knows = {key: one for key, one in self.knows.items() if key.source != step.source}
            self.knows.update((one.key, one) for one in self.witness.shown(step.source))
        else:
            gone: dict[SaKey, SaPair | None] = {one.key: None for one in step.gone if one.key.source == step.source}
            self.has = {key: one for key, one in (self.has | mine).items() if key not in gone}
            self.hear(self.witness.heard({**mine, **gone}))

    def look(self) -> None:
        while True:
            self.hear(self.witness.look(self.now, 2))
            if not self.witness.is_behind and not (self.witness.due is not None and self.witness.due <= self.now):
                return

    def settle(self) -> None:
        """Lets all time pass that there is to pass."""
        self.look()
        while self.witness.due is not None:
            assert self.witness.due > self.now
            self.now = self.witness.due
            self.look()

    def of(self, sources: tuple[str, ...]) -> list[SaPair]:
        return [one for key, one in self.has.items() if key.source in sources]


@given(histories, st.data())
def test_e7_e8_ends_equal_to_the_join_of_what_both_said_last(history: list[Step], data: st.DataObject) -> None:
    stage = Stage()
    for step in history:
        stage.play(step)
        if data.draw(st.booleans()):
            stage.look()
        if stage.blind:
            stage.look()
            assert not any(one.not_in_kernel for one in stage.knows.values()), "who cannot see is no witness"
    for source in (*DAEMONS, *KERNELS):
        stage.play(Step(0.0, "snapshot", source, tuple(stage.of((source,)))))
    stage.settle()
    shown, own = join(stage.of(DAEMONS), stage.of(KERNELS))
    assert {one for key, one in stage.knows.items() if key.source in DAEMONS} == shown
    assert {one for key, one in stage.knows.items() if key.source in KERNELS} == own
    for source in (*DAEMONS, *KERNELS):
        assert {one.key: one for one in stage.witness.shown(source)} == {
            key: one for key, one in stage.knows.items() if key.source == source
        }


@given(histories)
def test_e6_what_a_daemon_says_is_passed_on_at_once_and_what_is_there_stays_so(history: list[Step]) -> None:
    """Whatever a kernel says, a daemon's pairs are those that it told last, but for what is missing of them."""
    stage = Stage()
    for step in history:
        stage.play(step)
        known = {key: one for key, one in stage.knows.items() if key.source in DAEMONS}
        assert {key: replace(one, not_in_kernel=()) for key, one in known.items()} == {
            one.key: one for one in stage.of(DAEMONS)
        }
        assert all(set(one.not_in_kernel) <= set(one.remote_ts) for one in known.values())
        stage.look()


@given(histories, st.lists(steps(installed, DAEMONS) | steps(carried, KERNELS), min_size=1, max_size=4))
def test_e6_nothing_is_held_against_anybody_before_the_grace_is_over(history: list[Step], more: list[Step]) -> None:
    """Whoever was well is well for so long, and nobody new is believed on a kernel's word alone."""
    stage = Stage()
    for step in history:
        stage.play(step)
    for source in (*DAEMONS, *KERNELS):
        stage.play(Step(0.0, "snapshot", source, tuple(stage.of((source,)))))
    stage.settle()
    before = dict(stage.knows)
    for step in more:
        if step.kind == "update":
            stage.play(replace(step, wait=0.0))
            stage.look()
    for key, one in stage.knows.items():
        was = before.get(key)
        if key.source in DAEMONS:
            assert set(one.not_in_kernel) <= set(was.not_in_kernel if was is not None else ())
        else:
            assert was is not None
            assert set(one.remote_ts) <= set(was.remote_ts)
