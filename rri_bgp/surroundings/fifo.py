"""Reads keepalived's notify FIFO, whoever of the two starts first, and however often either starts again.

Rules of this file: nothing here blocks, and nothing that is written to the FIFO ends it. A FIFO that is not there is
made where this user may do that; otherwise keepalived makes it. keepalived takes away one that it has made, so the path
may come to name another FIFO than the open one: then that is opened. keepalived keeps it open, so what it wrote while
nobody read is still there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

__all__ = ["Fifo"]

log = logging.getLogger(__name__)

_LOOK = 1.0
"""Seconds between two looks at whether the path still names the open FIFO, and before another try to open it."""

_PIECE = 65536
_MODE = 0o600


class Fifo:
    """Tells ``take`` what comes. ``problem`` says why it cannot be read, empty where it can."""

    def __init__(self, path: Path, take: Callable[[bytes], None]) -> None:
        self._path = path
        self._take = take
        self.problem = ""
        self.was_read = asyncio.Event()
        """Set once it has been read, or could not be."""

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                opened = _open(self._path)
            except OSError as error:
                self._fails(error.strerror or str(error))
                await asyncio.sleep(_LOOK)
                continue
            self.problem = ""
            try:
                await self._follow(opened)
            except OSError as error:
                self._fails(error.strerror or str(error))
                await asyncio.sleep(_LOOK)
            finally:
                os.close(opened)

    def _fails(self, why: str) -> None:
        if why != self.problem:
            log.warning("the notify FIFO %s cannot be read: %s; trying again", self._path, why)
        self.problem = why
        self.was_read.set()

    async def _follow(self, opened: int) -> None:
        """Until every writer has gone, or the path names another."""
        self._read(opened)  # where nobody has it open yet this reads as an end, and is none
        self.was_read.set()
        while _is_same(self._path, opened):
            try:
                async with asyncio.timeout(_LOOK):
                    await _readable(opened)
            except TimeoutError:
                continue
            if not self._read(opened):
                return

    def _read(self, opened: int) -> bool:
        """Whether there is still somebody who may write."""
        try:
            data = os.read(opened, _PIECE)
        except BlockingIOError:
            return True
        if data:
            self._take(data)
        return bool(data)


def _open(path: Path) -> int:
    """The FIFO, made where it is missing.

    Raises:
        OSError: it cannot be opened or made, is no FIFO, or everybody may write to it.
    """
    with contextlib.suppress(OSError):  # it is there, or this user may not: opening it says which
        os.mkfifo(path, _MODE)
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    mode = os.fstat(opened).st_mode
    if stat.S_ISFIFO(mode) and not mode & stat.S_IWOTH:
        return opened
    os.close(opened)
    raise OSError(None, "everybody may write to it" if stat.S_ISFIFO(mode) else "it is no FIFO")


def _is_same(path: Path, opened: int) -> bool:
    try:
        named, mine = path.stat(), os.fstat(opened)
    except OSError:
        return False
    return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)


async def _readable(opened: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(opened, _resolve, ready)
    try:
        await ready
    finally:
        loop.remove_reader(opened)


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
