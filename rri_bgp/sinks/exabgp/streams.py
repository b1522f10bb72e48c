"""The byte streams between a sink and its ExaBGP: asyncio's own, with a reader that hands over at once.

``asyncio.StreamReader`` wakes a coroutine, which runs in the next turn of the loop. ExaBGP waits for nothing but our
next command, some two thousand times in a bulk of 100,000 routes, so what it answers is taken in the call that brings
it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["EagerReader", "Streams"]

Take = Callable[[bytes], bool]


class EagerReader(asyncio.StreamReader):
    """A ``StreamReader`` until ``hand_over`` is called."""

    def __init__(self) -> None:
        super().__init__()
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

    def feed_data(self, data: bytes) -> None:
        """From the transport."""
        if self._take is None:
            super().feed_data(data)
        elif not self._ended.is_set():
            try:
                goes_on = self._take(data)
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
