"""Drives the lab: deploy, destroy, run things in nodes, bring tunnels up and down, wait for a condition.

Rules of the file: every wait has a deadline and says what it waited for and what it saw last; nodes are addressed by
their short names (``hub``); nothing here knows what a test expects.
"""

from __future__ import annotations

import enum
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["Esp", "Lab", "LabError", "esp_mode", "wait_until"]

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".lab"
PREFIX = "clab-rri-"
LOGS = ("/var/log/charon.log", "/var/log/exabgp/*.log", "/var/log/bird.log", "/tmp/frr.log")  # noqa: S108  # in a node, not here

T = TypeVar("T")


class LabError(Exception):
    """Something in the lab failed; the text holds the command and what it said."""


class Esp(enum.Enum):
    """Who does ESP: the kernel, or charon in user space where the kernel cannot."""

    KERNEL = "kernel"
    LIBIPSEC = "kernel-libipsec (in user space: this kernel has no ESP)"

    @property
    def snippet(self) -> str:
        """The name of its file in lab/basic/esp."""
        return "kernel" if self is Esp.KERNEL else "libipsec"


def esp_mode() -> Esp:
    """Asks the kernel, in a network namespace of its own, whether it takes an ESP SA."""
    add = (
        "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000 mode tunnel "
        "aead rfc4106(gcm(aes)) 0x0000000000000000000000000000000000000000 128"
    )
    image = _image()
    command = ["docker", "run", "--rm", "--network", "none", "--cap-add", "NET_ADMIN", image, *add.split()]
    probe = subprocess.run(command, capture_output=True, text=True, check=False)
    return Esp.KERNEL if probe.returncode == 0 else Esp.LIBIPSEC


def wait_until(condition: Callable[[], T], what: str, deadline: float = 20.0, interval: float = 0.1) -> T:
    """Polls until ``condition`` is true, and returns its value.

    Raises:
        LabError: not true within ``deadline`` seconds; says what was waited for and the last value.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"waited {deadline} s in vain until {what}; the last value was {value!r}")
        time.sleep(interval)


class Lab:
    """A deployed topology, a folder of ``lab``; ``hub`` and ``upstream`` name the folders of those nodes' files in it.

    All topologies have one name to containerlab: there is one lab at a time.
    """

    def __init__(self, hub: str = "hub", upstream: str = "upstream", topology: str = "basic") -> None:
        self.topology = topology
        self.hub = hub
        self.upstream = upstream
        self.esp = Esp.KERNEL

    # -- life ------------------------------------------------------------------------------------------------------

    def deploy(self) -> None:
        """Deploys afresh, whatever an earlier run has left, and waits until the daemons answer."""
        self.esp = esp_mode()
        (STATE / "run" / "hub").mkdir(parents=True, exist_ok=True)
        self._containerlab("deploy", "--reconfigure")
        wait_until(self._bgp_is_up, "the BGP session between hub and upstream is up", 40)

    def destroy(self) -> None:
        """Removes everything that deploy made, also what a broken run has left."""
        self._containerlab("destroy", "--cleanup")

    @contextmanager
    def deployed(self) -> Iterator[Lab]:
        """Deploys, and destroys afterwards: also after a failure and after Ctrl-C."""
        try:
            self.deploy()
            yield self
        finally:
            try:
                self.save_logs()
            finally:
                self.destroy()

    def nodes(self) -> list[str]:
        """The short names of the running nodes."""
        names = _run(["docker", "ps", "--filter", f"name={PREFIX}", "--format", "{{.Names}}"]).split()
        return sorted(name.removeprefix(PREFIX) for name in names)

    def container(self, node: str) -> str:
        """The name of a node's container."""
        return PREFIX + node

    def pid(self, node: str) -> int:
        """The process id, on this machine, of a node's first process."""
        return int(_run(["docker", "inspect", "--format", "{{.State.Pid}}", self.container(node)]))

    def host_pid(self, node: str, pattern: str) -> int:
        """The process id, on this machine, of the one process of a node whose command line fits the pattern."""
        listing = _run(["docker", "top", self.container(node), "-eo", "pid,args"]).splitlines()[1:]
        (found,) = (int(pid) for pid, args in (line.split(None, 1) for line in listing) if re.search(pattern, args))
        return found

    def logs(self, node: str) -> str:
        """What the daemons of a node have logged."""
        return self.exec(node, "sh", "-c", f"tail -n +1 {' '.join(LOGS)} 2>/dev/null || true")

    def save_logs(self) -> None:
        """Keeps the logs of all nodes in .lab/logs, for after the lab is gone."""
        directory = STATE / "logs"
        directory.mkdir(parents=True, exist_ok=True)
        for node in self.nodes():
            (directory / f"{node}.log").write_text(self.logs(node))

    # -- in a node ---------------------------------------------------------------------------------------------------

    def exec(self, node: str, *argv: str, timeout: float = 60) -> str:
        """Runs a command in a node and returns what it printed.

        Raises:
            LabError: it failed, or did not end within ``timeout`` seconds.
        """
        return _run(["docker", "exec", self.container(node), *argv], timeout=timeout)

    def try_exec(self, node: str, *argv: str, timeout: float = 60) -> tuple[int, str]:
        """The same where failing is an answer: exit code and all that was printed."""
        command = ["docker", "exec", self.container(node), *argv]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
        return done.returncode, done.stdout + done.stderr

    def rri(self, *arguments: str, node: str = "hub") -> tuple[int, str]:
        """``rri-bgp`` in a node: exit code and output."""
        return self.try_exec(node, "/opt/rri/bin/rri-bgp", *arguments)

    def status(self) -> Any:  # noqa: ANN401  # its shape is documented in docs/reference/json.md
        """``rri-bgp show status --json`` on the hub."""
        return json.loads(self.rri("show", "status", "--json")[1])

    def vtysh(self, command: str, node: str = "upstream") -> Any:  # noqa: ANN401  # FRR's JSON has no type
        """FRR's answer to a ``show … json`` command."""
        return json.loads(self.exec(node, "vtysh", "-c", command))

    def ping(self, node: str, address: str, deadline: int = 1) -> bool:
        """Whether one echo request from a node is answered within ``deadline`` seconds."""
        return self.try_exec(node, "ping", "-c", "1", "-W", str(deadline), address)[0] == 0

    def kill(self, node: str, process: str, signal: str = "KILL") -> None:
        """Sends a signal to the processes of that name in a node, and waits for their end."""
        self.exec(node, "pkill", f"-{signal}", "-x", process)
        wait_until(lambda: self.try_exec(node, "pgrep", "-x", process)[0] != 0, f"{process} on {node} has ended")

    # -- tunnels -----------------------------------------------------------------------------------------------------

    def up(self, node: str, child: str) -> None:
        """Brings a CHILD_SA up from a node's side."""
        self.exec(node, "swanctl", "--initiate", "--child", child, "--timeout", "15")

    def down(self, node: str, *, child: str = "", ike: str = "") -> None:
        """Ends a CHILD_SA, or an IKE SA with all its children, from a node's side; says so to the peer."""
        name = ("--child", child) if child else ("--ike", ike)
        self.exec(node, "swanctl", "--terminate", *name, "--timeout", "15")

    def rekey(self, node: str, *, child: str = "", ike: str = "", reauth: bool = False) -> None:
        """Rekeys a CHILD_SA or an IKE SA, or reauthenticates the latter, from a node's side."""
        name = ("--child", child) if child else ("--ike", ike)
        self.exec(node, "swanctl", "--rekey", *name, *(["--reauth"] if reauth else []))

    def start_charon(self, node: str) -> None:
        """Starts charon in a node where it was ended."""
        self.exec(node, "bash", "/lab/start-charon")

    def start_exabgp(self) -> None:
        """Starts ExaBGP, and the controller with it, on the hub where it was ended."""
        self.exec("hub", "bash", "/lab/hub/start")

    def children(self, node: str = "hub", state: str = "INSTALLED") -> list[str]:
        """``name{uniqueid}`` of the CHILD_SAs of a node in that state; of all, where ``state`` is empty."""
        listing = self.exec(node, "swanctl", "--list-sas")
        found = []
        for line in listing.splitlines():
            name, _, rest = line.strip().partition(": #")
            if rest and "reqid" in rest and state in rest:
                found.append(f"{name}{{{rest.split(',')[0]}}}")
        return found

    # -- upstream ----------------------------------------------------------------------------------------------------

    def updates_received(self) -> int:
        """BGP UPDATEs that upstream has had from the hub, by FRR's own counter."""
        neighbors = self.vtysh("show bgp neighbors 198.51.100.1 json")
        return int(neighbors["198.51.100.1"]["messageStats"]["updatesRecv"])

    def prefixes(self) -> set[str]:
        """The prefixes that upstream has from the hub, both families."""
        found: set[str] = set()
        for family in ("ipv4", "ipv6"):
            found |= set(self.vtysh(f"show bgp {family} unicast json").get("routes", {}))
        return found

    def fib(self, prefix: str) -> bool:
        """Whether upstream has a BGP route for exactly this prefix in its FIB."""
        family = "ipv6" if ":" in prefix else "ip"
        routes = self.vtysh(f"show {family} route {prefix} json").get(prefix, [])
        return any(route.get("installed") and route["protocol"] == "bgp" for route in routes)

    def configure_upstream(self, *lines: str) -> None:
        """Changes FRR's running configuration on upstream."""
        script = ["configure terminal", *lines, "end"]
        self.exec("upstream", "vtysh", *(word for line in script for word in ("-c", line)))

    def _bgp_is_up(self) -> bool:
        if self.upstream == "upstream-bird":
            return "Established" in self.try_exec("upstream", "birdc", "show", "protocols")[1]
        peers = self.vtysh("show bgp summary json").get("ipv4Unicast", {}).get("peers", {})
        return any(peer.get("state") == "Established" for peer in peers.values())

    def _containerlab(self, verb: str, *options: str) -> str:
        program = shutil.which("containerlab") or str(STATE / "bin" / "containerlab")
        environment = os.environ | {
            "CLAB_VERSION_CHECK": "disable",
            "CLAB_LABDIR_BASE": str(STATE),
            "RRI_LAB_IMAGE": _image(),
            "RRI_LAB_ESP": self.esp.snippet,
            "RRI_LAB_HUB": self.hub,
            "RRI_LAB_UPSTREAM": self.upstream,
        }
        topology = ROOT / "lab" / self.topology / f"{self.topology}.clab.yml"
        return _run([program, verb, "--topo", str(topology), *options], timeout=300, environment=environment)


def _image() -> str:
    try:
        return (STATE / "image").read_text().strip()
    except FileNotFoundError:
        raise LabError("the lab's image is not built yet: run lab/setup.sh") from None


def _run(command: list[str], *, timeout: float = 60, environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise LabError(f"{command[0]} is not installed: run lab/setup.sh") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(command)} did not end within {timeout} s") from None
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        raise LabError(f"{' '.join(command)} failed with {done.returncode}: {said[-2000:]}")
    return done.stdout
