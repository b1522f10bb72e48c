"""One run: a real ExaBGP on loopback, the upstream that counts, and a helper that waits at the gate.

Rules of this file: the clock starts at the gate, when the session is up and the helper is ready. At the end, also after
an error or Ctrl-C, ExaBGP is ended by its process id, and its helper by its own if that did not end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import BenchError, proc
from bench.upstream import Upstream, listening
from rri_bgp.demo.daemon import LISTENER, SPEAKER, Daemon, accepting, running
from rri_bgp.sinks.exabgp.streams import Streams

__all__ = ["Helper", "Stage", "floor", "naive", "plugin", "stage"]

START_LIMIT = 60.0
"""Seconds for ExaBGP to start, meet the upstream and start its helper."""

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Helper:
    """A helper's module and its arguments after the gate's path."""

    module: str
    arguments: tuple[str, ...]
    speaker: tuple[str, ...] = ("exabgp",)
    """What runs ExaBGP: itself, or ``rri-bgp exabgp``."""


def plugin(policy: Path, *, plain: bool = False, noted: tuple[int, ...] = ()) -> Helper:
    """Our plugin; ``plain``: started only when the gate opens. It notes all steps, or those of ``noted``."""
    steps = f":{'/'.join(map(str, noted))}" if noted else ""
    return Helper("bench.plugin", (str(policy), "plain" if plain else f"noted{steps}"))


def floor(script: Path) -> Helper:
    """The least program with our window."""
    return Helper("bench.peer", (str(script), "windowed"))


def naive(script: Path) -> Helper:
    """The least program, without a window."""
    return Helper("bench.peer", (str(script), "flooding"))


@dataclass
class Stage:
    """All is up and the gate is closed. ``notes``: when (ns) each step of the helper began."""

    upstream: Upstream
    exabgp: Process
    helper: int
    log: Path
    _gate: Streams
    notes: dict[int, int] = field(default_factory=dict)

    def open(self) -> None:
        """Opens the gate."""
        self._gate[1].write(b"\n")

    async def until(self, routes: int, deadline: float) -> None:
        """Waits until the upstream holds so many routes."""
        what = f"{routes} routes upstream"
        await self.upstream.until(lambda: len(self.upstream.table) >= routes, what, deadline, self.trouble)

    async def until_step(self, step: int, deadline: float) -> int:
        """Waits until the helper has begun a step; the time (ns)."""
        reader = self._gate[0]
        try:
            async with asyncio.timeout(deadline):
                while step not in self.notes and (line := await reader.readline()):
                    note = json.loads(line)
                    self.notes[note["step"]] = note["at"]
        except TimeoutError:
            pass
        if step not in self.notes:
            why = self.trouble() or _last_words(self.log)
            raise BenchError(f"waited {deadline:g} s for step {step} of the helper: {why}")
        return self.notes[step]

    def controller(self) -> proc.Usage:
        """What the helper has used."""
        return self._usage(self.helper)

    def speaker(self) -> proc.Usage:
        """What ExaBGP has used."""
        return self._usage(self.exabgp.pid)

    def trouble(self) -> str:
        """Why it cannot go on, empty where it can."""
        if self.exabgp.returncode is not None:
            return f"ExaBGP ended with {self.exabgp.returncode}: {_last_words(self.log)}"
        return ""

    def _usage(self, pid: int) -> proc.Usage:
        try:
            return proc.usage(pid)
        except ProcessLookupError:
            raise BenchError(f"the process has ended: {_last_words(self.log)}") from None


@contextlib.asynccontextmanager
async def stage(folder: Path, helper: Helper) -> AsyncIterator[Stage]:
    """Starts all of it in ``folder``."""
    gate = folder / "gate"
    gate.unlink(missing_ok=True)
    log = folder / "exabgp.log"
    log.unlink(missing_ok=True)
    run = (sys.executable, "-m", helper.module, str(gate), *helper.arguments)
    async with listening() as (upstream, port), accepting(gate) as helpers:
        daemon = Daemon("exabgp", SPEAKER, LISTENER, port, run, environment={"PYTHONPATH": str(ROOT)})
        daemon = replace(daemon, program=helper.speaker)
        pid = 0
        try:
            async with running(daemon, folder) as exabgp:
                streams = await _connected(helpers, exabgp, log)
                pid = await _ready(streams[0], log)
                this = Stage(upstream, exabgp, pid, log, streams)
                await upstream.until(lambda: upstream.is_up, "the BGP session", START_LIMIT, this.trouble)
                yield this
        finally:
            if pid:
                proc.end(pid)


async def _connected(helpers: asyncio.Queue[Streams], exabgp: Process, log: Path) -> Streams:
    with contextlib.suppress(asyncio.TimeoutError):
        async with asyncio.timeout(START_LIMIT):
            while exabgp.returncode is None:
                with contextlib.suppress(asyncio.TimeoutError):
                    return await asyncio.wait_for(helpers.get(), 0.25)
    raise BenchError(f"ExaBGP did not start its helper within {START_LIMIT:g} s: {_last_words(log)}")


async def _ready(reader: asyncio.StreamReader, log: Path) -> int:
    line = b""
    with contextlib.suppress(asyncio.TimeoutError):
        line = await asyncio.wait_for(reader.readline(), START_LIMIT)
    if not line:
        raise BenchError(f"the helper did not get ready within {START_LIMIT:g} s: {_last_words(log)}")
    return int(json.loads(line)["pid"])


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "ExaBGP's log is empty"
