"""Plays a recorded SA history: for the demo and for measurements, never in place of a real gateway."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from rri_bgp.errors import UsageError
from rri_bgp.policy.config import ReplaySettings
from rri_bgp.sources import SaObserver
from rri_bgp.sources.recording import Moment, check_header, read_in_parts
from rri_bgp.turns import turn

__all__ = ["SHIPPED", "ReplaySource"]

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).parent.parent / "data" / "hub.jsonl"
"""A hub of the lab, two branches, recorded with ``rri-bgp record``."""


class ReplaySource:
    """See ``rri_bgp.sources.Source``. After the last moment nothing changes any more."""

    def __init__(self, settings: ReplaySettings) -> None:
        """Looks at the file, and reads it while it plays.

        Raises:
            UsageError: it is no recording, or cannot be read.
        """
        self._settings = settings
        self._file = settings.file or SHIPPED
        check_header(self._file)

    @property
    def name(self) -> str:
        """See ``Source``."""
        return self._settings.name

    def watch_suspects(self, wanted: bool) -> None:
        """See ``Source``. It tells what was recorded in any case."""

    async def run(self, observer: SaObserver) -> None:
        """See ``Source``. What there is to say already is said while it is read: routes need not wait for the last."""
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            for found in read_in_parts(self._file, self.name):
                wait = start + found.at / self._settings.speed - clock()
                if isinstance(found, Moment):
                    await asyncio.sleep(wait)
                    found.tell(self.name, observer)
                else:
                    if wait <= 0:
                        observer.update(self.name, found.changes)
                    await turn()
        except UsageError as error:
            observer.lost(self.name, error.line)
        log.info("%s: the recording %s is over", self.name, self._file)
        await asyncio.Event().wait()
