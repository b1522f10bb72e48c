"""Two real charons with kernel ESP, each in a network namespace of its own, joined by a veth pair.

Rules of this file: what it starts it ends, by its id; every wait has a deadline, and ends as soon as it may.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rri_bgp.model import SaKey, SaPair
from rri_bgp.policy.config import ViciSettings, XfrmSettings
from rri_bgp.sources import Source
from rri_bgp.sources.vici import ViciSource
from rri_bgp.sources.xfrm.source import XfrmSource

__all__ = [
    "BRANCH",
    "HIDDEN",
    "HUB",
    "MOVED",
    "Gateways",
    "Settings",
    "Watched",
    "generation",
    "hide_branch",
    "move_branch",
    "ping_from_hub",
    "run",
    "vici_source",
    "wait_for",
    "xfrm_source",
]

HUB, BRANCH, MOVED, HIDDEN = (f"192.0.2.{number}" for number in (1, 2, 3, 66))
DEADLINE = 60.0
_TRIES = {"hub": 2}
"""How soon a node gives a peer up, if not after 20 tries: it is the hub's patience that is tested."""

_NAMED = Path("/run/netns")

_Children = Mapping[str, tuple[str, str, str]]
"""Name -> local selectors, remote ones, more settings."""

_STRONGSWAN = """\
charon-systemd {{
    load = random nonce aes sha1 sha2 hmac kdf gcm openssl curve25519 kernel-netlink socket-default vici updown
    install_routes = no
    delete_rekeyed_delay = 1
    {options}
    retransmit_timeout = 0.7
    retransmit_base = 1.0
    retransmit_tries = {tries}
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


def batch(*commands: str, node: str = "") -> None:
    """Several commands of ``ip`` in one process."""
    words = ("ip", *(("-n", node) if node else ()), "-batch", "-")
    subprocess.run(words, input="\n".join(commands), text=True, check=True, timeout=60)


async def wait_for(condition: Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
    """Waits until something is so."""
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, f"waited {deadline:g} s in vain until {what}"
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Settings:
    """What charons have besides: in strongswan.conf, and in the connection."""

    charon: str = ""
    connection: str = ""


class Gateways:
    """The namespaces ``hub`` and ``branch``; a subclass may have others."""

    nodes: tuple[str, ...] = ("hub", "branch")

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self._folder = folder
        self._settings = settings or Settings()
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._children: dict[str, _Children] = {}

    def build(self) -> None:
        """Namespaces and links."""
        self.make_nodes()
        batch("link add wan netns hub type veth peer name wan netns branch")
        for node, address in (("hub", HUB), ("branch", BRANCH)):
            batch(f"address add {address}/24 dev wan", "link set wan up", node=node)

    def make_nodes(self) -> None:
        """Namespaces."""
        self.clean()
        batch(*(f"netns add {node}" for node in self.nodes))
        for node in self.nodes:
            batch("link set lo up", node=node)

    def clean(self) -> None:
        """Ends the daemons and removes the namespaces."""
        for node in list(self._daemons):
            self.stop(node, signal.SIGKILL)
        for node in self.nodes:
            if (_NAMED / node).exists():
                run("ip", "netns", "delete", node)

    def start(self, node: str, children: _Children | None = None) -> None:
        """Starts a charon and loads its configuration."""
        self.launch(node, children)
        self.load(node)

    def start_both(self, hub: _Children, branch: _Children) -> None:
        """Both at once: most of it is waiting."""
        self.launch("hub", hub)
        self.launch("branch", branch)
        self.load("hub")
        self.load("branch")

    def launch(self, node: str, children: _Children | None) -> None:
        """Starts a charon."""
        if children is not None:
            self._children[node] = children
        folder = self.folder(node)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "strongswan.conf").write_text(
            _STRONGSWAN.format(folder=folder, options=self._settings.charon, tries=_TRIES.get(node, 20))
        )
        self.write_swanctl(node)
        (folder / "charon.vici").unlink(missing_ok=True)
        self._daemons[node] = subprocess.Popen(
            ["ip", "netns", "exec", node, "charon-systemd"],
            env={**os.environ, "STRONGSWAN_CONF": str(folder / "strongswan.conf")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def load(self, node: str) -> None:
        """Waits for a charon that was started, and loads its configuration."""
        folder = self.folder(node)
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
        more = self._settings.connection
        text = _SWANCTL.format(local=local, remote=remote, me=node, peer=peer, more=more, children=children)
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

    async def has_pairs(self, node: str, count: int) -> None:
        """Waits until the kernel of a node has so many pairs of SAs: the old ones of a rekey stay for a second."""

        def has() -> bool:
            return sum(line.startswith("src") for line in self.states(node).splitlines()) == 2 * count

        await wait_for(has, f"{node} has {count} pairs of SAs")

    def states(self, node: str) -> str:
        """The SAs in a node's kernel, as ``ip`` prints them."""
        return run("ip", "-n", node, "xfrm", "state")

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


def hide_branch() -> None:
    """Puts the branch behind a NAT, which is in front of its link: others see it at ``HIDDEN``."""
    tc = ("tc", "-n", "branch")
    run(*tc, "qdisc", "add", "dev", "wan", "clsact")
    for way, from_, to in (("egress", BRANCH, HIDDEN), ("ingress", HIDDEN, BRANCH)):
        words = ("protocol", "ip", "matchall", "action", "nat", way, f"{from_}/32", to)
        run(*tc, "filter", "add", "dev", "wan", way, *words)
    mac = json.loads(run("ip", "-n", "branch", "-json", "link", "show", "wan"))[0]["address"]
    run("ip", "-n", "hub", "neighbor", "add", HIDDEN, "lladdr", mac, "dev", "wan", "nud", "permanent")


def move_branch() -> None:
    """The branch changes its address, and tells (MOBIKE)."""
    run("ip", "-n", "branch", "address", "add", f"{MOVED}/24", "dev", "wan")
    run("ip", "-n", "branch", "address", "delete", f"{BRANCH}/24", "dev", "wan")
    run("ip", "-n", "branch", "address", "add", f"{MOVED}/24", "dev", "wan", check=False)


def ping_from_hub(address: str, packets: int = 2) -> None:
    """Traffic that wants a tunnel; whether it is answered does not matter."""
    run("ip", "-n", "hub", "address", "add", "10.0.0.1/32", "dev", "lo")
    run("ip", "-n", "hub", "route", "add", address, "dev", "wan", "src", "10.0.0.1")
    how = ("-c", str(packets), "-i", "0.1", "-W", "1", "-I", "10.0.0.1")
    run("ip", "netns", "exec", "hub", "ping", *how, address, check=False)


def generation(sas: Iterable[SaPair]) -> set[tuple[int, int]]:
    """Which SAs a VICI source has: a rekey replaces the one number or the other."""
    return {(sa.key.uniqueid, sa.ike_id) for sa in sas}


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
