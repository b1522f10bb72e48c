"""A small controller that tests ask questions about, and what the control socket says of it, written out by hand."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rri_bgp.control.server import serving
from rri_bgp.controller import Controller
from rri_bgp.model import Destination, Prefix
from rri_bgp.policy import Config
from rri_bgp.reload import Reloader
from rri_bgp.rri import Policy, Rib
from rri_bgp.sinks import KernelEntry, KernelHop, NeighborState, RouteState, SinkRoute, SinkStatus, Wanted
from rri_bgp.sinks.kernel.gate import Gate
from rri_bgp.sources import SaObserver
from tests.values import entry, pfx, policy, sa

__all__ = [
    "DEADLINE",
    "DEFAULT_REFUSED",
    "NOT_TAKEN",
    "OWNERS",
    "ROUTES",
    "SAS",
    "SA_FIELDS",
    "STATUS",
    "Ground",
    "Quiet",
    "Table",
    "grounded",
    "many_routes",
    "served",
    "small",
    "until",
]

DEADLINE = 20.0


class Quiet:
    """A source that says nothing by itself: the test speaks for it."""

    name = "vici"

    def watch_suspects(self, wanted: bool) -> None: ...

    async def run(self, observer: SaObserver) -> None:
        await asyncio.Event().wait()


class Table:
    """A sink that has what the test gives it, and hears nothing."""

    name = "exabgp"

    def __init__(self) -> None:
        self.has: dict[Destination, SinkRoute] = {}
        self.ready = True
        self.neighbors: tuple[NeighborState, ...] = (NeighborState("192.0.2.1", "192.0.2.2", "up"),)

    def changed(self, destinations: Iterable[Destination], *, bulk: bool = False, moves: bool = False) -> None: ...

    def take_settings(self, policy: Policy) -> None: ...

    def allow_withdraw(self) -> None: ...

    def retry(self) -> None: ...

    async def finish(self) -> None: ...

    def holds(self, destination: Destination, /) -> bool:
        return False

    def route(self, destination: Destination, /) -> SinkRoute:
        return self.has.get(destination, SinkRoute(RouteState.ABSENT))

    def status(self) -> SinkStatus:
        states = [route.state for route in self.has.values()]
        return SinkStatus(
            self.name,
            ready=self.ready,
            confirmed=states.count(RouteState.CONFIRMED),
            pending=states.count(RouteState.PENDING),
            refused=states.count(RouteState.REFUSED),
            neighbors=self.neighbors,
            counters=(("announced", 4), ("sessions up", 1)),
        )

    async def run(self) -> None:
        await asyncio.Event().wait()


class Ground(Table):
    """A kernel of which the test says what it has: a ``Foundation`` that lets what is confirmed there pass."""

    name = "kernel"

    def __init__(self, rib: Rib) -> None:
        super().__init__()
        self.neighbors = ()
        self.entries: dict[Prefix, KernelEntry] = {}
        self.gate = Gate(rib)

    @property
    def wanted(self) -> Wanted:
        return self.gate

    def released(self, destinations: Iterable[Destination] | None = None) -> None: ...

    def entry(self, vrf: str, prefix: Prefix) -> KernelEntry:
        del vrf
        return self.entries.get(prefix, KernelEntry(RouteState.PENDING, 254, 1))


def grounded() -> tuple[Controller, Ground]:
    """A route that the kernel has, and one that it cannot have; nobody announces either."""
    controller = Controller(policy(), [Quiet()])
    ground = Ground(controller.rib)
    controller.outlets.lay(ground)
    controller.add_sink(ground)
    controller.snapshot("vici", [sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16")])
    here, lost = pfx("10.1.0.0/16"), pfx("10.2.0.0/16")
    hop = KernelHop("192.0.2.254", "eth0")
    ground.entries[here] = KernelEntry(RouteState.CONFIRMED, 254, 1, (hop,))
    ground.entries[lost] = KernelEntry(RouteState.REFUSED, 254, 1, reason="no route leads to 203.0.113.2")
    ground.has = {one: SinkRoute(entry.state, None, entry.reason) for one, entry in ground.entries.items()}
    ground.gate.open(here)
    return controller, ground


def small() -> tuple[Controller, Table]:
    """Three SA pairs: two want 10.1.0.0/16, one asks for a default route too, and one is taken by no entry."""
    rules = policy(entry(10, peers=("203.0.113.2",), tag=100), entry(20, connection="branch*", versions=(4,)))
    controller, sink = Controller(rules, [Quiet()]), Table()
    controller.add_sink(sink)
    first = replace(sa(1, "10.1.0.0/16"), identity="branch1.example", ike_id=7, reqid=3, local_ts=())
    second = sa(2, "10.1.0.0/16", "10.1.5.0/24", "0.0.0.0/0", peer="203.0.113.3", connection="branch2")
    third = sa(3, "10.9.0.0/16", peer="203.0.113.9", connection="guest")
    controller.snapshot("vici", [first, second, third])
    sink.has = {
        pfx("10.1.0.0/16"): SinkRoute(RouteState.CONFIRMED),
        pfx("10.1.5.0/24"): SinkRoute(RouteState.PENDING),
        pfx("10.8.0.0/16"): SinkRoute(RouteState.CONFIRMED),
    }
    return controller, sink


def many_routes(count: int) -> tuple[Controller, list[str]]:
    """A controller with that many routes, told of in another order than theirs, and their prefixes in order."""
    prefixes = [f"10.{number // 256}.{number % 256}.0/24" for number in range(count)]
    controller = Controller(policy(), [Quiet()])
    controller.add_sink(Table())
    pieces = [prefixes[start : start + 500] for start in range(0, count, 500)]  # more of one SA would not be believed
    controller.snapshot("vici", [sa(number, *reversed(piece)) for number, piece in enumerate(reversed(pieces), 1)])
    return controller, prefixes


@contextlib.contextmanager
def served(controller: Controller, path: Path, started: Config | None = None) -> Iterator[None]:
    """A control socket that lives in a thread of its own: for tests that block. ``started``: it may be reloaded."""
    loop = asyncio.new_event_loop()
    stop, ready = asyncio.Event(), threading.Event()

    async def serve() -> None:
        reloader = None if started is None else Reloader(controller, started)
        async with serving(controller, path, reloader), asyncio.TaskGroup() as group:
            going_back = None if reloader is None else group.create_task(reloader.run())
            ready.set()
            await stop.wait()
            if going_back is not None:
                going_back.cancel()
        await until(lambda: len(asyncio.all_tasks()) == 1)

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(DEADLINE)
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(DEADLINE)
    assert not thread.is_alive()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what comes by itself, not for ever."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0.005)


_FIRST: dict[str, Any] = {
    "source": "vici",
    "uniqueid": 1,
    "connection": "branch1",
    "child": "net",
    "peer": "203.0.113.2",
    "local": "203.0.113.1",
    "identity": "branch1.example",
    "remote_ts": ["10.1.0.0/16"],
    "local_ts": [],
    "mode": "tunnel",
    "state": "INSTALLED",
    "ike_id": 7,
    "reqid": 3,
    "if_id": 0,
    "mark": 0,
    "vrf": "",
    "since": 0,
    "suspect": False,
    "not_in_kernel": [],
    "held": False,
}
_SECOND: dict[str, Any] = _FIRST | {
    "uniqueid": 2,
    "connection": "branch2",
    "peer": "203.0.113.3",
    "identity": "",
    "remote_ts": ["10.1.0.0/16", "10.1.5.0/24", "0.0.0.0/0"],
    "ike_id": 0,
    "reqid": 0,
}
_THIRD: dict[str, Any] = _SECOND | {
    "uniqueid": 3,
    "connection": "guest",
    "peer": "203.0.113.9",
    "remote_ts": ["10.9.0.0/16"],
}
DEFAULT_REFUSED = {
    "prefix": "0.0.0.0/0",
    "rule": "E10",
    "label": "default-route",
    "reason": "0.0.0.0/0 would be a default route",
}
NOT_TAKEN = {"prefix": None, "rule": "E1", "label": "no-entry", "reason": "no map entry takes this SA"}
SA_FIELDS = (_FIRST, _SECOND, _THIRD)
SAS: list[dict[str, Any]] = [
    _FIRST | {"entry": "mymap 10", "refusals": [], "waiting": ""},
    _SECOND | {"entry": "mymap 20", "refusals": [DEFAULT_REFUSED], "waiting": ""},
    _THIRD | {"entry": None, "refusals": [NOT_TAKEN], "waiting": ""},
]
OWNERS: list[dict[str, Any]] = [
    {"source": "vici", "uniqueid": number, "entry": None, "line": None} for number in (1, 2)
]
_PLAIN: dict[str, Any] = {
    "prefix": "10.1.5.0/24",
    "vrf": "",
    "flow": None,
    "next_hop": "198.51.100.1",
    "communities": [],
    "large_communities": [],
    "extended_communities": [],
    "med": None,
    "local_preference": None,
    "as_path_prepend": 0,
    "alternates": [],
    "vpn": None,
    "withheld": [],
    "announced": True,
    "entry": "mymap 20",
    "tag": None,
    "owners": OWNERS[1:],
    "sinks": {"exabgp": {"state": "pending", "reason": ""}},
}
ROUTES: list[dict[str, Any]] = [
    _PLAIN
    | {
        "prefix": "10.1.0.0/16",
        "communities": ["65000:100"],
        "large_communities": ["65000:1:100"],
        "entry": "mymap 10",
        "tag": 100,
        "owners": OWNERS,
        "sinks": {"exabgp": {"state": "confirmed", "reason": ""}},
    },
    _PLAIN,
]
STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "well": True,
    "policy": None,
    "policy_error": "",
    "confirm": None,
    "complete": True,
    "sas": 3,
    "routes": 2,
    "refusals": 2,
    "refused_so_far": {"default-route": 1, "no-entry": 1},
    "changes": 2,
    "not_in_kernel": 0,
    "not_in_kernel_so_far": 0,
    "sources": [
        {
            "name": "vici",
            "complete": True,
            "connected": True,
            "snapshots": 1,
            "updates": 0,
            "losses": 0,
            "why": "",
        }
    ],
    "sinks": [
        {
            "name": "exabgp",
            "ready": True,
            "confirmed": 2,
            "pending": 1,
            "refused": 0,
            "neighbors": [{"local": "192.0.2.1", "peer": "192.0.2.2", "state": "up", "reason": "", "vrf": None}],
            "counters": {"announced": 4, "sessions up": 1},
            "detail": "",
        }
    ],
    "waits_for_exabgp": False,
    "kernel": "",
    "groups": [],
    "fifos": [],
    "names": [],
}
