"""How long a route takes: SA event on the VICI socket → UPDATE on upstream's wire → route in upstream's FIB.

All three times are of this machine's one clock: charon's event as any client of its socket reads it, the packet's time
stamp at upstream's interface, the kernel's route notification in upstream's namespace. ``python -m lab.latency`` prints
the table on a lab that is up.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import vici
from rich.console import Console
from rich.table import Table

from lab.harness import Lab, LabError, wait_until
from lab.taps import FibTap, UpdateTap

__all__ = ["Latency", "measure", "table"]

PREFIX = "10.1.0.0/16"
DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Times in milliseconds, one a sample, each from the SA event on the VICI socket."""

    kind: str
    wire: tuple[float, ...]
    fib: tuple[float, ...]


class ViciTap:
    """Hears child-updown events on a hub's VICI socket, as any other client would."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._events: list[int] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self._registered, "the VICI tap listens", 5, 0.01)
        return self

    _registered = False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def wait(self, since: int) -> int:
        """The time (ns) of the first event after ``since`` (ns)."""
        with self._news:
            if not self._news.wait_for(lambda: any(at >= since for at in self._events), DEADLINE):
                raise LabError(f"no child-updown event within {DEADLINE} s")
            return next(at for at in self._events if at >= since)

    def _run(self) -> None:
        session = vici.Session(self._socket)
        try:
            for label, _ in session.listen(["child-updown"], timeout=0.2):
                self._registered = True
                if label is not None:
                    with self._news:
                        self._events.append(time.time_ns())
                        self._news.notify_all()
        except OSError:
            return  # the tap was closed


def measure(lab: Lab, samples: int) -> tuple[Latency, Latency]:
    """Brings branch 1's tunnel up and down ``samples`` times; returns the latencies of both directions."""
    up: list[tuple[float, float]] = []
    down: list[tuple[float, float]] = []
    hub, upstream = lab.pid("hub"), lab.pid("upstream")
    with (
        ViciTap(f"/proc/{hub}/root/run/charon.vici") as events,
        UpdateTap(upstream, "eth2") as wire,
        FibTap(upstream) as fib,
    ):
        for _ in range(samples):
            for kind, found in (("add", up), ("del", down)):
                since = time.time_ns()
                if kind == "add":
                    lab.up("branch1", "net")
                else:
                    lab.down("branch1", child="net")
                event = events.wait(since)
                on_wire = wire.wait_for("UPDATE", since, DEADLINE)
                in_fib = fib.wait_for(f"{kind} {PREFIX}", since, DEADLINE)
                found.append(((on_wire - event) / 1e6, (in_fib - event) / 1e6))
    return tuple(  # type: ignore[return-value]  # two of them
        Latency(kind, tuple(wire for wire, _ in found), tuple(fib for _, fib in found))
        for kind, found in (("tunnel up", up), ("tunnel down", down))
    )


def percentile(values: tuple[float, ...], rank: float) -> float:
    """The value below which ``rank`` (0..1) of the values lie."""
    return sorted(values)[min(int(len(values) * rank), len(values) - 1)]


def table(latencies: tuple[Latency, ...]) -> Table:
    """p50, p90 and p99 of each, in milliseconds."""
    shown = Table("SA event →", "to", "p50 ms", "p90 ms", "p99 ms", "samples", title="latency from the VICI socket")
    for latency in latencies:
        for to, values in (("UPDATE on the wire", latency.wire), ("FRR's FIB", latency.fib)):
            row = (f"{percentile(values, rank):.1f}" for rank in (0.5, 0.9, 0.99))
            shown.add_row(latency.kind, to, *row, str(len(values)))
    return shown


if __name__ == "__main__":
    Console().print(table(measure(Lab(), int(sys.argv[1]) if len(sys.argv) > 1 else 100)))
