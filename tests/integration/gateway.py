"""Looks around in its network namespace as the controller does, and reports as JSON lines. Run by ``netns``."""

from __future__ import annotations

import asyncio
import sys
import time
from ipaddress import ip_address
from pathlib import Path

from rri_bgp.policy.config import Config, NotifySettings
from rri_bgp.rri.entries import Group, Policy
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.surroundings.lookout import Lookout
from tests.integration.report import capabilities, say


class Reporter:
    """Says what it is told."""

    def __init__(self) -> None:
        self.is_complete = False
        self.now = Surroundings()

    def take_surroundings(self, surroundings: Surroundings) -> None:
        """See ``SurroundingsObserver``."""
        self.now = surroundings
        self._say()

    def surroundings_complete(self) -> None:
        """See ``SurroundingsObserver``."""
        self.is_complete = True
        self._say()

    def _say(self) -> None:
        say(
            held=sorted(self.now.held), addresses=sorted(map(str, self.now.addresses)), complete=self.is_complete,
            at=time.monotonic(), capabilities=capabilities(),
        )  # fmt: skip


def main() -> None:
    """Arguments: the virtual address, and where keepalived has a say its notify FIFO and instance."""
    address, *notify = sys.argv[1:]
    settings = Config(
        file=Path("hub.yaml"), asn=65000, sources=(),
        policy=Policy(groups={"group1": Group("group1", (ip_address(address),))}),
        groups={"group1": NotifySettings(Path(notify[0]), notify[1])} if notify else {},
    )  # fmt: skip
    asyncio.run(Lookout(settings, Reporter()).run())


if __name__ == "__main__":
    main()
