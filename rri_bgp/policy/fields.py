"""The kinds of values a policy file holds, but for those of BGP and of access lists: names, numbers, paths, addresses.

Rules of this file: a validator takes plain data and returns the checked value, or raises ``wrong(...)``, whose text
says what is wrong and what is allowed. Nothing here looks at another field. Beside each validator stands what JSON
Schema can say of the value: no more than is true, so that the schema refuses nothing that a policy may hold.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainValidator
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from rri_bgp.model import Address
from rri_bgp.policy.yaml_text import show

__all__ = [
    "ADDRESS",
    "AbsolutePath",
    "EntryNextHop",
    "Given",
    "Glob",
    "LocalNextHop",
    "Name",
    "OptionalAddress",
    "OptionalMark",
    "OptionalName",
    "OptionalPath",
    "OptionalSocketPath",
    "OptionalWhole32",
    "Peers",
    "SchemaOf",
    "SocketPath",
    "Tag",
    "VirtualAddresses",
    "did_you_mean",
    "one_or_more",
    "unicast",
    "wrong",
]

_MAX_NAME = 64
_MAX_SOCKET = 107  # sockaddr_un.sun_path without its closing zero
_MAX_HOST_NAME = 253
_MASK32 = 0xFFFFFFFF
_BROADCAST = IPv4Address("255.255.255.255")
_WHOLE = re.compile(r"(?:0|[1-9][0-9]{0,9}|0[xX][0-9a-fA-F]{1,8})\Z", re.ASCII)
# RFC 1123 §2.1: the last label is not all digits, so that no mistyped address is taken for a name.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}\Z", re.ASCII)

ADDRESS: dict[str, Any] = {"type": "string", "pattern": "^[0-9A-Fa-f:.]+$"}
"""An address to JSON Schema."""
_NAME = {"type": "string", "minLength": 1, "maxLength": _MAX_NAME, "pattern": "^[^ ]+$"}
_TEXT = {"type": "string", "minLength": 1}
_WHOLE32 = {"type": "integer", "minimum": 0, "maximum": _MASK32}


class SchemaOf:
    """What JSON Schema says of a field where pydantic, which does not see into validators, would say less.

    It is these alternatives, and the field's own mapping too where ``own`` is set.
    """

    def __init__(self, *alternatives: dict[str, Any], own: bool = False) -> None:
        self._alternatives = alternatives
        self._own = own

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Called by pydantic."""
        own = [_without_null(handler(core))] if self._own else []
        found = [*self._alternatives, *own]
        return found[0] if len(found) == 1 else {"anyOf": found}


class Given:
    """For a key whose default is None: where it is written, it has a value."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Called by pydantic."""
        return core_schema.no_info_before_validator_function(_given, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Called by pydantic."""
        return _without_null(handler(core))


def _without_null(schema: JsonSchemaValue) -> JsonSchemaValue:
    found = [one for one in schema.get("anyOf", [schema]) if one != {"type": "null"}]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _given(value: object) -> object:
    if value is None:
        raise PydanticCustomError("nothing", "nothing is given")
    return value


def one_or_more(item: dict[str, Any]) -> dict[str, Any]:
    """To JSON Schema: one value, or a list of at least one."""
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


def wrong(what: str, hint: str = "", offset: int | None = None) -> PydanticCustomError:
    """The error for a value that is not allowed; ``offset`` is that of the word in the text that is wrong."""
    return PydanticCustomError("policy", "{what}", {"what": what, "hint": hint, "offset": offset})


def did_you_mean(word: object, allowed: Iterable[str]) -> str:
    """A hint with the closest allowed word, harmless on a terminal; empty where none is close."""
    close = difflib.get_close_matches(str(word)[:_MAX_NAME], list(allowed), n=1)
    return f"did you mean `{show(close[0], _MAX_NAME)[1:-1]}`?" if close else ""


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


def _peer(value: object) -> Address | str:
    """An address, or a host name, which stays text."""
    if isinstance(value, str) and re.search(r"[A-Za-z]", value) and ":" not in value and "/" not in value:
        if len(value) > _MAX_HOST_NAME or not _HOST_NAME.match(value):
            what = f"{show(value)} is no host name (RFC 1123); allowed: an IP address, or a name as hub.example.org"
            raise wrong(what)
        return value
    address = _address(value)
    if address.is_unspecified:
        raise wrong(
            f"{address} is unspecified; allowed: the unicast address of a peer",
            "for peers whose addresses are not known use `type: dynamic` without set-peer",
        )
    if address.is_multicast or address == _BROADCAST:
        raise wrong(f"{address} is not unicast; allowed: the unicast address of a peer")
    return address


def unicast(value: object, allowed: str = "a unicast address that upstream routers can reach") -> Address:
    """A unicast address that has a meaning beyond this machine and this link."""
    address = _address(value)
    kinds = {
        "unspecified": address.is_unspecified,
        "a multicast address": address.is_multicast,
        "a loopback address": address.is_loopback,
        "link-local": address.is_link_local,
        "the broadcast address": address == _BROADCAST,
    }
    for kind, holds in kinds.items():
        if holds:
            raise wrong(f"{address} is {kind}; allowed: {allowed}")
    return address


def _listed(value: object) -> list[object]:
    """One address, or a list of them: the latter in either case."""
    if not isinstance(value, str | list) or not value:
        raise wrong(f"{show(value)} is not allowed here; allowed: an IP address, or a list of at least one")
    return [value] if isinstance(value, str) else value


def _listed_peers(value: object) -> list[object]:
    if not isinstance(value, str | list) or not value:
        what = f"{show(value)} is not allowed here; allowed: an IP address or host name, or a list of at least one"
        raise wrong(what)
    return [value] if isinstance(value, str) else value


def _one_per_family(hops: list[Address]) -> list[Address]:
    if len({hop.version for hop in hops}) < len(hops):
        raise wrong("two addresses of the same family; allowed: at most one IPv4 and one IPv6 address")
    return hops


def _entry_hops(value: object) -> list[object] | None:
    if value == "self":
        return None
    if value == "peer":
        return []
    if not isinstance(value, str | list) or not value:
        what = f"{show(value)} is no next hop; allowed: self, peer, an address, or a list of at most one per family"
        raise wrong(what)
    if isinstance(value, str) and value.isalpha():
        what = f"{show(value)} is no next hop; allowed: self, peer, an address, or a list of at most one per family"
        raise wrong(what, did_you_mean(value, ("self", "peer")))
    return [value] if isinstance(value, str) else value


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


def _absolute(value: object) -> Path:
    path = _path(value)
    if not path.is_absolute():
        raise wrong(f"{show(value)} is a relative path; allowed: an absolute path, as /run/keepalived.fifo")
    return path


def _quotes(value: object) -> str:
    """A hint for what YAML does not take for text."""
    return "" if value is None or isinstance(value, dict | list) else "write it in quotes"


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"{show(value)} is no name; allowed: text without spaces", _quotes(value))
    if not value or len(value) > _MAX_NAME or not value.isprintable() or " " in value:
        raise wrong(f"{show(value)} is no name; allowed: 1 to {_MAX_NAME} printable characters without spaces")
    return value


def _glob(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"{show(value)} is no name pattern; allowed: text, `*` and `?` as in a shell", _quotes(value))
    if not value or not value.isprintable():
        raise wrong(f"{show(value)} matches no name; allowed: text, `*` and `?` as in a shell")
    return value


def _whole32(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value >> 32:
        hint = "write it without quotes" if isinstance(value, str) and value.isdecimal() else ""
        raise wrong(f"{show(value)} is not allowed here; allowed: a whole number, 0..4294967295", hint)
    return value


def _mark(value: object) -> tuple[int, int]:
    """``VALUE`` or ``VALUE/MASK``, as `ip xfrm` writes marks; without a mask all bits count."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    number, slash, mask = text.partition("/") if isinstance(text, str) else ("", "", "")
    numbers = [int(part, 0) for part in (number, mask if slash else hex(_MASK32)) if _WHOLE.match(part)]
    if len(numbers) != 2 or max(numbers) > _MASK32:
        raise wrong(f"{show(value)} is no mark; allowed: VALUE or VALUE/MASK, each 32 bits, as 0x10/0xff")
    if numbers[0] & ~numbers[1]:
        raise wrong(f"{show(value)} fits no mark: the value has bits outside the mask; allowed: a value within it")
    return numbers[0], numbers[1]


_Peer = Annotated[IPv4Address | IPv6Address | str, PlainValidator(_peer)]
_Hop = Annotated[IPv4Address | IPv6Address, PlainValidator(unicast)]
_Hops = Annotated[list[_Hop], AfterValidator(_one_per_family)]


Peers = Annotated[list[_Peer] | None, BeforeValidator(_listed_peers), SchemaOf(one_or_more(_TEXT))]
"""None only where the key is absent."""
LocalNextHop = Annotated[_Hops, BeforeValidator(_listed), SchemaOf(one_or_more(ADDRESS))]
VirtualAddresses = Annotated[_Hops, BeforeValidator(_listed), SchemaOf(one_or_more(ADDRESS))]
EntryNextHop = Annotated[
    _Hops | None, BeforeValidator(_entry_hops), SchemaOf({"enum": ["self", "peer"]}, one_or_more(ADDRESS))
]
"""None is ``self``, and no address at all is ``peer``."""
OptionalAddress = Annotated[IPv4Address | IPv6Address | None, PlainValidator(unicast), WithJsonSchema(ADDRESS)]
OptionalPath = Annotated[Path | None, PlainValidator(_path), WithJsonSchema(_TEXT)]
SocketPath = Annotated[Path, PlainValidator(_socket), WithJsonSchema({"type": "string", "pattern": "^/"})]
AbsolutePath = Annotated[Path, PlainValidator(_absolute), WithJsonSchema({"type": "string", "pattern": "^/"})]
OptionalSocketPath = Annotated[
    Path | None, PlainValidator(_socket), WithJsonSchema({"type": "string", "pattern": "^/"})
]
Name = Annotated[str, PlainValidator(_name), WithJsonSchema(_NAME)]
OptionalName = Annotated[str | None, PlainValidator(_name), WithJsonSchema(_NAME)]
Glob = Annotated[str, PlainValidator(_glob), WithJsonSchema(_TEXT)]
Tag = Annotated[int, PlainValidator(_whole32), WithJsonSchema(_WHOLE32)]
OptionalWhole32 = Annotated[int | None, PlainValidator(_whole32), WithJsonSchema(_WHOLE32)]
"""None only where the key is absent, as for the other optional ones."""
OptionalMark = Annotated[tuple[int, int] | None, PlainValidator(_mark), WithJsonSchema({"type": ["integer", "string"]})]
