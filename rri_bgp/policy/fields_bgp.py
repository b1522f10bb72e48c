"""The kinds of values a policy file holds that are BGP's: communities of all sorts, route distinguishers, neighbours.

Rules of this file: those of ``fields``.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any

from pydantic import PlainValidator
from pydantic.json_schema import WithJsonSchema

from rri_bgp.model import Address
from rri_bgp.policy.fields import ADDRESS, did_you_mean, unicast, wrong
from rri_bgp.policy.yaml_text import show

__all__ = [
    "Community",
    "EntryName",
    "ExtendedCommunity",
    "LargeCommunity",
    "Neighbor",
    "NeighborTag",
    "OptionalDistinguisher",
    "RouteTarget",
]

_WELL_KNOWN = {
    "no-export": (0xFFFF, 0xFF01),
    "no-advertise": (0xFFFF, 0xFF02),
    "local-as": (0xFFFF, 0xFF03),
    "no-export-subconfed": (0xFFFF, 0xFF03),
}
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,9})\Z", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]{16}\Z", re.ASCII)
_ENTRY = re.compile(r"(\S{1,64}) ([1-9][0-9]{0,4})\Z")
_SUBTYPES = {"target": 0x02, "origin": 0x03}
_TWO_PARTS = '"A:B" with A an AS number or an IPv4 address'


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


def _administered(text: str) -> tuple[int, int] | None:
    """``A:B`` as (kind, 48 bits): kind 0 is a 2-byte AS and 32 bits, 1 an IPv4 address and 16, 2 a 4-byte AS and 16.

    The kinds are those of route distinguishers (RFC 4364 §4.2) and extended communities (RFC 4360 §3, RFC 5668).
    """
    if (numbers := _parts(text, (16, 32))) is not None:
        return 0, numbers[0] << 32 | numbers[1]
    if (numbers := _parts(text, (32, 16))) is not None:
        return 2, numbers[0] << 16 | numbers[1]
    left, _, right = text.partition(":")
    try:
        address = int(IPv4Address(left))
    except ValueError:
        return None
    numbers = _parts(right, (16,))
    return None if numbers is None else (1, address << 16 | numbers[0])


def _on_the_wire(kind: int, subtype: int, rest: int) -> int:
    return kind << 56 | subtype << 48 | rest


def _extended_community(value: object) -> int:
    if isinstance(value, str):
        if _HEX.match(value):
            return int(value, 16)
        name, _, text = value.partition(":")
        found = _administered(text)
        if name in _SUBTYPES and found is not None:
            return _on_the_wire(found[0], _SUBTYPES[name], found[1])
    hint = "" if isinstance(value, str) else 'write it in quotes: "target:65000:1"'
    what = (
        f'{show(value)} is no extended community; allowed: "target:A:B", "origin:A:B", "0x" and 16 hexadecimal digits'
    )
    raise wrong(what, hint)


def _route_target(value: object) -> int:
    found = _administered(value) if isinstance(value, str) else None
    if found is None:
        hint = "" if isinstance(value, str) else 'write it in quotes: "65000:1"'
        if isinstance(value, str) and value.startswith("target:"):
            hint = f'write it without "target:": "{value.removeprefix("target:")[:40]}"'
        raise wrong(f"{show(value)} is no route target; allowed: {_TWO_PARTS}", hint)
    return _on_the_wire(found[0], _SUBTYPES["target"], found[1])


def _distinguisher(value: object) -> str:
    if not isinstance(value, str) or _administered(value) is None:
        hint = "" if isinstance(value, str) else 'write it in quotes: "65000:1"'
        raise wrong(f"{show(value)} is no route distinguisher; allowed: {_TWO_PARTS}", hint)
    return value


def _neighbor(value: object) -> Address:
    return unicast(value, "the address of a BGP neighbor")


def _neighbor_tag(value: object) -> int | None:
    if value == "none":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value >> 32:
        raise wrong(f"{show(value)} is no tag; allowed: 0..4294967295, or `none` for routes without a tag")
    return value


def _entry_name(value: object) -> tuple[str, int]:
    found = _ENTRY.match(value) if isinstance(value, str) else None
    if found is None:
        raise wrong(f"{show(value)} names no entry; allowed: a map's name and a seq, as mymap 10")
    return found[1], int(found[2])


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


_COMMUNITY: dict[str, Any] = {"anyOf": [{"type": "string", "pattern": "^[0-9]+:[0-9]+$"}, {"enum": [*_WELL_KNOWN]}]}

Community = Annotated[tuple[int, int], PlainValidator(_community), WithJsonSchema(_COMMUNITY)]
LargeCommunity = Annotated[tuple[int, int, int], PlainValidator(_large_community), _text("^[0-9]+:[0-9]+:[0-9]+$")]
ExtendedCommunity = Annotated[
    int, PlainValidator(_extended_community), _text("^((target|origin):[0-9.]+:[0-9]+|0x[0-9a-fA-F]{16})$")
]
RouteTarget = Annotated[int, PlainValidator(_route_target), _text("^[0-9.]+:[0-9]+$")]
OptionalDistinguisher = Annotated[str | None, PlainValidator(_distinguisher), _text("^[0-9.]+:[0-9]+$")]
Neighbor = Annotated[IPv4Address | IPv6Address, PlainValidator(_neighbor), WithJsonSchema(ADDRESS)]
NeighborTag = Annotated[
    int | None,
    PlainValidator(_neighbor_tag),
    WithJsonSchema({"anyOf": [{"const": "none"}, {"type": "integer", "minimum": 0, "maximum": 0xFFFFFFFF}]}),
]
"""None is `none`: routes without a tag."""
EntryName = Annotated[tuple[str, int], PlainValidator(_entry_name), _text("^[^ ]+ [1-9][0-9]*$")]
