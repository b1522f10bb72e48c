"""The kernel sink's program in a network namespace with an underlay, and what a test asks of both."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.integration.netns import DEADLINE, Namespace, namespace

__all__ = ["ADD_FOREIGN", "FAR", "FAR6", "FOREIGN", "NEAR", "Hub", "hub"]

POLICY = """\
version: 1
local: {{as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}}
sources: [vici]
sinks:
  kernel: {kernel}
crypto-maps:
  branches:
    {map}entries: [{{seq: 10, type: dynamic, reverse-route: {reverse_route}{entry}}}]
{more}"""
NEAR, FAR, FAR6 = "192.0.2.7", "203.0.113.9", "2001:db8:f::9"
FOREIGN = "10.9.0.0/16"
ADD_FOREIGN = f"route add {FOREIGN} via 192.0.2.9 proto static metric 1"

_T = TypeVar("_T")


class Hub:
    """The sink's program in its namespace. ``now`` is what it said last, ``before`` what the one before it did."""

    def __init__(self, made: Namespace) -> None:
        self.made = made
        self.now: dict[str, Any] = {}

    async def read(self) -> None:
        """Follows what it says."""
        assert self.made.process.stdout is not None
        while line := await self.made.process.stdout.readline():
            self.now = json.loads(line)

    def has(self, *sas: tuple[Any, ...]) -> None:
        """These are all SAs from now on: id, peer, prefixes, and a dictionary of what else there is to say."""
        self.made.say({"sas": [list(one) for one in sas]})

    async def routes(self, family: str = "-4", *more: str) -> dict[str, str]:
        """Our routes by prefix, as ip(8) has them."""
        return await self.made.routes(family, "route", "show", *(more or ("proto", "82")))

    async def until_routes(self, wanted: dict[str, str], family: str = "-4", *more: str) -> None:
        """Waits until the kernel has exactly these of ours."""
        await self.until_so(lambda: self.routes(family, *more), wanted)

    async def until_so(self, look: Callable[[], Awaitable[_T]], wanted: _T) -> None:
        """Waits until that is what there is to see."""
        found: _T | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                while (found := await look()) != wanted:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.02)
        assert found == wanted, self.now

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Waits until what it says is so."""
        try:
            async with asyncio.timeout(DEADLINE):
                while not self.now or not condition(self.now):  # noqa: ASYNC110  # it may be any condition
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(self.now) from None
        return self.now


@contextlib.asynccontextmanager
async def hub(
    folder: Path,
    kernel: str = "{}",
    *,
    reverse_route: str = "true",
    entry: str = "",
    crypto_map: str = "",
    more: str = "",
    resync: float = 60.0,
) -> AsyncIterator[Hub]:
    """The sink in a namespace with an underlay, and a route of somebody else's."""
    file = folder / "hub.yaml"
    file.write_text(POLICY.format(kernel=kernel, map=crypto_map, reverse_route=reverse_route, entry=entry, more=more))
    program = ("tests.integration.kernel_sink", str(file), str(resync))
    async with namespace(*program, rights="net_admin") as made, asyncio.TaskGroup() as group:
        await made.ip(
            "addr add 192.0.2.1/24 dev eth0",
            "addr add 2001:db8:2::1/64 dev eth0 nodad",
            "route add default via 192.0.2.254",
            "route add default via 2001:db8:2::254",
            ADD_FOREIGN,
        )
        this = Hub(made)
        reading = group.create_task(this.read())
        yield this
        assert "via 192.0.2.9 dev eth0" in await made.run("ip", "route", "show", FOREIGN, "proto", "static"), (
            "untouched"
        )
        reading.cancel()
