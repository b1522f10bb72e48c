"""The routing tables of a network namespace, to ask and to change from a test."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TypeVar

from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel import requests
from rri_bgp.sinks.kernel.wire import Ack, Done, Failed, LinkNews, News, Nexthop, RouteNews, Via, read, via_of
from tests.integration.netns import DEADLINE, Namespace, namespace
from tests.values import pfx

__all__ = ["OURS", "Routing", "place", "routing"]

OURS = 82
"""The protocol number of the routes that the tests make."""

_KERNEL = 2
"""RTPROT_KERNEL."""

One = TypeVar("One", bound=News)


def place(text: str, metric: int = 1, table: int = 254) -> Place:
    """Where a route is."""
    return Place(table, pfx(text), metric)


class Routing:
    """``asking`` is for requests, ``events`` hears of everything."""

    def __init__(self, space: Namespace, asking: socket.socket, events: socket.socket) -> None:
        self.space = space
        self.asking = asking
        self.events = events
        self.sequence = 0
        self.port: int = asking.getsockname()[0]

    def via(self, *ways: str) -> Via:
        """Next hops in the words of ip(8): ``via inet6 fe80::2 dev eth0 onlink``."""
        return via_of(map(self._way, ways))

    def _way(self, words: str) -> Nexthop:
        rest, onlink, _ = words.partition(" onlink")
        gateway, _, device = rest.rpartition("dev ")
        address = gateway.removeprefix("via ").removeprefix("inet6 ").strip()
        return Nexthop(ip_address(address) if address else None, self.link(device).link, bool(onlink))

    def link(self, name: str) -> LinkNews:
        """The link of this name."""
        (found,) = (one for one in self.dump(requests.dump_links(self.next()), LinkNews) if one.name == name)
        return found

    def next(self) -> int:
        """Another sequence number."""
        self.sequence += 1
        return self.sequence

    def ask(self, message: bytes) -> News:
        """The one answer to a request."""
        self.asking.send(message)
        (answer,) = read(self.asking.recv(1 << 16))
        return answer

    def do(self, *messages: bytes) -> None:
        """Carries out requests, one by one."""
        for message in messages:
            answer = self.ask(message)
            assert isinstance(answer, Ack), answer

    def dump(self, message: bytes, kind: type[One]) -> list[One]:
        """What a dump has of this kind; nothing of a table that there is not."""
        self.asking.send(message)
        found: list[One] = []
        while True:
            for one in read(self.asking.recv(1 << 16)):
                if isinstance(one, Done | Failed):
                    assert isinstance(one, Done) or one.errno == errno.ENOENT, one
                    return found
                if isinstance(one, kind):
                    found.append(one)

    def routes(self, table: int = 254, protocol: int = OURS, versions: Iterable[int] = (4, 6)) -> list[RouteNews]:
        """The routes of a protocol in a table."""
        return [
            one for version in versions
            for one in self.dump(requests.dump_routes(version, table, protocol, self.next()), RouteNews)
        ]  # fmt: skip

    def heard(self, kind: type[One], *, skip_port: int = 0) -> list[One]:
        """What was heard since this was asked last; the kernel tells before it answers."""
        found: list[One] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                datagram = self.events.recv(1 << 16, socket.MSG_DONTWAIT)
                found += [one for one in read(datagram, skip_port=skip_port) if isinstance(one, kind)]
        return found

    def waits_for(self, kind: type[One], wanted: Callable[[One], bool]) -> None:
        """Until that is heard: a carrier is told of when the kernel comes to it."""
        while not any(map(wanted, self.heard(kind))):
            assert select.select([self.events], [], [], DEADLINE)[0], "nothing more is heard"

    def changes(self, *, skip_port: int = 0) -> list[RouteNews]:
        """What was heard of routes, but for those that the kernel makes of addresses, when it is ready to."""
        return [one for one in self.heard(RouteNews, skip_port=skip_port) if one.protocol != _KERNEL]

    async def shown(self, where: Place) -> list[str]:
        """The routes to a prefix as ``ip -d`` shows them, each on one line."""
        version, network, length = where.prefix
        address = (IPv4Address if version == 4 else IPv6Address)(network)
        words = f"-d -{version} route show table {where.table} exact {address}/{length}"
        out = await self.space.run("ip", *words.split())
        return [" ".join(line.split()) for line in out.replace("\n\t", " ").splitlines()]


@contextlib.asynccontextmanager
async def routing(folder: Path) -> AsyncIterator[Routing]:
    """A namespace with eth0 (192.0.2.1/24, 2001:db8::1/64) and eth1."""
    path = folder / "sockets"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))
        server.listen()
        server.settimeout(DEADLINE)
        async with namespace("tests.integration.opener", os.fspath(path), speaks=False, rights=True) as space:
            await space.ip("addr add 192.0.2.1/24 dev eth0", "addr add 2001:db8::1/64 dev eth0 nodad")
            connection, _ = await asyncio.to_thread(server.accept)
            with connection:
                _, found, _, _ = socket.recv_fds(connection, 1, 2)
            with socket.socket(fileno=found[0]) as asking, socket.socket(fileno=found[1]) as events:
                asking.settimeout(DEADLINE)
                yield Routing(space, asking, events)
