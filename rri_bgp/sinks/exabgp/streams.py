"""The byte streams between a sink and its ExaBGP: asyncio's own, with a reader that hands over at once.

``asyncio.StreamReader`` wakes a coroutine, which runs in the next turn of the loop. ExaBGP waits for nothing but our
next command, some two thousand times in a bulk of 100,000 routes, so what it answers is taken in the call that brings
it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import SupportsIndex

__all__ = ["EagerReader", "Streams", "connection", "server_protocol"]

Take = Callable[[bytes], bool]
Connected = Callable[["EagerReader", asyncio.StreamWriter], Awaitable[None]]

_LIMIT = 1 << 16
"""Bytes of a line that is asked for with ``readline`` or ``readuntil``, as asyncio has it."""


class EagerReader(asyncio.StreamReader):
    """A ``StreamReader`` until ``hand_over`` is called."""

    def __init__(self, limit: int = _LIMIT, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(limit, loop)
        self._take: Take | None = None
        self._ended = asyncio.Event()
        self._failure: Exception | None = None

    async def hand_over(self, take: Take) -> None:
        """Gives ``take`` what has come and all that comes, until the end of the stream, or until it returns False.

        Raises:
            Exception: what ``take`` raised, or what ended the stream.
        """
        self._take = take
        super().feed_eof()  # of what has come there is no more: `read` gives it, and waits for nothing
        rest = await self.read()
        if rest:
            self.feed_data(rest)
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """From the transport."""
        if self._take is None:
            super().feed_data(data)
        elif not self._ended.is_set():
            try:
                goes_on = self._take(bytes(data))
            except Exception as error:  # noqa: BLE001  # it is raised again by `hand_over`
                self.set_exception(error)
            else:
                if not goes_on:
                    self._ended.set()

    def feed_eof(self) -> None:
        """From the transport."""
        super().feed_eof()
        self._ended.set()

    def set_exception(self, exc: Exception) -> None:
        """From the transport."""
        super().set_exception(exc)
        self._failure = exc
        self._ended.set()


Streams = tuple[EagerReader, asyncio.StreamWriter]


def server_protocol(connected: Connected, limit: int = _LIMIT) -> asyncio.StreamReaderProtocol:
    """For ``create_unix_server``: ``connected`` is run for each connection."""

    async def with_its_reader(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, EagerReader)  # noqa: S101  # the one below
        await connected(reader, writer)

    return asyncio.StreamReaderProtocol(EagerReader(limit), with_its_reader)


async def connection(joined: socket.socket) -> Streams:
    """Reader and writer on a connected socket."""
    loop, reader = asyncio.get_running_loop(), EagerReader()
    transport, protocol = await loop.create_connection(lambda: asyncio.StreamReaderProtocol(reader), sock=joined)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
