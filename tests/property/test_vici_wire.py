"""Our VICI codec and strongSwan's own Python client say the same, both ways; garbage is a ``ViciError``, no more."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vici.protocol import FiniteStream
from vici.protocol import Message as TheirMessage
from vici.protocol import Packet as TheirPacket

from rri_bgp.errors import ViciError
from rri_bgp.sources.vici.wire import (
    Framer,
    Message,
    Packet,
    PacketType,
    decode_message,
    encode_message,
    encode_packet,
)

NAMES = st.text(st.characters(codec="utf-8"), max_size=12)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
MESSAGES: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(NAMES, st.one_of(TEXTS, st.lists(TEXTS, max_size=3)), max_size=4),
    lambda inner: st.dictionaries(NAMES, st.one_of(inner, TEXTS, st.lists(TEXTS, max_size=3)), max_size=4),
    max_leaves=8,
)
PACKETS = st.one_of(
    st.builds(
        Packet,
        st.sampled_from([PacketType.CMD_REQUEST, PacketType.EVENT_REGISTER, PacketType.EVENT]),
        st.text(st.characters(codec="ascii"), max_size=40),
        st.binary(max_size=100),
    ),
    st.builds(
        Packet,
        st.sampled_from([PacketType.CMD_RESPONSE, PacketType.CMD_UNKNOWN, PacketType.EVENT_CONFIRM]),
        st.just(""),
        st.binary(max_size=100),
    ),
)
ALMOST = st.lists(
    st.one_of(
        st.binary(max_size=6), st.sampled_from([b"\x01\x01a", b"\x02", b"\x03\x01k\0\1v", b"\x04\x01l", b"\x06"])
    ),
    max_size=12,
).map(b"".join)


def as_text(found: object) -> object:
    """Their values are bytes."""
    if isinstance(found, Mapping):
        return {key: as_text(value) for key, value in found.items()}
    if isinstance(found, list):
        return [as_text(item) for item in found]
    return found.decode() if isinstance(found, bytes) else found


@given(MESSAGES)
def test_a_message_is_the_same_bytes_as_theirs(message: Message) -> None:
    assert encode_message(message) == TheirMessage.serialize(message)


@given(MESSAGES)
def test_their_bytes_are_the_same_message_and_ours_to_them(message: Message) -> None:
    assert decode_message(TheirMessage.serialize(message)) == message
    assert as_text(TheirMessage.deserialize(FiniteStream(encode_message(message)))) == message


def test_the_longest_value_and_name_and_what_is_longer() -> None:
    longest: Message = {"n" * 255: "v" * 65535}
    assert decode_message(TheirMessage.serialize(longest)) == longest
    assert encode_message(longest) == TheirMessage.serialize(longest)
    too_longs: list[Message] = [{"n" * 256: ""}, {"n": "v" * 65536}]
    for too_long in too_longs:
        with pytest.raises(ViciError):
            encode_message(too_long)


@given(st.sampled_from(["list-sas", "x" * 255]), MESSAGES)
def test_a_request_is_the_same_packet_as_theirs(name: str, message: Message) -> None:
    theirs = TheirPacket.request(name, TheirMessage.serialize(message))
    ours = encode_packet(Packet(PacketType.CMD_REQUEST, name, encode_message(message)))
    assert ours == len(theirs).to_bytes(4, "big") + theirs


@given(st.lists(PACKETS, max_size=5), st.lists(st.integers(0, 600), max_size=8))
def test_packets_do_not_depend_on_how_the_bytes_came(packets: list[Packet], cuts: list[int]) -> None:
    data = b"".join(map(encode_packet, packets))
    for edges in ([0, *sorted(cuts), len(data)], range(len(data) + 1)):
        framer = Framer()
        pieces = (data[start:end] for start, end in itertools.pairwise(edges))
        assert [packet for piece in pieces for packet in framer.feed(piece)] == packets


@given(st.one_of(st.binary(max_size=200), ALMOST))
def test_garbage_is_a_vici_error_or_a_message(data: bytes) -> None:
    with contextlib.suppress(ViciError):
        decode_message(data)


@given(st.one_of(st.binary(max_size=200), ALMOST.map(lambda body: len(body).to_bytes(4, "big") + body)))
def test_garbage_on_the_stream_is_a_vici_error_or_packets(data: bytes) -> None:
    with contextlib.suppress(ViciError):
        list(Framer().feed(data))
