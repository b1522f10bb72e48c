"""What /proc says about a process, CPU seconds and memory, and about the machine. And a process's end, by its id."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "end", "machine_busy", "parse_machine_stat", "parse_stat", "parse_status", "usage"]

_END_GRACE = 5.0
_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since its start, resident memory now and at most (KiB)."""

    cpu: float
    rss: int
    peak: int


def usage(pid: int) -> Usage:
    """What a process has used.

    Raises:
        ProcessLookupError: there is no such process.
    """
    folder = Path("/proc") / str(pid)
    try:
        cpu, status = parse_stat((folder / "stat").read_text()), parse_status((folder / "status").read_text())
    except FileNotFoundError:
        raise ProcessLookupError(f"no process {pid}") from None
    return Usage(cpu / os.sysconf("SC_CLK_TCK"), status.get("VmRSS", 0), status.get("VmHWM", 0))


def parse_stat(text: str) -> int:
    """User and system time in /proc/PID/stat, in clock ticks. The name, in brackets, may hold anything."""
    fields = text.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def parse_status(text: str) -> dict[str, int]:
    """The numbers of /proc/PID/status that are in KiB."""
    lines = (line.split() for line in text.splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) == 3 and words[2] == "kB"}


def machine_busy() -> float:
    """CPU seconds that this whole machine has worked since it started."""
    return parse_machine_stat(Path("/proc/stat").read_text()) / os.sysconf("SC_CLK_TCK")


def parse_machine_stat(text: str) -> int:
    """The clock ticks in the first line of /proc/stat that were neither idle nor waiting, stolen ones included."""
    fields = [int(field) for field in text.splitlines()[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4]


def end(pid: int) -> None:
    """SIGTERM, then SIGKILL, for a process that is not our child and that should be gone already."""
    for step in (signal.SIGTERM, signal.SIGKILL):
        if not _lives(pid):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, step)
        deadline = time.monotonic() + _END_GRACE
        while _lives(pid) and time.monotonic() < deadline:
            time.sleep(_LOOK)


def _lives(pid: int) -> bool:
    """Whether it runs; one that only waits to be reaped does not."""
    try:
        stat = (Path("/proc") / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
