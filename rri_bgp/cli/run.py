"""``rri-bgp run``: the controller, as ExaBGP's helper or as a service of its own."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from rri_bgp.control.server import serving
from rri_bgp.controller import Controller
from rri_bgp.errors import PolicyError, RriError, rri_error_in
from rri_bgp.policy import load
from rri_bgp.policy.config import (
    Config,
    HandOffSettings,
    KernelSettings,
    ReplaySettings,
    SourceSettings,
    ViciSettings,
    XfrmSettings,
)
from rri_bgp.reload import Reloader
from rri_bgp.service import notify, watchdog_interval
from rri_bgp.sinks import Sink
from rri_bgp.sinks.exabgp.attach import accept_exabgps
from rri_bgp.sinks.exabgp.sink import ExabgpSink
from rri_bgp.sinks.exabgp.stdio import is_stream, open_stdio
from rri_bgp.sinks.exabgp.streams import Streams
from rri_bgp.sources import Source
from rri_bgp.surroundings import neighbors_of
from rri_bgp.surroundings.lookout import Lookout

__all__ = ["run"]

log = logging.getLogger(__name__)

_LEVELS = ("debug", "info", "warning", "error")

_FAILURE_TAKES = 15.0
"""Seconds. ExaBGP starts a helper that ends at once six times in 64 s and then ends itself, sessions and all: at this
pace it never does."""

_FINISH_LIMIT = {True: 1.5, False: 20.0}
"""Seconds for the last withdraws. ExaBGP kills its helper 2 s after it has told it to end; a service has more time."""

_LOOK = 0.1
"""Seconds between two looks at whether the first table is out."""


@click.command()
@click.option("--config", type=click.Path(path_type=Path), required=True, help="The policy file.")
@click.option("--log-level", type=click.Choice(_LEVELS), default="info", show_default=True, help="For stderr.")
def run(config: Path, log_level: str) -> None:
    """Follow the gateway's SAs and announce routes.

    The simple way: ExaBGP starts this as its helper, and it talks to ExaBGP on stdin and stdout.

    \b
      process rri {
          run /opt/rri-bgp/bin/rri-bgp run --config /etc/rri-bgp/rri-bgp.yaml;
          encoder json;
      }
    and in the neighbor: api { processes [ rri ]; neighbor-changes; }

    As a service of its own: with `sinks: {exabgp: {listen: PATH}}` in the policy it waits there for ExaBGPs, each of
    which runs `rri-bgp attach`. With `sinks: {kernel: {}}` it keeps the kernel's routes too, or alone; that takes
    CAP_NET_ADMIN.

    SIGHUP takes the policy file again, as `rri-bgp reload` does; one with mistakes is not taken. SIGTERM ends it, and
    the routes stay or go as `on-exit` says. Exit code 0 then; 2 where it cannot start (as a helper only after 15 s, for
    ExaBGP's sake).
    """
    logging.basicConfig(stream=sys.stderr, level=log_level.upper(), format="rri-bgp %(levelname)s %(message)s")
    started = time.monotonic()
    try:
        settings = load(config)
        for warning in settings.warnings:
            log.warning("%s", warning)
        _collect_garbage_rarely()
        sources = _sources(settings.sources)
        controller = Controller(settings.policy, sources, looks_around=True)
        if settings.kernel is not None:
            _lay(controller, settings.kernel, settings.hand_off)
        asyncio.run(_run(controller, settings))
    except (RriError, BaseExceptionGroup) as raised:
        error = rri_error_in(raised)
        if error is None:
            raise
        click.echo(f"rri-bgp: {error}", err=True)
        _fill_the_time(started + _FAILURE_TAKES)
        sys.exit(2)


def _fill_the_time(until: float) -> None:
    """As ExaBGP's helper: reads what it says until the time is over, or ExaBGP is."""
    if not is_stream(0):
        return
    while (left := until - time.monotonic()) > 0:
        if select.select([0], [], [], left)[0] and not os.read(0, 65536):
            return


def _sources(settings: Sequence[SourceSettings]) -> list[Source]:
    """The sources, the kernel's as witnesses of the IKE daemons'."""
    daemons = {one.name for one in settings if isinstance(one, ViciSettings) and one.is_witnessed}
    kernels = {one.name for one in settings if isinstance(one, XfrmSettings)}
    sources = [_source(one) for one in settings]
    if not daemons or not kernels:
        return sources
    from rri_bgp.sources.witness import witnessed  # noqa: PLC0415

    return witnessed(sources, daemons, kernels)


def _source(settings: SourceSettings) -> Source:
    """Only what is used is imported: a controller that starts has routes to announce."""
    match settings:
        case ReplaySettings():
            from rri_bgp.sources.replay import ReplaySource  # noqa: PLC0415

            return ReplaySource(settings)
        case XfrmSettings():
            from rri_bgp.sources.xfrm import XfrmSource  # noqa: PLC0415

            return XfrmSource(settings)
        case ViciSettings():
            from rri_bgp.sources.vici import ViciSource  # noqa: PLC0415

            return ViciSource(settings)


def _lay(controller: Controller, settings: KernelSettings, hand_off: HandOffSettings | None) -> None:
    """The kernel has a route before anybody is told of it. Likewise: only who changes the kernel imports how."""
    from rri_bgp.sinks.kernel.sink import KernelSink  # noqa: PLC0415

    spared = () if hand_off is None else (hand_off.table,)
    controller.outlets.lay(KernelSink(controller.rib, settings, controller.outlets, spared=spared))


def _collect_garbage_rarely() -> None:
    """The tables are large and hold no cycles: looking through them for garbage stops everything, 0.2 s at 100,000."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


async def _run(controller: Controller, settings: Config) -> None:
    streams = await open_stdio() if _is_helper(settings) else None
    lookout = Lookout(settings, controller, lambda: neighbors_of(sink.status() for sink in controller.sinks))
    reloader = Reloader(controller, settings, lookout)
    async with serving(controller, settings.control.socket, reloader), asyncio.TaskGroup() as group:
        told_to_end = _on_signals(group, reloader)
        looking = group.create_task(lookout.run())
        await lookout.has_looked.wait()  # what is ours is known before anything is believed (rule G1)
        following = group.create_task(controller.run(_feed(controller, settings, streams)))
        watching = group.create_task(_watch(controller))
        going_back = group.create_task(reloader.run())
        ending = group.create_task(told_to_end.wait())
        await asyncio.wait((following, ending), return_when=asyncio.FIRST_COMPLETED)
        notify("STOPPING=1")
        if not following.done():
            await _finish(controller, _FINISH_LIMIT[_is_helper(settings)])
        for task in (following, watching, going_back, ending, looking):
            task.cancel()


def _is_helper(settings: Config) -> bool:
    """Whether ExaBGP runs this, and is spoken to on stdin and stdout."""
    return settings.exabgp is not None and settings.exabgp.listen is None


async def _feed(controller: Controller, settings: Config, streams: Streams | None) -> None:
    """Until ExaBGP, where it runs this, is gone."""
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(controller.drain(sink)) for sink in _sinks(controller, settings)]
        await _feed_exabgps(controller, settings, streams)
        for task in beside:
            task.cancel()


def _sinks(controller: Controller, settings: Config) -> Iterator[Sink]:
    """Those that are fed from start to end. As for the sources: only what is used is imported."""
    if controller.outlets.foundation is not None:
        yield controller.outlets.foundation
    if settings.hand_off is not None:
        from rri_bgp.sinks.handoff.sink import HandOffSink  # noqa: PLC0415

        yield HandOffSink(controller.wanted, settings.hand_off, released=controller.released)


async def _feed_exabgps(controller: Controller, settings: Config, streams: Streams | None) -> None:
    if settings.exabgp is None:
        await asyncio.Event().wait()
    elif streams is not None:
        await controller.drain(ExabgpSink(controller.wanted, *streams, settings.exabgp, released=controller.released))
    elif settings.exabgp.listen is not None:
        await accept_exabgps(controller, controller.wanted, settings.exabgp.listen, settings.exabgp)


def _on_signals(group: asyncio.TaskGroup, reloader: Reloader) -> asyncio.Event:
    """SIGHUP reloads; the event is set by SIGTERM and SIGINT."""
    loop, told_to_end = asyncio.get_running_loop(), asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, told_to_end.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: group.create_task(_reload(reloader)))
    return told_to_end


async def _reload(reloader: Reloader) -> None:
    """As ``rri-bgp reload``; nobody is there to hear why not."""
    try:
        await reloader.reload()
    except PolicyError:
        return  # the controller has said so
    except RriError as error:
        log.error("SIGHUP is not obeyed: %s", error)


async def _finish(controller: Controller, limit: float) -> None:
    try:
        async with asyncio.timeout(limit):
            await controller.finish()
    except TimeoutError:
        log.warning("not every answer came within %g s; ending anyway", limit)


async def _watch(controller: Controller) -> None:
    """Tells the service manager when the first table is out, and from then on that the loop turns."""
    while not controller.is_settled:  # noqa: ASYNC110  # that depends on many parts, and is wanted once
        await asyncio.sleep(_LOOK)
    notify("READY=1", f"STATUS=first table out: {len(controller.rib)} routes")
    log.info("the first table is out: %d routes", len(controller.rib))
    interval = watchdog_interval()
    while interval is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval)
