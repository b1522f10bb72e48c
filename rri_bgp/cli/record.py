"""``rri-bgp record``: writes down what a gateway's SAs do."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TextIO

import click

from rri_bgp.errors import UsageError
from rri_bgp.paths import VICI_SOCKET
from rri_bgp.policy.config import ViciSettings, XfrmSettings
from rri_bgp.sources import Source
from rri_bgp.sources.recording import Recorder
from rri_bgp.sources.vici import ViciSource
from rri_bgp.sources.xfrm import XfrmSource

__all__ = ["record"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--vici", type=click.Path(path_type=Path), default=VICI_SOCKET, show_default=True,
              help="strongSwan's VICI socket.")  # fmt: skip
@click.option("--xfrm", is_flag=True, help="The kernel's SAs instead; needs CAP_NET_ADMIN.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="How long; until Ctrl-C otherwise.")
def record(file: Path, vici: Path, xfrm: bool, seconds: float | None) -> None:
    """Record the SA history of a gateway into FILE, which must not exist yet. Nothing else is touched.

    A `replay` source plays it again. It holds names, addresses, identities and traffic selectors; no key material.
    """
    try:
        stream = file.open("x", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(file)) from None
    source = XfrmSource(XfrmSettings()) if xfrm else ViciSource(ViciSettings(socket=vici))
    with stream:
        moments = asyncio.run(_record(stream, source, seconds))
    click.echo(f"{file}: {moments} moments")


async def _record(stream: TextIO, source: Source, seconds: float | None) -> int:
    recorder = Recorder(stream, asyncio.get_running_loop().time)
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(seconds):
            await source.run(recorder)
    return recorder.moments
