"""The controller: what sources say reaches the sinks, and nothing is withdrawn before all sources are complete."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rri_bgp.backlog import PIECE
from rri_bgp.controller import Controller
from rri_bgp.model import Prefix
from rri_bgp.sinks import RouteState, SinkRoute, SinkStatus
from rri_bgp.sources import SaObserver
from tests.values import entry, policy, sa


class Scripted:
    """A source that says nothing by itself: the test speaks for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = asyncio.Event()
        self.cancelled = False

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
        self.end = asyncio.Event()

    def changed(self, prefixes: Iterable[Prefix], *, bulk: bool = False) -> None:
        self.told.append({str(prefix) for prefix in prefixes})

    def allow_withdraw(self) -> None:
        self.told.append("allow withdraw")

    def route(self, prefix: Prefix) -> SinkRoute:
        return SinkRoute(RouteState.ABSENT)

    def status(self) -> SinkStatus:
        return SinkStatus(self.name, ready=True, confirmed=0, pending=0, refused=0)

    def retry(self) -> None:
        self.told.append("retry")

    async def run(self) -> None:
        await self.end.wait()

    async def finish(self) -> None:
        self.told.append("finish")


def build(*names: str) -> tuple[Controller, Recorder]:
    controller = Controller(policy(), [Scripted(name) for name in names])
    sink = Recorder()
    controller.add_sink(sink)
    return controller, sink


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
    assert sink.told == [{"10.2.0.0/16"}, "retry"]
    controller.take_policy(policy(entry(10, connection="branch1", tag=100)))
    assert sink.told[2:] == [{"10.2.0.0/16"}, "retry"]
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
    await asyncio.sleep(0)  # one turn of the loop, and the only one that was asked for
    assert sink.told == [{"10.1.0.0/16"}, "allow withdraw"]
