"""Sources that bear witness of each other: between an IKE daemon's and the kernel's, and whoever listens to both.

Rules of this file: what there is to know is in ``rri.witness``; here are the clock, a timer, and turns for everybody.
A source stays what it was: it is only that somebody stands between it and its observer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from rri_bgp.model import SaKey, SaPair
from rri_bgp.rri.witness import Told, Witness
from rri_bgp.sources import SaObserver, Source

__all__ = ["witnessed"]

_AT_ONCE = 200
"""Pairs that are looked at between two turns of everybody else: a few milliseconds."""


def witnessed(sources: Sequence[Source], daemons: Collection[str], kernels: Collection[str]) -> list[Source]:
    """The sources, those of these names joined."""
    joint = _Joint(Witness(daemons, kernels))
    return [_Witnessed(one, joint) if one.name in {*daemons, *kernels} else one for one in sources]


class _Witnessed:
    """A source that tells the joint, which tells the observer. See ``rri_bgp.sources.Source``."""

    def __init__(self, source: Source, joint: _Joint) -> None:
        self._source = source
        self._joint = joint

    @property
    def name(self) -> str:
        """See ``Source``."""
        return self._source.name

    def watch_suspects(self, wanted: bool) -> None:
        """See ``Source``."""
        self._source.watch_suspects(wanted)

    async def run(self, observer: SaObserver) -> None:
        """See ``Source``. All sources of a joint have one observer."""
        self._joint.begin(observer)
        try:
            await self._source.run(self._joint)
        finally:
            self._joint.end()


class _Joint:
    """An ``SaObserver`` for all of them."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._observer: SaObserver
        self._is_over = False
        self._turn: asyncio.TimerHandle | None = None

    def begin(self, observer: SaObserver) -> None:
        """Tells that one from now on."""
        self._observer = observer
        self._is_over = False

    def end(self) -> None:
        """Looks no more: the sources are told to end."""
        self._is_over = True
        self._set_timer()

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> None:
        """See ``SaObserver``."""
        told = self._witness.snapshot(source, sas, _now())
        self._update(told.come)
        self._observer.snapshot(source, self._witness.shown(source))
        self._update(told.gone)
        self._look()

    def update(self, _source: str, changes: Mapping[SaKey, SaPair | None]) -> None:
        """See ``SaObserver``."""
        self._tell(self._witness.heard(changes))
        self._look()

    def lost(self, source: str, why: str) -> None:
        """See ``SaObserver``."""
        self._observer.lost(source, why)
        self._witness.lost(source)
        self._look()

    def _look(self) -> None:
        self._turn = None
        self._tell(self._witness.look(_now(), _AT_ONCE))
        self._set_timer()

    def _tell(self, told: Told) -> None:
        self._update(told.come)
        self._update(told.installed)
        self._update(told.gone)

    def _update(self, changes: Mapping[SaKey, SaPair | None]) -> None:
        by_source: dict[str, dict[SaKey, SaPair | None]] = {}
        for key, sa in changes.items():
            by_source.setdefault(key.source, {})[key] = sa
        for source, some in by_source.items():
            self._observer.update(source, some)

    def _set_timer(self) -> None:
        """Comes back when somebody's time is over; in the next turn where more is to be looked at now."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        due = _now() if self._witness.is_behind else self._witness.due
        if due is not None and not self._is_over:
            self._turn = asyncio.get_running_loop().call_at(due, self._look)


def _now() -> float:
    return asyncio.get_running_loop().time()
