"""Traffic selectors as charon prints them: ``10.1.0.0/16``, ``10.1.0.17..10.1.0.20[tcp/ssh]``, ``dynamic[icmp/8(1)]``.

Source: strongSwan, src/libstrongswan/selectors/traffic_selector.c (print). A protocol or port is a number or, where the
system's tables have one, a name. What limits a selector is never lost: a name that this machine does not know is still
a limit, so it becomes a selector that is not whole.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from functools import lru_cache

from rri_bgp.addresses import read_number
from rri_bgp.errors import ViciError
from rri_bgp.model import ANY_PORT, TrafficSelector

__all__ = ["parse_selector"]

_FORM = re.compile(r"(?P<range>[0-9A-Fa-f.:/-]+|dynamic)(?:\[(?P<limit>[^\[\]]*)\])?\Z")
_UNKNOWN = 255
"""The protocol number that RFC 5237 leaves reserved: stands for a protocol whose name this machine does not know."""


@lru_cache(maxsize=4096)
def parse_selector(text: str) -> TrafficSelector | None:
    """A selector from its text; None for ``dynamic``, which has no addresses yet.

    Raises:
        ViciError: it is no selector.
    """
    form = _FORM.match(text)
    if form is None:
        raise ViciError(f"{text!r} is no traffic selector")
    addresses, limit = form["range"], form["limit"]
    if addresses == "dynamic":
        return None
    version, start, end = _addresses(addresses, text)
    protocol, ports = _limit(limit) if limit else (0, ANY_PORT)
    return TrafficSelector(version, start, end, protocol, ports)


def _addresses(text: str, whole: str) -> tuple[int, int, int]:
    try:
        low, dash, high = text.replace("..", "-").partition("-")
        if not dash:
            return _network(text)
        version, first = read_number(low)
        last_version, last = read_number(high)
    except ValueError as error:
        raise ViciError(f"{whole!r} is no traffic selector: {error}") from None
    if version != last_version or first > last:
        raise ViciError(f"{whole!r} is no traffic selector: its range is empty")
    return version, first, last


def _network(text: str) -> tuple[int, int, int]:
    address, slash, length = text.partition("/")
    version, number = read_number(address)
    bits = 32 if version == 4 else 128
    if not slash:
        return version, number, number
    if not (length.isascii() and length.isdigit() and len(length) < 4 and int(length) <= bits):
        raise ValueError(f"/{length} is no length of an IPv{version} prefix")
    hosts = (1 << bits - int(length)) - 1
    return version, number & ~hosts, number | hosts


def _limit(text: str) -> tuple[int, tuple[int, int]]:
    """``tcp/ssh``, ``tcp/21-22``, ``icmp/8(1)``, ``gre``, ``0/500``, ``tcp/OPAQUE``."""
    name, _, ports = text.partition("/")
    protocol = _number(name, socket.getprotobyname, _UNKNOWN, 255)
    if protocol in (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6) and ports:
        return protocol, _icmp(ports)
    low, dash, high = ports.partition("-")
    if not ports or ports == "OPAQUE":
        # Without a port a protocol alone limits; protocol 0 and no port never has brackets, so make it a limit too.
        return (protocol or _UNKNOWN, ANY_PORT)
    first = _number(low, socket.getservbyname, 1, 65535)
    last = _number(high, socket.getservbyname, first, 65535) if dash else first
    return protocol, (first, last)


def _icmp(text: str) -> tuple[int, int]:
    """ICMP type and code in the port field: type in the upper byte (RFC 4301 §4.4.1.1)."""
    found = re.fullmatch(r"(\d{1,3})(?:\((\d{1,3})\))?(?:-(\d{1,3})(?:\((\d{1,3})\))?)?", text)
    if found is None:
        return (0, 0)
    kind, code, last_kind, last_code = (None if part is None else min(int(part), 255) for part in found.groups())
    first = (kind or 0) * 256 + (code or 0)
    if last_kind is None:
        return (first, first if code is not None else (kind or 0) * 256 + 255)
    return (first, last_kind * 256 + (last_code if last_code is not None else 255))


def _number(text: str, look_up: Callable[[str], int], unknown: int, highest: int) -> int:
    if text.isascii() and text.isdigit():
        return min(int(text), highest)
    try:
        return look_up(text)
    except (OSError, ValueError, UnicodeError):
        return unknown
