"""Routes and links that this kernel may not have: VRFs and vti devices, read and written as the kernel sink does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from rri_bgp.sinks.kernel import requests
from rri_bgp.sinks.kernel.wire import LinkNews, RouteNews
from tests.integration.routing import OURS, Routing, place, routing

RED = 1000
"""The table of the VRF, whose device has the same name."""


@pytest.fixture
async def kernel(tmp_path: Path) -> AsyncIterator[Routing]:
    """With eth1 in a VRF."""
    async with routing(tmp_path) as made:
        await made.space.ip(
            f"link add red type vrf table {RED}", "link set red up", "link set eth1 master red",
            "addr add 198.51.100.1/24 dev eth1", "addr add 2001:db8:e::1/64 dev eth1 nodad",
        )  # fmt: skip
        yield made


async def test_n6_a_vrf_device_has_a_table_and_others_belong_to_it(kernel: Routing) -> None:
    red = kernel.link("red")
    assert (red.vrf_table, red.master, red.is_up) == (RED, 0, True)
    assert kernel.link("eth1").master == red.link
    assert kernel.link("eth0").vrf_table == 0
    kernel.heard(LinkNews)
    await kernel.space.ip("link set eth1 nomaster", "link del red")
    heard = {one.name: one for one in kernel.heard(LinkNews) if not one.gone or one.name == "red"}
    assert (heard["eth1"].master, heard["red"].gone) == (0, True)


@pytest.mark.parametrize(
    ("prefix", "there", "here"),
    [
        ("10.1.0.0/24", "via 198.51.100.2 dev eth1", "via 192.0.2.2 dev eth0"),
        ("2001:db8:1::/48", "via 2001:db8:e::2 dev eth1", "via 2001:db8::2 dev eth0"),
    ],
)
async def test_n6_one_prefix_lives_in_two_tables_and_a_lookup_tells_which(
    kernel: Routing, prefix: str, there: str, here: str
) -> None:
    red = kernel.link("red").link
    inner, outer = place(prefix, 1, RED), place(prefix)
    kernel.do(requests.add(inner, kernel.via(there), OURS, kernel.next()))
    kernel.do(requests.add(outer, kernel.via(here), OURS, kernel.next()))
    (shown,) = await kernel.shown(inner)
    assert f"{prefix} {there} proto 82" in shown
    assert [one[:3] for one in kernel.routes(RED)] == [(inner, OURS, kernel.via(there))]

    address = ip_address(prefix.partition("/")[0]) + 1
    for device, where, words in ((red, inner, there), (0, outer, here)):
        via = kernel.via(words)
        answer = kernel.ask(requests.lookup(address, device, kernel.next()))
        assert isinstance(answer, RouteNews), answer
        assert (answer.place, answer.protocol, answer.via) == (where, OURS, via)

    kernel.do(requests.delete(inner, OURS, kernel.next()))
    assert [one.place for one in kernel.routes(0)] == [outer]
    answer = kernel.ask(requests.lookup(address, red, kernel.next()))
    assert isinstance(answer, RouteNews)
    assert answer.place == outer, "what a VRF has no route for goes on to the main table"


@pytest.mark.parametrize(
    ("prefix", "way"),
    [
        ("10.1.0.0/24", "via 192.0.2.2 dev eth0"),
        ("10.1.0.0/24", "via inet6 fe80::2 dev eth0"),
        ("2001:db8:1::/48", "via 2001:db8::2 dev eth0"),
        ("2001:db8:1::/48", "dev eth0"),
    ],
)
async def test_n6_a_route_of_a_vrf_may_lead_out_of_another_one(kernel: Routing, prefix: str, way: str) -> None:
    """The inner VRF is red and the peer is behind the default one. The kernel knows the gateway by its device."""
    where, via = place(prefix, 1, RED), kernel.via(way)
    kernel.do(requests.add(where, via, OURS, kernel.next()))
    assert [one[:3] for one in kernel.routes(RED)] == [(where, OURS, via)]
    red = kernel.link("red").link
    answer = kernel.ask(requests.lookup(ip_address(prefix.partition("/")[0]) + 1, red, kernel.next()))
    assert isinstance(answer, RouteNews)
    assert (answer.place, answer.via) == (where, via)


@pytest.mark.parametrize("number", [42, 0x01020304])
async def test_n5_a_vti_device_says_its_mark(kernel: Routing, number: int) -> None:
    await kernel.space.ip(
        f"link add vti1 type vti local 192.0.2.1 remote 192.0.2.9 ikey 7 okey {number}",
        f"link add vti2 type vti6 local 2001:db8::1 remote 2001:db8::9 ikey 7 okey {number}",
    )
    assert (kernel.link("vti1").mark, kernel.link("vti2").mark) == (number, number)
