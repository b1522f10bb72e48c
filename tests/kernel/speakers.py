"""Real BIRD and FRR, each in a network namespace of its own: a hub that announces, and an upstream that learns.

Rules of this file: what it starts it ends, by its id; every wait has a deadline. A hub's configuration is that of the
how-to, word for word, with a log.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.bird import UPSTREAM, ask, configuration
from tests.kernel.gateways import run

__all__ = ["Learnt", "Network"]

DEADLINE = 60.0


class Learnt(NamedTuple):
    """A route as upstream has it, in BIRD's words."""

    next_hop: str
    communities: frozenset[str] = frozenset()
    large: frozenset[str] = frozenset()
    med: str = ""


class Network:
    """The namespaces ``hub`` and ``upstream``, and the daemons in them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._control = folder / "upstream.ctl"

    def build(self) -> None:
        """Namespaces, a link, and an upstream that is BIRD."""
        self.clean()
        for node, number in (("hub", 1), ("upstream", 2)):
            run("ip", "netns", "add", node)
            run("ip", "-n", node, "link", "set", "lo", "up")
            if number == 2:
                run("ip", "link", "add", "lan", "netns", "hub", "type", "veth", "peer", "name", "lan", "netns", node)
        for node, number in (("hub", 1), ("upstream", 2)):
            run("ip", "-n", node, "address", "add", f"198.51.100.{number}/24", "dev", "lan")
            run("ip", "-n", node, "address", "add", f"2001:db8:100::{number}/64", "dev", "lan", "nodad")
            run("ip", "-n", node, "link", "set", "lan", "up")
        self._bird("upstream", UPSTREAM)

    def clean(self) -> None:
        """Ends the daemons and removes the namespaces."""
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(DEADLINE)
        self._daemons.clear()
        for node in ("hub", "upstream"):
            run("ip", "netns", "delete", node, check=False)

    def announce(self, daemon: str) -> None:
        """Starts the hub's BIRD or FRR, and waits for its session."""
        text = configuration(daemon)
        if daemon == "bird":
            self._bird("hub", text)
        else:
            self._frr(text)
        self.until(lambda: "Established" in self._ask("show protocols hub"), "the session is up")

    def start(self, node: str, *words: str) -> subprocess.Popen[bytes]:
        """Runs a program in a namespace, until ``clean`` at the latest."""
        with (self._folder / f"{node}-{Path(words[0]).name}.log").open("wb") as log:
            daemon = subprocess.Popen(["ip", "netns", "exec", node, *words], stdout=log, stderr=log)
        self._daemons.append(daemon)
        return daemon

    def ip(self, *lines: str) -> None:
        """Runs ip(8) on the hub with each of these."""
        text = "\n".join(lines) + "\n"
        subprocess.run(["ip", "-n", "hub", "-batch", "-"], input=text.encode(), check=True, timeout=DEADLINE)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until something is so."""
        end = time.monotonic() + DEADLINE
        while not condition():
            logs = {file.name: file.read_text(errors="replace")[-1500:] for file in self._folder.glob("*.log")}
            assert time.monotonic() < end, f"waited {DEADLINE:g} s in vain until {what}: {self.routes()} {logs}"
            time.sleep(0.05)

    def routes(self) -> dict[str, Learnt]:
        """What upstream has learnt."""
        found: dict[str, Learnt] = {}
        prefix = ""
        for line in self._ask("show route all protocol hub").splitlines():
            if named := re.match(r"([0-9a-f.:]+/\d+) ", line):
                prefix = named[1]
                found[prefix] = Learnt("")
            key, _, value = line.strip().partition(": ")
            if key == "BGP.next_hop":
                found[prefix] = found[prefix]._replace(next_hop=value.split()[0])
            elif key == "BGP.community":
                found[prefix] = found[prefix]._replace(communities=_set(value))
            elif key == "BGP.large_community":
                found[prefix] = found[prefix]._replace(large=_set(value))
            elif key == "BGP.med":
                found[prefix] = found[prefix]._replace(med=value)
        return found

    def updates(self) -> tuple[int, int]:
        """How many updates and withdraws of routes upstream has received."""
        received = {"updates": 0, "withdraws": 0}
        for kind, count in re.findall(r"Import (updates|withdraws): +(\d+)", self._ask("show protocols all hub")):
            received[kind] += int(count)
        return received["updates"], received["withdraws"]

    def _bird(self, node: str, text: str) -> None:
        file, control = self._folder / f"{node}.conf", self._folder / f"{node}.ctl"
        file.write_text(f'log "{self._folder / f"{node}.log"}" all;\n{text}')
        self.start(node, "bird", "-f", "-c", str(file), "-s", str(control), "-P", str(self._folder / f"{node}.pid"))
        self.until(control.exists, f"BIRD of {node} is there")

    def _frr(self, text: str) -> None:
        folder = Path("/var/run/frr")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        file = folder / "frr.conf"
        file.write_text(text)
        for one in (folder, file):
            shutil.chown(one, "frr", "frr")
        for daemon, more in (("zebra", ("-s", "90000000")), ("bgpd", ())):
            self.start("hub", f"/usr/lib/frr/{daemon}", "-A", "127.0.0.1", "-f", str(file), *more)
            self.until((folder / f"{daemon}.vty").exists, f"{daemon} is there")

    def _ask(self, question: str) -> str:
        """A question to upstream's BIRD, in the language of birdc."""
        return ask(self._control, question)


def _set(text: str) -> frozenset[str]:
    """``(65000,100) (65000,200)`` or ``(65000, 1, 100)`` with colons between the numbers."""
    return frozenset(":".join(re.findall(r"\d+", one)) for one in re.findall(r"\(([^)]*)\)", text))
