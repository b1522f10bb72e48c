"""What a recorded SA history should do upstream, worked out by the core before anything is played.

Rules of this file: pure. A step is one moment of the recording at which routes change, or several neighbouring ones at
which SAs change and routes do not: a rekey, or a reauthentication (rule E6). ``Follower`` holds what the upstream
learns against the steps, in their order: a change that no step expects is an error, whenever it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rri_bgp.demo.updates import Change, on_the_wire
from rri_bgp.model import Path, Prefix, SaPair
from rri_bgp.rri import Policy, Rib
from rri_bgp.sources.recording import Moment

__all__ = ["Follower", "Step", "expected_routes", "tell"]


_REKEY_TAKES = 1.0
"""Seconds between the new SA and the end of the old one, within which both are one silent step."""


@dataclass(frozen=True, slots=True)
class Step:
    """``changes`` by prefix as an internal peer sees them, None for a withdraw; empty where only SAs were replaced.

    Routes of other kinds (VRFs, flow rules) are not part of the story: its upstream speaks plain unicast. ``came`` and
    ``gone`` are the SA pairs that did; ``sas`` is how many there are afterwards.
    """

    at: float
    changes: Mapping[Prefix, Path | None]
    came: tuple[SaPair, ...]
    gone: tuple[SaPair, ...]
    sas: int

    @property
    def is_silent(self) -> bool:
        """Whether the upstream must hear nothing of it."""
        return not self.changes


def tell(policy: Policy, source: str, moments: Iterable[Moment]) -> tuple[Step, ...]:
    """The steps of a recording under a policy. Moments at which nothing happens make none."""
    rib = Rib(policy)
    steps: list[Step] = []
    for moment in moments:
        before = {sa.key: sa for sa in rib.sas()}
        if moment.is_snapshot:
            changed = rib.snapshot(source, [sa for sa in moment.changes.values() if sa is not None])
        else:
            changed = rib.update(moment.changes)
        after = {sa.key: sa for sa in rib.sas()}
        step = Step(
            at=moment.at,
            changes={one: _wire(rib.path(one)) for one in changed if isinstance(one, Prefix)},
            came=tuple(sa for key, sa in after.items() if key not in before),
            gone=tuple(sa for key, sa in before.items() if key not in after),
            sas=len(after),
        )
        if not (step.changes or step.came or step.gone):
            continue
        if steps and step.is_silent and steps[-1].is_silent and step.at - steps[-1].at <= _REKEY_TAKES:
            steps[-1] = replace(step, came=steps[-1].came + step.came, gone=steps[-1].gone + step.gone)
        else:
            steps.append(step)
    return tuple(steps)


def expected_routes(steps: Iterable[Step]) -> dict[Prefix, Path]:
    """What the upstream holds after these steps."""
    routes: dict[Prefix, Path] = {}
    for step in steps:
        for prefix, path in step.changes.items():
            if path is None:
                routes.pop(prefix, None)
            else:
                routes[prefix] = path
    return routes


def _wire(path: Path | None) -> Path | None:
    return None if path is None else on_the_wire(path)


class Follower:
    """Goes through the steps as the upstream learns of them. ``surprises`` are the changes that no step expected."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = list(steps)
        self._missing: dict[Prefix, Path | None] = {}
        self.surprises: list[Change] = []

    @property
    def is_over(self) -> bool:
        """Whether every step was seen; one that must not be heard is over when a later one is heard, or when told."""
        return not self._steps and not self._missing

    def next_is_silent(self) -> Step | None:
        """The step that comes next, where it is one of which nothing must be heard."""
        return self._steps[0] if not self._missing and self._steps and self._steps[0].is_silent else None

    @property
    def upcoming(self) -> Step | None:
        """The first step that is not over."""
        return self._steps[0] if self._steps else None

    def silent_is_over(self) -> None:
        """Its time has passed."""
        if self.next_is_silent() is not None:
            del self._steps[0]

    def take(self, change: Change) -> Step | None:
        """Takes a change. Returns the step that it completes, if it does."""
        heard = None if self._missing else next((step for step in self._steps if not step.is_silent), None)
        due = self._missing if heard is None else heard.changes
        if change.prefix not in due or due[change.prefix] != change.path:
            self.surprises.append(change)
            return None
        if heard is not None:
            self._steps = self._steps[self._steps.index(heard) :]
            self._missing = dict(heard.changes)
        del self._missing[change.prefix]
        return None if self._missing else self._steps.pop(0)
