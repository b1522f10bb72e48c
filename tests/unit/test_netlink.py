"""The walk over messages and attributes that all readers of netlink share."""

from __future__ import annotations

import struct

import pytest

from rri_bgp import netlink
from rri_bgp.errors import NetlinkError
from tests.unit.surroundings.messages import attribute, message


def test_messages_come_in_order_with_where_their_bodies_are() -> None:
    datagram = message(20, b"abc", 7, sequence=8, port=9) + message(21, b"")
    assert list(netlink.messages(datagram)) == [(20, 7, 8, 9, 16, 19), (21, 0, 1, 4711, 36, 36)]


def test_a_message_may_end_without_its_padding() -> None:
    datagram = message(20, b"abc")[:-1]
    assert [one[4:] for one in netlink.messages(datagram)] == [(16, 19)]


def test_what_comes_before_a_broken_message_is_valid() -> None:
    found = netlink.messages(message(20, b"") + b"\0" * 3)
    assert next(found)[0] == 20
    with pytest.raises(NetlinkError, match="3 bytes are no message"):
        next(found)


@pytest.mark.parametrize("length", [0, 15, 21, 0xFFFFFFFF])
def test_a_message_is_as_long_as_a_header_and_no_longer_than_what_there_is(length: int) -> None:
    with pytest.raises(NetlinkError, match=f"a message of {length} bytes where there are 20"):
        list(netlink.messages(struct.pack("=IHHII", length, 20, 0, 1, 1) + bytes(4)))


def test_of_several_attributes_of_one_type_the_last_counts() -> None:
    data = attribute(1, b"a") + attribute(2, b"") + attribute(1, b"bc")
    found = netlink.attributes(data, 0, len(data))
    assert found == {1: 12, 2: 8}
    assert data[slice(*netlink.value(data, found, 1))] == b"bc"
    assert data[slice(*netlink.value(data, found, 2))] == b""
    assert data[slice(*netlink.value(data, found, 3))] == b""


def test_the_flags_of_an_attributes_type_are_no_part_of_it() -> None:
    data = attribute(1 | 0x8000, b"a") + attribute(2 | 0x4000, b"b")
    assert netlink.attributes(data, 0, len(data)) == {1: 0, 2: 8}


@pytest.mark.parametrize("length", [0, 3, 9, 0xFFFF])
def test_an_attribute_is_as_long_as_a_header_and_no_longer_than_what_there_is(length: int) -> None:
    with pytest.raises(NetlinkError, match=f"an attribute of {length} bytes where there are 8"):
        netlink.attributes(struct.pack("=HHI", length, 1, 0), 0, 8)


def test_what_is_too_short_to_be_an_attribute_is_none() -> None:
    data = attribute(1, b"abcd") + b"\0\0\0"
    assert netlink.attributes(data, 0, len(data)) == {1: 0}


def test_a_number_has_four_bytes() -> None:
    data = attribute(1, struct.pack("=I", 7)) + attribute(2, b"\1\0\0")
    found = netlink.attributes(data, 0, len(data))
    assert (netlink.number(data, found, 1), netlink.number(data, found, 3)) == (7, 0)
    with pytest.raises(NetlinkError, match="attribute 2 with 3 bytes"):
        netlink.number(data, found, 2)


def test_an_answer_has_its_number_and_only_an_end_may_be_empty() -> None:
    data = struct.pack("=i", -17)
    assert netlink.code(netlink.ERROR, data, 0, 4) == 17
    assert netlink.code(netlink.DONE, data, 0, 0) == 0
    for kind, end in ((netlink.ERROR, 0), (netlink.ERROR, 3), (netlink.DONE, 3)):
        with pytest.raises(NetlinkError, match="without its number"):
            netlink.code(kind, data, 0, end)


@pytest.mark.parametrize("number", [1, -4096, -(2**31), 2**31 - 1])
def test_an_errno_is_one_that_there_can_be(number: int) -> None:
    with pytest.raises(NetlinkError, match=f"an error with the number {-number}"):
        netlink.code(netlink.ERROR, struct.pack("=i", number), 0, 4)
