"""A hub with two customers, each in a VRF of its own, who both have 10.1.0.0/16 at their branch: charons, kernel ESP.

::

    red-lan  10.0.1.2 ── lan-red  (VRF red)  hub  wan-red  192.0.2.1    ── 192.0.2.2    red  10.1.0.1
    blue-lan 10.0.2.2 ── lan-blue (VRF blue) hub  wan-blue 198.51.100.1 ── 198.51.100.2 blue 10.1.0.1

Red's tunnel has a device in its VRF: a vti device, whose key is its mark, or an xfrm interface of its interface id. Or
it is as blue's: policies alone, and its packets leave the VRF with the route. Rules of this file: as in ``gateways``.
"""

from __future__ import annotations

import enum
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.kernel.gateways import DEADLINE, Gateways, run

__all__ = ["PROXY", "SITES", "Branches", "Device", "Program", "Site"]

PROXY = "10.1.0.0/16"
NUMBER = 5
"""Red's mark, or interface id."""


class Device(enum.Enum):
    """What red's tunnel has: how its device is made, and what its child says of it to charon."""

    NONE = ("", "")
    VTI = ("type vti local {0} remote {1} key {2}", "mark_in = {2}\n        mark_out = {2}")
    XFRM = ("type xfrm dev wan-red if_id {2}", "if_id_in = {2}\n        if_id_out = {2}")

    def __init__(self, link: str, child: str) -> None:
        self.link = link
        self.child = child

    @property
    def is_known(self) -> bool:
        """Whether this kernel has such devices; on one that is not for tests it is not tried."""
        if self is Device.NONE or not os.environ.get("RRI_BGP_KERNEL_TIER"):
            return self is Device.NONE
        words = f"ip link add probe {self.link.format('192.0.2.1', '192.0.2.2', NUMBER)}".replace("wan-red", "lo")
        known = subprocess.run(words.split(), capture_output=True, check=False).returncode == 0
        run("ip", "link", "delete", "probe", check=False)
        return known


class Site(NamedTuple):
    """One customer. ``lan`` is what it has at the hub."""

    name: str
    table: int
    hub: str
    branch: str
    lan: str


SITES = (
    Site("red", 10, "192.0.2.1", "192.0.2.2", "10.0.1"),
    Site("blue", 11, "198.51.100.1", "198.51.100.2", "10.0.2"),
)

_CONNECTION = """\
  {name} {{
    version = 2
    local_addrs = {local}
    remote_addrs = {remote}
    proposals = aes128gcm16-prfsha256-x25519
    local {{ auth = psk
      id = {me} }}
    remote {{ auth = psk
      id = {peer} }}
    children {{
      net {{ local_ts = {inside}
        remote_ts = {outside}
        esp_proposals = aes128gcm16
        {more} }}
    }}
  }}
"""


class Branches(Gateways):
    """See the head of this file. ``device`` is what red's tunnel has."""

    nodes = ("hub", *(f"{site.name}{end}" for site in SITES for end in ("", "-lan")))
    device = Device.VTI

    def build(self) -> None:
        """Namespaces, links, VRFs."""
        self.make_nodes()
        for site in SITES:
            name, lan = site.name, f"{site.name}-lan"
            self._join(f"wan-{name}", site.hub, name, "wan", site.branch)
            self._join(f"lan-{name}", f"{site.lan}.1", lan, "lan", f"{site.lan}.2")
            self.ip(lan, f"route add default via {site.lan}.1")
            self.ip(name, "address add 10.1.0.1/16 dev lo", f"route add {site.lan}.0/24 via {site.hub} src 10.1.0.1")
            self.ip("hub", f"link add {name} type vrf table {site.table}", f"link set {name} up")
            self.ip("hub", f"link set lan-{name} master {name}")
        self.ip("hub", "route add 10.0.2.0/24 dev lan-blue")  # what comes out of blue's tunnel is in no VRF
        self.sysctl("net.ipv4.ip_forward=1")
        red = SITES[0]
        if self.device is Device.NONE:
            self.ip("hub", f"route add {red.lan}.0/24 dev lan-red")
            return
        link = self.device.link.format(red.hub, red.branch, NUMBER)
        self.ip("hub", f"link add tunnel {link}", "link set tunnel master red", "link set tunnel up")
        self.sysctl("net.ipv4.conf.tunnel.disable_policy=1")

    def _join(self, own: str, own_address: str, node: str, name: str, address: str) -> None:
        run("ip", "link", "add", own, "netns", "hub", "type", "veth", "peer", "name", name, "netns", node)
        self.ip("hub", f"address add {own_address}/24 dev {own}", f"link set {own} up")
        self.ip(node, f"address add {address}/24 dev {name}", f"link set {name} up")

    def ip(self, node: str, *lines: str) -> None:
        """Runs ip(8) in a node with each of these."""
        for line in lines:
            run("ip", "-n", node, *line.split())

    def sysctl(self, setting: str) -> None:
        """Of the hub."""
        run("ip", "netns", "exec", "hub", "sysctl", "-qw", setting)

    def write_swanctl(self, node: str) -> None:
        """See ``Gateways``: the hub has a connection for each site."""
        child = self.device.child.format(None, None, NUMBER)
        connections = [
            _CONNECTION.format(
                name=site.name, local=site.hub, remote=site.branch, me="hub", peer=site.name,
                inside=f"{site.lan}.0/24", outside=PROXY, more=child if site.name == "red" else "",
            )
            if node == "hub"
            else _CONNECTION.format(
                name=site.name, local=site.branch, remote=site.hub, me=site.name, peer="hub", inside=PROXY,
                outside=f"{site.lan}.0/24", more="",
            )
            for site in SITES
            if node in ("hub", site.name)
        ]  # fmt: skip
        secrets = 'secrets {\n  ike { secret = "only a test" }\n}\n'
        (self.folder(node) / "swanctl.conf").write_text(f"connections {{\n{''.join(connections)}}}\n{secrets}")

    def ping(self, site: Site) -> bool:
        """Whether what is at the hub reaches the branch, over an SA."""
        before = self.packets(site)
        words = ("ip", "netns", "exec", f"{site.name}-lan", "ping", "-c", "1", "-W", "1", "10.1.0.1")
        answered = subprocess.run(words, capture_output=True, check=False, timeout=10).returncode == 0
        return answered and self.packets(site) == before + 1

    def packets(self, site: Site) -> int:
        """How many packets the branch of a site has had through its SA."""
        shown = run("ip", "-s", "-n", site.name, "xfrm", "state", "list", "dst", site.branch)
        words = shown.partition("lifetime current:")[2].split()
        return int(words[1].partition("(")[0]) if words else 0


class Program:
    """``rri-bgp run`` on the hub, with a policy. It is ended by ``end``."""

    def __init__(self, folder: Path, policy: str) -> None:
        self._folder = folder
        self.policy = folder / "hub.yaml"
        self.policy.write_text(policy)
        with (folder / "hub.log").open("ab") as log:
            words = ("ip", "netns", "exec", "hub", sys.executable, "-m", "rri_bgp", "run", "--config", str(self.policy))
            self.process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ)

    @property
    def log(self) -> str:
        """All that it has said."""
        return (self._folder / "hub.log").read_text(errors="replace")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until something is so."""
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, f"waited {DEADLINE:g} s in vain until {what}: {self.log[-3000:]}"
            time.sleep(0.05)

    def until_routes(self, wanted: set[str], *table: str) -> None:
        """Waits until the hub has exactly these routes of ours, of the table that the words say."""
        self.until(lambda: ours(*table) == wanted, f"{table} has {wanted} and not {ours(*table)}")

    def end(self) -> None:
        """Kills it."""
        self.process.kill()
        self.process.wait(DEADLINE)


def ours(*table: str) -> set[str]:
    """The hub's routes of our number, in ip(8)'s words."""
    shown = run("ip", "-n", "hub", "route", "show", *table, "proto", "82", check=False)
    return {" ".join(line.split()) for line in shown.splitlines()}
