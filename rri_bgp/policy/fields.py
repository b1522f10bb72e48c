"""The kinds of values a policy file holds: addresses, next hops, communities, paths, names.

Rules of this file: a validator takes plain data and returns the checked value, or raises ``wrong(...)``, whose text
says what is wrong and what is allowed. Nothing here looks at another field.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainValidator
from pydantic_core import PydanticCustomError

from rri_bgp.model import Address
from rri_bgp.policy.yaml_text import show

__all__ = [
    "Community",
    "EntryNextHop",
    "Glob",
    "LargeCommunity",
    "LocalNextHop",
    "Name",
    "OptionalPath",
    "OptionalSocketPath",
    "OptionalWhole32",
    "Peers",
    "SocketPath",
    "Tag",
    "did_you_mean",
    "not_supported",
    "wrong",
]

_MAX_NAME = 64
_MAX_SOCKET = 107  # sockaddr_un.sun_path without its closing zero
_WELL_KNOWN = {
    "no-export": (0xFFFF, 0xFF01),
    "no-advertise": (0xFFFF, 0xFF02),
    "local-as": (0xFFFF, 0xFF03),
    "no-export-subconfed": (0xFFFF, 0xFF03),
}
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,9})\Z", re.ASCII)


def wrong(what: str, hint: str = "") -> PydanticCustomError:
    """The error for a value that is not allowed."""
    return PydanticCustomError("policy", "{what}", {"what": what, "hint": hint})


def did_you_mean(word: object, allowed: Iterable[str]) -> str:
    """A hint with the closest allowed word, empty where none is close."""
    close = difflib.get_close_matches(str(word)[:_MAX_NAME], list(allowed), n=1)
    return f"did you mean `{close[0]}`?" if close else ""


def not_supported(key: str, belongs_to: str) -> tuple[str, str]:
    """What is wrong, and a hint, for a key of a rule that is not built yet."""
    return f"`{key}` is not supported yet", f"it belongs to {belongs_to}"


def _address(value: object) -> Address:
    if not isinstance(value, str):
        raise wrong(f"{show(value)} is no IP address; allowed: one IPv4 or IPv6 address")
    try:
        address = ip_address(value)
    except ValueError:
        hint = "write the address without the prefix length" if re.search(r"/[0-9]+\Z", value) else ""
        raise wrong(f"{show(value)} is no IP address; allowed: one IPv4 or IPv6 address", hint) from None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise wrong(f"{show(value)} has a zone; allowed: an address without `%`")
        if address.ipv4_mapped is not None:
            raise wrong(f"{show(value)} is an IPv4-mapped address; allowed: {address.ipv4_mapped}")
    return address


def _peer(value: object) -> Address:
    address = _address(value)
    if address.is_unspecified:
        raise wrong(
            f"{address} is unspecified; allowed: the unicast address of a peer",
            "for peers whose addresses are not known use `type: dynamic` without set-peer",
        )
    if address.is_multicast or address == IPv4Address("255.255.255.255"):
        raise wrong(f"{address} is not unicast; allowed: the unicast address of a peer")
    return address


def _hop(value: object) -> Address:
    address = _address(value)
    kinds = {
        "unspecified": address.is_unspecified,
        "a multicast address": address.is_multicast,
        "a loopback address": address.is_loopback,
        "link-local": address.is_link_local,
        "the broadcast address": address == IPv4Address("255.255.255.255"),
    }
    for kind, holds in kinds.items():
        if holds:
            raise wrong(f"{address} is {kind}; allowed: a unicast address that upstream routers can reach")
    return address


def _listed(value: object) -> list[object]:
    """One address, or a list of them: the latter in either case."""
    if not isinstance(value, str | list) or not value:
        raise wrong(f"{show(value)} is not allowed here; allowed: an IP address, or a list of at least one")
    return [value] if isinstance(value, str) else value


def _one_per_family(hops: list[Address]) -> list[Address]:
    if len({hop.version for hop in hops}) < len(hops):
        raise wrong("two addresses of the same family; allowed: at most one IPv4 and one IPv6 address")
    return hops


def _entry_hops(value: object) -> list[object] | None:
    if value == "self":
        return None
    if value == "peer":
        raise wrong(*not_supported("next-hop: peer", "next hops upstream (rule N9)"))
    if not isinstance(value, str | list) or not value:
        raise wrong(f"{show(value)} is no next hop; allowed: `self`, an address, or a list of at most one per family")
    return _listed(value)


def _parts(value: str, bits: tuple[int, ...]) -> tuple[int, ...] | None:
    parts = value.split(":")
    if len(parts) != len(bits) or not all(_NUMBER.match(part) for part in parts):
        return None
    numbers = tuple(int(part) for part in parts)
    return numbers if all(number >> size == 0 for number, size in zip(numbers, bits, strict=True)) else None


def _community(value: object) -> tuple[int, int]:
    if isinstance(value, str):
        if value in _WELL_KNOWN:
            return _WELL_KNOWN[value]
        numbers = _parts(value, (16, 16))
        if numbers is not None:
            return numbers[0], numbers[1]
        hint = did_you_mean(value, _WELL_KNOWN)
        if _parts(value, (32, 32)) is not None:
            hint = "numbers over 65535 need a large community: large-communities"
    else:
        hint = 'write it in quotes: "65000:100"'
    names = ", ".join(_WELL_KNOWN)
    raise wrong(f'{show(value)} is no community; allowed: "0..65535:0..65535", {names}', hint)


def _large_community(value: object) -> tuple[int, int, int]:
    numbers = _parts(value, (32, 32, 32)) if isinstance(value, str) else None
    if numbers is None:
        what = f'{show(value)} is no large community; allowed: "A:B:C", each 0..4294967295'
        raise wrong(what, "" if isinstance(value, str) else 'write it in quotes: "65000:1:100"')
    return numbers[0], numbers[1], numbers[2]


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise wrong(f"{show(value)} is no file name; allowed: a path")
    return Path(value)


def _socket(value: object) -> Path:
    path = _path(value)
    if not path.is_absolute():
        raise wrong(f"{show(value)} is a relative path; allowed: an absolute path, as /run/charon.vici")
    if len(str(path).encode()) > _MAX_SOCKET:
        raise wrong(f"the path is too long for a Unix socket; allowed: {_MAX_SOCKET} bytes")
    return path


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"{show(value)} is no name; allowed: text without spaces", "write it in quotes")
    if not value or len(value) > _MAX_NAME or not value.isprintable() or " " in value:
        raise wrong(f"{show(value)} is no name; allowed: 1 to {_MAX_NAME} printable characters without spaces")
    return value


def _glob(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"{show(value)} is no name pattern; allowed: text, `*` and `?` as in a shell", "write it in quotes")
    if not value or not value.isprintable():
        raise wrong(f"{show(value)} matches no name; allowed: text, `*` and `?` as in a shell")
    return value


def _whole32(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value >> 32:
        hint = "write it without quotes" if isinstance(value, str) and value.isdecimal() else ""
        raise wrong(f"{show(value)} is not allowed here; allowed: a whole number, 0..4294967295", hint)
    return value


_Peer = Annotated[IPv4Address | IPv6Address, PlainValidator(_peer)]
_Hop = Annotated[IPv4Address | IPv6Address, PlainValidator(_hop)]
Peers = Annotated[list[_Peer] | None, BeforeValidator(_listed)]
"""None only where the key is absent."""
LocalNextHop = Annotated[list[_Hop], AfterValidator(_one_per_family), BeforeValidator(_listed)]
EntryNextHop = Annotated[Annotated[list[_Hop], AfterValidator(_one_per_family)] | None, BeforeValidator(_entry_hops)]
"""None is ``self``."""
Community = Annotated[tuple[int, int], PlainValidator(_community)]
LargeCommunity = Annotated[tuple[int, int, int], PlainValidator(_large_community)]
OptionalPath = Annotated[Path | None, PlainValidator(_path)]
SocketPath = Annotated[Path, PlainValidator(_socket)]
OptionalSocketPath = Annotated[Path | None, PlainValidator(_socket)]
Name = Annotated[str, PlainValidator(_name)]
Glob = Annotated[str, PlainValidator(_glob)]
Tag = Annotated[int, PlainValidator(_whole32)]
OptionalWhole32 = Annotated[int | None, PlainValidator(_whole32)]
"""None only where the key is absent, as for ``OptionalPath``."""
