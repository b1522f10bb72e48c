"""100,000 routes into the kernel and out of it, in a network namespace: ours, ``ip -batch``, and pyroute2 by itself.

Ours three times: the requests alone, the whole sink from the RIB on (``bench.hub``), and all from a source's snapshot.
"""

from __future__ import annotations

from bench.apart import run_apart
from bench.cases import Runs
from bench.figures import Figure, Ratio, Result, ratio
from bench.hub import PEERS
from bench.routes import WAYS

__all__ = ["measure"]

ROUTES = 100_000
FEW = 5_000
"""For pyroute2 by itself, which takes some three hundred microseconds a route."""

AIM = 2.0
"""At most so many times what ``ip -batch`` takes."""

_DEADLINE = 300.0

_NAMES = {"ours": "the requests alone", "sink": "the whole sink", "hub": "from the SAs", "ip": "ip -batch"}

_Taken = dict[str, dict[str, float]]


async def measure(runs: Runs) -> Result:
    """Runs all in turn, forwards and backwards, ``runs.rounds`` times."""
    count, few = runs.sized(ROUTES), runs.sized(FEW)
    found: list[_Taken] = []
    for number in range(runs.rounds):
        names = (list(WAYS), list(reversed(WAYS)))[number % 2]
        found.append(await run_apart("bench.routes", count, few, *names, deadline=_DEADLINE))
        taken = ", ".join(f"{name} {found[-1][name]['add']:.2f} s" for name in names)
        runs.tell(f"kernel {number + 1}/{runs.rounds}: {count} routes added: {taken}")
    return _result(found, count, few)


def _result(found: list[_Taken], count: int, few: int) -> Result:
    def seconds(way: str, what: str, name: str) -> Figure:
        return Figure(name, "s", tuple(one[way][what] for one in found))

    def each(way: str, what: str, routes: int, name: str) -> Figure:
        return Figure(name, "µs", tuple(one[way][what] / routes * 1e6 for one in found))

    adding = {way: seconds(way, "add", f"{name}, adding") for way, name in _NAMES.items()}
    deleting = {way: seconds(way, "delete", f"{name}, deleting") for way, name in _NAMES.items()}
    slow, quick = (
        each("pyroute2", "add", few, "pyroute2 by itself, a route"),
        each("ours", "add", count, "the requests alone, a route"),
    )
    return Result(
        name="kernel",
        title=f"kernel: {count:,} routes in and out",
        figures=(
            *adding.values(), *deleting.values(), quick, slow,
            each("ours", "dump", count, "reading one back, in a dump"),
        ),
        ratios=(
            *(
                ratio(f"{name} / ip -batch, {what}", of[way], of["ip"], None if way == "hub" else AIM)
                for of, what in ((adding, "adding"), (deleting, "deleting"))
                for way, name in _NAMES.items() if way != "ip"
            ),
            Ratio("pyroute2 by itself / the requests alone", ratio("", slow, quick).pairs),
        ),
        notes=(
            "the requests alone: messages and a socket, no table of what is wanted, no events, no next hop to resolve",
            f"the whole sink: from the RIB to the last route, behind {PEERS:,} peers; deleting is `on-exit: withdraw`",
            "from the SAs: a snapshot of a source, and an empty one, to the last route; the RIB has its aim in `core`",
            f"pyroute2 by itself: IPRoute.route() for each of {few:,}",
        ),
    )  # fmt: skip
