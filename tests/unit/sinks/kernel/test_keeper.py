"""What is done about a spot, and what upstream may hear of it."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import pytest

from rri_bgp.model import Destination, FlowRule, Path, Prefix, VrfPrefix
from rri_bgp.rri.kernel import Peer
from rri_bgp.sinks.kernel.devices import Devices
from rri_bgp.sinks.kernel.faults import Hindrance
from rri_bgp.sinks.kernel.gate import Gate
from rri_bgp.sinks.kernel.keeper import PATIENCE, Keeper
from rri_bgp.sinks.kernel.kernel import MAIN, Change, Refusal, Spot, Verb
from rri_bgp.sinks.kernel.mirror import CHARON, Mirror
from rri_bgp.sinks.kernel.resolve import Resolver, Target
from rri_bgp.sinks.kernel.wishes import Wish
from tests.kernels import ETH0, OURS, STATIC, ModelKernel, Wishing, link, via
from tests.values import HUB4, pfx
from tests.wanted import Wanted

NET, OTHER, DEFAULT = pfx("10.1.0.0/16"), pfx("10.2.0.0/16"), pfx("0.0.0.0/0")
SPOT = Spot(MAIN, NET)
OVER = via("192.0.2.254")
WISH = Wish(1, (Target(Peer(ip_address("203.0.113.9")), ""),))


class Recorded(ModelKernel):
    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Change] = []

    def change(self, changes: Sequence[Change]) -> Mapping[int, Refusal]:
        self.changes += changes
        return super().change(changes)


class Stage:
    """A keeper over a model kernel with a default route; ``held`` is what upstream has."""

    def __init__(self, *, stands_in: bool = False, vrfs: Mapping[int, str] | None = None) -> None:
        self.kernel = Recorded()
        self.kernel.put(DEFAULT, (0, STATIC, OVER))
        self.mirror = Mirror(OURS, {MAIN, CHARON, 10})
        devices = Devices()
        devices.take_all([link(ETH0, "eth0")])
        self.rib = Wanted({NET: Path(HUB4), OTHER: Path(HUB4)})
        self.gate = Gate(self.rib)
        self.held: set[Destination] = set()
        self.wishes = Wishing(vrfs)
        self.counters: Counter[str] = Counter()
        resolver = Resolver(self.kernel, devices, self.mirror, lambda _vrf, _address: None)
        self.keeper = Keeper(
            self.kernel, self.mirror, resolver, self.gate, self.wishes, self.held.__contains__, self.counters,
            stands_in=stands_in,
        )  # fmt: skip
        self.hear()

    def hear(self) -> None:
        for one in self.kernel.events:
            self.mirror.take(one)
        self.kernel.events.clear()

    def work(self, now: float = 0.0, *spots: Spot) -> list[Verb]:
        """What is done about these, the usual one where none is named."""
        before = len(self.kernel.changes)
        self.keeper.look(spots or (SPOT,))
        while not self.keeper.is_idle:
            self.keeper.work(now)
        return [change.verb for change in self.kernel.changes[before:]]

    def fault(self, spot: Spot = SPOT) -> str:
        found = self.keeper.faults.get(spot)
        return "" if found is None else found.text


def wanting(*, metric: int = 1, stands_in: bool = False) -> Stage:
    stage = Stage(stands_in=stands_in)
    stage.wishes[SPOT] = WISH._replace(metric=metric)
    return stage


def test_g3_a_route_is_added_and_then_upstream_may_hear_of_it() -> None:
    stage = wanting()
    assert stage.gate.path(NET) is None
    assert stage.work() == [Verb.ADD]
    assert stage.gate.path(NET) == Path(HUB4)
    assert list(stage.gate.take_moved()) == [NET]
    assert stage.work() == [], "what is right is left alone"
    assert list(stage.gate.take_moved()) == []


def test_e11_a_flow_always_passes() -> None:
    flow = FlowRule(NET, 6, (443, 443))
    stage = Stage()
    stage.rib[flow] = Path(HUB4)
    assert stage.gate.path(flow) == Path(HUB4)
    assert set(stage.gate.destinations()) == {flow}


def test_g3_what_nobody_wants_waits_for_upstream_and_not_for_ever() -> None:
    stage = wanting()
    stage.work()
    stage.keeper.allow_delete()
    stage.held.add(NET)
    stage.wishes.clear()
    assert stage.work(100.0) == []
    assert (stage.keeper.pending, stage.keeper.due) == (1, 100.0 + PATIENCE)
    assert stage.work(100.0 + PATIENCE - 1) == []
    stage.held.clear()
    stage.keeper.released([SPOT])
    assert stage.work(101.0) == [Verb.DELETE]
    assert stage.keeper.pending == 0


def test_g3_upstream_that_does_not_let_go_is_not_waited_for_longer() -> None:
    stage = wanting()
    stage.work()
    stage.keeper.allow_delete()
    stage.held.add(NET)
    stage.wishes.clear()
    stage.work(100.0)
    assert stage.work(100.0 + PATIENCE) == [Verb.DELETE]


def test_g3_wanted_again_it_does_not_go() -> None:
    stage = wanting()
    stage.work()
    stage.keeper.allow_delete()
    stage.held.add(NET)
    wish = stage.wishes.pop(SPOT)
    stage.work(100.0)
    stage.wishes[SPOT] = wish
    assert stage.work(101.0) == []
    assert stage.keeper.due is None
    assert stage.gate.is_open(NET)
    assert stage.work(100.0 + PATIENCE) == []


def test_g7_nothing_goes_before_all_sources_have_spoken() -> None:
    stage = Stage()
    stage.kernel.put(NET, (1, OURS, OVER))
    stage.hear()
    assert stage.work() == []
    assert stage.keeper.pending == 1
    stage.keeper.allow_delete()
    assert stage.work() == [Verb.DELETE]


def test_g7_an_adopted_route_that_is_right_is_left_alone() -> None:
    stage = wanting()
    stage.kernel.put(NET, (1, OURS, OVER))
    stage.hear()
    assert stage.work() == []
    assert stage.gate.is_open(NET)


def test_n7_another_metric_comes_before_the_old_one_goes() -> None:
    stage = wanting()
    stage.work()
    stage.keeper.allow_delete()
    stage.wishes[SPOT] = WISH._replace(metric=20)
    assert stage.work() == [Verb.ADD, Verb.DELETE]
    assert stage.mirror.ours[SPOT] == ((20, OVER),)


@pytest.mark.parametrize("metric", [0, 1, 5])
def test_g6_n7_another_ones_route_and_upstream(metric: int) -> None:
    stage = wanting()
    stage.kernel.put(NET, (metric, STATIC, via("192.0.2.9")))
    stage.hear()
    stage.work()
    verdicts = {0: Hindrance.BEATEN, 1: Hindrance.BLOCKED, 5: None}
    found = stage.keeper.faults.get(SPOT)
    assert (found and found.why) == verdicts[metric]
    assert stage.gate.is_open(NET) is (metric == 5)
    assert stage.keeper.faults.refused == (metric == 1)
    assert stage.kernel.touched == []


def test_n5_what_cannot_be_resolved_is_shut_first_and_goes_when_upstream_has_let_go() -> None:
    stage = wanting()
    stage.work()
    stage.keeper.allow_delete()
    stage.held.add(NET)
    stage.kernel.take(DEFAULT, (0, STATIC, OVER))
    stage.hear()
    (spots,) = stage.keeper._resolver.again()
    assert stage.work(0.0, *spots) == []
    assert not stage.gate.is_open(NET)
    assert stage.fault().startswith("no route leads to 203.0.113.9")
    stage.held.clear()
    stage.keeper.released([SPOT])
    assert stage.work() == [Verb.DELETE]


def test_n5_a_blackhole_stands_for_it_and_upstream_hears_nothing() -> None:
    stage = wanting(stands_in=True)
    stage.work()
    stage.kernel.take(DEFAULT, (0, STATIC, OVER))
    stage.hear()
    list(stage.keeper._resolver.again())
    assert stage.work() == [Verb.REPLACE]
    assert stage.mirror.ours[SPOT] == ((1, ()),)
    assert stage.gate.is_open(NET)
    assert stage.fault().endswith("a blackhole stands for it")
    assert stage.keeper.faults.refused == 1


def test_g6_a_place_that_is_taken_unheard_is_a_puzzle_until_a_look() -> None:
    stage = wanting()
    stage.kernel.put(NET, (1, STATIC, via("192.0.2.9")))
    unheard, stage.kernel.events = stage.kernel.events, []
    assert stage.work() == [Verb.ADD]
    assert stage.mirror.in_doubt
    assert not stage.gate.is_open(NET)
    for one in unheard:
        stage.mirror.take(one)
    stage.keeper.look_at_puzzles()
    assert stage.work() == []
    assert stage.fault().startswith("there is a route of the administrator (static)")


def test_what_the_kernel_refuses_is_said_counted_and_tried_again_only_when_told() -> None:
    stage = wanting()
    stage.kernel.refuses[NET] = errno.EPERM
    assert stage.work() == [Verb.ADD]
    assert stage.fault() == "the kernel refuses it: Operation not permitted"
    assert stage.work() == []
    stage.keeper.try_again()
    assert stage.work() == [Verb.ADD]
    assert stage.counters == {"refused by the kernel": 2}
    stage.kernel.refuses.clear()
    stage.keeper.try_again()
    assert stage.work() == [Verb.ADD]
    assert (stage.fault(), stage.keeper.faults.refused) == ("", 0)
    assert stage.counters["added"] == 1


def test_what_comes_to_hinder_a_route_is_news_once_and_so_is_its_end() -> None:
    stage = wanting()
    stage.kernel.put(NET, (1, STATIC, via("192.0.2.9")))
    stage.hear()
    stage.work()
    stage.work()
    ((spot, fault),) = stage.keeper.faults.take_news()
    assert (spot, fault) == (SPOT, stage.keeper.faults.get(SPOT))
    assert list(stage.keeper.faults.examples()) == [(1, SPOT, fault)]
    stage.kernel.take(NET, (1, STATIC, via("192.0.2.9")))
    stage.hear()
    stage.work()
    assert stage.keeper.faults.take_news() == [(SPOT, None)]
    assert (stage.keeper.faults.take_news(), list(stage.keeper.faults.examples())) == ([], [])


def test_n6_a_table_that_the_policy_uses_no_more_is_emptied() -> None:
    stage = Stage()
    spot = Spot(10, NET)
    stage.kernel.put(NET, (1, OURS, OVER), table=10)
    stage.hear()
    stage.keeper.allow_delete()
    stage.held.add(NET)
    assert stage.work(0.0, spot) == [Verb.DELETE]


def test_n6_a_vrfs_route_is_upstreams_by_its_own_name() -> None:
    stage = Stage(vrfs={MAIN: "", 10: "red"})
    stage.wishes[Spot(10, NET)] = WISH._replace(crosses=True)
    stage.work(0.0, Spot(10, NET))
    assert stage.gate.is_open(VrfPrefix("red", NET))
    assert not stage.gate.is_open(NET)
    assert stage.mirror.ours[Spot(10, NET)] == ((1, via("192.0.2.254", onlink=True)),)


def test_n5_charons_route_for_the_same_traffic_is_noted_until_it_goes() -> None:
    stage = wanting()
    stage.kernel.put(NET, (0, STATIC, OVER), table=CHARON)
    stage.hear()
    stage.work()
    assert stage.keeper.shadowed == {SPOT}
    stage.kernel.take(NET, (0, STATIC, OVER), table=CHARON)
    stage.hear()
    stage.work()
    assert stage.keeper.shadowed == set()


def test_an_answer_that_is_lost_is_looked_at_again() -> None:
    stage = wanting()
    stage.keeper.look([SPOT])

    def fail(_changes: Sequence[Change]) -> Mapping[int, Refusal]:
        raise OSError(errno.ENOBUFS, "No buffer space available")

    stage.kernel.change = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(OSError, match="No buffer space"):
        stage.keeper.work(0.0)
    assert stage.keeper.is_pending(SPOT)
    assert not stage.gate.is_open(NET)


def test_little_goes_before_much() -> None:
    stage = Stage()
    many = [Spot(MAIN, Prefix(4, (11 << 24) + (number << 8), 24)) for number in range(100)]
    stage.wishes.update(dict.fromkeys((*many, SPOT), WISH))
    stage.keeper.look(many, bulk=True)
    stage.keeper.look([SPOT])
    stage.keeper.look([SPOT], bulk=True)
    stage.keeper.work(0.0, 1)
    assert [change.place.prefix for change in stage.kernel.changes] == [NET]
    assert stage.keeper.pending == 100
