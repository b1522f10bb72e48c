"""Lines of JSON over a unix socket: one request, then a stream of items and an end.

::

    → {"schema": 1, "ask": "routes"}
    ← {"schema": 1}
    ← {"prefix": "10.1.0.0/16", …}           one line an item, none or many
    ← {"end": true}                          or {"error": "what is wrong"} at any place

Rules of this file: no I/O. An answer without its end is no answer: the reader must not take half a table for a whole.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import Any

from rri_bgp.errors import ProtocolError

__all__ = ["MAX_REQUEST", "SCHEMA", "Ask", "Request", "decode", "encode", "read_request"]

SCHEMA = 1
"""Goes up when a field changes its meaning or goes away; new fields may come at any time."""

MAX_REQUEST = 4096
"""Bytes."""


class Ask(enum.Enum):
    """What can be asked."""

    STATUS = "status"
    ROUTES = "routes"
    SAS = "sas"
    EXPLAIN = "explain"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; ``prefix`` with ``Ask.EXPLAIN`` only."""

    ask: Ask
    prefix: str = ""

    def line(self) -> bytes:
        """The request on the wire."""
        return encode({"schema": SCHEMA, "ask": self.ask.value} | ({"prefix": self.prefix} if self.prefix else {}))


def encode(message: dict[str, Any]) -> bytes:
    """A message as one line of ASCII."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The message of a line.

    Raises:
        ProtocolError: it is none.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("not a line of JSON") from None
    if not isinstance(message, dict):
        raise ProtocolError("not a JSON object")
    return message


def read_request(line: bytes) -> Request:
    """The request of a line.

    Raises:
        ProtocolError: it is none, or of another schema.
    """
    message = decode(line)
    if message.get("schema") != SCHEMA:
        raise ProtocolError(f"schema {message.get('schema')!r}; this controller speaks {SCHEMA}")
    try:
        ask = Ask(message.get("ask"))
    except ValueError:
        allowed = ", ".join(one.value for one in Ask)
        raise ProtocolError(f"nobody can ask for {message.get('ask')!r}; allowed: {allowed}") from None
    prefix = message.get("prefix", "")
    if not isinstance(prefix, str):
        raise ProtocolError("the prefix must be text")
    return Request(ask, prefix)
