"""The controller: what sources say reaches the sinks, and nothing is withdrawn before all sources are complete."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rri_bgp.controller import Controller
from rri_bgp.model import Prefix
from rri_bgp.sinks import RouteState, SinkRoute, SinkStatus
from rri_bgp.sources import SaObserver
from tests.values import policy, sa


class Scripted:
    """A source that says nothing by itself: the test speaks for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cancelled = False

    async def run(self, observer: SaObserver) -> None:
        assert isinstance(observer, Controller)
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

    def changed(self, prefixes: Iterable[Prefix]) -> None:
        self.told.append({str(prefix) for prefix in prefixes})

    def allow_withdraw(self) -> None:
        self.told.append("allow withdraw")

    def route(self, prefix: Prefix) -> SinkRoute:
        return SinkRoute(RouteState.ABSENT)

    def status(self) -> SinkStatus:
        return SinkStatus(self.name, ready=True, confirmed=0, pending=0, refused=0)

    async def run(self) -> None:
        await self.end.wait()


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
    controller.add_sink(sink)
    async with asyncio.timeout(10):
        async with asyncio.TaskGroup() as group:
            group.create_task(controller.run())
            sink.end.set()
    assert source.cancelled
