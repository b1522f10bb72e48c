"""The asking end of the control socket. Plain blocking sockets: a question is one short command of a person."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rri_bgp.control.protocol import SCHEMA, Ask, Request, decode
from rri_bgp.errors import ProtocolError, UnreachableError, UsageError

__all__ = ["ask", "ask_one"]

_PATIENCE = 10.0
"""Seconds for the next piece of an answer."""

_PATIENCE_TO_RELOAD = 120.0
"""Seconds: a large policy is read, its names are looked up, and every SA finds its entry anew."""


def ask(path: Path, request: Request) -> Iterator[dict[str, Any]]:
    """The items that answer a request, as they come; those of ``Ask.EVENTS`` come for ever.

    Raises:
        UnreachableError: nobody answers at ``path``, or not to the end.
        UsageError: the controller says that the question is wrong.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(path))
            connection.settimeout(_patience(request))
            with contextlib.suppress(BrokenPipeError):  # sent away; its answer says why
                connection.sendall(request.line())
            with connection.makefile("rb") as lines:
                yield from _items(lines)
    except (OSError, ProtocolError) as error:
        raise _unreachable(path, error) from None


def ask_one(path: Path, request: Request) -> dict[str, Any]:
    """The only item of an answer. Raises as ``ask`` does."""
    items = list(ask(path, request))
    if len(items) != 1:
        raise UnreachableError(f"{len(items)} answers to one question", where=str(path))
    return items[0]


def _patience(request: Request) -> float | None:
    if request.ask is Ask.EVENTS:
        return None
    return _PATIENCE_TO_RELOAD if request.ask is Ask.RELOAD else _PATIENCE


def _items(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    first = next(lines, b"")
    if not first:
        raise ProtocolError("the answer ended before it began")
    header = decode(first)
    if header.get("schema") != SCHEMA:
        raise ProtocolError(f"the controller speaks schema {header.get('schema')!r}, this program {SCHEMA}")
    for line in lines:
        item = decode(line)
        if "error" in item:
            raise UsageError(str(item["error"]), where=str(item.get("where", "")), hint=str(item.get("hint", "")))
        if "end" in item:
            return
        yield item
    raise ProtocolError("the answer ended early")


def _reason(error: OSError) -> str:
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


def _unreachable(path: Path, error: OSError | ProtocolError) -> UnreachableError:
    if isinstance(error, ProtocolError):
        return UnreachableError(error.what, where=str(path))
    hints = {
        FileNotFoundError: "is the controller running? `--socket` names another control socket",
        ConnectionRefusedError: "the controller that made this socket is gone; is ExaBGP running?",
        PermissionError: "be in the group that owns it, or root",
    }
    reason = "no answer in time" if isinstance(error, TimeoutError) else _reason(error)
    return UnreachableError(reason, where=str(path), hint=hints.get(type(error), ""))
