"""Two real charons with kernel ESP, each in a network namespace of its own, joined by a veth pair.

Rules of this file: what it starts it ends, by its id; every wait has a deadline.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rri_bgp.model import SaKey, SaPair
from rri_bgp.policy.config import ViciSettings, XfrmSettings
from rri_bgp.sources import Source
from rri_bgp.sources.vici import ViciSource
from rri_bgp.sources.xfrm.source import XfrmSource

__all__ = ["BRANCH", "HUB", "Gateways", "Watched", "run", "vici_source", "wait_for", "xfrm_source"]

HUB, BRANCH = "192.0.2.1", "192.0.2.2"
DEADLINE = 20.0

_STRONGSWAN = """\
charon-systemd {{
    load = random nonce aes sha1 sha2 hmac kdf gcm openssl curve25519 kernel-netlink socket-default vici updown
    install_routes = no
    delete_rekeyed_delay = 1
    reuse_ikesa = {reuse}
    retransmit_timeout = 0.7
    retransmit_base = 1.0
    retransmit_tries = 2
    plugins {{
        vici {{
            socket = unix://{folder}/charon.vici
        }}
    }}
    filelog {{
        log {{
            path = {folder}/charon.log
            default = 1
            flush_line = yes
        }}
    }}
}}
"""

_SWANCTL = """\
connections {{
    tunnel {{
        version = 2
        local_addrs = {local}
        remote_addrs = {remote}
        proposals = aes128gcm16-prfsha256-x25519
        dpd_delay = 1s
        mobike = yes
        {more}
        local {{ auth = psk
            id = {me} }}
        remote {{ auth = psk
            id = {peer} }}
        children {{
{children}
        }}
    }}
}}
secrets {{
    ike {{ secret = "only a test" }}
}}
"""


def run(*words: str, check: bool = True) -> str:
    """Runs a command; what it printed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


async def wait_for(condition: Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
    """Waits until something is so."""
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, f"waited {deadline:g} s in vain until {what}"
        await asyncio.sleep(0.05)


class Gateways:
    """The namespaces ``hub`` and ``branch``. ``children`` of a node: name -> (local, remote, more settings)."""

    nodes: tuple[str, ...] = ("hub", "branch")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._children: dict[str, Mapping[str, tuple[str, str, str]]] = {}
        self.more = ""
        self.reuse = "yes"
        """For the charons that start from now on: more settings of the connection, whether children share an IKE SA."""

    def build(self) -> None:
        """Namespaces and links."""
        self.make_nodes()
        run("ip", "link", "add", "wan", "netns", "hub", "type", "veth", "peer", "name", "wan", "netns", "branch")
        for node, address in (("hub", HUB), ("branch", BRANCH)):
            run("ip", "-n", node, "address", "add", f"{address}/24", "dev", "wan")
            run("ip", "-n", node, "link", "set", "wan", "up")

    def make_nodes(self) -> None:
        """Namespaces."""
        self.clean()
        for node in self.nodes:
            run("ip", "netns", "add", node)
            run("ip", "-n", node, "link", "set", "lo", "up")

    def clean(self) -> None:
        """Ends the daemons and removes the namespaces."""
        for node in list(self._daemons):
            self.stop(node, signal.SIGKILL)
        for node in self.nodes:
            run("ip", "netns", "delete", node, check=False)

    def start(self, node: str, children: Mapping[str, tuple[str, str, str]] | None = None) -> None:
        """Starts a charon and loads its configuration."""
        if children is not None:
            self._children[node] = children
        folder = self.folder(node)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "strongswan.conf").write_text(_STRONGSWAN.format(folder=folder, reuse=self.reuse))
        self.write_swanctl(node)
        (folder / "charon.vici").unlink(missing_ok=True)
        self._daemons[node] = subprocess.Popen(
            ["ip", "netns", "exec", node, "charon-systemd"],
            env={**os.environ, "STRONGSWAN_CONF": str(folder / "strongswan.conf")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + DEADLINE
        while not (folder / "charon.vici").exists():
            assert time.monotonic() < end, f"charon of {node} does not start: {self.log(node)}"
            time.sleep(0.05)
        self.swanctl(node, "--load-all", "--noprompt", "--file", str(folder / "swanctl.conf"))

    def write_swanctl(self, node: str) -> None:
        """Writes what a node's charon is to load."""
        local, remote = (HUB, f"{BRANCH}, 192.0.2.0/24") if node == "hub" else (BRANCH, HUB)
        peer = "branch" if node == "hub" else "hub"
        children = "\n".join(
            f"{name} {{ local_ts = {own}\nremote_ts = {other}\nesp_proposals = aes128gcm16\n{more} }}"
            for name, (own, other, more) in self._children[node].items()
        )
        text = _SWANCTL.format(local=local, remote=remote, me=node, peer=peer, more=self.more, children=children)
        (self.folder(node) / "swanctl.conf").write_text(text)

    def stop(self, node: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends a charon."""
        daemon = self._daemons.pop(node)
        daemon.send_signal(how)
        daemon.wait(DEADLINE)

    def swanctl(self, node: str, *words: str, check: bool = True) -> str:
        """``swanctl`` of a node."""
        return run("swanctl", words[0], "--uri", f"unix://{self.vici(node)}", *words[1:], check=check)

    def up(self, child: str, node: str = "branch") -> None:
        """Brings a child up."""
        self.swanctl(node, "--initiate", "--child", child, "--timeout", "10")

    def folder(self, node: str) -> Path:
        """Where a node's files are."""
        return self._folder / node

    def vici(self, node: str) -> Path:
        """A node's VICI socket."""
        return self.folder(node) / "charon.vici"

    def log(self, node: str) -> str:
        """The end of a node's log."""
        file = self.folder(node) / "charon.log"
        return file.read_text(errors="replace")[-2000:] if file.exists() else "no log"


class Watched:
    """What a source has said: an ``SaObserver`` that counts."""

    def __init__(self) -> None:
        self.sas: dict[SaKey, SaPair] = {}
        self.complete = False
        self.changes: list[tuple[SaKey, SaPair | None]] = []

    def snapshot(self, _source: str, sas: Iterable[SaPair]) -> None:
        """See ``SaObserver``."""
        found = {sa.key: sa for sa in sas}
        self._note({**dict.fromkeys(self.sas.keys() - found.keys()), **found})
        self.complete = True

    def update(self, _source: str, changes: Mapping[SaKey, SaPair | None]) -> None:
        """See ``SaObserver``."""
        self._note(changes)

    def lost(self, _source: str, why: str) -> None:
        """See ``SaObserver``."""
        self.complete = False

    def _note(self, changes: Mapping[SaKey, SaPair | None]) -> None:
        for key, sa in changes.items():
            if self.sas.get(key) == sa:
                continue
            self.changes.append((key, sa))
            if sa is None:
                self.sas.pop(key)
            else:
                self.sas[key] = sa

    def routes(self) -> set[tuple[str, str]]:
        """Which prefixes lie behind which peer."""
        return {
            (str(prefix), str(sa.peer))
            for sa in self.sas.values()
            for selector in sa.remote_ts
            for prefix in selector.prefixes()
        }


def vici_source(gateways: Gateways) -> Source:
    """The hub's SAs over VICI."""
    return ViciSource(ViciSettings(socket=gateways.vici("hub"), resync=1.0))


def xfrm_source() -> Source:
    """The hub's SAs from its kernel."""
    return XfrmSource(XfrmSettings(netns="hub", resync=3600.0))
