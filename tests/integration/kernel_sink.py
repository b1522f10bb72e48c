"""A controller with the kernel sink, and beside it a sink that keeps what it was told and when. Run by ``netns``.

On stdin come JSON lines: ``{"sas": [[id, peer, prefix, ...], ...]}`` is all that a source has, ``{"release": true}``
lets go of what was to be withdrawn, ``{"distance": 20}`` and
``{"policy": FILE}`` change the policy. After each change it says how things are.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rri_bgp.controller import Controller
from rri_bgp.model import Destination, SaPair, prefix_of, vrf_of
from rri_bgp.policy import load
from rri_bgp.rri.entries import Policy, ReverseRoute
from rri_bgp.sinks import RouteState, SinkRoute, SinkStatus
from rri_bgp.sinks.kernel.sink import KernelSink
from rri_bgp.sources import SaObserver
from tests.integration.report import capabilities, say
from tests.values import sa


class Told:
    """The source: says what it is told on stdin."""

    name = "vici"

    def watch_suspects(self, wanted: bool) -> None:
        """See ``Source``."""

    async def run(self, observer: SaObserver) -> None:
        """See ``Source``."""
        reader = asyncio.StreamReader(limit=1 << 24)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            self.take(json.loads(line), observer)

    def take(self, told: dict[str, Any], observer: SaObserver) -> None:
        """One line."""
        if "sas" in told:
            observer.snapshot(self.name, [_sa(*one) for one in told["sas"]])
        if "release" in told:
            recorder.release()
        if "policy" in told:
            controller.take_policy(load(Path(told["policy"])).policy)
        if "distance" in told:
            controller.take_policy(_with_distance(controller.rib.policy, told["distance"]))


def _sa(uniqueid: int, peer: str, *prefixes: Any) -> SaPair:
    *found, more = prefixes if isinstance(prefixes[-1], dict) else (*prefixes, {})
    return sa(uniqueid, *found, peer=peer, **more)


def _with_distance(policy: Policy, distance: int) -> Policy:
    settings = replace(policy.entries[0].reverse_route or ReverseRoute(), distance=distance)
    return replace(policy, entries=(replace(policy.entries[0], reverse_route=settings),))


class Recorder:
    """The sink that announces: notes for each thing that it would say whether the kernel had the route then."""

    name = "recorder"

    def __init__(self) -> None:
        self.held: dict[Destination, None] = {}
        self.leaving: list[Destination] = []
        self.log: list[list[object]] = []
        self.may_withdraw = False

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None:
        """See ``Sink``."""
        for destination in destinations:
            is_wanted = controller.wanted.path(destination) is not None
            if is_wanted and destination not in self.held:
                self.held[destination] = None
                self.note("announce", destination)
            elif not is_wanted and destination in self.held and destination not in self.leaving:
                self.leaving.append(destination)
                self.note("withdraw", destination)

    def note(self, what: str, destination: Destination) -> None:
        """Asks ip(8) whether the kernel has it."""
        vrf = settings.policy.vrfs.get(vrf_of(destination))
        table = "main" if vrf is None else str(vrf.table)
        family = "-6" if ":" in str(destination) else "-4"
        shown = subprocess.run(
            ["ip", family, "route", "show", str(prefix_of(destination)), "table", table, "proto", "82"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        self.log.append([what, str(destination), bool(shown.stdout)])

    def release(self) -> None:
        """What was withdrawn has been."""
        leaving, self.leaving = self.leaving, []
        for destination in leaving:
            del self.held[destination]
        controller.released(leaving)

    def allow_withdraw(self) -> None:
        """See ``Sink``."""
        self.may_withdraw = True

    def holds(self, destination: Destination, /) -> bool:
        """See ``Sink``."""
        return destination in self.held

    def route(self, destination: Destination, /) -> SinkRoute:
        """See ``Sink``."""
        return SinkRoute(RouteState.CONFIRMED if destination in self.held else RouteState.ABSENT)

    def take_settings(self, policy: Policy) -> None:
        """See ``Sink``."""

    def retry(self) -> None:
        """See ``Sink``."""

    def status(self) -> SinkStatus:
        """See ``Sink``."""
        return SinkStatus(self.name, ready=True, confirmed=len(self.held), pending=0, refused=0)

    async def run(self) -> None:
        """See ``Sink``."""
        await asyncio.Event().wait()

    async def finish(self) -> None:
        """See ``Sink``."""


async def report() -> None:
    """Says how things are, whenever that has changed."""
    before: dict[str, Any] = {}
    while True:
        status = kernel.status()
        now = {
            "settled": controller.is_settled, "confirmed": status.confirmed, "refused": status.refused,
            "pending": status.pending, "detail": status.detail, "counters": dict(status.counters),
            "log": recorder.log, "may_withdraw": recorder.may_withdraw, "capabilities": capabilities(),
            "reasons": {str(one): kernel.route(one).reason for one in list(controller.rib.destinations())[:20]},
        }  # fmt: skip
        if now != before:
            say(**now, at=time.monotonic())
            before = json.loads(json.dumps(now))
        await asyncio.sleep(0.005)


async def main() -> None:
    """All of it, until killed."""
    async with asyncio.TaskGroup() as group:
        group.create_task(controller.run(controller.drain(kernel)))
        group.create_task(controller.drain(recorder))
        group.create_task(report())


if __name__ == "__main__":
    settings = load(Path(sys.argv[1]))
    assert settings.kernel is not None
    controller = Controller(settings.policy, [Told()])
    kernel = KernelSink(controller.rib, settings.kernel, controller.outlets, resync=float(sys.argv[2]))
    controller.outlets.lay(kernel)
    recorder = Recorder()
    asyncio.run(main())
