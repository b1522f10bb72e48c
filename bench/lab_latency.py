"""``python -m bench.lab_latency [SAMPLES]``: from an SA event to a route upstream, in the container lab, beside peers.

A sample is one tunnel that comes up or goes down. It starts when the event is read from charon's VICI socket on the
hub, by a client of that socket like any other; it ends twice: when the UPDATE arrives at upstream's interface (the
kernel's time stamp of the packet), and when the route is in upstream's FIB (the kernel's notification). All three are
times of one clock. The hub is ours, or charon's own routes in table 220 with an FRR that announces them, or an updown
script that writes into ExaBGP's pipe; upstream is BIRD, which gives routes to its kernel at once, or FRR.

Each round deploys every pair of hub and upstream anew, one after the other, so that all see the same machine. A pair's
ratio is the middle one of its rounds' ratios of medians. The tunnels are brought up through the branch's VICI socket:
a ``docker exec`` would take CPU time from what is measured. Writes .lab/bench-latency.json after each round.
"""

from __future__ import annotations

import json
import random
import socket
import statistics
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, Self

import vici
from rich.console import Console
from rich.table import Table

from bench.figures import percentile
from lab.harness import STATE, Lab, LabError
from lab.taps import FibTap, Tap, UpdateTap

__all__ = ["AIMS", "EventTap", "Sample", "Series", "aims", "figures", "main", "shares", "table"]

HUBS = {"hub": "ours", "hub-table220": "table 220 + FRR", "hub-updown": "updown + pipe"}
UPSTREAMS = {"upstream-bird": "BIRD", "upstream": "FRR"}
OURS, TABLE_220 = "ours", "table 220 + FRR"
DIRECTIONS = {"up": "add", "down": "del"}
ENDS = ("wire", "FIB")

PREFIX = "10.1.0.0/16"
CHILD = "net"
DEADLINE = 10.0
ROUNDS = 4
SETTLE = 10.0
"""Seconds: an FRR holds what it announces for up to 3 s after its session comes up."""
WARM_UP = 3
PAUSE = (0.05, 0.25)
"""Seconds between samples, at random: no peer's timers are to fall in step with the measurement."""

_EVENT = b"child-updown"
_REGISTER, _IS_EVENT = 3, 7  # charon's src/libcharon/plugins/vici/README.md


class Sample(NamedTuple):
    """Milliseconds from the SA event."""

    wire: float
    fib: float


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """What was measured: whose hub, which upstream, ``up`` or ``down``."""

    upstream: str
    direction: str
    hub: str


@dataclass(frozen=True, slots=True)
class Figures:
    """One line of the table; the ratio is to ours, None where a round of either is missing."""

    series: Series
    end: str
    p50: float
    p90: float
    p99: float
    samples: int
    rounds: tuple[float, ...]
    ratio: float | None


Rounds = Mapping[Series, Sequence[Sequence[Sample]]]


class EventTap(Tap):
    """Hears child-updown events on the VICI socket of a node; each is seen as ``child-updown``."""

    def __init__(self, pid: int) -> None:
        sock = _vici_socket(pid)
        sock.sendall(_packed(_REGISTER, _EVENT))
        super().__init__(sock, read_events)

    def __enter__(self) -> Self:
        super().__enter__()
        self.wait_for("other", 0, DEADLINE)  # charon's confirmation
        return self


def read_events(sock: socket.socket) -> Iterator[tuple[int, str]]:
    """One packet of the VICI protocol: its time (ns), and whether it is the event or another thing."""
    header = sock.recv(4, socket.MSG_WAITALL)
    at = time.time_ns()
    if len(header) < 4:
        raise ConnectionError("charon has closed its VICI socket")
    body = sock.recv(struct.unpack("!I", header)[0], socket.MSG_WAITALL)
    yield at, _EVENT.decode() if body.startswith(bytes((_IS_EVENT, len(_EVENT))) + _EVENT) else "other"


def _packed(kind: int, name: bytes) -> bytes:
    return struct.pack("!IBB", 2 + len(name), kind, len(name)) + name


def _vici_socket(pid: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(DEADLINE + 5)
    sock.connect(f"/proc/{pid}/root/run/charon.vici")
    return sock


class Tunnel:
    """The tunnel of a branch, brought up and down from its side."""

    def __init__(self, pid: int) -> None:
        self._socket = _vici_socket(pid)
        self._session = vici.Session(self._socket)

    def move(self, direction: str) -> None:
        """Brings it ``up`` or ``down``; returns when that is done."""
        verb = {"up": "initiate", "down": "terminate"}[direction]
        wanted = {"child": CHILD, "timeout": str(int(DEADLINE * 1000)), "loglevel": "-1"}
        self._session.request(verb, wanted)

    def close(self) -> None:
        """Closes the socket; the tunnel stays as it is."""
        self._socket.close()


class Watch:
    """A deployed lab with an ear at all three places."""

    def __init__(self, tunnel: Tunnel, events: Tap, wire: Tap, fib: Tap) -> None:
        self._tunnel, self._events, self._wire, self._fib = tunnel, events, wire, fib

    def sample(self, direction: str) -> Sample:
        """Moves the tunnel once.

        Raises:
            TimeoutError: nothing came out at one of the three places.
        """
        since = time.time_ns()
        self._tunnel.move(direction)
        event = self._events.wait_for(_EVENT.decode(), since, DEADLINE)
        wire = self._wire.wait_for("UPDATE", since, DEADLINE)
        fib = self._fib.wait_for(f"{DIRECTIONS[direction]} {PREFIX}", since, DEADLINE)
        time.sleep(random.uniform(*PAUSE))  # noqa: S311  # no secret
        return Sample((wire - event) / 1e6, (fib - event) / 1e6)


@contextmanager
def watched(lab: Lab) -> Iterator[Watch]:
    """Ears for a lab that is up."""
    hub, upstream = lab.pid("hub"), lab.pid("upstream")
    tunnel = Tunnel(lab.pid("branch1"))
    try:
        with EventTap(hub) as events, UpdateTap(upstream, "eth2") as wire, FibTap(upstream) as fib:
            yield Watch(tunnel, events, wire, fib)
    finally:
        tunnel.close()


def measure(hub: str, upstream: str, samples: int) -> dict[str, list[Sample]]:
    """Deploys this pair, and moves its tunnel; the samples of each direction."""
    found: dict[str, list[Sample]] = {direction: [] for direction in DIRECTIONS}
    with Lab(hub, upstream).deployed() as lab, watched(lab) as watch:
        time.sleep(SETTLE)
        for number in range(-WARM_UP, samples):
            for direction in DIRECTIONS:
                sample = watch.sample(direction)
                if number >= 0:
                    found[direction].append(sample)
    return found


def shares(samples: int, rounds: int) -> list[int]:
    """How many samples each round takes; the first ones take what does not divide."""
    whole, rest = divmod(samples, rounds)
    return [share for share in (whole + (number < rest) for number in range(rounds)) if share]


def figures(rounds: Rounds) -> list[Figures]:
    """The lines of the table."""
    return [_figures(rounds, series, end) for series in rounds for end in ENDS]


def _figures(rounds: Rounds, series: Series, end: str) -> Figures:
    pooled = [value for one in rounds[series] for value in _values(one, end)]
    medians = _medians(rounds[series], end)
    ours = _medians(rounds.get(Series(series.upstream, series.direction, OURS), ()), end)
    ratio = statistics.median(a / b for a, b in zip(medians, ours, strict=True)) if len(medians) == len(ours) else None
    p50, p90, p99 = (percentile(pooled, rank) for rank in (0.5, 0.9, 0.99))
    return Figures(series, end, p50, p90, p99, len(pooled), medians, ratio)


def _values(samples: Iterable[Sample], end: str) -> list[float]:
    return [sample.wire if end == "wire" else sample.fib for sample in samples]


def _medians(rounds: Sequence[Sequence[Sample]], end: str) -> tuple[float, ...]:
    return tuple(percentile(_values(one, end), 0.5) for one in rounds)


AIMS = (
    ("BIRD", OURS, "p50", 3.0),
    ("BIRD", TABLE_220, "ratio", 15.0),
    ("FRR", TABLE_220, "ratio", 1 / 0.6),
)
"""For the way to the FIB, both directions: at most so many ms, or at least so many times ours."""


def aims(lines: Iterable[Figures]) -> list[str]:
    """What was aimed for, and what came of it."""
    by_name = {(one.series, one.end): one for one in lines}
    return [
        _verdict(by_name[Series(upstream, direction, hub), "FIB"], what, aim)
        for (upstream, hub, what, aim), direction in product(AIMS, DIRECTIONS)
        if (Series(upstream, direction, hub), "FIB") in by_name
    ]


def _verdict(line: Figures, what: str, aim: float) -> str:
    value = line.p50 if what == "p50" else line.ratio
    if value is None:
        is_met, shown = False, "not measured"
    elif what == "p50":
        is_met, shown = value <= aim, f"p50 {value:.2f} ms (aim: at most {aim:g})"
    else:
        is_met, shown = value >= aim, f"{value:.1f} x ours (aim: at least {aim:.2g})"
    series = line.series
    return (
        f"{'met   ' if is_met else 'MISSED'} {series.hub} to the FIB of {series.upstream}, {series.direction}: {shown}"
    )


def table(lines: Iterable[Figures]) -> Table:
    """All of it."""
    shown = Table("upstream", "tunnel", "to", "hub", title="milliseconds from the SA event on the VICI socket")
    for column in ("p50", "p90", "p99", "x ours", "samples"):
        shown.add_column(column, justify="right")
    for line in sorted(lines, key=_order):
        series = line.series
        times = (f"{value:.2f}" for value in (line.p50, line.p90, line.p99))
        ratio = "-" if line.ratio is None else f"{line.ratio:.2f}"
        is_last = series.hub == [*HUBS.values()][-1]
        names = (series.upstream, series.direction, line.end, series.hub)
        shown.add_row(*names, *times, ratio, str(line.samples), end_section=is_last)
    return shown


def _order(line: Figures) -> tuple[int, ...]:
    ranks = (UPSTREAMS.values(), DIRECTIONS, ENDS, HUBS.values())
    names = (line.series.upstream, line.series.direction, line.end, line.series.hub)
    return tuple([*rank].index(name) for rank, name in zip(ranks, names, strict=True))


def document(lines: Iterable[Figures]) -> dict[str, object]:
    """What the JSON file holds; ``rounds`` are the medians of each."""
    rows = [
        {
            "upstream": one.series.upstream, "tunnel": one.series.direction, "to": one.end, "hub": one.series.hub,
            "p50": one.p50, "p90": one.p90, "p99": one.p99, "samples": one.samples, "rounds": list(one.rounds),
            "ratio": one.ratio,
        }
        for one in sorted(lines, key=_order)
    ]  # fmt: skip
    return {"unit": "ms", "from": "child-updown on the VICI socket", "rows": rows}


def run(samples: int, console: Console) -> dict[Series, list[list[Sample]]]:
    """All rounds; what has been measured is written after each."""
    found: dict[Series, list[list[Sample]]] = {}
    for number, share in enumerate(shares(samples, ROUNDS), 1):
        for upstream, hub in product(UPSTREAMS, HUBS):
            console.print(f"round {number}: {HUBS[hub]} to {UPSTREAMS[upstream]}, {share} tunnels", style="dim")
            for direction, measured in measure(hub, upstream, share).items():
                found.setdefault(Series(UPSTREAMS[upstream], direction, HUBS[hub]), []).append(measured)
        text = json.dumps(document(figures(found)), indent=1)
        (STATE / "bench-latency.json").write_text(text + "\n", encoding="utf-8")
    return found


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; returns the exit code."""
    if len(arguments) > 1 or not all(one.isdigit() and int(one) for one in arguments):
        sys.stderr.write("usage: python -m bench.lab_latency [SAMPLES]\n")
        return 2
    console = Console(highlight=False)
    try:
        lines = figures(run(int(arguments[0]) if arguments else 200, console))
    except (LabError, TimeoutError, OSError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    if not console.is_terminal:
        console.width = 110
    console.print(table(lines))
    console.print("\n".join(aims(lines)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
