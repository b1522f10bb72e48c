"""The VICI protocol, bytes in and values out: packets on a stream, messages in packets.

Source: strongSwan, src/libcharon/plugins/vici/README.md. Rules of this file: no socket, no clock; whatever bytes come
in, the result is a value or a ``ViciError``, and nothing is kept beyond one packet.

Values are text: VICI carries bytes, and a peer's identity may hold any, so what is no UTF-8 is shown escaped.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rri_bgp.errors import ViciError

__all__ = [
    "MAX_PACKET",
    "Framer",
    "Message",
    "Packet",
    "PacketType",
    "decode_message",
    "encode_message",
    "encode_packet",
]

MAX_PACKET = 512 * 1024
"""Bytes in a packet, at most (vici_socket.h): charon drops a longer one, and so do we."""

Message = dict[str, "str | list[str] | Message"]
"""Sections are dictionaries, lists are lists of text, everything else is text. Order is kept."""


class PacketType(enum.IntEnum):
    """The first byte of a packet."""

    CMD_REQUEST = 0
    CMD_RESPONSE = 1
    CMD_UNKNOWN = 2
    EVENT_REGISTER = 3
    EVENT_UNREGISTER = 4
    EVENT_CONFIRM = 5
    EVENT_UNKNOWN = 6
    EVENT = 7


_NAMED = frozenset((PacketType.CMD_REQUEST, PacketType.EVENT_REGISTER, PacketType.EVENT_UNREGISTER, PacketType.EVENT))


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: ``name`` is the command or event where the type has one, ``payload`` an encoded message."""

    kind: PacketType
    name: str = ""
    payload: bytes = b""


def encode_packet(packet: Packet) -> bytes:
    """The packet on the wire, its length in front.

    Raises:
        ViciError: its name or the whole is too long.
    """
    body = bytes([packet.kind])
    if packet.kind in _NAMED:
        body += _counted(packet.name.encode(), 1, "packet name")
    body += packet.payload
    if len(body) > MAX_PACKET:
        raise ViciError(f"a packet of {len(body)} bytes is over the limit of {MAX_PACKET}")
    return struct.pack("!I", len(body)) + body


def _decode_packet(body: bytes) -> Packet:
    try:
        kind = PacketType(body[0])
    except ValueError:
        raise ViciError(f"unknown packet type {body[0]}") from None
    if kind not in _NAMED:
        return Packet(kind, payload=body[1:])
    end = 2 + body[1] if len(body) > 1 else len(body) + 1
    if end > len(body):
        raise ViciError("a packet ends within its name")
    return Packet(kind, body[2:end].decode(errors="backslashreplace"), body[end:])


class Framer:
    """Cuts a byte stream into packets; bytes may come in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Takes what came in and yields the packets that are complete.

        Raises:
            ViciError: the stream is no VICI; it cannot be read any further.
        """
        self._buffer += data
        while len(self._buffer) >= 4:
            (length,) = struct.unpack_from("!I", self._buffer)
            if not 1 <= length <= MAX_PACKET:
                raise ViciError(f"a packet of {length} bytes; allowed are 1 to {MAX_PACKET}")
            if len(self._buffer) < 4 + length:
                return
            body = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            yield _decode_packet(body)


class _Element(enum.IntEnum):
    SECTION_START = 1
    SECTION_END = 2
    KEY_VALUE = 3
    LIST_START = 4
    LIST_ITEM = 5
    LIST_END = 6


def encode_message(message: Message) -> bytes:
    """A message on the wire.

    Raises:
        ViciError: a name is longer than 255 bytes, or a value than 65,535.
    """
    parts: list[bytes] = []
    _encode_section(message, parts)
    return b"".join(parts)


def _encode_section(section: Message, parts: list[bytes]) -> None:
    for name, value in section.items():
        key = _counted(name.encode(), 1, "name")
        if isinstance(value, dict):
            parts.append(bytes([_Element.SECTION_START]) + key)
            _encode_section(value, parts)
            parts.append(bytes([_Element.SECTION_END]))
        elif isinstance(value, list):
            parts.append(bytes([_Element.LIST_START]) + key)
            parts += (bytes([_Element.LIST_ITEM]) + _counted(item.encode(), 2, "list item") for item in value)
            parts.append(bytes([_Element.LIST_END]))
        else:
            parts.append(bytes([_Element.KEY_VALUE]) + key + _counted(value.encode(), 2, "value"))


def _counted(data: bytes, width: int, what: str) -> bytes:
    if len(data) >= 1 << (8 * width):
        raise ViciError(f"a {what} of {len(data)} bytes is too long")
    return len(data).to_bytes(width, "big") + data


def decode_message(data: bytes) -> Message:
    """A message from the wire.

    Raises:
        ViciError: it is malformed: unknown elements, cut short, unbalanced sections or lists.
    """
    root: Message = {}
    section = root
    outer: list[Message] = []
    at, end = 0, len(data)
    try:
        while at < end:
            element = data[at]
            if element == _Element.SECTION_END and outer:
                section = outer.pop()
                at += 1
                continue
            name, at = _text(data, at + 1, 1)
            if element == _Element.KEY_VALUE:
                section[name], at = _text(data, at, 2)
            elif element == _Element.LIST_START:
                section[name], at = _list(data, at)
            elif element == _Element.SECTION_START:
                inner: Message = {}
                section[name] = inner
                outer.append(section)
                section = inner
            else:
                raise ViciError(f"element {element} where it cannot stand")
    except IndexError:
        raise ViciError("a message ends within an element") from None
    if outer:
        raise ViciError("a message ends within a section")
    return root


def _list(data: bytes, at: int) -> tuple[list[str], int]:
    """The items of the list whose elements begin at ``at``, and the place after its end."""
    items: list[str] = []
    while data[at] == _Element.LIST_ITEM:
        item, at = _text(data, at + 1, 2)
        items.append(item)
    if data[at] != _Element.LIST_END:
        raise ViciError(f"element {data[at]} within a list")
    return items, at + 1


def _text(data: bytes, at: int, width: int) -> tuple[str, int]:
    """The counted text at ``at``, and the place after it. IndexError where the data ends before it does."""
    length = data[at] if width == 1 else (data[at] << 8) + data[at + 1]
    start = at + width
    stop = start + length
    if stop > len(data):
        raise IndexError
    return data[start:stop].decode(errors="backslashreplace"), stop
