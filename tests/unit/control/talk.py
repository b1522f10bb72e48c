"""How tests talk to a control socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rri_bgp.control.client import ask, ask_one
from rri_bgp.control.protocol import Ask, Request
from rri_bgp.control.server import serving
from rri_bgp.controller import Controller
from tests.unit.control.small import DEADLINE, until

__all__ = ["alone", "answers", "connected", "current_task", "exchange", "explained", "is_answered", "kind_and_mode"]


async def answers(path: Path, what: Ask, **arguments: str | float) -> list[dict[str, Any]]:
    return await asyncio.to_thread(lambda: list(ask(path, Request(what, arguments))))


async def explained(controller: Controller, path: Path, what: str, vrf: str = "") -> dict[str, Any]:
    async with serving(controller, path):
        return await asyncio.to_thread(ask_one, path, Request(Ask.EXPLAIN, {"what": what, "vrf": vrf}))


async def is_answered(path: Path) -> bool:
    return await answers(path, Ask.STATUS) != []


def current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def alone() -> None:
    """Until the server has let go of its clients."""
    await until(lambda: len(asyncio.all_tasks()) == 1)


def kind_and_mode(path: Path) -> tuple[bool, int]:
    """Whether it is a socket, and its rights."""
    mode = path.stat().st_mode
    return stat.S_ISSOCK(mode), stat.S_IMODE(mode)


@contextlib.contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(str(path))
        yield connection


def exchange(path: Path, data: bytes) -> bytes:
    """All that comes back for some bytes; a reset connection is an end."""
    received = b""
    with connected(path) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(data)
        while piece := connection.recv(65536):
            received += piece
    return received
