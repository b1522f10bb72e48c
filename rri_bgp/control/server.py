"""The controller's end of the control socket.

Rules of this file: the socket is for its owner and group (0660) and never lies in a directory that everybody may
write to. A client may be slow, silent or malformed; it costs itself its answer and nobody else anything. Long answers
are made in pieces, so that an SA event never waits for a table.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from rri_bgp.control.protocol import MAX_REQUEST, SCHEMA, encode, read_request
from rri_bgp.control.views import answer
from rri_bgp.controller import Controller
from rri_bgp.errors import EnvironmentProblem, RriError

__all__ = ["serving"]

log = logging.getLogger(__name__)

_MODE = 0o660
_CLIENTS = 32
_PATIENCE = 30.0
"""Seconds for a client to ask, and to read each piece of its answer."""

_PIECE = 100
"""Items between two turns of everybody else: about a millisecond."""


@contextlib.asynccontextmanager
async def serving(controller: Controller, path: Path) -> AsyncIterator[None]:
    """Answers questions about a controller at ``path``.

    Raises:
        EnvironmentProblem: the socket cannot be: its directory is missing or open to all, or somebody else answers
            there.
    """
    listener = _listen(path)
    inode = _inode(path)
    server = _Server(controller)
    try:
        async with await asyncio.start_unix_server(server.serve, sock=listener, limit=MAX_REQUEST):
            yield
    finally:
        if _inode(path) == inode:
            _remove(path)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    _check_directory(path.parent)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Bound without any right for others, so that there is no moment at which they could connect.
        before = os.umask(0o777 & ~_MODE)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(_CLIENTS)
    except OSError as error:
        listener.close()
        raise EnvironmentProblem(f"cannot listen: {error.strerror or error}", where=str(path)) from None
    return listener


def _check_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o750, exist_ok=True)
        mode = directory.stat().st_mode
    except OSError as error:
        hint = f"make it, for the user that the controller runs as: install -d -m 0750 -o USER {directory}"
        raise EnvironmentProblem(
            f"no directory for the control socket: {error.strerror or error}", where=str(directory), hint=hint
        ) from None
    if mode & stat.S_IWOTH:
        raise EnvironmentProblem(
            "everybody may write to this directory, so anybody could take the control socket's place",
            where=str(directory),
            hint="give the socket a directory of its own: `control: {socket: /run/rri-bgp/control.sock}`",
        )


def _remove_stale(path: Path) -> None:
    """Makes way where an earlier controller died; never where one lives."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise EnvironmentProblem(
                "is there and is no socket", where=str(path), hint="remove it, or name another path"
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(str(path))
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        path.unlink()
    except OSError as error:
        raise EnvironmentProblem(f"cannot look at what is there: {error.strerror or error}", where=str(path)) from None
    else:
        raise EnvironmentProblem(
            "another controller answers here", where=str(path), hint="stop it, or name another path"
        )


class _Server:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._clients = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, one question."""
        self._clients += 1
        try:
            if self._clients <= _CLIENTS:
                await self._answer(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("a client of the control socket went away: %r", error)
        finally:
            self._clients -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_PATIENCE):
            line = await reader.readuntil(b"\n")
        writer.write(encode({"schema": SCHEMA}))
        try:
            await self._send(answer(self._controller, read_request(line)), writer)
            writer.write(encode({"end": True}))
        except RriError as error:
            writer.write(encode({"error": error.what}))
        await writer.drain()

    async def _send(self, items: Iterable[dict[str, object]], writer: asyncio.StreamWriter) -> None:
        for number, item in enumerate(items, 1):
            writer.write(encode(item))
            if number % _PIECE == 0:
                async with asyncio.timeout(_PATIENCE):
                    await writer.drain()
                await asyncio.sleep(0)
