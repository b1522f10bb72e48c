"""The kernel sink on the real kernel, in a network namespace of the test's own: what stands in its tables at last."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.integration.kernel_hub import ADD_FOREIGN, FAR, FAR6, FOREIGN, NEAR, hub


async def test_n1_n5_a_route_leads_to_the_peer_over_what_leads_there(tmp_path: Path) -> None:
    async with hub(tmp_path) as this:
        this.has((1, FAR, "10.1.0.0/16"), (2, NEAR, "10.2.0.0/16", "2001:db8:5::/48"), (3, FAR6, "2001:db8:6::/48"))
        await this.until_routes(
            {"10.1.0.0/16": "via 192.0.2.254 dev eth0 metric 1", "10.2.0.0/16": f"via {NEAR} dev eth0 metric 1"}
        )
        await this.until_routes(
            {"2001:db8:5::/48": "dev eth0 metric 1", "2001:db8:6::/48": "via 2001:db8:2::254 dev eth0 metric 1"}, "-6"
        )
        this.has((2, NEAR, "10.2.0.0/16"))
        await this.until_routes({"10.2.0.0/16": f"via {NEAR} dev eth0 metric 1"})
        await this.until_routes({}, "-6")
        now = await this.until(lambda now: now["settled"])
        assert now["capabilities"] == 1 << 12, "CAP_NET_ADMIN and nothing else"
        assert now["refused"] == 0


async def test_e14_ipv4_over_an_ipv6_peer_takes_its_gateway(tmp_path: Path) -> None:
    async with hub(tmp_path) as this:
        this.has((1, FAR6, "10.1.0.0/16"), (2, "2001:db8:2::7", "10.2.0.0/16"))
        await this.until_routes(
            {
                "10.1.0.0/16": "via inet6 2001:db8:2::254 dev eth0 metric 1",
                "10.2.0.0/16": "via inet6 2001:db8:2::7 dev eth0 metric 1",
            }
        )


async def test_n5_routes_follow_the_gateway_the_rule_and_the_link(tmp_path: Path) -> None:
    async with hub(tmp_path) as this:
        this.has((1, FAR, "10.1.0.0/16"))
        await this.until_routes({"10.1.0.0/16": "via 192.0.2.254 dev eth0 metric 1"})
        await this.made.ip("route replace default via 192.0.2.253")
        await this.until_routes({"10.1.0.0/16": "via 192.0.2.253 dev eth0 metric 1"})
        await this.made.ip("route add default via 192.0.2.252 table 77", "rule add to 203.0.113.0/24 lookup 77")
        await this.until_routes({"10.1.0.0/16": "via 192.0.2.252 dev eth0 metric 1"})
        await this.made.ip("rule del to 203.0.113.0/24 lookup 77")
        await this.until_routes({"10.1.0.0/16": "via 192.0.2.253 dev eth0 metric 1"})
        await this.made.ip("link set eth0 down")
        now = await this.until(lambda now: now["refused"] == 1)
        assert now["reasons"] == {"10.1.0.0/16": f"no route leads to {FAR}: Network is unreachable"}
        await this.made.ip("link set eth0 up", "route add default via 192.0.2.254", ADD_FOREIGN)
        await this.until_routes({"10.1.0.0/16": "via 192.0.2.254 dev eth0 metric 1"})


async def test_n5_a_route_that_covers_its_peer_does_not_lead_the_tunnel_into_itself(tmp_path: Path) -> None:
    async with hub(tmp_path, entry=", allow-default: halves, guard: {allow-special: [peer, local]}") as this:
        this.has((1, FAR, "0.0.0.0/0"))
        halves = dict.fromkeys(("0.0.0.0/1", "128.0.0.0/1"), "via 192.0.2.254 dev eth0 metric 1")
        await this.until_routes(halves)
        await this.made.ip("route replace default via 192.0.2.253")
        await this.until_routes(dict.fromkeys(halves, "via 192.0.2.253 dev eth0 metric 1"))
        await this.made.ip(f"route add {FAR}/32 via 192.0.2.252")
        await this.until_routes(dict.fromkeys(halves, "via 192.0.2.252 dev eth0 metric 1"))


async def test_n5_what_leads_nowhere_is_left_out_or_a_blackhole(tmp_path: Path) -> None:
    for settings, wanted in (("{}", {}), ("{unresolved: blackhole}", {"blackhole": "10.1.0.0/16 metric 1"})):
        async with hub(tmp_path, settings) as this:
            await this.made.ip("route del default via 192.0.2.254")
            this.has((1, FAR, "10.1.0.0/16"))
            now = await this.until(lambda now: now["refused"] == 1)
            await this.until_routes(wanted)
            assert now["log"] == ([["announce", "10.1.0.0/16", True]] if wanted else [])
            await this.made.ip("route add default via 192.0.2.254")
            await this.until_routes({"10.1.0.0/16": "via 192.0.2.254 dev eth0 metric 1"})


async def test_g6_another_ones_route_keeps_its_place_and_upstream_does_not_hear_of_ours(tmp_path: Path) -> None:
    async with hub(tmp_path) as this:
        this.has((1, NEAR, FOREIGN), (2, NEAR, "10.1.0.0/16"))
        now = await this.until(lambda now: now["refused"] == 1 and now["log"])
        assert now["log"] == [["announce", "10.1.0.0/16", True]]
        reason = "there is a route of the administrator (static) with the same metric, which is left alone (G6)"
        assert now["reasons"] == {FOREIGN: reason, "10.1.0.0/16": ""}
        await this.made.ip(f"route del {FOREIGN}")
        await this.until_routes(dict.fromkeys((FOREIGN, "10.1.0.0/16"), f"via {NEAR} dev eth0 metric 1"))
        await this.until(lambda now: ["announce", FOREIGN, True] in now["log"])
        await this.made.ip(f"route replace {FOREIGN} via 192.0.2.9 proto static metric 1")
        await this.until(lambda now: ["withdraw", FOREIGN, False] in now["log"])


async def test_n7_a_route_that_lost_to_a_better_one_is_not_announced(tmp_path: Path) -> None:
    async with hub(tmp_path, reverse_route="{distance: 20}") as this:
        await this.made.ip("route add 10.1.0.0/16 via 192.0.2.9 proto ospf metric 10")
        this.has((1, NEAR, "10.1.0.0/16"))
        ours = {"10.1.0.0/16": f"via {NEAR} dev eth0 metric 20"}
        await this.until_routes(ours)
        now = await this.until(lambda now: now["settled"])
        assert now["log"] == []
        assert "there is a better route, of FRR (ospfd) with metric 10" in now["reasons"]["10.1.0.0/16"]
        assert now["refused"] == 0
        await this.made.ip("route del 10.1.0.0/16 metric 10")
        await this.until(lambda now: now["log"] == [["announce", "10.1.0.0/16", True]])
        await this.made.ip("route add 10.1.0.0/16 via 192.0.2.9 proto ospf metric 10")
        await this.until(lambda now: now["log"][1:] == [["withdraw", "10.1.0.0/16", True]])
        await this.until_routes(ours)


async def test_g3_the_kernel_is_first_to_have_a_route_and_last_to_lose_it(tmp_path: Path) -> None:
    async with hub(tmp_path) as this:
        this.has((1, NEAR, "10.1.0.0/16"))
        await this.until(lambda now: now["log"] == [["announce", "10.1.0.0/16", True]] and now["may_withdraw"])
        this.has()
        now = await this.until(lambda now: len(now["log"]) == 2)
        assert now["log"][1] == ["withdraw", "10.1.0.0/16", True]
        assert now["pending"] == 1
        assert await this.routes() == {"10.1.0.0/16": f"via {NEAR} dev eth0 metric 1"}
        this.made.say({"release": True})
        await this.until_routes({})


async def test_g3_drift_is_repaired_and_upstream_hears_nothing_of_it(tmp_path: Path) -> None:
    async with hub(tmp_path) as this:
        this.has((1, NEAR, "10.1.0.0/16"), (2, NEAR, "10.2.0.0/16"), (3, NEAR, "10.3.0.0/16"))
        ours = dict.fromkeys(("10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"), f"via {NEAR} dev eth0 metric 1")
        await this.until_routes(ours)
        await this.until(lambda now: len(now["log"]) == 3)
        await this.made.ip("route del 10.1.0.0/16", "route add 10.4.0.0/16 via 192.0.2.9 proto 82 metric 1")
        await this.made.ip("route change 10.2.0.0/16 via 192.0.2.9 proto 82 metric 1", "route flush 10.3.0.0/16")
        await this.until_routes(ours)
        await this.made.ip("route append 10.1.0.0/16 via 192.0.2.9 proto 82 metric 1")
        await this.until_routes(ours)
        now = await this.until(lambda now: now["settled"])
        assert sorted(now["log"]) == [["announce", prefix, True] for prefix in ours]


async def test_g7_a_new_life_adopts_what_is_right_and_removes_what_is_not(tmp_path: Path) -> None:
    async with hub(tmp_path) as this:
        await this.made.ip(
            f"route add 10.1.0.0/16 via {NEAR} proto 82 metric 1",
            f"route add 10.2.0.0/16 via {NEAR} proto 82 metric 7",
            f"route add 10.3.0.0/16 via {NEAR} proto 82 metric 1",
            f"route add 10.4.0.0/16 via {NEAR} proto 82 metric 1 table 99",
        )
        left = await this.routes()
        await this.until(lambda now: now["confirmed"] == 4)
        assert await this.routes() == left, "no source has spoken"
        this.has((1, NEAR, "10.1.0.0/16"), (2, NEAR, "10.2.0.0/16"))
        await this.until_routes(dict.fromkeys(("10.1.0.0/16", "10.2.0.0/16"), f"via {NEAR} dev eth0 metric 1"))
        await this.until_routes({}, "-4", "table", "99")
        now = await this.until(lambda now: now["settled"])
        counters = now["counters"]
        assert (counters["added"], counters["deleted"], counters.get("replaced", 0)) == (1, 3, 0)


async def test_g7_n4_what_has_yet_to_be_heard_of_does_not_go_first(tmp_path: Path) -> None:
    """A route to a peer is wanted beside one of very many destinations, in a new life and under another policy."""
    many = [f"10.{number // 256}.{number % 256}.0/24" for number in range(2000)]
    sas = [(1, NEAR, *many[:999]), (2, NEAR, *many[999:1998]), (3, FAR, *many[1998:])]
    way, prefixes = "via 192.0.2.5 dev eth0", (*many, NEAR, FAR)
    async with hub(tmp_path, reverse_route="{remote-peer: {address: 192.0.2.5, gateway: true}}") as this:
        await this.made.ip(*(f"route add {prefix} {way} proto 82 metric 1" for prefix in prefixes))
        this.has(*sas)
        now = await this.until(lambda now: now["settled"] and now["confirmed"] == len(prefixes))
        assert [now["counters"].get(name, 0) for name in ("added", "replaced", "deleted")] == [0, 0, 0]
        this.made.say({"distance": 20})
        await this.until_routes(dict.fromkeys(prefixes, f"{way} metric 20"))
        now = await this.until(lambda now: now["settled"])
        assert [line for line in now["log"] if line[0] == "withdraw"] == []


async def test_g6_what_was_lost_is_found_by_another_look(tmp_path: Path) -> None:
    """Far more events than the socket's buffer holds, while nobody reads."""
    async with hub(tmp_path) as this:
        this.has((1, NEAR, "10.1.0.0/16"))
        ours = {"10.1.0.0/16": f"via {NEAR} dev eth0 metric 1"}
        await this.until_routes(ours)
        this.made.pause()
        many = [f"10.{64 + number // 256}.{number % 256}.0/24" for number in range(16384)]
        for verb in ("add", "del") * 3:
            await this.made.ip(*(f"route {verb} {prefix} via 192.0.2.9 metric 5" for prefix in many))
        await this.made.ip("route del 10.1.0.0/16", f"route add 10.2.0.0/16 via {NEAR} proto 82 metric 1")
        this.made.process.send_signal(signal.SIGCONT)
        await this.until_routes(ours)
        await this.until(lambda now: now["counters"].get("losses", 0) > 0 and now["settled"])


async def test_g6_a_look_now_and_then_finds_what_nobody_told(tmp_path: Path) -> None:
    async with hub(tmp_path, resync=0.2) as this:
        this.has((1, NEAR, "10.1.0.0/16"))
        await this.until(lambda now: now["counters"]["looks"] > 4)
        await this.until_routes({"10.1.0.0/16": f"via {NEAR} dev eth0 metric 1"})
        assert this.now["counters"]["added"] == 1


async def test_n2_n4_the_route_to_the_peer_itself(tmp_path: Path) -> None:
    forms = {
        "remote-peer: true": ("dev eth1 scope link", f"via {FAR} dev eth1"),
        "remote-peer: {address: 192.0.2.5}": (None, "via 192.0.2.5 dev eth0"),
        "remote-peer: {address: 192.0.2.5, gateway: true}": ("via 192.0.2.5 dev eth0", "via 192.0.2.5 dev eth0"),
    }
    for form, (to_peer, to_proxy) in forms.items():
        async with hub(tmp_path, reverse_route=f"{{{form}}}", crypto_map="interface: eth1\n    ") as this:
            this.has((1, FAR, "10.1.0.0/16"))
            wanted = {FAR: f"{to_peer} metric 1"} if to_peer else {}
            await this.until_routes({**wanted, "10.1.0.0/16": f"{to_proxy} metric 1"})
            this.has()
            await this.until(lambda now: now["log"][1:] != [])
            this.made.say({"release": True})
            await this.until_routes({})


async def test_e13_equal_owners_share_a_route_and_each_way_follows_its_own_peer(tmp_path: Path) -> None:
    async with hub(tmp_path, entry=", overlap: ecmp") as this:
        await this.made.ip("addr add 198.51.100.1/24 dev eth1", "route add 203.0.113.0/24 via 198.51.100.9")
        this.has((1, NEAR, "10.1.0.0/16"), (2, FAR, "10.1.0.0/16"))
        shown = "route", "show", "10.1.0.0/16"
        wanted = ["via 192.0.2.7 dev eth0 weight 1", "via 198.51.100.9 dev eth1 weight 1"]

        async def ways() -> list[str]:
            lines = (await this.made.run("ip", *shown)).replace("nexthop", "").splitlines()
            return sorted(" ".join(line.split()) for line in lines[1:])

        await this.until_so(ways, wanted)
        await this.made.ip("route replace 203.0.113.0/24 via 198.51.100.8")
        await this.until_so(ways, [wanted[0], "via 198.51.100.8 dev eth1 weight 1"])
        await this.made.ip("route replace unreachable 203.0.113.0/24")
        await this.until_routes({"10.1.0.0/16": "via 192.0.2.7 dev eth0 metric 1"})
        assert [line for line in this.now["log"] if line[0] == "withdraw"] == []


async def test_e14_an_ipv6_route_has_several_ways_only_where_each_has_a_gateway(tmp_path: Path) -> None:
    async with hub(tmp_path, entry=", overlap: ecmp") as this:
        this.has((1, NEAR, "2001:db8:5::/48"), (2, FAR6, "2001:db8:5::/48"), (3, "2001:db8:2::7", "2001:db8:6::/48"))
        wanted = {
            "2001:db8:5::/48": "via 2001:db8:2::254 dev eth0 metric 1",
            "2001:db8:6::/48": "via 2001:db8:2::7 dev eth0 metric 1",
        }
        await this.until_routes(wanted, "-6")
        this.has((2, FAR6, "2001:db8:5::/48"), (3, "2001:db8:2::7", "2001:db8:5::/48"))

        async def ways() -> list[str]:
            lines = (await this.made.run("ip", "-6", "route", "show", "2001:db8:5::/48")).splitlines()
            return sorted(word for line in lines for word in line.split() if word.startswith("2001:db8:2::"))

        await this.until_so(ways, ["2001:db8:2::254", "2001:db8:2::7"])
        await this.until(lambda now: now["settled"] and now["refused"] == 0)
        this.has((3, "2001:db8:2::7", "2001:db8:5::/48"))
        await this.until_routes({"2001:db8:5::/48": "via 2001:db8:2::7 dev eth0 metric 1"}, "-6")


async def test_n5_charons_own_routes_are_seen_and_explained(tmp_path: Path) -> None:
    async with hub(tmp_path) as this:
        this.has((1, NEAR, "10.1.0.0/16"))
        await this.until_routes({"10.1.0.0/16": f"via {NEAR} dev eth0 metric 1"})
        await this.made.ip("route add 10.1.0.0/16 via 192.0.2.254 table 220", "rule add lookup 220 prio 220")
        now = await this.until(lambda now: now["detail"])
        assert now["detail"].endswith("set charon.install_routes = no in strongswan.conf")
        assert now["reasons"]["10.1.0.0/16"] == now["detail"]
        await this.made.ip("route flush table 220")
        await this.until(lambda now: not now["detail"])


async def test_n6_e4_a_vrf_that_a_policy_takes_away_and_another_brings_back(tmp_path: Path) -> None:
    """A table needs no VRF device for routes to be in it."""
    red = (
        "  reds:\n    vrf: red\n    entries: [{seq: 1, type: dynamic, match: {connection: red}, reverse-route: true}]\n"
    )
    with_red, without = red + "vrfs:\n  red: {table: 10}\n", ""
    async with hub(tmp_path, entry=", match: {connection: branch1}", more=with_red) as this:
        before = (tmp_path / "hub.yaml").read_text()
        (tmp_path / "without.yaml").write_text(before.replace(with_red, without))
        sas = (1, NEAR, "10.1.0.0/16"), (2, NEAR, "10.1.0.0/16", {"connection": "red"})
        here = {"10.1.0.0/16": f"via {NEAR} dev eth0 metric 1"}
        in_red = {"10.1.0.0/16": f"via {NEAR} dev eth0 metric 1 onlink"}
        this.has(*sas)
        await this.until_routes(in_red, "-4", "table", "10", "proto", "82")
        await this.until(lambda now: len(now["log"]) == 2)
        this.made.say({"policy": str(tmp_path / "without.yaml")})
        await this.until(lambda now: ["withdraw", "10.1.0.0/16 vrf red", True] in now["log"])
        await this.until_routes({}, "-4", "table", "10", "proto", "82")
        await this.until_routes(here)
        this.made.say({"release": True})
        this.made.say({"policy": str(tmp_path / "hub.yaml")})
        await this.until_routes(in_red, "-4", "table", "10", "proto", "82")
        now = await this.until(lambda now: len(now["log"]) == 4)
        assert now["log"][3] == ["announce", "10.1.0.0/16 vrf red", True]


async def test_n7_another_distance_is_there_before_the_old_one_goes(tmp_path: Path) -> None:
    async with hub(tmp_path) as this:
        this.has((1, NEAR, "10.1.0.0/16"))
        await this.until_routes({"10.1.0.0/16": f"via {NEAR} dev eth0 metric 1"})
        this.made.say({"distance": 20})
        await this.until_routes({"10.1.0.0/16": f"via {NEAR} dev eth0 metric 20"})
        now = await this.until(lambda now: now["settled"])
        assert now["log"] == [["announce", "10.1.0.0/16", True]]
