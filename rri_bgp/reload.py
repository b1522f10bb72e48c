"""Takes policy files while the controller runs: on SIGHUP, and for ``rri-bgp reload`` and ``confirm``.

A policy that cannot be read changes nothing: the one before it holds, and ``show status`` says why. One that is to be
confirmed goes back to the last good one by itself. Only one is taken at a time; while one waits for its confirmation,
another may take its place only if it waits too, and both go back to the same good one: nothing that nobody confirmed is
ever what one goes back to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rri_bgp.controller import Controller
from rri_bgp.errors import RriError, UsageError
from rri_bgp.model import Destination, Route
from rri_bgp.policy import Config, load
from rri_bgp.rri import Policy

__all__ = ["Pending", "Prepare", "Reloaded", "Reloader", "later"]

log = logging.getLogger(__name__)

Prepare = Callable[[Config], Awaitable[None]]
"""What has to be ready before a configuration is taken: names that have to be looked up."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A policy that was taken, and the routes that it changed: as they were, and as they are.

    ``later`` are the sections that differ and are taken at the next start only. ``routes`` is how many there are now.
    """

    config: Config
    policy_before: Policy
    before: Mapping[Destination, Route | None]
    after: Mapping[Destination, Route | None]
    later: tuple[str, ...]
    routes: int


@dataclass(frozen=True, slots=True)
class Pending:
    """A policy that waits for its confirmation until ``deadline``, on the loop's clock; ``good`` is what else comes."""

    good: Config
    deadline: float
    timer: asyncio.TimerHandle


class Reloader:
    """See the head of this file. ``running`` is what the controller was started with."""

    def __init__(self, controller: Controller, running: Config, prepare: Prepare | None = None) -> None:
        self._controller = controller
        self._started = self._running = running
        self._prepare = prepare
        self._turn = asyncio.Lock()
        self.pending: Pending | None = None

    @property
    def running(self) -> Config:
        """What holds now."""
        return self._running

    def seconds_left(self) -> float:
        """Until the pending policy goes; 0 where none is."""
        if self.pending is None:
            return 0.0
        return max(self.pending.deadline - asyncio.get_running_loop().time(), 0.0)

    async def reload(self, file: Path | None = None, confirm: float | None = None) -> Reloaded:
        """Takes a policy file, the one that the controller was started with where none is named, as one change.

        ``confirm`` is in seconds: without a confirmation in that time the last good policy comes back.

        Raises:
            UsageError: another policy waits for its confirmation, or ``file`` is no file.
            PolicyError: the file cannot be read, or is wrong.
        """
        async with self._turn:
            if self.pending is not None and confirm is None:
                raise _waits(self.seconds_left())
            try:
                found = await asyncio.to_thread(_read, file or self._started.file)
            except RriError as error:
                self._controller.refuse_policy(str(error))
                raise
            for warning in found.warnings:
                log.warning("%s", warning)
            if self._prepare is not None:
                await self._prepare(found)
            return self._take_reloaded(found, confirm)

    def confirm(self) -> None:
        """The policy that waits is good.

        Raises:
            UsageError: none waits.
        """
        if self.pending is None:
            raise UsageError("no policy waits for a confirmation")
        self.pending.timer.cancel()
        self.pending = None
        log.info("the policy of %s is confirmed", self._running.file)

    def _take_reloaded(self, found: Config, confirm: float | None) -> Reloaded:
        good = self._running if self.pending is None else self.pending.good
        if self.pending is not None:
            self.pending.timer.cancel()
            self.pending = None
        reloaded = self._take(found)
        if confirm is not None:
            loop = asyncio.get_running_loop()
            self.pending = Pending(good, loop.time() + confirm, loop.call_later(confirm, self._go_back))
            log.warning("the policy of %s goes again in %g s unless it is confirmed", found.file, confirm)
        return reloaded

    def _go_back(self) -> None:
        pending, self.pending = self.pending, None
        if pending is None:
            return
        unconfirmed = self._running.file
        self._take(pending.good)
        self._controller.refuse_policy(f"{unconfirmed} was not confirmed in time")

    def _take(self, config: Config) -> Reloaded:
        """Applies a configuration, and notes what that changes."""
        rib = self._controller.rib
        policy_before, routes_before = rib.policy, {route.destination: route for route in rib.routes()}
        self._controller.take_policy(config.policy)
        after = {route.destination: route for route in rib.routes()}
        changed = [
            destination
            for destination in routes_before.keys() | after.keys()
            if routes_before.get(destination) != after.get(destination)
        ]
        differing = later(self._started, config)
        if differing:
            log.warning("%s: taken at the next start only; the rest is taken now", ", ".join(differing))
        self._running = config
        return Reloaded(
            config=config,
            policy_before=policy_before,
            before={destination: routes_before.get(destination) for destination in changed},
            after={destination: after.get(destination) for destination in changed},
            later=differing,
            routes=len(after),
        )


def later(running: Config, found: Config) -> tuple[str, ...]:
    """The sections that differ and that a reload does not take."""
    pairs = {
        "sources": (running.sources, found.sources),
        "sinks.exabgp.listen": (running.exabgp.listen, found.exabgp.listen),
        "control": (running.control, found.control),
    }
    return tuple(name for name, (old, new) in pairs.items() if old != new)


def _read(file: Path) -> Config:
    if file.exists() and not file.is_file():
        raise UsageError("is no regular file", where=str(file))
    return load(file)


def _waits(seconds: float) -> UsageError:
    return UsageError(
        f"a policy waits for its confirmation, for {seconds:.0f} s more",
        hint="`rri-bgp confirm` keeps it; `rri-bgp reload --confirm SECONDS` puts another in its place",
    )
