"""rtnetlink datagrams: recorded ones and made ones, whole and broken."""

from __future__ import annotations

import errno
import struct
from ipaddress import ip_address

import pytest

from rri_bgp.errors import NetlinkError
from rri_bgp.surroundings.netlink import ADDRESSES, LINKS, AddressNews, Dump, LinkNews, read
from tests.unit.surroundings.messages import (
    attribute,
    deladdr,
    dellink,
    done,
    failed,
    message,
    newaddr,
    newlink,
)
from tests.values import pfx

RECORDED = bytes.fromhex(
    "4c0000001400020001000000a4250000020880fe01000000080001007f000001080002007f000001070003006c6f00000800080080000000"
    "14000600ffffffffffffffff1600000016000000"
)
"""Linux 6.18 of 127.0.0.1/8 in a dump, on a little-endian machine: with IFA_LABEL, IFA_FLAGS and IFA_CACHEINFO."""


def test_a_recorded_address_is_read() -> None:
    (news,) = read(_native(RECORDED))
    assert news == AddressNews(1, ip_address("127.0.0.1"), pfx("127.0.0.0/8"), usable=True, gone=False)


def _native(recorded: bytes) -> bytes:
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        pytest.fail("record one on a big-endian machine")
    return recorded


@pytest.mark.parametrize(
    ("datagram", "news"),
    [
        (newaddr("192.0.2.1/24", 3), AddressNews(3, ip_address("192.0.2.1"), pfx("192.0.2.0/24"), True, False)),
        (deladdr("192.0.2.1/24", 3), AddressNews(3, ip_address("192.0.2.1"), pfx("192.0.2.0/24"), True, True)),
        (newaddr("2001:db8::1/64"), AddressNews(2, ip_address("2001:db8::1"), pfx("2001:db8::/64"), True, False)),
        (
            newaddr("10.0.0.1/32", peer="10.0.0.2"),
            AddressNews(2, ip_address("10.0.0.1"), pfx("10.0.0.2/32"), True, False),
        ),
        (
            newaddr("2001:db8::1/128", peer="2001:db8::2"),
            AddressNews(2, ip_address("2001:db8::1"), pfx("2001:db8::2/128"), True, False),
        ),
        (newlink(7), LinkNews(7, 0, 0, False)),
        (newlink(7, master=9), LinkNews(7, 9, 0, False)),
        (newlink(9, table=10), LinkNews(9, 0, 10, False)),
        (dellink(9), LinkNews(9, 0, 0, True)),
        (done(), Dump.DONE),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value)[:60],
)
def test_a_message_is_read(datagram: bytes, news: object) -> None:
    assert list(read(datagram)) == [news]


@pytest.mark.parametrize(
    ("flags", "usable"),
    [(0x80, True), (0x40, False), (0xC0, False), (0x44, True), (0x08, False), (0x0C, False)],
    ids=["permanent", "tentative", "tentative and permanent", "optimistic", "dad failed", "dad failed, optimistic"],
)
def test_g2_an_address_under_duplicate_detection_carries_no_traffic(flags: int, usable: bool) -> None:
    (news,) = read(newaddr("2001:db8::1/64", flags=flags))
    assert isinstance(news, AddressNews)
    assert news.usable is usable


def test_the_long_flags_count_and_not_the_short_ones() -> None:
    more = attribute(8, struct.pack("=I", 0x40))
    (news,) = read(newaddr("2001:db8::1/64", flags=0x80, more=[more]))
    assert isinstance(news, AddressNews)
    assert not news.usable


def test_messages_of_other_kinds_and_families_are_left_out() -> None:
    appletalk = message(20, struct.pack("=BBBBI", 5, 24, 0, 0, 2))
    datagram = message(1, b"") + message(24, bytes(12)) + appletalk + failed(0) + newlink(4)
    assert list(read(datagram)) == [LinkNews(4, 0, 0, False)]


def test_a_link_that_leaves_a_bridge_is_not_gone() -> None:
    assert not list(read(dellink(4, family=7)))


def test_a_vrf_without_its_table_is_none() -> None:
    body = struct.pack("=BxHiII", 0, 1, 9, 0, 0) + attribute(18, attribute(1, b"vrf\0"))
    assert list(read(message(16, body))) == [LinkNews(9, 0, 0, False)]


def test_an_interrupted_dump_says_so() -> None:
    datagram = newaddr("192.0.2.1/24", message_flags=0x12) + done()
    assert [news for news in read(datagram) if isinstance(news, Dump)] == [Dump.INTERRUPTED, Dump.DONE]


def test_a_refusal_names_the_reason() -> None:
    with pytest.raises(NetlinkError, match="Operation not permitted") as caught:
        list(read(failed(errno.EPERM)))
    assert caught.value.code == errno.EPERM


def test_a_dump_that_ends_with_an_error_names_it() -> None:
    with pytest.raises(NetlinkError, match="No such device"):
        list(read(done(-errno.ENODEV)))


def test_a_short_end_is_an_end() -> None:
    assert list(read(message(3, b""))) == [Dump.DONE]


def test_an_overrun_is_an_error() -> None:
    with pytest.raises(NetlinkError, match="lost"):
        list(read(message(4, b"")))


@pytest.mark.parametrize(
    "datagram",
    [
        b"\0" * 15,
        struct.pack("=IHHII", 15, 20, 0, 1, 1),
        struct.pack("=IHHII", 17, 20, 0, 1, 1),
        message(20, bytes(7)),
        message(16, bytes(15)),
        message(20, struct.pack("=BBBBI", 2, 24, 0, 0, 2)),
        message(20, struct.pack("=BBBBI", 2, 24, 0, 0, 2) + attribute(2, bytes(3))),
        message(20, struct.pack("=BBBBI", 2, 33, 0, 0, 2) + attribute(2, bytes(4))),
        message(16, struct.pack("=BxHiII", 0, 1, 9, 0, 0) + attribute(10, b"\1")),
        message(20, struct.pack("=BBBBI", 2, 24, 0, 0, 2) + struct.pack("=HH", 3, 2)),
        message(20, struct.pack("=BBBBI", 2, 24, 0, 0, 2) + struct.pack("=HH", 9, 2) + bytes(4)),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error(datagram: bytes) -> None:
    with pytest.raises(NetlinkError):
        list(read(datagram))


def test_what_is_too_short_to_be_an_attribute_is_skipped() -> None:
    body = struct.pack("=BxHiII", 0, 1, 9, 0, 0) + b"\0\0"
    assert list(read(message(16, body))) == [LinkNews(9, 0, 0, False)]


def test_the_questions_are_whole_messages() -> None:
    for question, kind in ((ADDRESSES, 22), (LINKS, 18)):
        length, found, flags, _, _ = struct.unpack_from("=IHHII", question)
        assert (length, found, flags) == (len(question), kind, 0x301)
