"""The lab with a big hub in it: loads, faults, and the way back to rest."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import threading
import time
from collections.abc import Callable, Iterator

from lab.harness import ROOT, STATE, Lab, LabError, wait_until
from rri_bgp.model import Prefix, SaKey, SaPair, TrafficSelector
from rri_bgp.sources.recording import Recorder

__all__ = ["BULK", "LOADS", "SIGNALS", "TARGETS", "World"]

BULK = 10_000
"""Routes of the recorded hub beside the real tunnels."""

RUN = STATE / "run" / "hub"
TUNNELS = (("branch1", "net"), ("branch1", "net6"), ("branch2", "net"), ("branch2", "net6"))
PYTHON = "^/opt/rri/bin/python[0-9.]* /opt/rri/bin/"
TARGETS = {
    "controller": ("hub", PYTHON + "rri-bgp run"),
    "relay": ("hub", PYTHON + "rri-bgp attach"),
    "ExaBGP": ("hub", PYTHON + "exabgp"),
    "charon": ("hub", "^charon-systemd"),
    "bgpd": ("upstream", "^/usr/lib/frr/bgpd"),
}
SIGNALS = ("KILL", "TERM", "STOP")
LOADS = ("idle", "bulk", "rekeys")
STOPPED = 30.0
"""Seconds: longer than the hold time of 9 s."""

SETTLED = 90.0


class World:
    """One deployed lab, with the bulk in it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._tag = 300

    @staticmethod
    def prepare() -> None:
        """Writes what the hub reads, before it is deployed."""
        RUN.mkdir(parents=True, exist_ok=True)
        with (RUN / "bulk.jsonl").open("w") as stream:
            Recorder(stream, lambda: 0.0).snapshot("bulk", [_bulk_sa(number) for number in range(BULK)])
        (RUN / "rri-bgp.yaml").write_text((ROOT / "lab/basic/hub-service/rri-bgp.yaml").read_text())

    def rest(self) -> None:
        """All tunnels up, all routes upstream."""
        up = {child.partition("{")[0] for child in self.lab.children()}
        if self._ends() != {"branch1", "branch2"} or up != {"net", "net6"}:
            for branch in ("branch1", "branch2"):
                self.lab.try_exec(branch, "swanctl", "--terminate", "--ike", "hub", "--timeout", "5", "--force")
        for branch, child in TUNNELS:
            wait_until(lambda b=branch, c=child: self._is_up(b, c), f"{child} of {branch} is up", 60, 0.5)  # type: ignore[misc]
        self.settle()

    def settle(self) -> None:
        """Waits until upstream has exactly what the controller wants.

        Raises:
            LabError: it has not; says the differences.
        """
        code, said = self.lab.try_exec(
            "upstream", "/opt/rri/bin/rri-bgp", "inspect", "--wait", f"{SETTLED:g}", timeout=SETTLED + 60
        )
        if code != 0:
            raise LabError(f"upstream is not as it should be:\n{said[-3000:]}")

    def wanted(self) -> set[str]:
        """The prefixes that the controller wants now."""
        return {route["prefix"] for route in json.loads(self.lab.rri("show", "routes", "--json")[1])["routes"]}

    def inject(self, target: str, signal: str) -> None:
        """The fault; over when whoever starts things anew has had no more to do than to start."""
        node, pattern = TARGETS[target]
        self.lab.exec(node, "pkill", f"-{signal}", "-f", pattern)
        if signal == "STOP":
            time.sleep(STOPPED)  # the fault is a time
            self.lab.exec(node, "pkill", "-CONT", "-f", pattern)
        elif target == "charon":
            wait_until(lambda: self.lab.try_exec(node, "pgrep", "-f", pattern)[0] != 0, "charon has ended")
            self.lab.start_charon("hub")

    @contextlib.contextmanager
    def load(self, load: str) -> Iterator[None]:
        """What goes on while the fault happens."""
        if load == "rekeys":
            with _repeating(self._rekey):
                yield
        else:
            if load == "bulk":
                self.announce_bulk_anew()
            yield

    def announce_bulk_anew(self) -> None:
        """Another tag for the bulk: all of it goes out once more, with other communities."""
        self._tag = 601 - self._tag
        policy = (ROOT / "lab/basic/hub-service/rri-bgp.yaml").read_text().replace("tag: 300", f"tag: {self._tag}")
        (RUN / "rri-bgp.yaml").write_text(policy)
        self.lab.try_exec("hub", "pkill", "-HUP", "-f", TARGETS["controller"][1])

    def _rekey(self) -> None:
        for branch, child in TUNNELS:
            self.lab.try_exec(branch, "swanctl", "--rekey", "--child", child)

    def _is_up(self, branch: str, child: str) -> bool:
        if self.lab.try_exec(branch, "swanctl", "--list-sas", "--child", child)[1].count("INSTALLED"):
            return True
        return self.lab.try_exec(branch, "swanctl", "--initiate", "--child", child, "--timeout", "10")[0] == 0

    def _ends(self) -> set[str]:
        listing = self.lab.try_exec("hub", "swanctl", "--list-sas")[1]
        return {line.partition(":")[0] for line in listing.splitlines() if "ESTABLISHED" in line}


def _bulk_network(number: int) -> int:
    return int(ipaddress.IPv4Address("10.128.0.0")) + number


def _bulk_sa(number: int) -> SaPair:
    selector = TrafficSelector.from_prefix(Prefix(4, _bulk_network(number), 32))
    peer = ipaddress.IPv4Address("192.0.2.128") + number % 100
    local = ipaddress.IPv4Address("203.0.113.1")
    return SaPair(SaKey("bulk", number + 1), "bulk", "net", peer, local, (selector,))


@contextlib.contextmanager
def _repeating(action: Callable[[], None]) -> Iterator[None]:
    is_over = threading.Event()

    def repeat() -> None:
        while not is_over.is_set():
            action()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
