"""Routes in a real kernel: what our requests make, what others see of it, and what we read back."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel import requests
from rri_bgp.sinks.kernel.wire import UNICAST, Ack, Failed, LinkNews, News, Nexthop, RouteNews, Underlay, read
from tests.integration.routing import OURS, Routing, place, routing
from tests.values import pfx

LOCAL = 2
"""RTN_LOCAL."""

CELLS: dict[str, tuple[str, list[str], str]] = {
    "gateway": ("10.1.0.0/24", ["via 192.0.2.2 dev eth0"], "scope global"),
    "device": ("10.1.0.0/24", ["dev eth0"], "scope link"),
    "default": ("0.0.0.0/0", ["via 192.0.2.2 dev eth0"], "scope global"),
    "host": ("10.1.0.9/32", ["via 192.0.2.2 dev eth0"], "scope global"),
    "over IPv6": ("10.1.0.0/24", ["via inet6 fe80::2 dev eth0"], "scope global"),
    "onlink": ("10.1.0.0/24", ["via 203.0.113.1 dev eth0 onlink"], "scope global"),
    "blackhole": ("10.1.0.0/24", [], "scope global"),
    "several": (
        "10.1.0.0/24",
        ["dev eth0", "via 192.0.2.2 dev eth0", "via 203.0.113.1 dev eth1 onlink", "via inet6 fe80::2 dev eth0"],
        "scope global",
    ),
    "IPv6 gateway": ("2001:db8:1::/48", ["via 2001:db8::2 dev eth0"], "scope global"),
    "IPv6 device": ("2001:db8:1::/48", ["dev eth0"], "scope global"),
    "IPv6 default": ("::/0", ["via fe80::2 dev eth0"], "scope global"),
    "IPv6 host": ("2001:db8:1::1/128", ["via fe80::2 dev eth0"], "scope global"),
    "IPv6 onlink": ("2001:db8:1::/48", ["via 2001:db8:9::2 dev eth0 onlink"], "scope global"),
    "IPv6 blackhole": ("2001:db8:1::/48", [], "scope global"),
    "IPv6 several": ("2001:db8:1::/48", ["via fe80::2 dev eth0", "via fe80::3 dev eth0"], "scope global"),
}
"""The prefix, and where it leads, in the words of ip(8); what that shows as the scope."""


@pytest.fixture
async def kernel(tmp_path: Path) -> AsyncIterator[Routing]:
    async with routing(tmp_path) as made:
        yield made


@pytest.mark.parametrize("cell", CELLS)
async def test_n5_a_route_is_as_it_was_asked_for(kernel: Routing, cell: str) -> None:
    prefix, ways, scope = CELLS[cell]
    via = kernel.via(*ways)
    kernel.changes()
    for table in (254, 10, 4_000_000_000):
        where = place(prefix, 7, table)
        kernel.do(requests.add(where, via, OURS, kernel.next()))

        assert await kernel.shown(where) == [shown_as(where, ways, scope)]
        (found,) = kernel.routes(table)
        assert found[:3] == (where, OURS, via)
        (heard,) = kernel.changes()
        assert heard[:4] == (where, OURS, via, found.kind)
        assert (heard.gone, heard.port) == (False, kernel.port)

        kernel.do(requests.delete(where, OURS, kernel.next()))
        assert kernel.routes(0) == []
        (heard,) = kernel.changes()
        assert (heard.place, heard.protocol, heard.gone) == (where, OURS, True)


def shown_as(where: Place, ways: list[str], scope: str) -> str:
    """A route as ``ip -d`` puts it."""
    is_6 = where.prefix.version == 6
    name = "default" if where.prefix.length == 0 else str(where.prefix).removesuffix("/128" if is_6 else "/32")
    words = "blackhole" if not ways else "unicast"
    if len(ways) == 1:
        way, onlink, _ = ways[0].partition(" onlink")
        return f"{words} {name} {way} proto 82 {scope} metric 7{onlink}{' pref medium' * is_6}"
    hops = "".join(f" nexthop {one.removesuffix(' onlink')} weight 1{' onlink' * ('onlink' in one)}" for one in ways)
    device = " dev lo" if is_6 and not ways else ""
    return f"{words} {name}{device} proto 82 {scope} metric 7{' pref medium' * is_6}{hops}"


PLACES = pytest.mark.parametrize("prefix", ["10.1.0.0/24", "2001:db8:1::/48"])
WAYS = {4: ("via 192.0.2.2 dev eth0", "via 192.0.2.3 dev eth0"), 6: ("via fe80::2 dev eth0", "via fe80::3 dev eth0")}


@PLACES
@pytest.mark.parametrize("before", [0, 1, 2], ids=["blackhole", "one way", "two ways"])
@pytest.mark.parametrize("after", [0, 1, 2], ids=["blackhole", "one way", "two ways"])
async def test_n5_a_route_is_replaced_whatever_it_was(kernel: Routing, prefix: str, before: int, after: int) -> None:
    where = place(prefix)
    one, other = kernel.via(*WAYS[where.prefix.version][:before]), kernel.via(*WAYS[where.prefix.version][2 - after :])
    kernel.do(requests.add(where, one, OURS, kernel.next()))
    kernel.do(requests.add(where, other, OURS, kernel.next(), replace=True))
    assert [found[:3] for found in kernel.routes()] == [(where, OURS, other)]
    kernel.do(requests.delete(where, OURS, kernel.next()))
    assert kernel.routes() == []


@PLACES
async def test_n5_replacing_makes_a_route_that_is_not_there(kernel: Routing, prefix: str) -> None:
    where, via = place(prefix), kernel.via("dev eth0")
    kernel.do(requests.add(where, via, OURS, kernel.next(), replace=True))
    assert [found[:3] for found in kernel.routes()] == [(where, OURS, via)]


@PLACES
@pytest.mark.parametrize("owner", ["proto 82", "proto static", "proto bgp"])
async def test_g6_a_place_that_is_taken_is_refused(kernel: Routing, prefix: str, owner: str) -> None:
    """On IPv6 a route without NLM_F_EXCL would become one more way of the other's."""
    where = place(prefix)
    gateway = WAYS[where.prefix.version][0]
    await kernel.space.ip(f"route add {prefix} {gateway} metric 1 {owner}")
    before = await kernel.shown(where)
    answer = kernel.ask(requests.add(where, kernel.via("dev eth1"), OURS, kernel.next()))
    assert answer == Failed(kernel.sequence, errno.EEXIST, "")
    assert await kernel.shown(where) == before


@PLACES
async def test_g6_another_metric_is_another_place(kernel: Routing, prefix: str) -> None:
    where = place(prefix, 1)
    await kernel.space.ip(f"route add {prefix} dev eth0 metric 2 proto static")
    kernel.do(requests.add(where, kernel.via("dev eth1"), OURS, kernel.next()))
    assert len(await kernel.shown(where)) == 2
    kernel.do(requests.delete(where, OURS, kernel.next()))
    (left,) = await kernel.shown(where)
    assert "proto static" in left


@PLACES
async def test_g6_what_is_not_ours_is_not_deleted(kernel: Routing, prefix: str) -> None:
    where = place(prefix)
    await kernel.space.ip(f"route add {prefix} dev eth0 metric 1 proto static")
    before = await kernel.shown(where)
    answer = kernel.ask(requests.delete(where, OURS, kernel.next()))
    assert isinstance(answer, Failed)
    assert answer.errno == errno.ESRCH
    assert await kernel.shown(where) == before
    assert len(before) == 1


@PLACES
async def test_g6_a_delete_is_for_one_metric_and_one_table(kernel: Routing, prefix: str) -> None:
    where = place(prefix)
    others = [place(prefix, 2), place(prefix, 1, 10), place(prefix, 1, 1000)]
    via = kernel.via("dev eth0")
    kernel.do(*(requests.add(one, via, OURS, kernel.next()) for one in (*others, where)))
    kernel.do(requests.delete(where, OURS, kernel.next()))
    assert sorted(found.place for found in kernel.routes(0)) == sorted(others)


@PLACES
async def test_g6_a_dump_has_the_routes_of_one_table_and_one_protocol(kernel: Routing, prefix: str) -> None:
    where, other = place(prefix, 1, 10), place(prefix, 1, 1000)
    kernel.do(*(requests.add(one, kernel.via("dev eth0"), OURS, kernel.next()) for one in (where, other)))
    await kernel.space.ip(f"route add {prefix} dev eth0 metric 9 proto static table 10")
    assert [found.place for found in kernel.routes(10)] == [where]
    assert [found.place for found in kernel.routes(1000)] == [other]
    assert {found.protocol for found in kernel.routes(10, 0)} == {OURS, 4}
    assert {found.place.table for found in kernel.routes(0)} == {10, 1000}
    assert kernel.routes(77) == []


async def test_n5_a_lookup_says_which_route_leads_there(kernel: Routing) -> None:
    await kernel.space.ip(
        "route add 198.51.100.0/24 via 192.0.2.9 dev eth0 proto static metric 3",
        "route add default via 192.0.2.254 dev eth0 proto dhcp",
        "route add 2001:db8:f::/48 via fe80::9 dev eth0 proto static metric 3",
    )
    kernel.do(requests.add(place("198.51.100.128/25"), kernel.via("via 192.0.2.2 dev eth0"), OURS, kernel.next()))
    for address, prefix, protocol, way in (
        ("198.51.100.1", "198.51.100.0/24", 4, "via 192.0.2.9 dev eth0"),
        ("198.51.100.200", "198.51.100.128/25", OURS, "via 192.0.2.2 dev eth0"),
        ("203.0.113.1", "0.0.0.0/0", 16, "via 192.0.2.254 dev eth0"),
        ("192.0.2.7", "192.0.2.0/24", 2, "dev eth0"),
        ("2001:db8:f::1", "2001:db8:f::/48", 4, "via fe80::9 dev eth0"),
        ("2001:db8::7", "2001:db8::/64", 2, "dev eth0"),
    ):
        via = kernel.via(way)
        answer = kernel.ask(requests.lookup(ip_address(address), 0, kernel.next()))
        assert isinstance(answer, RouteNews), answer
        assert (answer.place.prefix, answer.place.table) == (pfx(prefix), 254), address
        assert (answer.protocol, answer.via, answer.kind) == (protocol, via, UNICAST), address
        assert (answer.sequence, answer.port) == (kernel.sequence, kernel.port), "nothing else asked for it"


async def test_n5_a_lookup_of_this_machines_own_address_says_local(kernel: Routing) -> None:
    for address in ("192.0.2.1", "2001:db8::1"):
        answer = kernel.ask(requests.lookup(ip_address(address), 0, kernel.next()))
        assert isinstance(answer, RouteNews)
        assert answer.kind == LOCAL


async def test_n5_a_lookup_where_nothing_leads_is_refused(kernel: Routing) -> None:
    kernel.do(requests.add(place("10.1.0.0/24"), (), OURS, kernel.next()))
    kernel.do(requests.add(place("2001:db8:1::/48"), (), OURS, kernel.next()))
    for address, reason in (
        ("203.0.113.1", errno.ENETUNREACH),
        ("2001:db8:f::1", errno.ENETUNREACH),
        ("10.1.0.1", errno.EINVAL),
        ("2001:db8:1::1", errno.EINVAL),
    ):
        answer = kernel.ask(requests.lookup(ip_address(address), 0, kernel.next()))
        assert answer == Failed(kernel.sequence, reason, ""), address


async def test_n5_a_lookup_out_of_a_device_says_what_leads_there_over_it(kernel: Routing) -> None:
    await kernel.space.ip(
        "addr add 192.0.3.1/24 dev eth1",
        "route add 198.51.100.0/24 via 192.0.2.9 dev eth0",
        "route add 198.51.0.0/16 via 192.0.3.9 dev eth1",
    )
    answer = kernel.ask(requests.lookup(ip_address("198.51.100.1"), kernel.link("eth1").link, kernel.next()))
    assert isinstance(answer, RouteNews)
    assert (answer.place.prefix, answer.via) == (pfx("198.51.0.0/16"), kernel.via("via 192.0.3.9 dev eth1"))


async def test_n5_a_gateway_that_is_no_neighbour_is_refused_with_the_reason(kernel: Routing) -> None:
    via = kernel.via("via 203.0.113.1 dev eth0")
    answer = kernel.ask(requests.add(place("10.1.0.0/24"), via, OURS, kernel.next()))
    assert answer == Failed(kernel.sequence, errno.ENETUNREACH, "Nexthop has invalid gateway")


async def test_many_requests_in_one_datagram_are_carried_out_and_only_failures_and_the_last_are_answered(
    kernel: Routing,
) -> None:
    via = kernel.via("dev eth0")
    kernel.do(requests.add(place("10.1.7.0/24"), via, 4, kernel.next()))
    first = kernel.sequence + 1
    batch = [
        requests.add(place(f"10.1.{number}.0/24"), via, OURS, kernel.next(), ack=number == 99) for number in range(100)
    ]
    kernel.asking.send(b"".join(batch))
    answers: list[News] = []
    while not any(isinstance(one, Ack) for one in answers):
        answers += read(kernel.asking.recv(1 << 16))
    assert answers == [Failed(first + 7, errno.EEXIST, ""), Ack(first + 99)]
    assert len(kernel.routes()) == 99


async def test_n5_what_happens_to_links_addresses_rules_and_routes_is_heard(kernel: Routing) -> None:
    def eth0(*, is_up: bool) -> None:
        kernel.waits_for(LinkNews, lambda one: (one.name, one.is_up) == ("eth0", is_up))

    await kernel.space.ip("link set eth0 down")
    eth0(is_up=False)
    await kernel.space.ip("link set eth0 up")
    eth0(is_up=True)
    await kernel.space.ip("link set eth1 down")
    eth0(is_up=False)
    await kernel.space.ip("link set eth1 up")
    eth0(is_up=True)
    await kernel.space.ip("addr add 192.0.9.1/24 dev eth1")
    assert Underlay.ADDRESSES in kernel.heard(Underlay)
    await kernel.space.ip("rule add from 192.0.9.0/24 lookup 10")
    assert Underlay.RULES in kernel.heard(Underlay)
    await kernel.space.ip("route add 10.1.0.0/24 dev eth0 proto static")
    (heard,) = kernel.changes()
    assert (heard.place, heard.protocol, heard.gone) == (place("10.1.0.0/24", 0), 4, False)
    assert heard.port not in (0, kernel.port)
    await kernel.space.ip("link del eth0")
    kernel.waits_for(LinkNews, lambda one: (one.name, one.gone) == ("eth0", True))


async def test_g6_our_own_doing_can_be_told_from_that_of_others(kernel: Routing) -> None:
    where = place("10.1.0.0/24")
    kernel.changes()
    kernel.do(requests.add(where, kernel.via("dev eth0"), OURS, kernel.next()))
    assert kernel.changes(skip_port=kernel.port) == []
    await kernel.space.ip("route replace 10.1.0.0/24 dev eth1 metric 1 proto 82")
    (heard,) = kernel.changes(skip_port=kernel.port)
    assert (heard.place, heard.protocol, heard.via) == (where, OURS, kernel.via("dev eth1"))


async def test_g6_an_ipv6_route_that_another_joins_is_told_with_all_its_ways(kernel: Routing) -> None:
    where = place("2001:db8:1::/48")
    kernel.do(requests.add(where, kernel.via("via fe80::2 dev eth0"), OURS, kernel.next()))
    kernel.changes()
    await kernel.space.ip("route append 2001:db8:1::/48 via fe80::3 dev eth0 metric 1 proto 82")
    (heard,) = kernel.changes()
    assert heard.via == kernel.via("via fe80::2 dev eth0", "via fe80::3 dev eth0")
    await kernel.space.ip("route del 2001:db8:1::/48 via fe80::3 dev eth0 metric 1")
    (heard,) = kernel.changes()
    assert (heard.gone, heard.via) == (True, kernel.via("via fe80::3 dev eth0"))
    assert [found.via for found in kernel.routes()] == [kernel.via("via fe80::2 dev eth0")]


async def test_n5_a_route_through_a_nexthop_object_is_told_with_where_that_leads(kernel: Routing) -> None:
    await kernel.space.ip("nexthop add id 7 via 192.0.2.2 dev eth0", "route add 10.1.0.0/24 nhid 7 proto 82 metric 1")
    assert [found.via for found in kernel.routes()] == [kernel.via("via 192.0.2.2 dev eth0")]
    await kernel.space.run("sysctl", "-qw", "net.ipv4.nexthop_compat_mode=0")
    (found,) = kernel.routes()
    assert found.via == (Nexthop(None, 0),), "leads somewhere, the kernel does not say where"


async def test_of_a_datagram_whose_requests_all_fail_every_answer_arrives(kernel: Routing) -> None:
    """A socket's buffer of the default size has room for as many as are sent at once."""
    via = kernel.via("via 203.0.113.1 dev eth0")
    messages = (
        requests.add(place("10.1.0.0/24"), via, OURS, number, ack=number == requests.AT_ONCE)
        for number in range(1, requests.AT_ONCE + 1)
    )
    kernel.asking.send(b"".join(messages))
    answers = [one for _ in range(requests.AT_ONCE) for one in read(kernel.asking.recv(1 << 16))]
    refused = [Failed(number, errno.ENETUNREACH, "Nexthop has invalid gateway") for number in range(1, 101)]
    assert answers == refused


async def test_g6_on_ipv4_a_delete_without_a_metric_takes_the_lowest_of_ours(kernel: Routing) -> None:
    via = kernel.via("dev eth0")
    await kernel.space.ip("route add 10.1.0.0/24 dev eth0 metric 3 proto static")
    kernel.do(*(requests.add(place("10.1.0.0/24", metric), via, OURS, kernel.next()) for metric in (9, 5)))
    kernel.do(requests.delete(place("10.1.0.0/24", 0), OURS, kernel.next()))
    left = [(one.place.metric, one.protocol) for one in kernel.routes(protocol=0, versions=[4])]
    assert left == [(3, 4), (9, OURS), (0, 2)], "the last is that of the address"


async def test_e14_an_ipv6_route_without_a_metric_gets_1024(kernel: Routing) -> None:
    kernel.do(requests.add(place("2001:db8:1::/48", 0), kernel.via("dev eth0"), OURS, kernel.next()))
    assert [one.place.metric for one in kernel.routes()] == [1024]
