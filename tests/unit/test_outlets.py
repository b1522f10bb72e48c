"""Who of the sinks is told first, and what the others may announce."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from rri_bgp.controller import Controller
from rri_bgp.model import Destination, Prefix
from rri_bgp.sinks import KernelEntry, RouteState, Wanted
from rri_bgp.sinks.kernel.gate import Gate
from tests.unit.test_controller import Recorder, Scripted
from tests.values import pfx, policy, sa

NET = pfx("10.1.0.0/16")


class Ground(Recorder):
    """A foundation; the test opens its gate."""

    name = "kernel"

    def __init__(self, controller: Controller, told: list[tuple[str, object]]) -> None:
        super().__init__()
        self.gate = Gate(controller.rib)
        self.order = told

    @property
    def wanted(self) -> Wanted:
        return self.gate

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        self.order.append((self.name, {str(one) for one in destinations}))
        super().changed(destinations, bulk=bulk, moves=moves)

    def released(self, destinations: Iterable[Destination] | None = None) -> None:
        self.told.append("released all" if destinations is None else {str(one) for one in destinations})

    def entry(self, vrf: str, prefix: Prefix) -> KernelEntry:
        return KernelEntry(RouteState.ABSENT, 254 if not vrf else 10, prefix.length)

    async def finish(self) -> None:
        self.order.append((self.name, "finish"))


class Speaker(Recorder):
    """One that announces."""

    name = "exabgp"

    def __init__(self, told: list[tuple[str, object]]) -> None:
        super().__init__()
        self.order = told
        self.has: set[Destination] = set()

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        self.order.append((self.name, {str(one) for one in destinations}))

    def allow_withdraw(self) -> None:
        self.order.append((self.name, "allow withdraw"))

    def holds(self, destination: Destination, /) -> bool:
        return destination in self.has

    async def finish(self) -> None:
        self.order.append((self.name, "finish"))


@pytest.fixture
def stage() -> tuple[Controller, Ground, Speaker, list[tuple[str, object]]]:
    """A controller with a foundation and a speaker, both fed, and all that they are told, in order."""
    order: list[tuple[str, object]] = []
    controller = Controller(policy(), [Scripted("vici")])
    ground, speaker = Ground(controller, order), Speaker(order)
    controller.outlets.lay(ground)
    controller.add_sink(speaker)
    controller.add_sink(ground)
    return controller, ground, speaker, order


Stage = tuple[Controller, Ground, Speaker, list[tuple[str, object]]]


def test_g3_the_foundation_is_told_first_and_the_others_read_what_it_lets_pass(stage: Stage) -> None:
    controller, ground, _, order = stage
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    assert order[:2] == [("kernel", {"10.1.0.0/16"}), ("exabgp", {"10.1.0.0/16"})]
    assert controller.wanted.path(NET) is None
    ground.gate.open(NET)
    assert controller.wanted.path(NET) is not None


def test_g3_the_foundation_hears_of_a_peer_that_moves_and_upstream_does_not(stage: Stage) -> None:
    controller, _, _, order = stage
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    order.clear()
    moved = sa(1, "10.1.0.0/16", peer="203.0.113.77")
    controller.update("vici", {moved.key: moved})
    assert order == [("kernel", {"10.1.0.0/16"})]


def test_g7_nobody_withdraws_before_the_foundation_has_been_looked_through(stage: Stage) -> None:
    controller, ground, _, order = stage
    controller.snapshot("vici", [])
    assert ground.told == ["allow withdraw"]
    assert ("exabgp", "allow withdraw") not in order
    controller.outlets.may_withdraw()
    assert order[-1] == ("exabgp", "allow withdraw")


def test_g7_a_speaker_that_comes_later_may_withdraw_at_once(stage: Stage) -> None:
    controller, _, _, order = stage
    controller.snapshot("vici", [])
    controller.outlets.may_withdraw()
    order.clear()
    controller.add_sink(Speaker(order))
    assert order == [("exabgp", "allow withdraw")]


def test_g3_the_foundation_asks_who_has_a_route_and_hears_when_they_let_go(stage: Stage) -> None:
    controller, ground, speaker, _ = stage
    assert not controller.outlets.has(NET)
    speaker.has.add(NET)
    assert controller.outlets.has(NET)
    controller.released([NET])
    controller.outlets.remove(speaker)
    assert ground.told == [{"10.1.0.0/16"}, "released all"]
    assert not controller.outlets.has(NET), "who is gone has nothing"


async def test_g3_the_foundation_ends_last(stage: Stage) -> None:
    controller, _, _, order = stage
    await controller.finish()
    assert order == [("exabgp", "finish"), ("kernel", "finish")]
