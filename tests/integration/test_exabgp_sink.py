"""The sink on a real ExaBGP, seen by another real ExaBGP: what is wanted is what the upstream learns."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path as FilePath

import pytest

from rri_bgp.demo.updates import on_the_wire
from rri_bgp.model import Attributes, Destination, Path, Prefix
from rri_bgp.sinks import RouteState
from tests.integration.pair import Pair, Wanted, pair, sinking
from tests.values import HUB4, HUB6, pfx

RED = Attributes(communities=((65000, 100), (65000, 7)), large_communities=((65000, 1, 4294967295),))
BLUE = Attributes(communities=((65000, 200),), med=5, local_preference=200)
V4, V6 = pfx("10.1.0.0/16"), pfx("2001:db8:1::/48")


def has_exactly(both: Pair, wanted: Wanted) -> bool:
    return both.upstream.routes == {prefix: on_the_wire(path) for prefix, path in wanted.items()}


def many(count: int) -> list[Prefix]:
    return [Prefix(4, (10 << 24) + (number << 8), 24) for number in range(count)]


async def test_routes_of_both_families_arrive_as_they_are_wanted(tmp_path: FilePath) -> None:
    wanted = Wanted({V4: Path(HUB4, RED), pfx("0.0.0.0/1"): Path(HUB4, BLUE), V6: Path(HUB6, RED)})
    async with pair(tmp_path) as both, sinking(both, wanted) as sink:
        sink.changed(wanted)
        await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
        assert sink.route(V4).state is RouteState.CONFIRMED
        assert [(one.local, one.peer, one.state) for one in sink.status().neighbors] == [
            ("127.0.0.1", "127.0.0.2", "up")
        ]
        assert sink.status().detail == ""


async def test_e13_another_path_replaces_in_one_update_and_the_same_path_sends_none(tmp_path: FilePath) -> None:
    wanted = Wanted({V4: Path(HUB4, RED)})
    async with pair(tmp_path) as both, sinking(both, wanted) as sink:
        sink.changed([V4])
        await both.until(lambda: has_exactly(both, wanted))
        before, seen = both.upstream.updates, len(both.history)
        wanted[V4] = Path(HUB4, BLUE)
        sink.changed([V4])
        await both.until(lambda: has_exactly(both, wanted))
        sink.changed([V4])
        last = pfx("10.99.0.0/16")
        wanted[last] = Path(HUB4)
        sink.changed([last])
        await both.until(lambda: has_exactly(both, wanted))
        assert both.upstream.updates - before == 2
        assert [change.prefix for change in both.history[seen:]] == [V4, last]


async def test_a_withdraw_waits_until_withdraws_are_allowed(tmp_path: FilePath) -> None:
    wanted = Wanted({V4: Path(HUB4, RED), V6: Path(HUB6)})
    async with pair(tmp_path) as both, sinking(both, wanted) as sink:
        sink.changed(wanted)
        await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
        del wanted[V4], wanted[V6]
        sink.changed([V4, V6])
        assert (sink.status().pending, sink.route(V4).state) == (2, RouteState.PENDING)
        sink.allow_withdraw()
        await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
        assert sink.route(V4).state is RouteState.ABSENT


async def test_an_urgent_withdraw_overtakes_a_bulk(tmp_path: FilePath) -> None:
    wanted, bulk = Wanted({V4: Path(HUB4, RED)}), [prefix for prefix in many(2000) if not V4.contains(prefix)]
    async with pair(tmp_path) as both, sinking(both, wanted) as sink:
        sink.allow_withdraw()
        sink.changed([V4])
        await both.until(lambda: has_exactly(both, wanted))
        wanted.update({prefix: Path(HUB4, BLUE) for prefix in bulk})
        sink.changed(bulk)
        del wanted[V4]
        sink.changed([V4])
        await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
        order = [change.prefix for change in both.history]
        assert order.index(V4, 1) < order.index(bulk[-1]) - 1000
        assert len(order) == len(set(order)) + 1, "each prefix once, and the withdrawn one twice"


async def test_g7_a_new_life_withdraws_what_nobody_owns_and_resends_nothing_else(tmp_path: FilePath) -> None:
    kept, stale, fresh = (V4, V6), (pfx("10.2.0.0/16"), pfx("2001:db8:2::/48")), pfx("10.3.0.0/16")
    wanted = Wanted({prefix: Path(HUB4 if prefix.version == 4 else HUB6, RED) for prefix in (*kept, *stale)})
    async with pair(tmp_path) as both:
        async with sinking(both, wanted) as sink:
            sink.changed(wanted)
            await both.until(lambda: has_exactly(both, wanted))
        seen = len(both.history)
        for prefix in stale:
            del wanted[prefix]
        wanted[fresh] = Path(HUB4, BLUE)
        async with sinking(both, wanted) as sink:
            sink.changed(wanted)
            await both.until(lambda: fresh in both.upstream.routes)
            assert all(prefix in both.upstream.routes for prefix in stale), "no source has spoken yet"
            sink.allow_withdraw()
            await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
        assert {change.prefix for change in both.history[seen:]} == {*stale, fresh}


async def test_what_exabgp_would_mangle_is_refused_and_the_rest_arrives(tmp_path: FilePath) -> None:
    wrong: dict[Destination, Path] = {
        pfx("10.5.0.0/16"): Path(HUB6),
        pfx("2001:db8:5::/48"): Path(HUB4),
        pfx("10.6.0.0/16"): Path(HUB4, Attributes(communities=((65000, 70000),))),
        pfx("10.7.0.0/16"): Path(HUB4, Attributes(med=1 << 32)),
        pfx("10.8.0.0/16"): Path(IPv4Address(0)),
    }
    good = Wanted({V4: Path(HUB4, RED)})
    wanted = Wanted(wrong | dict(good))
    async with pair(tmp_path) as both, sinking(both, wanted) as sink:
        sink.changed(wanted)
        await both.until(lambda: has_exactly(both, good))
        assert sink.status().refused == len(wrong)
        assert all(sink.route(prefix).state is RouteState.REFUSED and sink.route(prefix).reason for prefix in wrong)


async def test_a_neighbor_without_the_family_is_named(tmp_path: FilePath) -> None:
    wanted = Wanted({V4: Path(HUB4), V6: Path(HUB6)})
    async with pair(tmp_path, families=("ipv4 unicast",)) as both, sinking(both, wanted) as sink:
        sink.changed(wanted)
        await both.until(lambda: V4 in both.upstream.routes and not sink.status().pending)
        assert sink.status().detail == "neighbor 127.0.0.2 has no `ipv6 unicast`: it gets none of the IPv6 routes"


@pytest.mark.parametrize("flaps", [1, 50])
async def test_e7_a_flap_that_outruns_the_queue_ends_as_wanted(tmp_path: FilePath, flaps: int) -> None:
    wanted = Wanted()
    async with pair(tmp_path) as both, sinking(both, wanted) as sink:
        sink.allow_withdraw()
        for flap in range(flaps):
            wanted[V4] = Path(HUB4, RED if flap % 2 else BLUE)
            sink.changed([V4])
            del wanted[V4]
            sink.changed([V4])
        wanted[V4] = Path(HUB4, RED)
        sink.changed([V4])
        await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
