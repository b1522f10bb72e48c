"""Writes NETLINK_XFRM messages as the kernel does: the other side of ``sources/xfrm/wire.py``, for tests."""

from __future__ import annotations

import struct
from ipaddress import ip_address, ip_network

__all__ = ["aead", "as_request", "attribute", "datagram", "message", "template", "userpolicy", "usersa", "usersa_id"]

ALGORITHM = 18  # XFRMA_ALG_AEAD


def message(kind: int, body: bytes, *attributes: bytes) -> bytes:
    """A netlink message, padded."""
    payload = _padded(body) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(payload), kind, 0, 77, 806) + _padded(payload)


def datagram(*messages: bytes) -> bytes:
    """What one recv gives."""
    return b"".join(messages)


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded."""
    return _padded(struct.pack("=HH", 4 + len(value), kind) + value)


def as_request(message: bytes) -> bytes:
    """What one sends to the kernel to have it so, without an answer where it obeys."""
    return message[:6] + struct.pack("=H", 1) + message[8:]


def aead(key: bytes) -> bytes:
    """The attribute of AES-GCM with this key and its salt."""
    name = b"rfc4106(gcm(aes))".ljust(64, b"\0")
    return attribute(ALGORITHM, name + struct.pack("=II", 8 * len(key), 128) + key)


def usersa(source: str, destination: str, spi: int, *, reqid: int = 7, mode: int = 1, protocol: int = 50) -> bytes:
    """xfrm_usersa_info of a tunnel: its selector is all zero."""
    address = ip_address(destination)
    family = 2 if address.version == 4 else 10
    head = bytes(56) + _address(destination) + spi.to_bytes(4, "big") + bytes([protocol, 0, 0, 0]) + _address(source)
    return head + bytes(112) + struct.pack("=IHBBB", reqid, family, mode, 0, 0x20) + bytes(7)


def usersa_id(destination: str, spi: int, protocol: int = 50) -> bytes:
    """xfrm_usersa_id."""
    family = 2 if ip_address(destination).version == 4 else 10
    return _address(destination) + spi.to_bytes(4, "big") + struct.pack("=HBx", family, protocol)


def userpolicy(
    direction: int, source: str, destination: str, *, action: int = 0, protocol: int = 0, port: int | None = None
) -> bytes:
    """xfrm_userpolicy_info; ``port`` is the destination's."""
    outer, inner = ip_network(destination), ip_network(source)
    family = 2 if outer.version == 4 else 10
    ports = struct.pack("!4H", port or 0, 0xFFFF if port is not None else 0, 0, 0)
    lengths = struct.pack("=HBBB", family, outer.prefixlen, inner.prefixlen, protocol)
    selector = _address(str(outer.network_address)) + _address(str(inner.network_address)) + ports + lengths + bytes(11)
    return selector + bytes(96) + struct.pack("=IIBB", 375423, 0, direction, action) + bytes(6)


def template(
    source: str, destination: str, *, spi: int = 0, reqid: int = 7, mode: int = 1, protocol: int = 50
) -> bytes:
    """xfrm_user_tmpl."""
    family = 2 if ip_address(destination).version == 4 else 10
    head = _address(destination) + spi.to_bytes(4, "big") + bytes([protocol, 0, 0, 0]) + struct.pack("=HH", family, 0)
    return head + _address(source) + struct.pack("=IB", reqid, mode) + bytes(15)


def _address(text: str) -> bytes:
    return ip_address(text).packed.ljust(16, b"\0")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
