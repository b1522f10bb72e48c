"""The byte streams that ExaBGP gives its helper: this process's stdin and stdout.

Rules of this file: after ``open_stdio`` nothing but the returned writer reaches ExaBGP. File descriptor 1 leads to
stderr from then on, so that a stray ``print``, here or in a library, is a log line and no command.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys

from rri_bgp.errors import EnvironmentProblem
from rri_bgp.sinks.exabgp.streams import EagerReader, Streams

__all__ = ["check_stdio", "is_stream", "open_stdio"]


def check_stdio() -> None:
    """Whether stdin and stdout lead to ExaBGP.

    Raises:
        EnvironmentProblem: one is no pipe and no socket: ExaBGP did not start this process.
    """
    for name, descriptor in (("stdin", 0), ("stdout", 1)):
        if not is_stream(descriptor):
            raise EnvironmentProblem(
                f"{name} is no pipe: this verb speaks ExaBGP's process API and is started by ExaBGP",
                hint="name it in exabgp.conf, `process rri { run ...; encoder json; }`, and run `exabgp exabgp.conf`",
            )


async def open_stdio() -> Streams:
    """Reader and writer on the pipes to ExaBGP.

    Raises:
        EnvironmentProblem: there are none (see ``check_stdio``).
    """
    check_stdio()
    sys.stdout.flush()
    # Descriptors of our own: 0 and 1 are other people's habit to use.
    commands, answers = os.dup(1), os.dup(0)
    os.dup2(2, 1)
    loop = asyncio.get_running_loop()
    reader = EagerReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(answers, "rb", 0))
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(commands, "wb", 0)
    )
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


def is_stream(descriptor: int) -> bool:
    """Whether a file descriptor is a pipe or a socket."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
