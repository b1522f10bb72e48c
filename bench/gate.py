"""The helper's side of its measurement: it waits at the gate until it may begin, and notes when it does what.

One unix socket, lines of JSON from the helper: ``{"pid": N}`` when it is ready, then ``{"step": N, "at": NS}`` for each
step that begins. The other way comes one line when the gate opens. Standard library only: it is in every helper.
"""

from __future__ import annotations

import json
import os
import socket
import time

__all__ = ["Gate"]


class Gate:
    """Connected as soon as it exists."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)

    def pass_through(self) -> int:
        """Says that this process is ready, and waits. Returns the time (ns) at which the gate was open."""
        self._say({"pid": os.getpid()})
        if not self._socket.recv(1):
            raise SystemExit("the measurement was given up")
        return time.monotonic_ns()

    def note(self, step: int, at: int) -> None:
        """A step begins, or was due, ``at`` (ns)."""
        self._say({"step": step, "at": at})

    def _say(self, message: dict[str, int]) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")
