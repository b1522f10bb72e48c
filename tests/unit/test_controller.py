"""The controller: what sources say reaches the sinks, and nothing is withdrawn before all sources are complete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from rri_bgp.backlog import PIECE
from rri_bgp.controller import Controller
from rri_bgp.model import Destination, SaKey, SaPair
from rri_bgp.reasons import Reason
from rri_bgp.rri.entries import Group, Policy
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.sinks import RouteState, SinkRoute, SinkStatus
from rri_bgp.sources import SaObserver
from rri_bgp.turns import turn
from tests.values import entry, pfx, policy, sa


class Scripted:
    """A source that says nothing by itself: the test speaks for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = asyncio.Event()
        self.cancelled = False
        self.suspects = False

    def watch_suspects(self, wanted: bool) -> None:
        self.suspects = wanted

    async def run(self, observer: SaObserver) -> None:
        assert isinstance(observer, Controller)
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled = True


class Recorder:
    """A sink that keeps what it was told, and ends when told so."""

    name = "recorder"

    def __init__(self) -> None:
        self.told: list[set[str] | str] = []
        self.modes: list[str] = []
        self.end = asyncio.Event()

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        self.told.append({str(destination) for destination in destinations})
        self.modes.append(("bulk " if bulk else "") + ("moves" if moves else ""))

    def allow_withdraw(self) -> None:
        self.told.append("allow withdraw")

    def take_settings(self, policy: Policy) -> None:
        self.told.append(f"settings of {len(policy.entries)} entries")

    def holds(self, destination: Destination, /) -> bool:
        return False

    def route(self, destination: Destination, /) -> SinkRoute:
        return SinkRoute(RouteState.ABSENT)

    def status(self) -> SinkStatus:
        return SinkStatus(self.name, ready=True, confirmed=0, pending=0, refused=0)

    def retry(self) -> None:
        self.told.append("retry")

    async def run(self) -> None:
        await self.end.wait()

    async def finish(self) -> None:
        self.told.append("finish")


def build(*names: str, rules: Policy | None = None, looks_around: bool = False) -> tuple[Controller, Recorder]:
    controller = Controller(rules or policy(), [Scripted(name) for name in names], looks_around=looks_around)
    sink = Recorder()
    controller.add_sink(sink)
    return controller, sink


async def until(condition: Callable[[], object]) -> None:
    """Turns of the loop until it is so."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # it may be any condition
            await asyncio.sleep(0)


def test_withdraws_wait_until_every_source_is_complete() -> None:
    controller, sink = build("vici", "xfrm")
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    assert not controller.complete
    controller.snapshot("xfrm", [])
    controller.snapshot("vici", [])
    assert sink.told == [{"10.1.0.0/16"}, "allow withdraw", {"10.1.0.0/16"}]


def test_a_change_without_effect_tells_no_sink() -> None:
    controller, sink = build("vici")
    one, successor = sa(1, "10.1.0.0/16"), sa(2, "10.1.0.0/16")
    controller.snapshot("vici", [one])
    controller.update("vici", {successor.key: successor})
    controller.update("vici", {one.key: None})
    assert sink.told == [{"10.1.0.0/16"}, "allow withdraw"]
    assert controller.changes == 1


def test_a_lost_source_keeps_its_routes_and_is_seen() -> None:
    controller, sink = build("vici")
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    controller.lost("vici", "connection closed")
    controller.lost("vici", "connection refused")
    (status,) = controller.sources()
    assert (status.connected, status.complete, status.losses) == (False, True, 2)
    assert status.why == "connection refused"
    assert len(controller.rib) == 1
    controller.snapshot("vici", [])
    (status,) = controller.sources()
    assert (status.connected, status.why, status.snapshots) == (True, "", 2)
    assert sink.told == [{"10.1.0.0/16"}, "allow withdraw", {"10.1.0.0/16"}]


async def test_a_sink_that_ends_ends_the_controller_and_its_sources() -> None:
    source = Scripted("vici")
    controller = Controller(policy(), [source])
    sink = Recorder()
    async with asyncio.timeout(10):
        async with asyncio.TaskGroup() as group:
            group.create_task(controller.run(controller.drain(sink)))
            await source.started.wait()
            sink.end.set()
    assert source.cancelled
    assert not controller.has_sink("recorder")


def test_a_sink_that_comes_late_is_told_all_there_is() -> None:
    controller, _ = build("vici")
    controller.snapshot("vici", [sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16")])
    late = Recorder()
    controller.add_sink(late)
    assert late.told == [{"10.1.0.0/16", "10.2.0.0/16"}, "allow withdraw"]
    assert controller.sinks == [late], "it takes the place of the one of the same name"


async def test_a_sink_whose_other_side_is_gone_is_seen_and_told_nothing_more() -> None:
    controller, sink = build("vici")
    sink.end.set()
    await controller.drain(sink)
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    await controller.finish()
    assert (controller.sinks, sink.told) == ([sink], [])


def test_e4_another_policy_is_one_change_of_what_differs() -> None:
    tagged = policy(entry(10, connection="branch1", tag=100), entry(20, connection="branch2", tag=200))
    controller = Controller(tagged, [Scripted("vici")])
    sink = Recorder()
    controller.add_sink(sink)
    controller.snapshot("vici", [sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16", connection="branch2")])
    sink.told.clear()
    controller.take_policy(policy(entry(10, connection="branch1", tag=100), entry(20, connection="branch2", tag=201)))
    assert sink.told == ["settings of 2 entries", {"10.2.0.0/16"}]
    controller.take_policy(policy(entry(10, connection="branch1", tag=100)))
    assert sink.told[2:] == ["settings of 1 entries", {"10.2.0.0/16"}]
    assert sink.modes[1:] == ["moves"] * 2
    assert len(controller.rib) == 1


async def test_every_sink_is_told_of_the_end() -> None:
    controller, sink = build("vici")
    await controller.finish()
    assert sink.told == ["finish"]


async def test_a_small_snapshot_waits_for_the_turn_that_a_large_one_has_asked_for() -> None:
    controller, sink = build("vici")
    large = [sa(number, f"10.{number}.0.0/16") for number in range(1, 3 * PIECE)]
    controller.snapshot("vici", large)
    controller.snapshot("vici", large[:1])
    assert sink.told == []
    await turn()  # the only one that was asked for
    assert sink.told == [{"10.1.0.0/16"}, "allow withdraw"]


def many(count: int, connection: str = "branch1") -> list[SaPair]:
    return [
        sa(number, f"10.{number >> 8}.{number & 255}.0/24", connection=connection) for number in range(1, count + 1)
    ]


async def caught_up(controller: Controller, sas: list[SaPair]) -> None:
    controller.snapshot("vici", sas)
    await until(lambda: controller.is_caught_up)


# Delays ------------------------------------------------------------------------------------------------------------


async def test_g4_the_controller_comes_back_when_a_delay_ends() -> None:
    controller, sink = build("vici", rules=policy(entry(announce_delay=0.05, withdraw_delay=0.1)))
    one = sa(1, "10.1.0.0/16")
    controller.snapshot("vici", [one])
    assert sink.told == ["allow withdraw"]
    assert controller.waiting(one.key) == "announce-delay: 1 s left"
    await until(lambda: {"10.1.0.0/16"} in sink.told)
    controller.update("vici", {one.key: None})
    assert (controller.waiting(one.key), len(controller.rib)) == ("withdraw-delay: 1 s left", 1)
    controller.update("vici", {sa(2).key: sa(2, "10.1.0.0/16")})
    assert sink.told == ["allow withdraw", {"10.1.0.0/16"}]
    controller.update("vici", {sa(2).key: None})
    await until(lambda: len(controller.rib) == 0)
    assert sink.told == ["allow withdraw", {"10.1.0.0/16"}, {"10.1.0.0/16"}]


async def test_g7_what_is_long_up_does_not_wait_again_whatever_the_clock_was_when_it_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    controller, sink = build("vici", rules=policy(entry(announce_delay=600)))
    monkeypatch.setattr("rri_bgp.controller.time.time", lambda: 1_700_000_000.0)
    controller.update("vici", {sa(1).key: sa(1, "10.1.0.0/16", since=1_700_000_000 - 3600)})
    controller.update("vici", {sa(2).key: sa(2, "10.2.0.0/16", since=1_700_000_000)})
    assert sink.told == [{"10.1.0.0/16"}]


async def test_news_of_many_pairs_goes_behind_news_of_a_few() -> None:
    controller, sink = build("vici")
    controller.update("vici", {one.key: one for one in many(PIECE)})
    controller.update("vici", {one.key: one for one in many(PIECE + 1)[PIECE:]})
    assert sink.modes == ["bulk ", ""]


async def test_g4_many_delays_that_end_at_once_end_in_pieces() -> None:
    controller, sink = build("vici", rules=policy(entry(announce_delay=0.05)))
    await caught_up(controller, many(3 * PIECE))
    assert len(controller.rib) == 0
    await until(lambda: len(controller.rib) == 3 * PIECE)
    assert [len(told) for told in sink.told if isinstance(told, set)] == [PIECE] * 3
    assert sink.modes == ["bulk "] * 3


async def test_g4_a_policy_without_the_delay_ends_it() -> None:
    controller, sink = build("vici", rules=policy(entry(announce_delay=600)))
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    controller.take_policy(policy())
    assert sink.told == ["allow withdraw", "settings of 1 entries", {"10.1.0.0/16"}]


def test_g5_sources_hear_whether_anybody_wants_to_know_suspects() -> None:
    source = Scripted("vici")
    controller = Controller(policy(), [source])
    wanted = [source.suspects]
    for rules in (policy(entry(degrade_med=500)), policy()):
        controller.take_policy(rules)
        wanted.append(source.suspects)
    assert wanted == [False, True, False]


def test_g5_a_suspicion_is_one_change_and_its_end_another() -> None:
    controller, sink = build("vici", rules=policy(entry(degrade_med=500)))
    one = sa(1, "10.1.0.0/16")
    controller.snapshot("vici", [one])
    controller.update("vici", {one.key: replace(one, is_suspect=True)})
    path = controller.rib.path(pfx("10.1.0.0/16"))
    assert path is not None
    assert path.attributes.med == 500
    controller.update("vici", {one.key: one})
    assert sink.told == [{"10.1.0.0/16"}, "allow withdraw", {"10.1.0.0/16"}, {"10.1.0.0/16"}]


# Another policy ----------------------------------------------------------------------------------------------------


async def test_e4_a_large_policy_change_is_one_change_with_turns_between() -> None:
    controller, sink = build("vici", rules=policy(entry(tag=100)))
    sas = many(1200)
    await caught_up(controller, sas)
    sink.told.clear()
    sink.modes.clear()
    async with asyncio.TaskGroup() as group:
        changing = group.create_task(controller.change_policy(policy(entry(tag=200))))
        await asyncio.sleep(0)
        assert not controller.is_settled
        late, first = sa(5000, "10.200.0.0/24"), sas[0]
        controller.update("vici", {late.key: late, first.key: None})
        assert sink.told == [{"10.200.0.0/24", "10.0.1.0/24"}], "an SA event waits for nothing"
    assert changing.result()
    await until(lambda: controller.is_settled)
    assert sink.told[1] == "settings of 1 entries"
    pieces = [told for told in sink.told[2:] if isinstance(told, set)]
    assert set().union(*pieces) == {str(one) for one in controller.rib.destinations()}
    assert sum(map(len, pieces)) == 1200
    assert {route.path.attributes.communities for route in controller.rib.routes()} == {((65000, 200),)}
    assert set(sink.modes[1:]) == {"bulk moves", "moves"}


async def test_e4_what_comes_is_told_before_what_goes() -> None:
    rules = policy(entry(connection="b*"))
    controller, sink = build("vici", rules=rules)
    stay = many(600, connection="b")
    await caught_up(controller, [*stay, *(sa(1000 + n, f"10.100.{n}.0/24", connection="bx") for n in range(100))])
    sink.told.clear()
    await controller.change_policy(policy(entry(connection="b", tag=5)))
    await until(lambda: controller.is_settled)
    told = [one for piece in sink.told if isinstance(piece, set) for one in [sorted(piece)]]
    gone = [index for index, piece in enumerate(told) if any(one.startswith("10.100.") for one in piece)]
    kept = [index for index, piece in enumerate(told) if any(not one.startswith("10.100.") for one in piece)]
    assert min(gone) >= max(kept)


async def test_e4_a_policy_that_comes_meanwhile_takes_the_place_of_the_one_before() -> None:
    controller, _ = build("vici", rules=policy(entry(tag=100)))
    await caught_up(controller, many(100))
    async with asyncio.TaskGroup() as group:
        changing = group.create_task(controller.change_policy(policy(entry(tag=200))))
        await asyncio.sleep(0)
        controller.take_policy(policy(entry(tag=300)))
    assert not changing.result()
    assert controller.rib.policy.entries[0].tag == 300


# Surroundings ------------------------------------------------------------------------------------------------------

GROUPED = policy(entry(redundancy="group1"), groups=[Group("group1", (ip_address("192.168.0.3"),))])
HELD = Surroundings(held=frozenset(("group1",)))


async def test_g2_the_loss_of_the_virtual_address_is_told_at_once_and_in_pieces() -> None:
    controller, sink = build("vici", rules=GROUPED)
    controller.take_surroundings(HELD)
    await caught_up(controller, many(1200))
    await until(lambda: len(controller.rib) == 1200)
    sink.told.clear()
    sink.modes.clear()
    controller.take_surroundings(Surroundings())
    assert [len(told) for told in sink.told] == [PIECE], "before anything else has its turn"
    assert not controller.is_settled
    controller.take_surroundings(Surroundings())
    await until(lambda: controller.is_settled)
    assert (len(controller.rib), set(sink.modes)) == (0, {""})
    controller.take_surroundings(HELD)
    await until(lambda: controller.is_settled)
    assert (len(controller.rib), sink.modes[-1]) == (1200, "bulk ")


async def test_g2_few_routes_are_all_withdrawn_in_the_same_call() -> None:
    controller, sink = build("vici", rules=GROUPED)
    await caught_up(controller, many(100))
    controller.take_surroundings(HELD)
    controller.take_surroundings(Surroundings())
    assert [len(told) for told in sink.told if isinstance(told, set)] == [100, 100]
    assert len(controller.rib) == 0


async def test_g2_a_loss_while_another_policy_is_worked_out_holds_for_both() -> None:
    controller, sink = build("vici", rules=GROUPED)
    controller.take_surroundings(HELD)
    await caught_up(controller, many(600))
    async with asyncio.TaskGroup() as group:
        group.create_task(controller.change_policy(replace(GROUPED, max_routes=10_000)))
        await asyncio.sleep(0)
        controller.take_surroundings(Surroundings())
    await until(lambda: controller.is_settled)
    assert (len(controller.rib), controller.rib.policy.max_routes) == (0, 10_000)
    assert sink.told


def test_g7_nothing_is_withdrawn_before_everything_around_has_been_looked_at() -> None:
    controller, sink = build("vici", looks_around=True)
    controller.snapshot("vici", [])
    assert (sink.told, controller.complete) == ([], False)
    controller.surroundings_complete()
    assert sink.told == ["allow withdraw"]


def test_g4_names_of_peers_that_resolve_otherwise_may_bring_another_delay() -> None:
    rules = policy(entry(10, peers=("branch.example.org",), withdraw_delay=600), entry(20))
    controller, _ = build("vici", rules=rules)
    one = sa(1, "10.1.0.0/16")
    controller.snapshot("vici", [one])
    controller.take_surroundings(Surroundings(names={"branch.example.org": (one.peer,)}))
    entry_of = controller.rib.entry_of(one)
    assert entry_of is not None
    assert entry_of.seq == 10


# What is told of it ------------------------------------------------------------------------------------------------


def test_g8_changes_are_remembered_with_their_times() -> None:
    controller, _ = build("vici")
    one = sa(1, "10.1.0.0/16")
    controller.snapshot("vici", [one])
    controller.snapshot("vici", [])
    first, second = controller.history.of(pfx("10.1.0.0/16"))
    assert (first.path is None, second.path is None) == (False, True)
    assert first.time <= second.time


def test_listeners_hear_of_changes_and_of_pairs_that_do_not_count_yet() -> None:
    controller, _ = build("vici")
    heard: list[tuple[set[Destination], set[SaKey]]] = []
    stop = controller.subscribe(lambda destinations, keys: heard.append((destinations, keys)))
    one = sa(1, "10.1.0.0/16")
    controller.snapshot("vici", [one])
    changed = replace(one, state="REKEYING")
    controller.update("vici", {one.key: changed})
    controller.take_policy(policy(entry(tag=5)))
    controller.update("vici", {one.key: changed})
    stop()
    controller.snapshot("vici", [])
    prefix = pfx("10.1.0.0/16")
    assert heard == [({prefix}, {one.key}), (set(), {one.key}), ({prefix}, set()), (set(), {one.key})]


def test_g8_what_is_refused_is_logged_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    controller, _ = build("vici")
    controller.update("vici", {sa(1).key: sa(1, "0.0.0.0/0", "10.1.0.0/16", identity="evil@example.org")})
    controller.update("vici", {sa(2).key: sa(2, "0.0.0.0/0", "10.1.0.0/16", identity="evil@example.org")})
    assert controller.refusals.counts == {Reason.DEFAULT: 1}
    assert [record.getMessage() for record in caplog.records] == [
        "vici 1, branch1/net of evil@example.org at 203.0.113.2: refused by E10: 0.0.0.0/0 would be a default route"
    ]


def test_g8_what_another_policy_refuses_is_counted_too() -> None:
    controller, _ = build("vici")
    controller.update("vici", {sa(1).key: sa(1, "10.1.0.0/16")})
    controller.take_policy(policy(entry(connection="other")))
    assert controller.refusals.counts == {Reason.NO_ENTRY: 1}
