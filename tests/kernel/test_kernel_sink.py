"""The kernel sink where it takes VRFs, xfrm interfaces and vti devices."""

from __future__ import annotations

from pathlib import Path

from tests.integration.kernel_hub import FAR, NEAR, hub

VRFS = """\
  customers:
    vrf: red
    front-vrf: outside
    entries:
      - seq: 10
        type: dynamic
        match: {connection: red}
        reverse-route: {remote-peer: {address: 198.51.100.9, gateway: true}}
vrfs:
  red: {table: 10}
  blue: {table: 11}
  outside: {table: 20}
"""


async def test_n6_a_prefix_in_two_vrfs_and_the_peers_route_in_the_front_one(tmp_path: Path) -> None:
    maps = "vrf: blue\n    "
    async with hub(tmp_path, crypto_map=maps, entry=", match: {connection: blue}", more=VRFS) as this:
        await this.made.ip(
            "link add red type vrf table 10", "link add blue type vrf table 11", "link add outside type vrf table 20",
            "link set red up", "link set blue up", "link set outside up",
            "link set eth1 master outside", "addr add 198.51.100.1/24 dev eth1",
            "route add default via 198.51.100.254 table 20",
        )  # fmt: skip
        this.has(
            (1, NEAR, "10.1.0.0/16", {"connection": "blue"}), (2, FAR, "10.1.0.0/16", {"connection": "red"})
        )  # fmt: skip
        await this.until_routes(
            {"10.1.0.0/16": f"via {NEAR} dev eth0 metric 1 onlink"}, "-4", "table", "11", "proto", "82"
        )
        await this.until_routes(
            {"10.1.0.0/16": "via 198.51.100.9 dev eth1 metric 1 onlink"}, "-4", "table", "10", "proto", "82"
        )
        await this.until_routes({FAR: "via 198.51.100.9 dev eth1 metric 1"}, "-4", "table", "20", "proto", "82")
        await this.until_routes({})
        now = await this.until(lambda now: now["settled"])
        assert sorted(now["log"]) == [
            ["announce", "10.1.0.0/16 vrf blue", True], ["announce", "10.1.0.0/16 vrf red", True]
        ]  # fmt: skip
        await this.made.ip("link del outside")
        await this.until(lambda now: now["refused"] == 2)


async def test_n5_a_vti_device_takes_the_sas_of_its_mark(tmp_path: Path) -> None:
    """This kernel has no xfrm interfaces: tests/unit/sinks/kernel/test_resolve.py has them."""
    async with hub(tmp_path) as this:
        this.has((1, NEAR, "10.1.0.0/16", {"mark": 7}), (2, NEAR, "10.2.0.0/16", {"mark": 8}))
        over = f"via {NEAR} dev eth0 metric 1"
        await this.until_routes({"10.1.0.0/16": over, "10.2.0.0/16": over})
        await this.made.ip("link add vti7 type vti local 192.0.2.1 remote 192.0.2.7 key 7", "link set vti7 up")
        await this.until_routes({"10.1.0.0/16": "dev vti7 scope link metric 1", "10.2.0.0/16": over})
        await this.made.ip("link del vti7")
        await this.until_routes({"10.1.0.0/16": over, "10.2.0.0/16": over})
        assert this.now["log"] == [["announce", "10.1.0.0/16", True], ["announce", "10.2.0.0/16", True]]
