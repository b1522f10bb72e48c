"""The numbers by which the kernel tells routing tables, and those who put routes there, apart.

Rules of this file: those of ``fields``.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeGuard

from pydantic import BeforeValidator, PlainValidator
from pydantic.json_schema import WithJsonSchema

from rri_bgp.policy.fields import did_you_mean, wrong
from rri_bgp.policy.yaml_text import show
from rri_bgp.protocols import OWNERS

__all__ = [
    "MAIN",
    "MAX_TABLE",
    "OF_HAND_OFF",
    "OF_PROTOCOL",
    "OF_SINK",
    "HandOffTable",
    "RouteProtocol",
    "SinkTable",
    "VrfTable",
]

MAIN = 254
"""RT_TABLE_MAIN (linux/rtnetlink.h)."""
MAX_TABLE = 4294967295
_TABLES = {0: "unspecified", 253: "default", MAIN: "main", 255: "local"}
OF_SINK = f"main, or a whole number, 1..{MAX_TABLE}"
OF_HAND_OFF = f"a whole number, 1..{MAX_TABLE}"
OF_PROTOCOL = "a whole number, 1..255, that is nobody else's"
"""What is allowed at the keys."""


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _vrf_table(value: object) -> object:
    if _is_number(value) and value in _TABLES:
        what = f"table {value} is the kernel's {_TABLES[value]} table; allowed: the table of a VRF, 1..{MAX_TABLE}"
        raise wrong(what)
    return value


def _hand_off_table(value: object) -> object:
    if _is_number(value) and value in _TABLES:
        raise wrong(f"table {value} is the kernel's {_TABLES[value]} table; allowed: one of its own, 1..{MAX_TABLE}")
    return value


def _sink_table(value: object) -> int:
    if value == "main":
        return MAIN
    if not _is_number(value) or not 0 <= value <= MAX_TABLE:
        is_quoted = isinstance(value, str) and value.isdecimal()
        hint = "write it without quotes" if is_quoted else did_you_mean(value, ["main"])
        raise wrong(f"{show(value)} is no table; allowed: {OF_SINK}", hint)
    if value in _TABLES and value != MAIN:
        raise wrong(f"table {value} is the kernel's {_TABLES[value]} table; allowed: {OF_SINK}")
    return value


def _protocol(value: object) -> object:
    if _is_number(value) and value in OWNERS:
        owner = OWNERS[value]
        hint = "FRR removes all routes that have a number of its own when it starts" if owner.startswith("FRR") else ""
        raise wrong(f"protocol {value} belongs to {owner}; allowed: {OF_PROTOCOL}, as 82", hint)
    return value


_SINK_TABLE: dict[str, Any] = {"anyOf": [{"const": "main"}, {"type": "integer", "minimum": 1, "maximum": MAX_TABLE}]}
VrfTable = Annotated[int, BeforeValidator(_vrf_table)]
HandOffTable = Annotated[int, BeforeValidator(_hand_off_table)]
SinkTable = Annotated[int, PlainValidator(_sink_table), WithJsonSchema(_SINK_TABLE)]
RouteProtocol = Annotated[int, BeforeValidator(_protocol)]
