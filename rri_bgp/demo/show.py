"""Plays a recorded SA history through the real plugin and a real ExaBGP, and checks what a second ExaBGP learns.

Rules of this file: it knows what must come (``story``) before it starts, and believes only what the listener says.
Nothing is left behind: processes are ended by their id and the folder is removed, also on an error or a signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import importlib.metadata
import re
import signal
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rri_bgp.demo.daemon import LISTENER, SPEAKER, Daemon, accepting, free_port, running
from rri_bgp.demo.story import Follower, Step, expected_routes
from rri_bgp.demo.updates import Change, Upstream
from rri_bgp.errors import EnvironmentProblem
from rri_bgp.sinks.exabgp.dialects import OLDEST_5
from rri_bgp.sinks.exabgp.streams import Streams

__all__ = ["Kind", "Line", "Outcome", "Script", "play"]

_START_LIMIT = 30.0
"""Seconds for two ExaBGPs to start and meet."""

_STEP_LIMIT = 20.0
"""Seconds after its time at which a step that the upstream has not heard of counts as missing."""

_SILENCE = 0.5
"""Seconds after the time of a silent step during which an UPDATE would still be of its making."""


class Kind(enum.Enum):
    """What a line of the show tells."""

    STAGE = "stage"
    LEARNED = "learned"
    WITHDRAWN = "withdrawn"
    SILENT = "silent"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to show, ``at`` seconds after the start."""

    at: float
    kind: Kind
    text: str
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """What is played: the steps, how much faster than they were recorded, and the plugin's policy file."""

    steps: tuple[Step, ...]
    speed: float
    policy: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """``wrong`` says what differs, empty where the upstream learned exactly what it should."""

    routes: int
    learned: int
    withdrawn: int
    replaced: int
    silent_updates: int
    seconds: float
    wrong: tuple[str, ...]


Say = Callable[[Line], None]
Prepare = Callable[[Path], Script]


async def play(prepare: Prepare, say: Say, port: int = 0) -> Outcome:
    """Plays it. ``prepare`` writes the policy into a private folder and returns the script; ``port`` 0 is a free one.

    Raises:
        EnvironmentProblem: ExaBGP is too old or does not start, or an address or port cannot be had.
    """
    _check_exabgp()
    port = free_port(port=port)
    _cancel_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="rri-bgp-") as folder:
        script = prepare(Path(folder))
        show = _Show(script, say)
        async with _stage(script, Path(folder), port) as stage:
            return await show.run(stage)


def _check_exabgp() -> None:
    needed = ".".join(map(str, OLDEST_5))
    try:
        found = importlib.metadata.version("exabgp")
    except importlib.metadata.PackageNotFoundError:
        raise EnvironmentProblem(
            f"exabgp is not installed for {sys.executable}; {needed} or later is needed", hint="pip install exabgp"
        ) from None
    if tuple(int(part) for part in re.findall(r"\d+", found)[:3]) < OLDEST_5:
        raise EnvironmentProblem(
            f"exabgp {found} is too old: {needed} or later is needed", hint="pip install -U exabgp"
        )


def _cancel_on_sigterm() -> None:
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


@dataclass(frozen=True, slots=True)
class _Stage:
    """``upstream`` is what the listener tells; closing ``gate`` lets the plugin begin."""

    upstream: asyncio.StreamReader
    gate: asyncio.StreamWriter
    processes: tuple[Process, ...]
    logs: tuple[Path, ...]


@contextlib.asynccontextmanager
async def _stage(script: Script, folder: Path, port: int) -> AsyncIterator[_Stage]:
    """Both ExaBGPs, started and with their helpers connected to us."""
    gate, news = folder / "gate", folder / "news"
    plugin = (sys.executable, "-m", "rri_bgp.demo.plugin", str(gate), "run", "--config", str(script.policy))
    follower = (sys.executable, "-m", "rri_bgp.demo.listener", str(news))
    api = ("neighbor-changes;", "receive { parsed; update; }")
    listener = Daemon("upstream", LISTENER, SPEAKER, port, follower, listen=True, api=api)
    speaker = Daemon("hub", SPEAKER, LISTENER, port, plugin)
    logs = tuple(folder / f"{daemon.name}.log" for daemon in (listener, speaker))
    async with accepting(gate) as plugins, accepting(news) as listeners, running(listener, folder) as first:
        upstream, _ = await _first(listeners, (first,), logs)
        async with running(speaker, folder) as second:
            _, opener = await _first(plugins, (first, second), logs)
            yield _Stage(upstream, opener, (first, second), logs)


async def _first(streams: asyncio.Queue[Streams], processes: Sequence[Process], logs: Sequence[Path]) -> Streams:
    """The first connection, or why there is none."""
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline:
        with contextlib.suppress(asyncio.TimeoutError):
            return await asyncio.wait_for(streams.get(), 0.2)
        if any(process.returncode is not None for process in processes):
            break
    raise EnvironmentProblem(f"ExaBGP did not start: {_last_words(logs)}")


def _last_words(logs: Sequence[Path]) -> str:
    lines = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()]
    told = [" ".join(line.split()) for line in lines if line.strip() and not line.startswith("advice")]
    return told[-1] if told else "it said nothing"


class _Show:
    """Follows the upstream through the script."""

    def __init__(self, script: Script, say: Say) -> None:
        self._script = script
        self._say_line = say
        self._follower = Follower(script.steps)
        self._upstream = Upstream()
        self._start = time.monotonic()
        self._play_start: float | None = None
        """The clock's time at which the recording began, as the first route that was learned tells it."""
        self._updates_before = 0
        self._learned = self._withdrawn = self._replaced = self._silent_updates = 0

    async def run(self, stage: _Stage) -> Outcome:
        """Until all steps are over, or one is missing."""
        self._say(
            Kind.STAGE, f"two ExaBGPs on loopback: the hub with our plugin ({SPEAKER}), the upstream ({LISTENER})"
        )
        await self._until_up(stage)
        self._say(Kind.STAGE, "BGP session is up; the recording starts")
        stage.gate.close()
        began = time.monotonic()
        wrong: list[str] = []
        while not self._follower.is_over:
            wait = self._wait(began)
            if wait <= 0 and not self._quiet_is_over():
                wrong.append(f"the upstream did not hear of all: {_last_words(stage.logs)}")
                break
            with contextlib.suppress(asyncio.TimeoutError):
                line = await asyncio.wait_for(stage.upstream.readline(), max(wait, 0.01))
                if not line:
                    wrong.append(f"the upstream ended: {_last_words(stage.logs)}")
                    break
                self._hear(line.decode())
        return self._outcome(wrong)

    async def _until_up(self, stage: _Stage) -> None:
        try:
            async with asyncio.timeout(_START_LIMIT):
                while not self._upstream.is_up and (line := await stage.upstream.readline()):
                    self._upstream.feed(line.decode())
        except TimeoutError:
            pass
        if not self._upstream.is_up:
            raise EnvironmentProblem(f"the two ExaBGPs do not meet: {_last_words(stage.logs)}")

    def _wait(self, began: float) -> float:
        """Seconds until something is due: the end of a silence, or a step that has not come."""
        now, start = time.monotonic(), self._play_start if self._play_start is not None else began
        quiet = self._follower.next_is_silent()
        if quiet is not None:
            return start + quiet.at / self._script.speed + _SILENCE - now
        upcoming = self._follower.upcoming
        return start + (upcoming.at if upcoming else 0.0) / self._script.speed + _STEP_LIMIT - now

    def _quiet_is_over(self) -> bool:
        """Ends the silence that is due. False where none is."""
        quiet = self._follower.next_is_silent()
        if quiet is None:
            return False
        self._follower.silent_is_over()
        self._tell_silence(quiet, self._upstream.updates - self._updates_before)
        return True

    def _tell_silence(self, step: Step, updates: int) -> None:
        self._silent_updates += updates
        self._replaced += len(step.gone)
        kind = Kind.SILENT if not updates else Kind.WRONG
        what = f"{len(step.gone)} SAs replaced" if step.gone else f"{len(step.came)} SAs came beside others"
        self._say(kind, f"rekey: {what}, {updates} UPDATEs")
        self._updates_before = self._upstream.updates

    def _hear(self, line: str) -> None:
        quiet, before = self._follower.next_is_silent(), self._upstream.updates
        for change in self._upstream.feed(line):
            surprises = len(self._follower.surprises)
            done = self._follower.take(change)
            if len(self._follower.surprises) > surprises:
                self._say(Kind.WRONG, f"nobody expected this: {change.prefix}", change)
                continue
            if quiet is not None:  # the next step is heard before we thought the silence over
                self._tell_silence(quiet, before - self._updates_before)
                quiet = None
            self._tell_change(change)
            if done is not None:
                self._finish(done)

    def _tell_change(self, change: Change) -> None:
        if change.path is None:
            self._withdrawn += 1
            self._say(Kind.WITHDRAWN, f"withdrawn {change.prefix}", change)
        else:
            self._learned += 1
            self._say(Kind.LEARNED, f"learned {change.prefix}", change)

    def _finish(self, step: Step) -> None:
        if self._play_start is None:
            self._play_start = time.monotonic() - step.at / self._script.speed
        self._updates_before = self._upstream.updates

    def _outcome(self, wrong: list[str]) -> Outcome:
        expected = expected_routes(self._script.steps)
        held = self._upstream.routes
        for prefix in sorted(expected.keys() | held.keys()):
            if expected.get(prefix) != held.get(prefix):
                state = "missing" if prefix not in held else "stale" if prefix not in expected else "another path"
                wrong.append(f"{prefix}: {state}")
        wrong.extend(f"{change.prefix}: an UPDATE that nobody expected" for change in self._follower.surprises)
        return Outcome(
            routes=len(held),
            learned=self._learned,
            withdrawn=self._withdrawn,
            replaced=self._replaced,
            silent_updates=self._silent_updates,
            seconds=time.monotonic() - self._start,
            wrong=tuple(wrong),
        )

    def _say(self, kind: Kind, text: str, change: Change | None = None) -> None:
        self._say_line(Line(time.monotonic() - self._start, kind, text, change))
