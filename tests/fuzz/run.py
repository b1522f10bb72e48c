"""The loop of ``python -m tests.fuzz.NAME COUNT [SEED]``: feeds inputs until one of them does what none may."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterable

__all__ = ["run"]


def run(arguments: list[str], inputs: Callable[[int], Iterable[bytes]], check: Callable[[bytes], object]) -> int:
    """Checks COUNT inputs of a seed; the exit code."""
    count, seed = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1
    start, before = time.monotonic(), _memory()
    for number, data in zip(range(count), inputs(seed), strict=False):
        try:
            check(data)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what was looked for
            sys.stdout.write(f"input {number} of seed {seed}: {data!r}\n{type(error).__name__}: {error}\n")
            return 1
    took = time.monotonic() - start
    most = _memory()
    memory = f"{(most - before) / 1024:.1f} MiB more at most, {most / 1024:.0f} in all"
    sys.stdout.write(f"{count} inputs in {took:.1f} s, {count / took:.0f} a second; {memory}\n")
    return 0


def _memory() -> int:
    """The most that was resident so far, KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
