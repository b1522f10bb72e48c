"""The program with the kernel sink: its routes in a real kernel, with real ExaBGPs, through ends, crashes, reloads."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.integration.hub import FAR, GATEWAY, NEAR, announcing, hub, tapped
from tests.integration.netns import DEADLINE
from tests.values import pfx

ONE, TWO, THREE, SIX = "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "2001:db8:5::/48"
TO_NEAR, TO_FAR = f"via {NEAR} dev eth0 metric 1", f"via {GATEWAY} dev eth0 metric 1"
OURS6 = ("-6", "route", "show", "proto", "82")


async def test_g3_exabgp_hears_of_a_route_that_is_there_and_lets_go_before_it_goes(tmp_path: Path) -> None:
    async with hub(tmp_path) as this, announcing(this) as both:
        await this.start()
        for _ in range(3):
            this.has((1, FAR, [ONE, SIX]), (2, NEAR, [TWO]))
            await both.until(lambda: both.upstream.routes.keys() == {pfx(ONE), pfx(TWO), pfx(SIX)})
            await this.until_routes({ONE: TO_FAR, TWO: TO_NEAR})
            this.has((2, NEAR, [TWO]))
            await both.until(lambda: both.upstream.routes.keys() == {pfx(TWO)})
            await this.until_routes({TWO: TO_NEAR})
            await this.until_routes({}, *OURS6)
        noted = tapped(this)
        assert {(verb, where) for verb, where, _ in noted} == {
            ("announce", ONE), ("announce", TWO), ("announce", SIX), ("withdraw", ONE), ("withdraw", SIX),
        }  # fmt: skip
        assert [one for one in noted if not one[2]] == []


async def test_n7_what_lost_to_a_better_route_is_withdrawn_and_comes_back(tmp_path: Path) -> None:
    async with hub(tmp_path, reverse_route="{distance: 20}") as this, announcing(this) as both:
        this.has((1, NEAR, [ONE, TWO]))
        await this.start()
        await both.until(lambda: both.upstream.routes.keys() == {pfx(ONE), pfx(TWO)})
        ours = dict.fromkeys((ONE, TWO), f"via {NEAR} dev eth0 metric 20")
        for _ in range(2):
            await this.made.ip(f"route add {ONE} via 192.0.2.9 proto ospf metric 10")
            await both.until(lambda: both.upstream.routes.keys() == {pfx(TWO)})
            await this.until_routes(ours)
            assert "there is a better route, of FRR (ospfd) with metric 10" in str(await this.show("explain", ONE))
            await this.made.ip(f"route del {ONE} proto ospf metric 10")
            await both.until(lambda: both.upstream.routes.keys() == {pfx(ONE), pfx(TWO)})
        await this.made.ip(f"route add {TWO} via 192.0.2.9 proto ospf metric 30")
        await this.made.ip(f"route add {ONE} via 192.0.2.9 proto ospf metric 10")
        await both.until(lambda: both.upstream.routes.keys() == {pfx(TWO)})


async def test_n5_what_leads_nowhere_is_skipped_or_a_blackhole_and_upstream_hears_accordingly(tmp_path: Path) -> None:
    async with hub(tmp_path) as this, announcing(this) as both:
        await this.made.ip(f"route del default via {GATEWAY}")
        this.has((1, FAR, [ONE]), (2, NEAR, [TWO]))
        await this.start()
        await both.until(lambda: both.upstream.routes.keys() == {pfx(TWO)})
        await this.until_routes({TWO: TO_NEAR})
        this.kernel = "{unresolved: blackhole}"
        assert f"no route leads to {FAR}" in str(await this.show("explain", ONE))
        await this.end()
        await this.start()
        await both.until(lambda: both.upstream.routes.keys() == {pfx(ONE), pfx(TWO)})
        await this.until_routes({"blackhole": f"{ONE} metric 1", TWO: TO_NEAR})
        async with this.monitored() as heard:
            await this.made.ip(f"route add default via {GATEWAY}")
            await this.until_routes({ONE: TO_FAR, TWO: TO_NEAR})
        assert heard == [f"{ONE} via {GATEWAY} dev eth0 proto 82 metric 1 "], "replaced at once"


async def test_g7_an_end_that_keeps_routes_and_the_next_start_change_nothing(tmp_path: Path) -> None:
    async with hub(tmp_path) as this, announcing(this) as both:
        this.has((1, FAR, [ONE, SIX]), (2, NEAR, [TWO]))
        await this.start()
        await both.until(lambda: both.upstream.routes.keys() == {pfx(ONE), pfx(TWO), pfx(SIX)})
        seen = len(both.history)
        async with this.monitored() as heard:
            for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
                await this.end(how)
                await this.start()
        assert heard == []
        await this.until_routes({ONE: TO_FAR, TWO: TO_NEAR})
        this.has((1, FAR, [ONE, SIX]))
        await both.until(lambda: pfx(TWO) not in both.upstream.routes)
        assert [str(change.prefix) for change in both.history[seen:]] == [TWO], "nothing before"


async def test_g6_g7_after_a_crash_the_table_is_exact_and_others_routes_are_as_they_were(tmp_path: Path) -> None:
    foreign = (
        "route add 10.7.0.0/16 via 192.0.2.9 proto static metric 1",
        f"route add {ONE} via 192.0.2.9 proto bird metric 500",
        "route add 10.8.0.0/16 via 192.0.2.9 proto static metric 1 table 99",
        "route add blackhole 10.9.0.0/16 proto bgp",
        "route add 2001:db8:9::/48 via 2001:db8:2::9 proto static metric 1",
    )
    others = ("-N", "-4", "route", "show", "table", "all"), ("-6", "route", "show", "proto", "static")
    async with hub(tmp_path) as this, announcing(this) as both:
        await this.made.ip(*foreign)
        shown = [await this.made.run("ip", *words) for words in others]
        this.has((1, FAR, [ONE, SIX]), (2, NEAR, [TWO]))
        await this.start()
        await both.until(lambda: len(both.upstream.routes) == 3)
        await this.end(signal.SIGKILL)
        await this.made.ip(
            f"route del {ONE} proto 82",
            f"route replace {TWO} via 192.0.2.9 proto 82 metric 1",
            f"route add {TWO} via 192.0.2.9 proto 82 metric 3",
            "route add 10.6.0.0/16 via 192.0.2.9 proto 82 metric 1",
            "route add 10.6.0.0/16 via 192.0.2.9 proto 82 metric 1 table 99",
        )
        this.has((1, NEAR, [ONE]), (2, NEAR, [TWO, THREE]))
        this.kernel = "{on-exit: withdraw}"
        await this.start()
        ours = dict.fromkeys((ONE, TWO, THREE), TO_NEAR)
        await this.until_routes(ours)
        await this.until_routes({}, *OURS6)
        await both.until(lambda: both.upstream.routes.keys() == {pfx(ONE), pfx(TWO), pfx(THREE)})
        await this.until_routes({}, "route", "show", "table", "99", "proto", "82")
        await this.end()
        assert await this.routes() == {}
        assert [await this.made.run("ip", *words) for words in others] == shown


async def test_e4_n1_n7_another_distance_or_form_moves_the_routes_and_nothing_upstream(tmp_path: Path) -> None:
    async with hub(tmp_path, reverse_route="{tag: 7}") as this, announcing(this) as both:
        this.has((1, FAR, [ONE]), (2, NEAR, [TWO]))
        await this.start()
        await this.until_routes({ONE: TO_FAR, TWO: TO_NEAR})
        await both.until(lambda: both.upstream.routes.keys() == {pfx(ONE), pfx(TWO)})
        seen = len(both.history)
        this.reverse_route = "{tag: 7, distance: 19}"
        await this.reload()
        await this.until_routes({ONE: f"{TO_FAR}9", TWO: f"{TO_NEAR}9"})
        forms = {
            "true": {ONE: f"via {FAR} dev eth1 metric 1", TWO: f"via {NEAR} dev eth1 metric 1"}
            | dict.fromkeys((FAR, NEAR), "dev eth1 scope link metric 1"),
            "192.0.2.5": dict.fromkeys((ONE, TWO), "via 192.0.2.5 dev eth0 metric 1"),
            "{address: 192.0.2.5, gateway: true}": dict.fromkeys(
                (ONE, TWO, FAR, NEAR), "via 192.0.2.5 dev eth0 metric 1"
            ),
            "false": {ONE: TO_FAR, TWO: TO_NEAR},
        }
        for form, wanted in forms.items():
            this.reverse_route = f"{{tag: 7, remote-peer: {form}}}"
            await this.reload()
            await this.until_routes(wanted)
        assert both.history[seen:] == [], "all that is the same to upstream"


async def test_n5_a_peer_that_moves_takes_its_route_along_and_upstream_hears_nothing(tmp_path: Path) -> None:
    async with hub(tmp_path) as this, announcing(this) as both:
        this.has((1, FAR, [ONE]))
        await this.start()
        await both.until(lambda: both.upstream.routes.keys() == {pfx(ONE)})
        async with this.monitored() as heard:
            this.has((1, NEAR, [ONE]))
            await this.until_routes({ONE: TO_NEAR})
        assert heard == [f"{ONE} via {NEAR} dev eth0 proto 82 metric 1 "], "replaced, never gone"
        seen = len(both.history)
        this.has((1, NEAR, [ONE]), (2, NEAR, [TWO]))
        await both.until(lambda: pfx(TWO) in both.upstream.routes)
        assert [str(change.prefix) for change in both.history[:seen]] == [ONE]


async def test_n5_the_routes_of_a_thousand_peers_follow_the_gateway(tmp_path: Path) -> None:
    numbers = [f"{number // 250}.{1 + number % 250}" for number in range(1000)]
    peers = {f"198.18.{number}": f"10.{number}.0/24" for number in numbers}
    async with hub(tmp_path) as this:
        this.has(*((number, peer, [prefix]) for number, (peer, prefix) in enumerate(peers.items(), 1)))
        await this.start()
        for gateway in (GATEWAY, "192.0.2.253", GATEWAY):
            await this.made.ip(f"route replace default via {gateway}")
            await this.until_routes(dict.fromkeys(peers.values(), f"via {gateway} dev eth0 metric 1"))


async def test_routes_that_charon_makes_itself_are_named(tmp_path: Path) -> None:
    words = "charon installs routes of its own in table 220"
    async with hub(tmp_path) as this:
        await this.made.ip(f"route add {ONE} via {GATEWAY} dev eth0 proto static src 192.0.2.1 table 220")
        this.has((1, FAR, [ONE]), (2, NEAR, [TWO]))
        await this.start()
        await this.until_routes({ONE: TO_FAR, TWO: TO_NEAR})
        await this.until(lambda: this.said(words) == 1, "it warns once")
        assert words in str(await this.show("show", "status"))
        assert "charon.install_routes = no" in str(await this.show("explain", ONE))
        assert words not in str(await this.show("explain", TWO))


@pytest.mark.parametrize("rights", ["net_raw", "net_admin"])
async def test_without_the_right_it_ends_and_says_which(tmp_path: Path, rights: str) -> None:
    async with hub(tmp_path, rights=rights) as this:
        if rights == "net_admin":
            await this.start()
            return
        process = await this.launch()
        assert await asyncio.wait_for(process.wait(), DEADLINE) == 2
        first, hint = this.log.splitlines()
        assert first == "rri-bgp: sinks: kernel: this user may not change routes: it takes CAP_NET_ADMIN"
        assert hint.startswith("  hint: ")


async def test_g6_another_table_at_the_next_start_leaves_nothing_in_the_one_before(tmp_path: Path) -> None:
    async with hub(tmp_path) as this:
        this.has((1, FAR, [ONE]))
        await this.start()
        await this.until_routes({ONE: TO_FAR})
        await this.end()
        this.kernel = "{table: 100}"
        await this.start()
        await this.until_routes({ONE: TO_FAR}, "route", "show", "table", "100", "proto", "82")
        await this.until_routes({})


async def test_g6_what_others_put_beside_a_route_of_ours_stays_and_ours_goes(tmp_path: Path) -> None:
    async with hub(tmp_path) as this, announcing(this) as both:
        this.has((1, FAR, [ONE]), (2, NEAR, [TWO]))
        await this.start()
        await both.until(lambda: both.upstream.routes.keys() == {pfx(ONE), pfx(TWO)})
        await this.made.ip(f"route append {ONE} via 192.0.2.9 proto static metric 1")
        await both.until(lambda: both.upstream.routes.keys() == {pfx(TWO)})
        await this.until_routes({TWO: TO_NEAR})
        await this.until_routes({ONE: "via 192.0.2.9 dev eth0 metric 1"}, "route", "show", "proto", "static")
        await this.made.ip(f"route del {ONE} proto static")
        await both.until(lambda: both.upstream.routes.keys() == {pfx(ONE), pfx(TWO)})
        await this.until_routes({ONE: TO_FAR, TWO: TO_NEAR})


async def test_g6_an_ipv6_route_that_others_join_is_left_to_them(tmp_path: Path) -> None:
    """The kernel makes one route with two ways of both, and shows the protocol of the first alone."""
    near6, other = "2001:db8:2::7", "2001:db8:2::9"
    async with hub(tmp_path) as this, announcing(this) as both:
        this.has((1, near6, [SIX]), (2, NEAR, [TWO]))
        await this.start()
        await both.until(lambda: both.upstream.routes.keys() == {pfx(SIX), pfx(TWO)})
        await this.made.ip(f"route append {SIX} via {other} dev eth0 proto static metric 1")
        await both.until(lambda: both.upstream.routes.keys() == {pfx(TWO)})
        await this.until_routes({SIX: f"via {other} dev eth0 metric 1"}, "-6", "route", "show", "proto", "static")
        await this.until_routes({}, *OURS6)
        await this.made.ip(f"route del {SIX} via {other} proto static metric 1")
        await both.until(lambda: both.upstream.routes.keys() == {pfx(SIX), pfx(TWO)})
        await this.until_routes({SIX: f"via {near6} dev eth0 metric 1"}, *OURS6)
