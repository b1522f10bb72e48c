"""Deletes, changes and adds routes at random: ``python -m tests.integration.churn SECONDS SEED FAMILY PREFIX…``.

In its network namespace, as fast as it can, over the places of the program's routes and beside them: routes of the
program's protocol number are deleted, led elsewhere, doubled and invented; routes of another number take their place,
stand before and behind them, and go again; what leads to a peer changes. At the end it prints a JSON object: the
default route's gateway, how many changes it made, and which routes of the other number there are by its doing, as
``[prefix, metric, gateway]``.
"""

from __future__ import annotations

import errno
import json
import random
import socket
import sys
import time
from collections.abc import Sequence

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

_OURS, _THEIRS, _METRIC = 82, 4, 1
_GATEWAYS = {"4": ("192.0.2.9", "192.0.2.10", "192.0.2.11"), "6": ("2001:db8:2::9", "2001:db8:2::10")}
_EXPECTED = (errno.EEXIST, errno.ENOENT, errno.ESRCH)


class Churn:
    """Whoever does that. ``theirs``: the routes of the other number that are there, by prefix and metric."""

    def __init__(self, kernel: IPRoute, seed: int, family: str, prefixes: Sequence[str]) -> None:
        self._kernel = kernel
        self._random = random.Random(seed)  # noqa: S311  # it is to be the same again
        self._family = {"4": socket.AF_INET, "6": socket.AF_INET6}[family]
        self._gateways = _GATEWAYS[family]
        self._prefixes = prefixes
        self._device = socket.if_nametoindex("eth0")
        self.theirs: dict[tuple[str, int], str] = {}
        self.default = ""
        self.made = 0

    def step(self) -> None:
        """Does one thing."""
        prefix, gateway = self._random.choice(self._prefixes), self._random.choice(self._gateways)
        match self._random.randrange(16):
            case 0 | 1 | 2 | 3:
                self._do("del", prefix, _OURS, _METRIC)
            case 4 | 5:
                if (prefix, _METRIC) not in self.theirs:
                    self._do("replace", prefix, _OURS, _METRIC, gateway)
            case 6:
                self._do("append", prefix, _OURS, _METRIC, gateway)
            case 7:
                self._do("add", prefix, _OURS, self._random.randrange(2, 5), gateway)
            case 8 | 9 | 10:
                self._put(
                    "add",
                    prefix,
                    self._random.choice((_METRIC, 0 if self._family == socket.AF_INET else 5, 9)),
                    gateway,
                )
            case 11:
                self._put("replace", prefix, _METRIC, gateway)
            case 12 if self._family == socket.AF_INET and self._random.random() < 0.1:
                if self._do("replace", "0.0.0.0/0", 3, 0, gateway):
                    self.default = gateway
            case _:
                self._take_away()

    def _put(self, verb: str, prefix: str, metric: int, gateway: str) -> None:
        if self._do(verb, prefix, _THEIRS, metric, gateway):
            self.theirs[prefix, metric] = gateway

    def _take_away(self) -> None:
        if self.theirs:
            prefix, metric = self._random.choice(list(self.theirs))
            del self.theirs[prefix, metric]
            self._do("del", prefix, _THEIRS, metric)

    def _do(self, verb: str, prefix: str, protocol: int, metric: int, gateway: str = "") -> bool:
        more = {"gateway": gateway, "oif": self._device} if gateway else {}
        try:
            self._kernel.route(verb, dst=prefix, family=self._family, proto=protocol, priority=metric, **more)
        except NetlinkError as error:
            if error.code not in _EXPECTED:
                raise
            return False
        self.made += 1
        return True


def main(seconds: str, seed: str, family: str, *prefixes: str) -> None:
    """See the head of this file."""
    end = time.monotonic() + float(seconds)
    with IPRoute() as kernel:
        churn = Churn(kernel, int(seed), family, prefixes)
        while time.monotonic() < end:
            churn.step()
    theirs = [[prefix, metric, gateway] for (prefix, metric), gateway in sorted(churn.theirs.items())]
    sys.stdout.write(json.dumps({"default": churn.default, "made": churn.made, "theirs": theirs}))


if __name__ == "__main__":
    main(*sys.argv[1:])
