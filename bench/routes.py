"""Puts routes into this network namespace's kernel in several ways: ``python -m bench.routes COUNT FEW [ORDER]``.

``bench.cases.kernel`` runs it once a round, in a namespace of its own. It prints one JSON object: for each way the
seconds that it took to add and to delete COUNT routes (FEW where a way is slow). What is not its own work, making the
places or the text that ip(8) reads, is done before. Another way is one more class with ``add`` and ``delete``.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from pyroute2 import IPRoute

from bench import BenchError
from bench.hub import FromRib, FromSas
from rri_bgp.model import Prefix
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel import requests
from rri_bgp.sinks.kernel.wire import Done, Failed, News, Nexthop, RouteNews, Via, read

__all__ = ["GATEWAY", "WAYS", "main", "places", "set_up"]

_MAIN, _PROTOCOL, _METRIC = 254, 82, 1
_DEVICE, _ADDRESS = "eth0", "192.0.2.1/24"
GATEWAY = "192.0.2.2"
"""Leads everywhere."""
_CHUNK = 1 << 16
_SOL_NETLINK, _CAP_ACK, _STRICT = 270, 10, 12


class Way(Protocol):
    """One way to change routes. It is given the same places for all."""

    async def ready(self, given: Sequence[Place]) -> None:
        """Does what is not measured."""

    async def add(self, given: Sequence[Place]) -> None:
        """Adds a route at each place, and returns when all are there."""

    async def delete(self, given: Sequence[Place]) -> None:
        """Deletes them, and returns when none is there."""


def places(count: int) -> list[Place]:
    """Where the routes go: one /26 after another in 10.0.0.0/8."""
    return [Place(_MAIN, Prefix(4, (10 << 24) + (number << 6), 26), _METRIC) for number in range(count)]


class _IpBatch:
    """iproute2, one ``ip -batch`` for all."""

    def __init__(self, folder: Path, given: Sequence[Place]) -> None:
        self._adds, self._deletes = folder / "adds", folder / "deletes"
        words = f"proto {_PROTOCOL} metric {_METRIC}\n"
        self._adds.write_text("".join(f"route add {one.prefix} via {GATEWAY} dev {_DEVICE} {words}" for one in given))
        self._deletes.write_text("".join(f"route del {one.prefix} {words}" for one in given))

    async def ready(self, given: Sequence[Place]) -> None:
        """See ``Way``."""

    async def add(self, given: Sequence[Place]) -> None:
        """See ``Way``."""
        await _ip("-batch", str(self._adds))

    async def delete(self, given: Sequence[Place]) -> None:
        """See ``Way``."""
        await _ip("-batch", str(self._deletes))


class _Ours:
    """The kernel sink's requests, ``requests.AT_ONCE`` in one send, over one socket."""

    def __init__(self, _folder: Path, _given: Sequence[Place]) -> None:
        self._via: Via = (Nexthop(ip_address(GATEWAY), socket.if_nametoindex(_DEVICE)),)
        self._sequence = 0

    async def ready(self, given: Sequence[Place]) -> None:
        """See ``Way``."""

    async def add(self, given: Sequence[Place]) -> None:
        """See ``Way``."""
        self._send(given, lambda one, ack: requests.add(one, self._via, _PROTOCOL, self._sequence, ack=ack))

    async def delete(self, given: Sequence[Place]) -> None:
        """See ``Way``."""
        self._send(given, lambda one, ack: requests.delete(one, _PROTOCOL, self._sequence, ack=ack))

    def _send(self, given: Sequence[Place], made: Callable[[Place, bool], bytes]) -> None:
        with _opened() as asking:
            for start in range(0, len(given), requests.AT_ONCE):
                batch, last = [], min(start + requests.AT_ONCE, len(given)) - 1
                for number in range(start, last + 1):
                    self._sequence += 1
                    batch.append(made(given[number], number == last))
                asking.send(b"".join(batch))
                refused = [one for one in read(asking.recv(_CHUNK)) if isinstance(one, Failed)]
                if refused:
                    raise BenchError(f"the kernel refuses a route: {refused[0]}")


class _Pyroute2:
    """pyroute2 by itself: ``IPRoute.route()`` for each."""

    def __init__(self, _folder: Path, _given: Sequence[Place]) -> None:
        self._words = {"proto": _PROTOCOL, "priority": _METRIC}
        self._device = socket.if_nametoindex(_DEVICE)

    async def ready(self, given: Sequence[Place]) -> None:
        """See ``Way``."""

    async def add(self, given: Sequence[Place]) -> None:
        """See ``Way``."""
        await asyncio.to_thread(self._add, given)

    def _add(self, given: Sequence[Place]) -> None:
        with IPRoute() as kernel:
            for one in given:
                kernel.route("add", dst=str(one.prefix), gateway=GATEWAY, oif=self._device, **self._words)

    async def delete(self, given: Sequence[Place]) -> None:
        """See ``Way``."""
        await asyncio.to_thread(self._delete, given)

    def _delete(self, given: Sequence[Place]) -> None:
        with IPRoute() as kernel:
            for one in given:
                kernel.route("del", dst=str(one.prefix), **self._words)


WAYS: dict[str, Callable[[Path, Sequence[Place]], Way]] = {
    "ip": _IpBatch,
    "ours": _Ours,
    "sink": FromRib,
    "hub": FromSas,
    "pyroute2": _Pyroute2,
}
_SLOW = ("pyroute2",)


async def set_up() -> None:
    """Makes a link, and a default route over it."""
    for words in (
        f"link add {_DEVICE} type veth peer name eth1",
        f"link set {_DEVICE} up",
        "link set eth1 up",
        f"addr add {_ADDRESS} dev {_DEVICE}",
        f"route add default via {GATEWAY}",
    ):
        await _ip(*words.split())


async def _run(count: int, few: int, names: Sequence[str], folder: Path) -> dict[str, dict[str, float]]:
    await set_up()
    found: dict[str, dict[str, float]] = {}
    for name in names:
        given = places(few if name in _SLOW else count)
        way = WAYS[name](folder, given)
        await way.ready(given)
        gc.collect()
        start = time.perf_counter()
        await way.add(given)
        added = time.perf_counter()
        _expect(len(given), name)
        dumped = time.perf_counter()
        await way.delete(given)
        found[name] = {"add": added - start, "dump": dumped - added, "delete": time.perf_counter() - dumped}
        _expect(0, name)
    return found


def _expect(count: int, name: str) -> None:
    found = sum(isinstance(one, RouteNews) for one in _dumped())
    if found != count:
        raise BenchError(f"{name}: {found} routes in the kernel where {count} should be")


def _dumped() -> Iterator[News]:
    with _opened() as asking:
        asking.send(requests.dump_routes(4, _MAIN, _PROTOCOL, 1))
        while True:
            for one in read(asking.recv(_CHUNK)):
                if isinstance(one, Done):
                    return
                yield one


def _opened() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    for option in (_CAP_ACK, _STRICT):
        made.setsockopt(_SOL_NETLINK, option, 1)
    made.bind((0, 0))
    return made


async def _ip(*words: str) -> None:
    program = await asyncio.create_subprocess_exec("ip", *words)
    if await program.wait():
        raise BenchError(f"ip {' '.join(words)} failed")


def main(arguments: list[str]) -> None:
    """See the module."""
    count, few, *names = arguments
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(_run(int(count), int(few), names or list(WAYS), Path(folder)))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
