"""IP addresses from text, many at a time: a snapshot of a large hub has hundreds of thousands of them.

The C library reads an address in a tenth of the time that ``ipaddress`` needs, and is as strict.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, inet_pton

from rri_bgp.model import Address

__all__ = ["read_address", "read_number"]


def read_number(text: str) -> tuple[int, int]:
    """IP version and address as an integer.

    Raises:
        ValueError: it is no address; a zone is not allowed either.
    """
    version, family = (6, AF_INET6) if ":" in text else (4, AF_INET)
    try:
        return version, int.from_bytes(inet_pton(family, text))
    except (OSError, ValueError):  # ValueError: a zero byte, or text that is not ASCII
        raise ValueError(f"{text[:64]!r} is no IP address") from None


def read_address(text: str) -> Address:
    """An address. Raises as ``read_number`` does."""
    version, number = read_number(text)
    return IPv4Address(number) if version == 4 else IPv6Address(number)
