"""The controller's end of the control socket.

Rules of this file: a client may be slow, silent or malformed; it costs itself its answer and nobody else anything. Long
answers are made in pieces, so that an SA event never waits for a table.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rri_bgp.control.protocol import MAX_REQUEST, SCHEMA, Ask, Request, encode, read_request
from rri_bgp.controller import Controller
from rri_bgp.errors import RriError, UsageError
from rri_bgp.reload import Reloader
from rri_bgp.sockets import hang_up, listening

__all__ = ["serving"]

if TYPE_CHECKING:
    from rri_bgp.control.views.values import Item

log = logging.getLogger(__name__)

_CLIENTS = 32
_PATIENCE = 30.0
"""Seconds for a client to ask, and to read each piece of its answer."""

_GOODBYE = 1.0
"""Seconds that connections have to end: but for a reload nobody waits for anything else, so it takes a few turns."""

_EVENTS, _COMMANDS, _ANSWERS = (f"rri_bgp.control.{name}" for name in ("events", "commands", "views"))

_PIECE = 100
"""Items between two turns of everybody else: about a millisecond."""


@contextlib.asynccontextmanager
async def serving(controller: Controller, path: Path, reloader: Reloader | None = None) -> AsyncIterator[None]:
    """Answers questions about a controller at ``path``; with ``reloader`` another policy may be given to it.

    Raises:
        EnvironmentProblem: the socket cannot be: its directory is missing or open to all, or somebody else answers
            there.
    """
    server = _Server(controller, reloader)
    with listening(path) as listener:
        accepting = await asyncio.start_unix_server(server.serve, sock=listener, limit=MAX_REQUEST)
        try:
            yield
        finally:
            # Not `async with`: from Python 3.12 on that waits for the slowest client.
            accepting.close()
            await server.hang_up()


class _Server:
    def __init__(self, controller: Controller, reloader: Reloader | None) -> None:
        self._controller = controller
        self._reloader = reloader
        self._writers: set[asyncio.StreamWriter] = set()

    async def hang_up(self) -> None:
        """Ends all connections, whatever they wait for. A reload that waits for a name server is left alone."""
        end = asyncio.get_running_loop().time() + _GOODBYE
        while self._writers and asyncio.get_running_loop().time() < end:
            for writer in self._writers:
                hang_up(writer)
            await asyncio.sleep(_GOODBYE / 1000)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, one question."""
        self._writers.add(writer)
        try:
            await self._answer(reader, writer)
            async with asyncio.timeout(_PATIENCE):
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.debug("a client of the control socket went away: %r", error)
        finally:
            self._writers.discard(writer)
            hang_up(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _ready()
        from rri_bgp.control.events import follow  # noqa: PLC0415  # see _ready

        header, end = encode({"schema": SCHEMA}), encode({"end": True})
        try:
            line = await self._question(reader)
            writer.write(header)
            header = b""
            request = read_request(line)
            if request.ask is Ask.EVENTS:
                await follow(self._controller, self._reloader, reader, writer)
            else:
                await self._send(await self._items(request), writer)
        except RriError as error:
            more = {"where": error.where, "hint": error.hint}
            end = encode({"error": error.what, **{name: text for name, text in more.items() if text}})
        writer.write(header + end)

    async def _items(self, request: Request) -> Iterable[Item | None]:
        from rri_bgp.control.commands import obey  # noqa: PLC0415  # see _ready
        from rri_bgp.control.views import answer  # noqa: PLC0415

        if request.ask in (Ask.RELOAD, Ask.CONFIRM):
            return await obey(self._reloader, request)
        return answer(self._controller, self._reloader, request)

    async def _question(self, reader: asyncio.StreamReader) -> bytes:
        if len(self._writers) > _CLIENTS:
            raise UsageError(f"{_CLIENTS} clients are being answered already; ask again in a moment")
        try:
            async with asyncio.timeout(_PATIENCE):
                return await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise UsageError(f"the question is too long; allowed: {MAX_REQUEST} bytes") from None

    async def _send(self, items: Iterable[Item | None], writer: asyncio.StreamWriter) -> None:
        for number, item in enumerate(items, 1):
            if item is not None:
                writer.write(encode(item))
            if number % _PIECE == 0 or item is None:
                async with asyncio.timeout(_PATIENCE):
                    await writer.drain()
                await asyncio.sleep(0)


async def _ready() -> None:
    """Imports what answers, with the first question: a controller that starts has routes to announce first.

    In a thread, so that nobody waits for it but who asked.
    """
    if _ANSWERS not in sys.modules:
        await asyncio.to_thread(lambda: [importlib.import_module(name) for name in (_EVENTS, _COMMANDS, _ANSWERS)])
