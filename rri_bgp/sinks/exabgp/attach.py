"""Where ExaBGPs find a controller that runs by itself: each relay that connects is a sink of its own.

A relay (``relay.py``, run by ExaBGP as its helper) says ``attach NAME`` in its first line; from then on it is the byte
stream that a helper's stdin and stdout would be. Rules of this file: a name is taken once at a time; what a relay says
wrong ends its connection and nobody else's.
"""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import AsyncExitStack
from pathlib import Path

from rri_bgp.errors import RriError
from rri_bgp.policy.config import ExabgpSettings
from rri_bgp.sinks import Feeder, Wanted
from rri_bgp.sinks.exabgp.sink import ExabgpSink
from rri_bgp.sinks.exabgp.streams import EagerReader, server_protocol
from rri_bgp.sockets import hang_up, listening

__all__ = ["HELLO", "accept_exabgps"]

log = logging.getLogger(__name__)

HELLO = re.compile(rb"attach ([A-Za-z0-9_.-]{1,64})\n")
_PATIENCE = 10.0
"""Seconds for a relay to say who it is."""


async def accept_exabgps(feeder: Feeder, wanted: Wanted, path: Path, settings: ExabgpSettings) -> None:
    """Accepts relays at ``path`` until cancelled.

    Raises:
        EnvironmentProblem: the socket cannot be (see ``sockets.listening``).
    """
    writers: set[asyncio.StreamWriter] = set()

    async def attached(reader: EagerReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            await _attach(feeder, wanted, reader, writer, settings)
        except (OSError, RriError) as error:
            log.error("an ExaBGP is not attached: %s", error.line if isinstance(error, RriError) else error)
        finally:
            writers.discard(writer)
            hang_up(writer)

    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listening(path))
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: server_protocol(attached), sock=listener)
        stack.callback(_hang_up, writers)
        stack.callback(server.close)
        await asyncio.Event().wait()


def _hang_up(writers: set[asyncio.StreamWriter]) -> None:
    for writer in writers:
        hang_up(writer)


async def _attach(
    feeder: Feeder,
    wanted: Wanted,
    reader: EagerReader,
    writer: asyncio.StreamWriter,
    settings: ExabgpSettings,
) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            hello = HELLO.fullmatch(await reader.readuntil(b"\n"))
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        hello = None
    if hello is None:
        log.warning("somebody connected to the socket for ExaBGPs and did not say `attach NAME`")
        return
    name = hello[1].decode()
    if feeder.has_sink(name):
        log.error("an ExaBGP named %s is attached already; `rri-bgp attach --name` gives another one", name)
        return
    log.info("ExaBGP %s is attached", name)
    await feeder.drain(ExabgpSink(wanted, reader, writer, settings, name=name, released=feeder.released))
    log.info("ExaBGP %s is gone; its routes stay until it is back", name)
