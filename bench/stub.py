"""Our plugin with an ExaBGP that costs nothing: this process plays it, answers at once and keeps no route.

For what depends on the controller alone: its memory, and how fast it could be. Rules of this file: it speaks as much of
ExaBGP's process API as the sink asks for, and counts the prefixes of each command.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from bench import BenchError, proc
from bench.stage import ROOT

__all__ = ["Stub", "answers_to", "prefixes_in", "starting"]

_END_GRACE = 5.0


def answers_to(line: bytes) -> bytes:
    """What ExaBGP says to a command. ``reset`` has no answer, ``show`` has nothing to show."""
    if line == b"reset":
        return b""
    if line == b"version":
        return b"exabgp 5.0.15\ndone\n"
    if line.startswith(b"show neighbor"):
        return b"[]\ndone\n"
    return b"done\n"


def prefixes_in(line: bytes) -> int:
    """How many prefixes a command announces, or, negative, withdraws."""
    verb, _, rest = line.partition(b" ")
    if verb not in (b"announce", b"withdraw"):
        return 0
    count = len(rest.partition(b" nlri ")[2].split())
    return count if verb == b"announce" else -count


class Stub:
    """The controller, running, and what it has sent so far."""

    def __init__(self, process: Process, log: Path) -> None:
        self.routes = 0
        self.is_asked_all = False
        """Whether it has asked for the routes of an earlier life: the last question before it begins."""
        self._process = process
        self._log = log

    async def until(self, routes: int, deadline: float) -> proc.Usage:
        """Answers until it has begun and so many routes are out; what the controller has used by then."""
        reader, writer = self._process.stdout, self._process.stdin
        assert reader is not None  # noqa: S101  # both were asked for
        assert writer is not None  # noqa: S101
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                while not self._has(routes) and (line := (await reader.readline()).rstrip(b"\n")):
                    writer.write(answers_to(line))
                    self.routes += prefixes_in(line)
                    self.is_asked_all |= line.startswith(b"show adj-rib")
        if not self._has(routes):
            said = self._log.read_text(errors="replace").strip().splitlines()
            why = said[-1] if said else "it said nothing"
            raise BenchError(f"{self.routes} of {routes} routes came within {deadline:g} s: {why}")
        return proc.usage(self._process.pid)

    def _has(self, routes: int) -> bool:
        return self.is_asked_all and self.routes >= routes

    def usage(self) -> proc.Usage:
        """What the controller has used now."""
        return proc.usage(self._process.pid)


@contextlib.asynccontextmanager
async def starting(folder: Path, *arguments: str) -> AsyncIterator[Stub]:
    """Runs ``python ARGUMENTS…`` as ExaBGP would run its helper, and ends it by its id."""
    log = folder / "controller.log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=PIPE, stdout=PIPE, stderr=stderr, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
        )  # fmt: skip
    try:
        yield Stub(process, log)
    finally:
        for stop in (process.terminate, process.kill):
            with contextlib.suppress(ProcessLookupError):
                stop()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(process.wait()), _END_GRACE)
                break
