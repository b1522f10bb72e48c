"""One ExaBGP process on loopback: its configuration, its environment, its end.

Rules of this file: a process is started with an argument list, in a session of its own, and ended by its process id
whatever happens; nothing is written outside the folder it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from rri_bgp.errors import EnvironmentProblem
from rri_bgp.sinks.exabgp.streams import EagerReader, Streams, server_protocol

__all__ = ["LISTENER", "SPEAKER", "Daemon", "accepting", "free_port", "running"]


SPEAKER = "127.0.0.1"
LISTENER = "127.0.0.2"
ASN = 65000
HOLD_TIME = 180
"""Seconds; long, so that a busy machine never drops the session."""

_END_GRACE = 5.0
_LONGEST_LINE = 1 << 24


@dataclass(frozen=True, slots=True)
class Daemon:
    """What one ExaBGP is to be: ``helper`` is the command that it runs, ``listen`` whether it is the passive side."""

    name: str
    local: str
    peer: str
    port: int
    helper: tuple[str, ...]
    listen: bool = False
    families: tuple[str, ...] = ("ipv4 unicast", "ipv6 unicast")
    api: tuple[str, ...] = ("neighbor-changes;",)
    environment: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = ("exabgp",)
    """Python's module, and arguments, that are ExaBGP."""

    def config(self) -> str:
        """The text of its configuration file."""
        session = "passive true;" if self.listen else f"connect {self.port};"
        return f"""process {self.name} {{
    run {" ".join(self.helper)};
    encoder json;
}}
neighbor {self.peer} {{
    router-id {self.local};
    local-address {self.local};
    local-as {ASN};
    peer-as {ASN};
    hold-time {HOLD_TIME};
    {session}
    family {{ {" ".join(f"{family};" for family in self.families)} }}
    api {{ processes [ {self.name} ]; {" ".join(self.api)} }}
}}
"""

    def environ(self) -> dict[str, str]:
        """Its environment: no privileges to drop (it runs as us), no command line pipes, errors only in its log."""
        settings = {
            "exabgp.daemon.user": pwd.getpwuid(os.getuid()).pw_name,
            "exabgp.api.cli": "false",
            "exabgp.log.level": "ERROR",
        }
        if self.listen:
            settings |= {"exabgp.tcp.bind": self.local, "exabgp.tcp.port": str(self.port)}
        return {**os.environ, **settings, **self.environment}


def free_port(address: str = LISTENER, port: int = 0) -> int:
    """``port``, or any unprivileged one where it is 0, if it is free now at ``address``.

    Raises:
        EnvironmentProblem: it is taken, or the address cannot be bound.
    """
    with socket.socket() as probe:
        # As ExaBGP does: a port whose last session is only just over is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            hint = "leave out `--port`, and a free one is taken" if port else ""
            raise EnvironmentProblem(
                f"cannot listen there: {(error.strerror or str(error)).lower()}", where=f"{address}:{port}", hint=hint
            ) from None
        found: int = probe.getsockname()[1]
        return found


@contextlib.asynccontextmanager
async def running(daemon: Daemon, folder: Path) -> AsyncIterator[Process]:
    """Runs it; its configuration and log lie in ``folder``. Its helper ends with it."""
    config = folder / f"{daemon.name}.conf"
    config.write_text(daemon.config())
    with (folder / f"{daemon.name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *daemon.program, "server", str(config),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=daemon.environ(), cwd=folder,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        await _end(process)


@contextlib.asynccontextmanager
async def accepting(path: Path) -> AsyncIterator[asyncio.Queue[Streams]]:
    """A unix socket whose connections come out of the queue; all are closed at the end."""
    found: asyncio.Queue[Streams] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: EagerReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await found.put((reader, writer))

    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: server_protocol(connected, _LONGEST_LINE), path)
    try:
        yield found
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _end(process: Process) -> None:
    """SIGTERM, on which ExaBGP ends its helper first; SIGKILL if that takes too long."""
    for step in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(step)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), _END_GRACE)
            return
