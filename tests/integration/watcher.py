"""Follows the kernel of its network namespace, and reports each change as a JSON line. Run by ``netns``."""

from __future__ import annotations

import asyncio
import sys
import time

from rri_bgp.surroundings.kernel import KernelWatch
from rri_bgp.surroundings.links import Table
from tests.integration.report import capabilities, say


def main() -> None:
    """Arguments: seconds between two dumps."""
    losses: list[str] = []

    def take(table: Table) -> None:
        links = table.links({})
        say(
            addresses=sorted(map(str, links.addresses)), networks=sorted(map(str, links.networks)),
            resyncs=watch.resyncs, losses=losses, at=time.monotonic(), capabilities=capabilities(),
        )  # fmt: skip

    watch = KernelWatch(take, losses.append, resync=float(sys.argv[1]))
    asyncio.run(watch.run())


if __name__ == "__main__":
    main()
