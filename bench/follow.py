"""How soon the kernel's routes follow, in this network namespace: ``python -m bench.follow PEERS ROUTES SINGLE``.

``bench.cases.follow`` runs it once a round, in a namespace of its own. It prints a JSON object: ``moved``, the seconds
from a change of the gateway that leads to PEERS peers to the last of their routes, one route each, and ``moved all``,
the same with ROUTES routes behind them, both of ``rri-bgp run`` as a process of its own, as the kernel tells everybody;
``came``, for each of SINGLE SAs that come one after the other while ROUTES routes are there, the microseconds from the
source's word to the route in the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path

from bench import BenchError
from bench.hub import POLICY, FromSas, sa_at
from bench.load import SOURCE, Step, recording
from bench.routes import GATEWAY, places, set_up
from rri_bgp.model import Address, Prefix
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel.wire import RouteNews, read

__all__ = ["main"]

_PROTOCOL, _MAIN = 82, 254
_OTHER = "192.0.2.3"
_TURNS = 2
_DEADLINE = 120.0
_ROUTES = 1 << 6
"""RTMGRP_IPV4_ROUTE."""
_SO_RCVBUFFORCE = 33


class _Heard:
    """What the kernel tells everybody of routes with our number: where each leads, and since when."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 28)
        self._socket.bind((0, _ROUTES))
        self._leads: dict[Prefix, Address | None] = {}

    async def until(self, gateway: str, count: int) -> float:
        """Waits until so many routes lead there; when the last of them did."""
        loop, wanted = asyncio.get_running_loop(), IPv4Address(gateway)
        there = {prefix for prefix, leads in self._leads.items() if leads == wanted}
        async with asyncio.timeout(_DEADLINE):
            while len(there) < count:
                datagram = await loop.sock_recv(self._socket, 1 << 16)
                for news in read(datagram):
                    if isinstance(news, RouteNews) and news.protocol == _PROTOCOL and news.via:
                        self._leads[news.place.prefix] = news.via[0].gateway
                        if news.via[0].gateway == wanted:
                            there.add(news.place.prefix)
        return time.perf_counter()


async def _moved(folder: Path, peers: int, routes: int) -> float:
    """The median of some changes."""
    steps = [Step(0.0, [sa_at(number, place, peers) for number, place in enumerate(places(routes))], whole=True)]
    file = folder / "hub.yaml"
    file.write_text(POLICY.format(file=recording(folder / "sas.jsonl", steps), folder=folder))
    heard, found = _Heard(), list[float]()
    async with _program(file):
        await heard.until(GATEWAY, routes)
        for gateway in (_OTHER, GATEWAY) * _TURNS:
            changer = await asyncio.create_subprocess_exec("ip", "-batch", "-", stdin=asyncio.subprocess.PIPE)
            start = time.perf_counter()
            await changer.communicate(f"route replace default via {gateway}\n".encode())
            found.append(await heard.until(gateway, routes) - start)
    return statistics.median(found)


@contextlib.asynccontextmanager
async def _program(policy: Path) -> AsyncIterator[None]:
    words = (sys.executable, "-m", "rri_bgp", "run", "--config", str(policy), "--log-level", "warning")
    process = await asyncio.create_subprocess_exec(*words, stdin=DEVNULL)
    try:
        yield
    finally:
        process.terminate()  # on-exit: withdraw
        if await process.wait():
            raise BenchError(f"rri-bgp run ended with {process.returncode}")


async def _came(folder: Path, routes: int, single: int) -> list[float]:
    given = places(routes)
    hub = FromSas(folder, given)
    await hub.ready(given)
    await hub.add(given)
    found = []
    for number in range(single):
        prefix = Prefix(4, (172 << 24) + (16 << 16) + (number << 8), 24)
        one = sa_at(routes + number, Place(_MAIN, prefix, 1))
        start = time.perf_counter()
        hub.controller.update(SOURCE, {one.key: one})
        found.append((time.perf_counter() - start) * 1e6)
        if not hub.sink.holds(prefix):
            raise BenchError(f"{prefix} is not in the kernel when the controller has been told")
        await asyncio.sleep(0.001)
    await hub.delete(given)
    return found


async def _run(peers: int, routes: int, single: int, folder: Path) -> dict[str, object]:
    await set_up()
    return {
        "moved": await _moved(folder, peers, peers),
        "moved all": await _moved(folder, peers, routes),
        "came": await _came(folder, routes, single),
    }


def main(arguments: list[str]) -> None:
    """See the module."""
    peers, routes, single = map(int, arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(_run(peers, routes, single, Path(folder)))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
