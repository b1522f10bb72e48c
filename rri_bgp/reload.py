"""Takes policy files while the controller runs: on SIGHUP, and for ``rri-bgp reload`` and ``confirm``.

A policy that cannot be read changes nothing: the one before it holds, and ``show status`` says why. One that is to be
confirmed goes back to the last good one by itself. Only one is taken at a time; while one waits for its confirmation,
another may take its place only if it waits too, and both go back to the same good one: nothing that nobody confirmed is
ever what one goes back to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rri_bgp.controller import Controller
from rri_bgp.errors import PolicyError, RriError, UsageError
from rri_bgp.model import Destination, Route, SaKey
from rri_bgp.policy import Config, load
from rri_bgp.rri import Policy, Rib

if TYPE_CHECKING:
    from rri_bgp.surroundings.lookout import LookoutStatus

__all__ = ["Around", "Reloaded", "Reloader", "later"]

log = logging.getLogger(__name__)

_PIECE = 500
"""Routes that are noted between two turns of everybody else: less than a millisecond."""


class Around(Protocol):
    """Who looks around (``surroundings.lookout``), as far as a reload has to tell."""

    async def prepare(self, config: Config) -> None:
        """Looks up what a configuration names, beside what the one before does. Takes seconds at most."""

    def take_config(self, config: Config) -> None:
        """This configuration holds from now on: said as soon as the controller has taken its policy.

        Not before: until then what the one before names is needed, or its routes would go for a moment.
        """

    def status(self) -> LookoutStatus:
        """What is around, for people."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A policy that was taken, and the routes that it may have changed: as they were, and as they are.

    ``later`` are the sections that differ and are taken at the next start only. ``routes`` is how many there are now.
    """

    config: Config
    policy_before: Policy
    before: Mapping[Destination, Route | None]
    after: Mapping[Destination, Route | None]
    later: tuple[str, ...]
    routes: int


@dataclass(frozen=True, slots=True)
class _Pending:
    """Until when, on the loop's clock, a policy waits for its confirmation; ``good`` is what else comes back."""

    good: Config
    deadline: float


class Reloader:
    """See the head of this file. ``started`` is what the controller was started with; ``run`` has to run."""

    def __init__(self, controller: Controller, started: Config, around: Around | None = None) -> None:
        self._controller = controller
        self._started = self._running = started
        self._around = around
        self._turn = asyncio.Lock()
        self._pending: _Pending | None = None
        self._news = asyncio.Event()
        """Set when ``_pending`` has changed."""

    @property
    def running(self) -> Config:
        """What holds now."""
        return self._running

    @property
    def around(self) -> LookoutStatus | None:
        """What is around; None where nobody looks."""
        return None if self._around is None else self._around.status()

    @property
    def seconds_left(self) -> float | None:
        """Until the policy that waits for its confirmation goes; None where none waits."""
        if self._pending is None:
            return None
        return max(self._pending.deadline - asyncio.get_running_loop().time(), 0.0)

    async def reload(self, file: Path | None = None, confirm: float | None = None) -> Reloaded:
        """Takes a policy file, the one that the controller was started with where none is named, as one change.

        ``confirm`` is in seconds: without a confirmation in that time the last good policy comes back.

        Raises:
            UsageError: another policy waits for its confirmation, or ``file`` is no file.
            PolicyError: the file cannot be read, or is wrong.
        """
        async with self._turn:
            if confirm is None and self.seconds_left is not None:
                raise _waits(self.seconds_left)
            try:
                found = await asyncio.to_thread(_read, file or self._started.file)
            except RriError as error:
                raise self._refused(error, file) from None
            for warning in found.warnings:
                log.warning("%s", warning)
            good = self._running if self._pending is None else self._pending.good
            done = await self._take(found)
            if confirm is not None:
                self._set_pending(_Pending(good, asyncio.get_running_loop().time() + confirm))
                log.warning("the policy of %s goes again in %g s unless it is confirmed", found.file, confirm)
            return done

    def confirm(self) -> Config:
        """The policy that waits is good. Returns it.

        Raises:
            UsageError: none waits.
        """
        if self._pending is None:
            raise UsageError("no policy waits for a confirmation")
        self._set_pending(None)
        log.info("the policy of %s is confirmed", self._running.file)
        return self._running

    async def run(self) -> None:
        """Goes back where no confirmation comes in time. Runs until cancelled."""
        while True:
            self._news.clear()
            left = self.seconds_left
            if left == 0:
                await self._go_back()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._news.wait()

    async def _go_back(self) -> None:
        async with self._turn:
            pending = self._pending
            if pending is None or self.seconds_left:  # it was confirmed, or another one waits now
                return
            self._set_pending(None)
            unconfirmed = self._running.file
            await self._take(pending.good)
            self._controller.refuse_policy(f"{unconfirmed} was not confirmed in time")

    def _set_pending(self, pending: _Pending | None) -> None:
        self._pending = pending
        self._news.set()

    def _refused(self, error: RriError, file: Path | None) -> RriError:
        """The error to answer with, after the controller has heard of it.

        Of a file that somebody named no line is repeated: the controller may read files that who asks may not.
        """
        if file is not None and isinstance(error, PolicyError):
            error = PolicyError("the policy is wrong, or cannot be read", where=str(file), hint=f"rri-bgp check {file}")
        self._controller.refuse_policy(str(error))
        return error

    async def _take(self, config: Config) -> Reloaded:
        """Applies a configuration, and notes what that changes."""
        if self._around is not None:
            await self._around.prepare(config)
        notes = _Notes(self._controller.rib)
        stop = self._controller.subscribe(notes.heard)
        try:
            await notes.begin()
            await self._controller.change_policy(config.policy)
            if self._around is not None:
                self._around.take_config(config)
            while not self._controller.is_reviewed:  # noqa: ASYNC110  # it is told in turns
                await asyncio.sleep(0)
        finally:
            stop()
        differing = later(self._started, config)
        if differing:
            log.warning("%s: taken at the next start only; the rest is taken now", ", ".join(differing))
        self._running = config
        return await notes.end(config, differing)


class _Notes:
    """The routes as they are until the policy is another, and which of them that changes."""

    def __init__(self, rib: Rib) -> None:
        self._rib = rib
        self._policy = rib.policy
        self._before: dict[Destination, Route | None] = {}
        self._changed: set[Destination] = set()

    async def begin(self) -> None:
        """Notes them all, with turns for everybody between."""
        for number, destination in enumerate(list(self._rib.destinations()), 1):
            self._before[destination] = self._rib.route(destination)
            if number % _PIECE == 0:
                await asyncio.sleep(0)

    def heard(self, destinations: set[Destination], keys: set[SaKey]) -> None:
        """Something has changed: on account of SA pairs, as long as the policy is the same, or of the configuration.

        Where no SA pair is named, what is around has changed, and that is so because other things are looked for.
        """
        if keys and self._rib.policy is self._policy:
            self._before.update((destination, self._rib.route(destination)) for destination in destinations)
        else:
            self._changed |= destinations

    async def end(self, config: Config, differing: tuple[str, ...]) -> Reloaded:
        """What it has come to, with turns for everybody between."""
        before: dict[Destination, Route | None] = {}
        after: dict[Destination, Route | None] = {}
        for number, destination in enumerate(self._all_that_may_have_changed(), 1):
            before[destination], after[destination] = self._before.get(destination), self._rib.route(destination)
            if number % _PIECE == 0:
                await asyncio.sleep(0)
        return Reloaded(
            config=config,
            policy_before=self._policy,
            before=before,
            after=after,
            later=differing,
            routes=len(self._rib),
        )

    def _all_that_may_have_changed(self) -> Iterable[Destination]:
        """Where neighbours' policies or VRFs are others, a route may go out in another way with its path of before."""
        old, new = self._policy, self._rib.policy
        if (old.neighbors, old.vrfs) == (new.neighbors, new.vrfs):
            return self._changed
        return self._before.keys() | set(self._rib.destinations())


def later(running: Config, found: Config) -> tuple[str, ...]:
    """The sections that differ and that a reload does not take."""
    pairs = {
        "sources": (running.sources, found.sources),
        "resolve": (running.resolve, found.resolve),
        "sinks": (running.sinks, found.sinks),
        "control": (running.control, found.control),
    }
    return tuple(name for name, (old, new) in pairs.items() if old != new)


def _read(file: Path) -> Config:
    if file.exists() and not file.is_file():
        raise PolicyError("it is no regular file", where=str(file))
    return load(file)


def _waits(seconds: float) -> UsageError:
    return UsageError(
        f"a policy waits for its confirmation, for {seconds:.0f} s more",
        hint="`rri-bgp confirm` keeps it; `rri-bgp reload --confirm SECONDS` puts another in its place",
    )
