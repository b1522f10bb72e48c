"""The program beside a process that deletes and adds routes at random (``churn``): in the end all is exact.

Five seconds for each family; ``RRI_BGP_CHURN`` says how many otherwise, and ``make churn`` takes a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.integration.hub import FAR, GATEWAY, NEAR, Hub, hub
from tests.integration.netns import DEADLINE

_SECONDS = float(os.environ.get("RRI_BGP_CHURN", "5"))

_PROXIES = {
    "4": {
        FAR: [f"10.{number}.0.0/16" for number in range(50)],
        NEAR: [f"10.{number}.0.0/16" for number in range(50, 100)],
    },
    "6": {"2001:db8:2::7": [f"2001:db8:1{number:02x}::/48" for number in range(100)]},
}
"""What is behind each peer, by family."""
_NOBODYS = {"4": "10.200.0.0/16", "6": "2001:db8:200::/48"}


class Shown(NamedTuple):
    """A route as ip(8) shows it; of one with several ways there is no gateway."""

    prefix: str
    gateway: str
    protocol: str
    metric: int


async def _shown(this: Hub, family: str) -> list[Shown]:
    """Ours, and those of the other number."""
    found = json.loads(await this.made.run("ip", "-N", "-j", f"-{family}", "route", "show", "table", "main"))
    return sorted(
        Shown(one["dst"], one.get("gateway", ""), one["protocol"], one.get("metric", 0))
        for one in found
        if one.get("protocol") in ("82", "4")
    )


@pytest.mark.timeout(120 + 2 * _SECONDS)
@pytest.mark.parametrize("family", ["4", "6"])
async def test_g6_whatever_others_do_in_the_end_all_is_exact(tmp_path: Path, family: str) -> None:
    proxies, seed = _PROXIES[family], random.SystemRandom().randrange(1 << 32)
    async with hub(tmp_path) as this:
        this.has(*((number, peer, prefixes) for number, (peer, prefixes) in enumerate(proxies.items(), 1)))
        await this.start()
        prefixes = (*(prefix for some in proxies.values() for prefix in some), _NOBODYS[family])
        words = (sys.executable, "-m", "tests.integration.churn", str(_SECONDS), str(seed), family, *prefixes)
        told = json.loads(await this.made.run(*words))
        assert told["made"] > 100 * _SECONDS
        theirs = [Shown(prefix, gateway, "4", metric) for prefix, metric, gateway in told["theirs"]]
        taken = {one.prefix for one in theirs if one.metric == 1}
        ways = {FAR: told["default"] or GATEWAY}
        ours = [
            Shown(prefix, ways.get(peer, peer), "82", 1)
            for peer, prefixes in proxies.items()
            for prefix in prefixes
            if prefix not in taken
        ]
        wanted, found = sorted(ours + theirs), list[Shown]()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                while (found := await _shown(this, family)) != wanted:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.02)
        missing, more = set(wanted) - set(found), set(found) - set(wanted)
        assert found == wanted, f"{seed=} {missing=} {more=} {this.log[-2000:]}"
