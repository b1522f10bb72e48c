"""What ExaBGP runs in place of our plugin: the least program that sends the same routes.

``python -m bench.peer GATE SCRIPT windowed|flooding``. The script has one JSON object a line: ``{"at": SECONDS,
"lines": [COMMAND, …]}``, to be sent so long after the gate opens.

``windowed`` is the floor: one command in flight, a step of a single line before all others. ``flooding`` writes each
step's lines as fast as the pipe takes them, and only reads answers so that ExaBGP does not stop.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from bench.gate import Gate

__all__ = ["main"]

_CHUNK = 65536
_STDIN, _STDOUT = 0, 1


@dataclass(frozen=True, slots=True)
class _Step:
    due: int
    lines: list[bytes]


class _Script:
    """The steps, from ``start`` (ns) on; notes each that is due."""

    def __init__(self, file: Path) -> None:
        steps = [json.loads(line) for line in file.read_text().splitlines()]
        self._steps = [_Step(int(step["at"] * 1e9), [_command(line) for line in step["lines"]]) for step in steps]
        self._next = 0

    def take_due(self, gate: Gate, start: int) -> list[list[bytes]]:
        """The lines of the steps that are due now and were not taken yet."""
        taken = []
        now = time.monotonic_ns()
        while self._next < len(self._steps) and start + self._steps[self._next].due <= now:
            step = self._steps[self._next]
            gate.note(self._next, start + step.due)
            taken.append(step.lines)
            self._next += 1
        return taken

    def wait(self, start: int) -> float | None:
        """Seconds until the next step is due, None where there is none."""
        if self._next == len(self._steps):
            return None
        return max(0.0, (start + self._steps[self._next].due - time.monotonic_ns()) / 1e9)


class _Answers:
    """Counts the answers among the lines on stdin."""

    def __init__(self) -> None:
        self._rest = b""

    def read(self) -> int:
        """How many came; waits for some bytes."""
        data = os.read(_STDIN, _CHUNK)
        if not data:
            raise SystemExit(0)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return sum(line in (b"done", b"error") for line in lines)


def _command(line: str) -> bytes:
    return line.encode("ascii") + b"\n"


def _windowed(gate: Gate, script: _Script) -> None:
    answers, urgent, bulk = _Answers(), deque[bytes](), deque[bytes]()
    start = gate.pass_through()
    while True:
        for lines in script.take_due(gate, start):
            (urgent if len(lines) == 1 else bulk).extend(lines)
        line = urgent.popleft() if urgent else bulk.popleft() if bulk else b""
        if line:
            os.write(_STDOUT, line)  # a line is shorter than PIPE_BUF
            while not answers.read():
                pass
        elif select.select([_STDIN], [], [], script.wait(start))[0]:
            answers.read()


def _flooding(gate: Gate, script: _Script) -> None:
    answers, waiting = _Answers(), b""
    os.set_blocking(_STDOUT, False)
    start = gate.pass_through()
    while True:
        waiting += b"".join(line for lines in script.take_due(gate, start) for line in lines)
        readable, writable, _ = select.select([_STDIN], [_STDOUT] if waiting else [], [], script.wait(start))
        if readable:
            answers.read()
        if writable:
            waiting = waiting[os.write(_STDOUT, waiting[:_CHUNK]) :]


def main() -> None:
    """Sends the script."""
    gate_path, script_path, how = sys.argv[1:]
    gate, script = Gate(gate_path), _Script(Path(script_path))
    (_windowed if how == "windowed" else _flooding)(gate, script)


if __name__ == "__main__":
    main()
