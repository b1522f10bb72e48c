"""Keeps the core's ``Surroundings`` up to date: the kernel's addresses, keepalived's word, names, BGP neighbours.

Rules of this file: what is not known yet must not count as gone (rule G7). So nothing is told before the kernel and
keepalived have been looked at once, or could not be, and the observer hears when peers' names have been asked for as
well: until then it withdraws nothing. A group that is lost is told at once, everything else at most once a turn of the
loop, and only where it is a change.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from rri_bgp.model import Address
from rri_bgp.policy.config import Config, NotifySettings, ReplaySettings
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.surroundings.fifo import Fifo
from rri_bgp.surroundings.kernel import KernelWatch
from rri_bgp.surroundings.links import Links, Table
from rri_bgp.surroundings.names import NameState, NameTable
from rri_bgp.surroundings.redundancy import GroupState, Notices, Redundancy
from rri_bgp.surroundings.resolver import Resolver

__all__ = ["Lookout", "LookoutStatus", "NotifyStatus", "SurroundingsObserver"]

log = logging.getLogger(__name__)

_NEIGHBORS = {False: 0.1, True: 0.5}
"""Seconds between two looks at who the BGP neighbours are, before any is known and after. They change when somebody
edits a file; the first is known when ExaBGP has answered."""


class SurroundingsObserver(Protocol):
    """Whom a lookout tells: the controller. Both methods return at once and never raise."""

    def take_surroundings(self, surroundings: Surroundings) -> None:
        """What is around now."""

    def surroundings_complete(self) -> None:
        """Everything has been looked at once, or could not be: as a source that has given its first snapshot."""


@dataclass(frozen=True, slots=True)
class NotifyStatus:
    """A notify FIFO: ``problem`` says why it cannot be read, empty where it can; ``junk`` counts lines of nobody."""

    path: Path
    problem: str
    junk: int


@dataclass(frozen=True, slots=True)
class LookoutStatus:
    """What is around, for people. ``kernel`` says why the kernel's addresses cannot be seen, empty where they can."""

    is_complete: bool
    kernel: str
    surroundings: Surroundings
    groups: tuple[GroupState, ...]
    names: tuple[NameState, ...]
    """Their ``answered`` is in seconds since 1970."""
    fifos: tuple[NotifyStatus, ...]
    resyncs: int


class _Ear:
    """One FIFO, the groups that it is about, and the task that reads it."""

    def __init__(self, path: Path, redundancy: Redundancy, changed: Callable[[], None]) -> None:
        self.path = path
        self.groups: frozenset[str] = frozenset()
        self.notices = Notices()
        self.task: asyncio.Task[None] | None = None
        self.fifo = Fifo(path, self._take)
        self._redundancy = redundancy
        self._changed = changed

    def _take(self, data: bytes) -> None:
        self._redundancy.take_notices(self.groups, self.notices.feed(data))
        self._changed()

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()

    @property
    def status(self) -> NotifyStatus:
        return NotifyStatus(self.path, self.fifo.problem, self.notices.junk)


class Lookout:
    """Looks around for an observer. ``neighbors`` is asked for the BGP neighbours' addresses."""

    def __init__(
        self, config: Config, observer: SurroundingsObserver, neighbors: Callable[[], Iterable[Address]] = tuple
    ) -> None:
        self._observer = observer
        self._neighbors = neighbors
        self._told: Surroundings | None = None
        self._turn: asyncio.Handle | None = None
        self._tells = False
        self._is_complete = False
        self._group: asyncio.TaskGroup | None = None
        self._kernel = KernelWatch(self._take_table, self._lost)
        self._table: Table | None = None
        self._links = Links()
        self._blind = ""
        self._was_asked = asyncio.Event()
        """The kernel was, with whatever result."""
        self.has_looked = asyncio.Event()
        """Set once the observer has been told what can be seen without waiting for anybody: all but names."""
        self._redundancy = Redundancy()
        self._ears: dict[Path, _Ear] = {}
        self._names = NameTable(config.resolve.keep)
        self._resolver = Resolver(self._names, self._changed, config.resolve.interval)
        self._vrfs: dict[int, str] = {}
        self._is_elsewhere = False
        """All SAs are of recordings: made by another hub, so that what is ours is not what they must keep away from."""
        self._config = config
        self._take_config(config)

    async def run(self) -> None:
        """Looks around until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            self._group.create_task(self._kernel.run(), name="kernel addresses")
            await self._was_asked.wait()
            ears = tuple(self._ears.values())
            for ear in ears:
                self._listen(ear)
            for ear in ears:
                await ear.fifo.was_read.wait()
            self._tells = True
            self._say()
            self.has_looked.set()
            await self._resolver.ask(self._names.names)
            self._is_complete = True
            self._say()
            self._observer.surroundings_complete()
            self._group.create_task(self._resolver.run(), name="peers' names")
            while True:
                await asyncio.sleep(_NEIGHBORS[bool(self._told and self._told.neighbors)])
                self._changed()

    def _listen(self, ear: _Ear) -> None:
        if self._group is not None and ear.task is None:
            ear.task = self._group.create_task(ear.fifo.run(), name=f"notify FIFO {ear.path}")

    async def prepare(self, config: Config) -> None:
        """Looks for what another policy needs, beside what holds: before the controller takes it, for seconds at most.

        So no group and no peer of it is missing for a moment, as if it were not here (rule G7).
        """
        new = config.names - self._config.names
        self._take_config(_both(self._config, config))
        if self._tells:
            self._say()
        await self._resolver.ask(sorted(new))

    def take_config(self, config: Config) -> None:
        """This policy holds now: its groups, names and VRFs, and no others. Tells what it changes at once.

        To be called as soon as the controller has taken the policy.
        """
        self._take_config(config)
        if self._tells:
            self._say()

    def _take_config(self, config: Config) -> None:
        self._config = config
        instances = {name: notify.instance for name, notify in config.groups.items() if name in config.policy.groups}
        self._redundancy.take_groups(config.policy.groups, instances)
        self._is_elsewhere = bool(config.sources) and all(isinstance(one, ReplaySettings) for one in config.sources)
        self._vrfs = {vrf.table: vrf.name for vrf in config.policy.vrfs.values()}
        self._names.take_names(config.names)
        if self._table is not None:
            self._links = self._table.links(self._vrfs)
        by_path = _by_path(config.groups)
        for path in [path for path in self._ears if path not in by_path]:
            self._ears.pop(path).stop()
        for path, groups in by_path.items():
            if path not in self._ears:
                self._ears[path] = _Ear(path, self._redundancy, self._changed)
                if self._was_asked.is_set():
                    self._listen(self._ears[path])
            self._ears[path].groups = groups

    def _take_table(self, table: Table) -> None:
        if self._blind:
            log.info("the kernel's addresses are seen again")
            self._blind = ""
        self._table = table
        self._links = table.links(self._vrfs)
        self._redundancy.take_addresses(self._links.here)
        self._was_asked.set()
        self._changed()

    def _lost(self, why: str) -> None:
        if why != self._blind:
            told = "what was seen last holds" if self._table is not None else "rules G1 and G2 know nothing of them"
            log.warning("the kernel's addresses cannot be seen: %s; %s", why, told)
        self._blind = why
        self._was_asked.set()

    def _changed(self) -> None:
        """Tells at once where a group is lost, and at the end of this turn otherwise."""
        if not self._tells:
            return
        if self._told is not None and self._told.held - self._redundancy.held:
            self._say()
        elif self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._say)

    def _say(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        found = self.surroundings
        if found == self._told:
            return
        if self._told is None or found.held != self._told.held:
            log.info("redundancy groups held: %s", ", ".join(sorted(found.held)) or "none")
        self._told = found
        self._observer.take_surroundings(found)

    @property
    def surroundings(self) -> Surroundings:
        """What is known now."""
        links = Links() if self._is_elsewhere else self._links
        return Surroundings(
            addresses=links.addresses,
            networks=links.networks,
            neighbors=frozenset(self._neighbors()),
            held=self._redundancy.held,
            names=self._names.resolved,
        )

    def status(self) -> LookoutStatus:
        """What is around, for people."""
        return LookoutStatus(
            is_complete=self._is_complete,
            kernel=self._blind,
            surroundings=self.surroundings,
            groups=self._redundancy.states(),
            names=tuple(map(_in_wall_time, self._names.states())),
            fifos=tuple(ear.status for ear in self._ears.values()),
            resyncs=self._kernel.resyncs,
        )


def _in_wall_time(state: NameState) -> NameState:
    if state.answered is None:
        return state
    ago = asyncio.get_running_loop().time() - state.answered
    return replace(state, answered=round(time.time() - ago, 3))


def _both(first: Config, second: Config) -> Config:
    """What both need; of what differs under the same name, that of the first."""
    more = {name: group for name, group in second.policy.groups.items() if name not in first.policy.groups}
    return replace(
        first,
        policy=replace(
            first.policy,
            groups={**first.policy.groups, **more},
            vrfs={**second.policy.vrfs, **first.policy.vrfs},
        ),
        names=first.names | second.names,
        groups={**{name: notify for name, notify in second.groups.items() if name in more}, **first.groups},
    )


def _by_path(groups: Mapping[str, NotifySettings]) -> dict[Path, frozenset[str]]:
    paths = {notify.fifo for notify in groups.values()}
    return {path: frozenset(name for name, notify in groups.items() if notify.fifo == path) for path in paths}
