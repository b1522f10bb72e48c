"""The upstream router of a measurement: takes one BGP session on loopback and counts, with times.

Rules of this file: it does as little as it can for each UPDATE, since it shares the machine with what it measures.
Times are ``time.monotonic_ns``, which all processes of a machine share, taken when the bytes arrive.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from bench import BenchError
from bench.bgp import BgpError, Kind, Splitter, keepalive, open_message, parse_update
from rri_bgp.demo.daemon import ASN, HOLD_TIME, LISTENER
from rri_bgp.model import Prefix

__all__ = ["Upstream", "listening"]

_LOOK = 0.25
"""Seconds between two looks at whether the other side still lives, while nothing arrives."""


class Upstream(asyncio.Protocol):
    """What has arrived. ``updates`` counts UPDATEs other than End-of-RIB."""

    def __init__(self) -> None:
        self.is_up = False
        self.updates = 0
        self.table: set[Prefix] = set()
        self.withdrawals: list[tuple[int, Prefix]] = []
        self.growth: list[tuple[int, int]] = []
        """(time, routes held) at each arrival that changed the table."""
        self.trouble = ""
        self._splitter = Splitter()
        self._transport: asyncio.Transport | None = None
        self._news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A session begins; there is only one."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # create_server makes no other
        if self._transport is not None:
            self.trouble = "a second BGP session"
            transport.close()
            return
        self._transport = transport
        transport.write(open_message(ASN, LISTENER, HOLD_TIME))

    def connection_lost(self, exc: Exception | None) -> None:
        """The session is over."""
        self.is_up = False
        self.trouble = self.trouble or "the BGP session ended"
        self._news.set()

    def data_received(self, data: bytes) -> None:
        """Bytes of the session."""
        at = time.monotonic_ns()
        try:
            for kind, body in self._splitter.feed(data):
                self._take(at, kind, body)
        except BgpError as error:
            self.trouble = f"what came is no BGP: {error}"
            self.close()
        self._news.set()

    def close(self) -> None:
        """Ends the session, if there is one."""
        if self._transport is not None:
            self._transport.close()

    async def until(
        self, condition: Callable[[], bool], what: str, deadline: float, check: Callable[[], str] = str
    ) -> None:
        """Waits for a condition over what has arrived.

        Raises:
            BenchError: not within ``deadline`` seconds; or the session ended, or ``check`` says why it cannot be.
        """
        end = time.monotonic() + deadline
        while not condition():
            trouble = self.trouble or check()
            left = end - time.monotonic()
            if trouble or left <= 0:
                why = trouble or f"not within {deadline:g} s"
                seen = f"{len(self.table)} routes had come in {self.updates} UPDATEs"
                raise BenchError(f"waited for {what}: {why}; {seen}")
            self._news.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), min(left, _LOOK))

    def _take(self, at: int, kind: Kind, body: bytes) -> None:
        match kind:
            case Kind.UPDATE:
                self._update(at, body)
            case Kind.KEEPALIVE if self._transport is not None:
                self.is_up = True
                self._transport.write(keepalive())  # one for each of theirs: theirs come three times a hold time
            case Kind.OPEN if self._transport is not None:
                self._transport.write(keepalive())
            case Kind.NOTIFICATION:
                self.trouble = f"the other side sent NOTIFICATION {tuple(body[:2])}"
            case _:
                pass

    def _update(self, at: int, body: bytes) -> None:
        update = parse_update(body)
        if not update.announced and not update.withdrawn:
            return
        self.updates += 1
        self.table.difference_update(update.withdrawn)
        self.table.update(update.announced)
        self.withdrawals.extend((at, prefix) for prefix in update.withdrawn)
        self.growth.append((at, len(self.table)))


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[tuple[Upstream, int]]:
    """An upstream at ``LISTENER``, and its port."""
    upstream = Upstream()
    server = await asyncio.get_running_loop().create_server(lambda: upstream, LISTENER, 0)
    try:
        yield upstream, int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        upstream.close()
