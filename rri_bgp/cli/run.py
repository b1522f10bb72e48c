"""``rri-bgp run``: the controller, as ExaBGP's helper."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

import click

from rri_bgp.control.server import serving
from rri_bgp.controller import Controller
from rri_bgp.policy import Config, ReplaySettings, SourceSettings, load
from rri_bgp.sinks.exabgp.sink import ExabgpSink
from rri_bgp.sinks.exabgp.stdio import open_stdio
from rri_bgp.sources import Source
from rri_bgp.sources.replay import ReplaySource
from rri_bgp.sources.vici import ViciSource

__all__ = ["run"]

log = logging.getLogger(__name__)

_LEVELS = ("debug", "info", "warning", "error")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), required=True, help="The policy file.")
@click.option("--log-level", type=click.Choice(_LEVELS), default="info", show_default=True, help="For stderr.")
def run(config: Path, log_level: str) -> None:
    """Follow the gateway's SAs and announce routes. ExaBGP starts this: it talks to it on stdin and stdout.

    \b
    In exabgp.conf:
      process rri {
          run /opt/rri-bgp/bin/rri-bgp run --config /etc/rri-bgp/rri-bgp.yaml;
          encoder json;
      }
    and in the neighbor: api { processes [ rri ]; neighbor-changes; }

    Ends when ExaBGP does, or on SIGTERM. Exit code 0 then; 2 where it cannot start.
    """
    logging.basicConfig(stream=sys.stderr, level=log_level.upper(), format="rri-bgp %(levelname)s %(message)s")
    settings = load(config)
    for warning in settings.warnings:
        log.warning("%s", warning)
    controller = Controller(settings.policy, [_source(source) for source in settings.sources])
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_run(controller, settings))


def _source(settings: SourceSettings) -> Source:
    return ReplaySource(settings) if isinstance(settings, ReplaySettings) else ViciSource(settings)


async def _run(controller: Controller, settings: Config) -> None:
    _end_on(signal.SIGTERM, signal.SIGINT)
    reader, writer = await open_stdio()
    controller.add_sink(ExabgpSink(controller.rib.path, reader, writer, settings.exabgp))
    async with serving(controller, settings.control.socket):
        await controller.run()


def _end_on(*signals: signal.Signals) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # called from a coroutine
    for one in signals:
        asyncio.get_running_loop().add_signal_handler(one, task.cancel)
