"""The counting router's BGP: messages as RFC 4271 draws them."""

from __future__ import annotations

import struct

import pytest

from bench.bgp import MARKER, BgpError, Kind, Splitter, Update, keepalive, open_message, parse_update
from tests.values import pfx


def message(kind: int, body: bytes = b"") -> bytes:
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def update(withdrawn: bytes = b"", attributes: bytes = b"", nlri: bytes = b"") -> bytes:
    return struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes)) + attributes + nlri


def test_messages_come_out_whole_however_the_bytes_come() -> None:
    stream = message(Kind.KEEPALIVE) + message(Kind.UPDATE, update()) + message(Kind.NOTIFICATION, b"\x06\x02")
    expected = [(Kind.KEEPALIVE, b""), (Kind.UPDATE, update()), (Kind.NOTIFICATION, b"\x06\x02")]
    assert list(Splitter().feed(stream)) == expected
    splitter = Splitter()
    assert [found for at in range(len(stream)) for found in splitter.feed(stream[at : at + 1])] == expected


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x00" * 19, "marker"),
        (MARKER + struct.pack("!HB", 18, Kind.KEEPALIVE), "18 octets"),
        (MARKER + struct.pack("!HB", 4097, Kind.UPDATE), "4097 octets"),
        (message(9), "type 9"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(BgpError, match=what):
        list(Splitter().feed(data))


def test_ours_are_messages_too() -> None:
    kinds = [kind for kind, _ in Splitter().feed(open_message(65000, "127.0.0.2", 180) + keepalive())]
    assert kinds == [Kind.OPEN, Kind.KEEPALIVE]
    (_, body), *_ = Splitter().feed(open_message(4_200_000_000, "127.0.0.2", 180))
    version, two_octets, hold, router = struct.unpack_from("!BHH4s", body)
    assert (version, two_octets, hold, router) == (4, 23456, 180, b"\x7f\x00\x00\x02")
    assert body.endswith(b"\x41\x04" + struct.pack("!I", 4_200_000_000))


def test_ipv4_prefixes_of_all_lengths() -> None:
    body = update(b"\x08\x0a", b"\x40\x01\x01\x00", b"\x00\x20\x0a\x01\x02\x03\x19\x0a\x01\x02\x80\x10\xac\x10")
    announced = (pfx("0.0.0.0/0"), pfx("10.1.2.3/32"), pfx("10.1.2.128/25"), pfx("172.16.0.0/16"))
    assert parse_update(body) == Update(announced, (pfx("10.0.0.0/8"),))


def test_bits_after_a_prefix_mean_nothing() -> None:
    assert parse_update(update(nlri=b"\x09\x0a\xff")).announced == (pfx("10.128.0.0/9"),)


def test_ipv6_is_in_the_multiprotocol_attributes() -> None:
    nlri = b"\x20\x20\x01\x0d\xb8"
    reach = b"\x00\x02\x01\x10" + bytes(16) + b"\x00" + nlri
    unreach = b"\x00\x02\x01\x00"
    long = b"\x90\x0e" + struct.pack("!H", len(reach)) + reach
    short = b"\x80\x0f" + bytes([len(unreach)]) + unreach
    assert parse_update(update(attributes=long + short)) == Update((pfx("2001:db8::/32"),), (pfx("::/0"),))


def test_an_end_of_rib_is_empty() -> None:
    assert parse_update(update()) == Update((), ())
    assert parse_update(update(attributes=b"\x80\x0f\x03\x00\x02\x01")) == Update((), ())


@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        b"\x00\x05\x00",
        update(nlri=b"\x21\x0a\x00\x00\x00\x00"),
        update(nlri=b"\x18\x0a\x00"),
        update(attributes=b"\x40"),
        update(attributes=b"\x40\x01\x02\x00"),
        update(attributes=b"\x80\x0e\x02\x00\x02"),
        update(attributes=b"\x80\x0e\x05\x00\x02\x01\x10\x00"),
    ],
)
def test_an_update_that_contradicts_itself_is_refused(body: bytes) -> None:
    with pytest.raises(BgpError):
        parse_update(body)
