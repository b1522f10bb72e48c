"""A network namespace of its own, and in it a program of this project that reports in JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

__all__ = ["DEADLINE", "ENTER", "Namespace", "namespace"]

DEADLINE = 30.0

_AS_ROOT = os.geteuid() == 0
ENTER = () if _AS_ROOT else ("--user", "--preserve-credentials")
"""What nsenter(1) has to be told beside ``--net``."""


class Namespace:
    """A namespace as long as the program in it runs. ``said`` is its last line."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said: dict[str, Any] = {}
        self.lines = 0

    async def run(self, *words: str, text: str = "", but: str = "") -> str:
        """Runs a program in it, with the rights that its owner has; ``text`` on stdin. What it says.

        It must not fail, unless it says ``but`` on stderr.
        """
        enter = ("nsenter", f"--target={self.process.pid}", "--net", *ENTER)
        program = await asyncio.create_subprocess_exec(*enter, *words, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        out, error = await program.communicate(text.encode())
        assert program.returncode == 0 or (but and but in error.decode()), (words, out, error)
        return out.decode()

    async def route_lines(self, *words: str) -> list[str]:
        """The lines of ``ip WORDS``: none of a table that no route has been put into yet, and so is not there."""
        return (await self.run("ip", *words, but="FIB table does not exist")).splitlines()

    async def routes(self, *words: str) -> dict[str, str]:
        """The same by prefix, without our protocol number, which is known."""
        lines = await self.route_lines(*words)
        found = (line.replace(" proto 82", "").replace(" pref medium", "").split(maxsplit=1) for line in lines)
        return {prefix: rest.strip() for prefix, rest in found}

    async def ip(self, *lines: str) -> None:
        """Runs ip(8) with each of these."""
        await self.run("ip", "-batch", "-", text="\n".join(lines) + "\n")

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Reads what the program says until it is that."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            while not self.said or not wanted(self.said):
                line = await self.process.stdout.readline()
                assert line, "the program has ended"
                self.said = json.loads(line)
                self.lines += 1
        return self.said

    def say(self, what: object) -> None:
        """Tells the program something, as a JSON line on its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")

    def pause(self) -> None:
        """Stops the program until ``resume``."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """See ``pause``."""
        self.process.send_signal(signal.SIGCONT)


_USER_TO_MAKE = () if _AS_ROOT else ("--user", "--map-root-user")


@contextlib.asynccontextmanager
async def namespace(
    module: str, *arguments: str, speaks: bool = True, rights: bool | str = False
) -> AsyncIterator[Namespace]:
    """Runs a module in a new namespace with a link ``eth0`` (its other end: ``eth1``), and without any capability.

    ``speaks``: it says something as soon as it runs. ``rights``: it keeps its capabilities, or this one.
    """
    bounds = f"-all,+{rights}" if isinstance(rights, str) else "-all"
    process = await asyncio.create_subprocess_exec(
        "unshare", "--net", *_USER_TO_MAKE,
        *(() if rights is True else ("setpriv", f"--bounding-set={bounds}", "--inh-caps=-all", "--no-new-privs")),
        sys.executable, "-m", module, *arguments,
        stdin=PIPE, stdout=PIPE, limit=1 << 24,
    )  # fmt: skip
    made = Namespace(process)
    try:
        if speaks:
            await made.until(lambda _: True)
        else:
            await _inside(process.pid)
        await made.ip(
            "link add eth0 type veth peer name eth1", "link set eth0 up", "link set eth1 up", "link set lo up"
        )
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _inside(process: int) -> None:
    """Waits until the process is in a network namespace of its own."""
    async with asyncio.timeout(DEADLINE):
        while Path(f"/proc/{process}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():  # noqa: ASYNC110, ASYNC240  # nobody tells
            await asyncio.sleep(0.01)
