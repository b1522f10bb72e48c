"""Runs a module of the bench in a network namespace of its own, where routes can be changed that are nobody else's.

Rules of this file: the module has ended when this returns; it is interrupted first, so that it can end what it has
started. Without root the namespace is in a user namespace, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from typing import Any

from bench import BenchError
from bench.stage import ROOT

__all__ = ["run_apart"]

_PATIENCE = 30.0
"""Seconds for a module to end when it is interrupted."""


async def run_apart(module: str, *words: object, deadline: float) -> Any:  # noqa: ANN401  # JSON
    """What ``python -m MODULE WORDS`` prints there, read as JSON; ``deadline`` is in seconds.

    Raises:
        BenchError: it fails, or takes longer.
    """
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    command = ("unshare", "--net", *user, sys.executable, "-m", module, *map(str, words))
    program = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, cwd=ROOT)
    try:
        async with asyncio.timeout(deadline):
            out, error = await program.communicate()
    except TimeoutError:
        raise BenchError(f"{module}: it took more than {deadline:.0f} s") from None
    finally:
        if program.returncode is None:
            await _end(program)
    if program.returncode:
        raise BenchError(f"{module}: {(error.decode(errors='replace').strip().splitlines() or ['no word'])[-1]}")
    return json.loads(out)


async def _end(program: asyncio.subprocess.Process) -> None:
    program.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(_PATIENCE):
            await program.communicate()
    except TimeoutError:
        program.kill()
        await program.wait()
