"""What rtnetlink says about routes and what leads to them: recorded messages and made ones, whole and broken."""

from __future__ import annotations

import errno
import struct
from ipaddress import ip_address

import pytest

from rri_bgp.errors import NetlinkError
from rri_bgp.sinks.kernel.wire import (
    BLACKHOLE,
    UNICAST,
    Ack,
    Done,
    Failed,
    Interrupted,
    LinkNews,
    Nexthop,
    RouteNews,
    Underlay,
    read,
    via_of,
)
from tests.unit.sinks.rtnetlink import (
    DST,
    GATEWAY,
    MULTIPATH,
    NH_ID,
    OIF,
    PRIORITY,
    TABLE,
    VIA,
    answer,
    hop,
    link,
    place,
    route,
    u32,
    way,
)
from tests.unit.surroundings.messages import attribute, message

VIA_4 = attribute(GATEWAY, ip_address("192.0.2.2").packed)
VIA_6 = attribute(GATEWAY, ip_address("fe80::2").packed)
OVER_6 = attribute(VIA, struct.pack("=H", 10) + ip_address("fe80::2").packed)
ETH0, METRIC = u32(OIF, 3), u32(PRIORITY, 7)
HEAD = struct.pack("=BBBBBBBBI", 2, 24, 0, 0, 254, 82, 0, 1, 0)


def news(where: str, *ways: Nexthop, table: int = 254, metric: int = 7, kind: int = UNICAST) -> RouteNews:
    return RouteNews(place(where, metric, table), 82, ways, kind, gone=False, sequence=1, port=4711)


@pytest.mark.parametrize(
    ("datagram", "said"),
    [
        (route("10.1.0.0/24", VIA_4, ETH0, METRIC), news("10.1.0.0/24", way("192.0.2.2"))),
        (route("10.1.0.0/24", ETH0), news("10.1.0.0/24", way(), metric=0)),
        (route("0.0.0.0/0", VIA_4, ETH0, METRIC), news("0.0.0.0/0", way("192.0.2.2"))),
        (route("::/0", VIA_6, ETH0, METRIC), news("::/0", way("fe80::2"))),
        (route("10.1.0.0/24", ETH0, OVER_6, METRIC), news("10.1.0.0/24", way("fe80::2"))),
        (
            route("10.1.0.0/24", VIA_4, ETH0, METRIC, flags=4),
            news("10.1.0.0/24", way("192.0.2.2", onlink=True)),
        ),
        (route("10.1.0.0/24", METRIC, kind=BLACKHOLE), news("10.1.0.0/24", kind=BLACKHOLE)),
        (
            route("2001:db8::/32", u32(OIF, 1), METRIC, kind=BLACKHOLE),
            news("2001:db8::/32", kind=BLACKHOLE),
        ),
        (
            route("10.1.0.0/24", u32(TABLE, 1000), ETH0, METRIC, table=252),
            news("10.1.0.0/24", way(), table=1000),
        ),
        (route("10.1.0.0/24", ETH0, METRIC, table=10), news("10.1.0.0/24", way(), table=10)),
        (
            route("10.1.0.0/24", attribute(MULTIPATH, hop(4, OVER_6) + hop(3, VIA_4, flags=4) + hop(3)), METRIC),
            news("10.1.0.0/24", way(), way("192.0.2.2", onlink=True), way("fe80::2", 4)),
        ),
        (route("10.1.0.0/24", METRIC, u32(NH_ID, 9)), news("10.1.0.0/24", way(device=0))),
        (route("10.1.0.0/24", METRIC, kind=7), news("10.1.0.0/24", way(device=0), kind=7)),
        (route("10.1.0.0/24", METRIC, attribute(MULTIPATH, b"")), news("10.1.0.0/24", way(device=0))),
    ],
    ids=[
        "gateway", "device alone", "default", "IPv6 default", "IPv4 over IPv6", "onlink", "blackhole", "IPv6 blackhole",
        "large table", "small table", "several ways", "nexthop object", "prohibit is no blackhole", "no way at all",
    ],
)  # fmt: skip
def test_n5_a_route_is_read(datagram: bytes, said: RouteNews) -> None:
    assert list(read(datagram)) == [said]


def test_g6_whose_a_route_is_and_who_did_it_are_told() -> None:
    datagram = route("10.1.0.0/24", ETH0, protocol=4, gone=True, sequence=9, port=77)
    assert list(read(datagram)) == [RouteNews(place("10.1.0.0/24", 0), 4, (way(),), UNICAST, True, 9, 77)]


def test_what_is_our_own_doing_can_be_left_out() -> None:
    datagram = route("10.1.0.0/24", ETH0, port=77) + route("10.2.0.0/24", ETH0, port=78, sequence=2)
    assert [one.port for one in read(datagram, skip_port=77) if isinstance(one, RouteNews)] == [78]
    assert len(list(read(datagram))) == 2


@pytest.mark.parametrize(
    "datagram",
    [
        route("10.1.0.0/24", ETH0, tos=16),
        route("2001:db8::/32", ETH0, source=64),
        route("10.1.0.1/32", ETH0, flags=0x200, sequence=0, port=0),
        message(24, struct.pack("=BBBBBBBBI", 128, 32, 32, 0, 254, 17, 0, 5, 0)),
    ],
    ids=["for a TOS", "of a source", "cloned", "multicast"],
)
def test_g6_routes_that_compete_with_none_of_ours_are_left_out(datagram: bytes) -> None:
    assert not list(read(datagram))


def test_a_cloned_route_answers_a_question() -> None:
    (said,) = read(route("10.1.0.1/32", VIA_4, ETH0, flags=0x200, sequence=5))
    assert isinstance(said, RouteNews)
    assert said.via == (way("192.0.2.2"),)


def test_routes_that_lead_the_same_way_share_it() -> None:
    datagram = route("10.1.0.0/24", VIA_4, ETH0) + route("10.2.0.0/24", VIA_4, ETH0)
    one, other = (said.via for said in read(datagram) if isinstance(said, RouteNews))
    assert one is other


def test_ways_compare_in_whatever_order_and_however_often_they_are_given() -> None:
    ways = [way("fe80::2"), way("192.0.2.2"), way(), way("192.0.2.1", 9), way("192.0.2.1", 9, onlink=True)]
    assert via_of([*reversed(ways), *ways]) == via_of(ways)
    assert via_of(ways) == (way(), ways[3], ways[4], ways[1], ways[0])
    assert via_of([]) == ()


def info(kind: str, *data: bytes) -> bytes:
    return attribute(18 | 0x8000, attribute(1, kind.encode() + b"\0") + attribute(2 | 0x8000, b"".join(data)))


@pytest.mark.parametrize(
    ("datagram", "said"),
    [
        (link("eth0", 3), LinkNews(3, "eth0", True, 0, 0, 0, 0, False)),
        (link("eth0", 3, gone=True), LinkNews(3, "eth0", True, 0, 0, 0, 0, True)),
        (link("eth0", 3, flags=0x10002), LinkNews(3, "eth0", False, 0, 0, 0, 0, False)),
        (link("eth0", 3, flags=0x1), LinkNews(3, "eth0", False, 0, 0, 0, 0, False)),
        (link("eth0", 3, more=[u32(10, 9)]), LinkNews(3, "eth0", True, 9, 0, 0, 0, False)),
        (link("red", 9, more=[info("vrf", u32(1, 1000))]), LinkNews(9, "red", True, 0, 1000, 0, 0, False)),
        (link("xfrm0", 9, more=[info("xfrm", u32(1, 3), u32(2, 42))]), LinkNews(9, "xfrm0", True, 0, 0, 42, 0, False)),
        (
            link("vti0", 9, more=[info("vti", u32(2, 1), attribute(3, struct.pack("!I", 42)))]),
            LinkNews(9, "vti0", True, 0, 0, 0, 42, False),
        ),
        (
            link("vti6", 9, more=[info("vti6", attribute(3, struct.pack("!I", 0x01020304)))]),
            LinkNews(9, "vti6", True, 0, 0, 0, 0x01020304, False),
        ),
        (link("veth0", 9, more=[info("veth", u32(1, 7))]), LinkNews(9, "veth0", True, 0, 0, 0, 0, False)),
        (link("red", 9, more=[attribute(18, b"")]), LinkNews(9, "red", True, 0, 0, 0, 0, False)),
        (link("\x1b[31m", 9), LinkNews(9, r"\x1b[31m", True, 0, 0, 0, 0, False)),
    ],
    ids=[
        "up", "gone", "down", "no carrier", "in another", "vrf", "xfrm", "vti", "vti6", "another kind", "no kind",
        "a name that is no text",
    ],
)  # fmt: skip
def test_n5_a_link_is_read(datagram: bytes, said: LinkNews) -> None:
    assert list(read(datagram)) == [said]


def test_a_link_that_leaves_a_bridge_is_not_gone() -> None:
    assert not list(read(message(17, struct.pack("=BxHiII", 7, 1, 3, 0, 0))))


def test_n5_addresses_and_rules_that_change_are_told_without_what_they_are() -> None:
    datagram = b"".join(message(kind, bytes(12)) for kind in (20, 21, 32, 33, 28))
    assert list(read(datagram)) == [Underlay.ADDRESSES, Underlay.ADDRESSES, Underlay.RULES, Underlay.RULES]


def test_answers_name_their_request() -> None:
    datagram = answer(0, sequence=7) + message(3, struct.pack("=i", 0), 2, sequence=8)
    assert list(read(datagram)) == [Ack(7), Done(8)]


@pytest.mark.parametrize("capped", [False, True])
def test_a_refusal_has_the_errno_and_the_kernels_words(capped: bool) -> None:
    request = route("10.1.0.0/24", VIA_4, ETH0)
    said = "Nexthop has invalid gateway"
    datagram = answer(errno.ENETUNREACH, text=said, request=request, capped=capped, sequence=7)
    assert list(read(datagram)) == [Failed(7, errno.ENETUNREACH, said)]


def test_a_refusal_without_words_has_none() -> None:
    assert list(read(answer(errno.EEXIST, request=route("10.1.0.0/24", ETH0)))) == [Failed(1, errno.EEXIST, "")]


def test_a_dump_that_ends_with_an_error_says_so() -> None:
    body = struct.pack("=i", -errno.ENOENT) + attribute(1, b"ipv4: FIB table does not exist\0")
    assert list(read(message(3, body, 0x202))) == [Failed(1, errno.ENOENT, "ipv4: FIB table does not exist")]


def test_an_interrupted_dump_says_so_once_for_each_message_that_does() -> None:
    datagram = route("10.1.0.0/24", ETH0, message_flags=0x12) + message(3, bytes(4), 2)
    assert [type(one) for one in read(datagram)] == [Interrupted, RouteNews, Done]


def test_an_overrun_is_an_error() -> None:
    with pytest.raises(NetlinkError, match="lost"):
        list(read(message(4, b"")))


@pytest.mark.parametrize(
    "datagram",
    [
        b"\0" * 15,
        message(24, HEAD[:11]),
        message(24, HEAD),
        message(24, HEAD + attribute(DST, bytes(3))),
        message(24, HEAD + attribute(DST, bytes(16))),
        message(24, bytes([2, 33]) + HEAD[2:] + attribute(DST, bytes(4))),
        message(24, HEAD + attribute(DST, bytes(4)) + attribute(OIF, bytes(3))),
        message(24, HEAD + attribute(DST, bytes(4)) + attribute(GATEWAY, bytes(5))),
        message(24, HEAD + attribute(DST, bytes(4)) + attribute(VIA, bytes(1))),
        message(24, HEAD + attribute(DST, bytes(4)) + attribute(VIA, bytes(8))),
        message(24, HEAD + attribute(DST, bytes(4)) + attribute(MULTIPATH, struct.pack("=HBBi", 9, 0, 0, 3))),
        message(24, HEAD + attribute(DST, bytes(4)) + attribute(MULTIPATH, struct.pack("=HBBi", 7, 0, 0, 3))),
        message(24, HEAD + attribute(DST, bytes(4)) + attribute(MULTIPATH, hop(3, attribute(GATEWAY, bytes(2))))),
        message(24, HEAD + struct.pack("=HH", 9, 2) + bytes(4)),
        message(16, bytes(15)),
        link("eth0", 3, more=[attribute(10, b"\1")]),
        link("red", 9, more=[info("vrf", attribute(1, b"\1"))]),
        message(2, b"\1"),
    ],
)
def test_what_does_not_fit_is_an_error(datagram: bytes) -> None:
    with pytest.raises(NetlinkError) as caught:
        list(read(datagram))
    assert len(str(caught.value)) < 200
