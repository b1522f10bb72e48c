"""Lines of JSON over a unix socket: one request, then a stream of items and an end.

::

    → {"schema": 1, "ask": "explain", "what": "10.1.0.0/16"}
    ← {"schema": 1}
    ← {"prefix": "10.1.0.0/16", …}           one line an item, none or many
    ← {"end": true}                          or {"error": "what is wrong"} at any place

``Ask.EVENTS`` is answered for as long as the client stays. ``Ask.RELOAD`` and ``Ask.CONFIRM`` change something; the
rights of the socket say who may. Rules of this file: no I/O. An answer without its end is no answer: the reader must
not take half a table for a whole.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rri_bgp.errors import ProtocolError

__all__ = ["MAX_REQUEST", "SCHEMA", "Ask", "Request", "decode", "encode", "read_request"]

SCHEMA = 1
"""Goes up when a field changes its meaning or goes away; new fields may come at any time."""

MAX_REQUEST = 16384
"""Bytes: a path name of the longest kind fits, written in escapes."""


class Ask(enum.Enum):
    """What can be asked."""

    STATUS = "status"
    ROUTES = "routes"
    SAS = "sas"
    REFUSALS = "refusals"
    KERNEL = "kernel"
    EXPLAIN = "explain"
    STATE = "state"
    EVENTS = "events"
    RELOAD = "reload"
    CONFIRM = "confirm"


_ARGUMENTS: Mapping[Ask, Mapping[str, type]] = {
    Ask.EXPLAIN: {"what": str, "vrf": str},
    Ask.RELOAD: {"file": str, "confirm": float},
}
"""What each may be asked with, all of it may be left out. ``float`` is a number of seconds, as ``_SECONDS`` says."""

_SECONDS = 1_000_000
"""At most."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, with the arguments of ``_ARGUMENTS``."""

    ask: Ask
    arguments: Mapping[str, str | float] = field(default_factory=dict)

    def line(self) -> bytes:
        """The request on the wire."""
        return encode({"schema": SCHEMA, "ask": self.ask.value, **self.arguments})

    def text(self, name: str) -> str:
        """A text argument, empty where it was left out."""
        return str(self.arguments.get(name, ""))

    def seconds(self, name: str) -> float | None:
        """A number of seconds, None where it was left out."""
        found = self.arguments.get(name)
        return None if found is None else float(found)


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
    """The request of a line. Fields that are not known are passed over.

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
    known = _ARGUMENTS.get(ask, {})
    return Request(ask, {name: _argument(name, kind, message[name]) for name, kind in known.items() if name in message})


def _argument(name: str, kind: type, value: object) -> str | float:
    if kind is str:
        if not isinstance(value, str):
            raise ProtocolError(f"`{name}` must be text")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _SECONDS:
        raise ProtocolError(f"`{name}` must be a number of seconds, above 0 and up to {_SECONDS}")
    return value
