"""The whole program with real charons and the kernel's own ESP: what its routes lead to is reached.

User Mode Linux has no xfrm interfaces; the tests with one are those of a kernel that has (Debian's 6.1 in QEMU is slow,
and has passed them).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.branches import SITES, Branches, Device, Program
from tests.kernel.gateways import BRANCH, HUB, Gateways, Settings, run

POLICY = """\
version: 1
local: {{as: 65000, next-hop: 198.51.100.1}}
sources:
  - vici: {{socket: {folder}/hub/charon.vici, resync: 1}}
sinks: kernel
control: {{socket: {folder}/control.sock}}
crypto-maps:
  vpn:
    entries:
{entries}
{more}
"""
VRFS = "vrfs: {red: {table: 10}, blue: {table: 11}}"
CUSTOMERS = """\
      - {seq: 10, type: dynamic, match: {connection: red}, vrf: red, reverse-route: true}
      - {seq: 20, type: dynamic, match: {connection: blue}, vrf: blue, reverse-route: true}
"""


@contextlib.contextmanager
def running(folder: Path, entries: str, more: str = "") -> Iterator[Program]:
    """The program with such a policy."""
    program = Program(folder, POLICY.format(folder=folder, entries=entries, more=more))
    try:
        yield program
    finally:
        program.end()


@pytest.mark.parametrize("device", [device for device in Device if device.is_known])
def test_n5_n6_one_prefix_in_two_vrfs_through_two_peers_each_is_reached(tmp_path: Path, device: Device) -> None:
    """Into the device of the tunnel's mark or interface id, and out of the VRF to the peer."""
    gateways = Branches(tmp_path)
    gateways.device = device
    gateways.build()
    red, blue = SITES
    to_blue = {"10.1.0.0/16 via 198.51.100.2 dev wan-blue metric 1 onlink"}
    into, over = "10.1.0.0/16 dev tunnel scope link metric 1", "10.1.0.0/16 via 192.0.2.2 dev wan-red metric 1 onlink"
    to_red = {over if device is Device.NONE else into}
    try:
        for node in ("hub", "red", "blue"):
            gateways.start(node)
        with running(tmp_path, CUSTOMERS, VRFS) as program:
            for site in SITES:
                gateways.swanctl(site.name, "--initiate", "--child", "net", "--timeout", "10")
            program.until_routes(to_red, "table", "10")
            program.until_routes(to_blue, "table", "11")
            assert gateways.ping(red)
            assert gateways.ping(blue)
            gateways.swanctl("red", "--terminate", "--ike", "red")
            program.until_routes(set(), "table", "10")
            program.until_routes(to_blue, "table", "11")
            assert not gateways.ping(red)
            assert gateways.ping(blue)
    finally:
        gateways.clean()


def test_n5_a_peer_that_moves_is_followed_with_the_tunnel_up(tmp_path: Path) -> None:
    """MOBIKE."""
    gateways = Gateways(tmp_path)
    gateways.build()
    net = {"net": ("10.0.0.0/16", "10.1.0.0/16", "")}
    try:
        gateways.start("hub", net)
        gateways.start("branch", {"net": ("10.1.0.0/16", "10.0.0.0/16", "")})
        run("ip", "-n", "hub", "address", "add", "10.0.0.1/16", "dev", "lo")
        run("ip", "-n", "branch", "address", "add", "10.1.0.1/16", "dev", "lo")
        run("ip", "-n", "branch", "route", "add", "10.0.0.0/16", "via", HUB, "src", "10.1.0.1")
        ping = ("ip", "netns", "exec", "hub", "ping", "-c", "1", "-W", "1", "-I", "10.0.0.1", "10.1.0.1")
        with running(tmp_path, "      - {seq: 10, type: dynamic, reverse-route: true}") as program:
            gateways.up("net")
            program.until_routes({f"10.1.0.0/16 via {BRANCH} dev wan metric 1"})
            run(*ping)
            run("ip", "-n", "branch", "address", "add", "192.0.2.3/24", "dev", "wan")
            run("ip", "-n", "branch", "address", "delete", f"{BRANCH}/24", "dev", "wan")
            run("ip", "-n", "branch", "address", "add", "192.0.2.3/24", "dev", "wan", check=False)
            run("ip", "-n", "branch", "route", "replace", "10.0.0.0/16", "via", HUB, "src", "10.1.0.1")
            program.until_routes({"10.1.0.0/16 via 192.0.2.3 dev wan metric 1"})
            run(*ping)
    finally:
        gateways.clean()


def test_routes_that_charon_installs_itself_are_named(tmp_path: Path) -> None:
    gateways = Gateways(tmp_path, Settings(charon="install_routes = yes"))
    gateways.build()
    try:
        run("ip", "-n", "hub", "address", "add", "10.0.0.1/16", "dev", "lo")
        gateways.start("hub", {"net": ("10.0.0.0/16", "10.1.0.0/16", "")})
        gateways.start("branch", {"net": ("10.1.0.0/16", "10.0.0.0/16", "")})
        with running(tmp_path, "      - {seq: 10, type: dynamic, reverse-route: true}") as program:
            gateways.up("net")
            program.until_routes({f"10.1.0.0/16 via {BRANCH} dev wan metric 1"})
            assert "10.1.0.0/16" in run("ip", "-n", "hub", "route", "show", "table", "220")
            named = "charon installs routes of its own in table 220"
            program.until(lambda: named in program.log, "it names charon's routes")
    finally:
        gateways.clean()
