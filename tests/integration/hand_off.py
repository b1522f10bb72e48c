"""Hands off so many prefixes of one tag in its network namespace, and reports what it is at. Run by ``netns``."""

from __future__ import annotations

import asyncio
import sys

from rri_bgp.model import Path, Prefix
from rri_bgp.policy.config import HandOffSettings
from rri_bgp.sinks.handoff.sink import HandOffSink
from tests.integration.report import capabilities, say
from tests.values import HUB4, entry, policy
from tests.wanted import Wanted

_LOOK = 0.02


async def run(count: int) -> None:
    """Until it is ended."""
    path = Path(HUB4)
    prefixes = [Prefix(4, (10 << 24) + (number << 8), 24) for number in range(count)]
    wanted = Wanted(dict.fromkeys(prefixes, path), policy=policy(entry(tag=100)))
    sink = HandOffSink(wanted, HandOffSettings(4242))
    sink.changed(prefixes, bulk=True)
    sink.allow_withdraw()
    async with asyncio.TaskGroup() as group:
        group.create_task(sink.run())
        before: object = None
        while True:
            status = sink.status()
            if status != before:
                say(
                    ready=status.ready, confirmed=status.confirmed, pending=status.pending, detail=status.detail,
                    capabilities=capabilities(), **dict(status.counters),
                )  # fmt: skip
                before = status
            await asyncio.sleep(_LOOK)


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1])))
