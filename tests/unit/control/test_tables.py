"""Status, routes and SA pairs, as the control socket answers them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rri_bgp.control.protocol import Ask
from rri_bgp.control.server import serving
from rri_bgp.controller import Controller
from rri_bgp.sinks import NeighborState, RouteState, SinkRoute
from tests.unit.control.small import (
    ROUTES,
    SAS,
    STATUS,
    Quiet,
    small,
)
from tests.unit.control.talk import (
    answers,
)
from tests.values import pfx, policy


async def test_status(path: Path) -> None:
    controller, _ = small()
    async with serving(controller, path):
        assert await answers(path, Ask.STATUS) == [STATUS]


async def test_status_is_not_well_while_a_source_is_lost(path: Path) -> None:
    controller, _ = small()
    controller.lost("vici", "connection refused")
    async with serving(controller, path):
        (status,) = await answers(path, Ask.STATUS)
    (source,) = status["sources"]
    assert (status["well"], source["connected"], source["losses"]) == (False, False, 1)
    assert source["why"] == "connection refused"


@pytest.mark.parametrize("trouble", ["not ready", "a neighbor down", "a route refused"])
async def test_status_is_not_well_with_a_sink_that_is_not(path: Path, trouble: str) -> None:
    controller, sink = small()
    if trouble == "not ready":
        sink.ready = False
    elif trouble == "a neighbor down":
        sink.neighbors = (*sink.neighbors, NeighborState("192.0.2.1", "192.0.2.3", "down", "hold timer expired"))
    else:
        sink.has[pfx("10.1.0.0/16")] = SinkRoute(RouteState.REFUSED, reason="ExaBGP said error")
    async with serving(controller, path):
        (status,) = await answers(path, Ask.STATUS)
    assert not status["well"]


async def test_status_before_the_first_snapshot(path: Path) -> None:
    controller = Controller(policy(), [Quiet()])
    async with serving(controller, path):
        (status,) = await answers(path, Ask.STATUS)
    assert (status["complete"], status["well"], status["sas"], status["routes"]) == (False, False, 0, 0)


async def test_routes(path: Path) -> None:
    controller, _ = small()
    async with serving(controller, path):
        assert await answers(path, Ask.ROUTES) == ROUTES


async def test_sas_with_their_refusals_g8(path: Path) -> None:
    controller, _ = small()
    async with serving(controller, path):
        assert await answers(path, Ask.SAS) == SAS


async def test_nothing_is_an_answer_too(path: Path) -> None:
    controller = Controller(policy(), [Quiet()])
    async with serving(controller, path):
        assert await answers(path, Ask.ROUTES) == []
        assert await answers(path, Ask.SAS) == []
