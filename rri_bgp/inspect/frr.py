"""FRR's JSON in, values out: its BGP table and what zebra made of it.

Rules of this file: pure, no I/O. Seen on FRR 10.3; a shape that is not FRR's is one ``UnreachableError`` that says
where it was found, never a ``KeyError``. What FRR leaves out where it is false (``bestpath``, ``selected``,
``installed``, ``fib``) is false.

The whole-table form without ``detail`` has no communities, and that is why ``BGP_COMMANDS`` says ``detail``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, NamedTuple, TypeVar

from rri_bgp.errors import UnreachableError
from rri_bgp.model import Address, FlowRule, Prefix

__all__ = [
    "BGP_COMMANDS",
    "ROUTE_COMMANDS",
    "SESSIONS_COMMAND",
    "VPN_COMMANDS",
    "Key",
    "Sessions",
    "UpstreamPath",
    "UpstreamRoute",
    "UpstreamTable",
    "VpnPrefix",
    "parse_paths",
    "parse_routes",
    "parse_sessions",
    "parse_vpn_paths",
]

BGP_COMMANDS = ("show bgp ipv4 unicast detail json", "show bgp ipv6 unicast detail json")
"""The BGP table, one command a family: for ``parse_paths``."""

VPN_COMMANDS = ("show bgp ipv4 vpn detail json", "show bgp ipv6 vpn detail json")
"""The VPN table, one command a family: for ``parse_vpn_paths``."""

SESSIONS_COMMAND = "show bgp summary json"
"""Which neighbors there are, for which families: for ``parse_sessions``."""

ROUTE_COMMANDS = ("show ip route bgp json", "show ipv6 route bgp json")
"""zebra's BGP routes, one command a family: for ``parse_routes``."""

# RFC 1997 and IANA's registry, by the names of both of FRR's spellings (noExport in a list, no-export in a string).
_WELL_KNOWN = {
    "gracefulshutdown": 0,
    "acceptown": 1,
    "routefiltertranslatedv4": 2,
    "routefilterv4": 3,
    "routefiltertranslatedv6": 4,
    "routefilterv6": 5,
    "llgrstale": 6,
    "nollgr": 7,
    "acceptownnexthop": 8,
    "blackhole": 666,
    "noexport": 65281,
    "noadvertise": 65282,
    "localas": 65283,
    "nopeer": 65284,
}

_Value = TypeVar("_Value")


class VpnPrefix(NamedTuple):
    """A prefix under a route distinguisher (RFC 4364 §4.1), ``rd`` as FRR writes it."""

    rd: str
    prefix: Prefix

    def __str__(self) -> str:
        return f"{self.prefix} RD {self.rd}"


Key = Prefix | VpnPrefix | FlowRule
"""What a path is for."""


@dataclass(frozen=True, slots=True)
class UpstreamPath:
    """A path in the upstream's BGP table, as its policy left it.

    ``peer`` is the neighbor that sent it (0.0.0.0 or :: for the router's own). ``next_hop`` is the global address where
    there is a link-local one too. ``aliases`` are communities that FRR shows under a name its operator gave them
    (``bgp community alias``): their numbers are not known. ``med`` is None where none came. ``extended`` are the
    extended communities in FRR's words (``RT:65000:1``).
    """

    prefix: Key
    peer: Address
    next_hop: Address
    communities: tuple[tuple[int, int], ...] = ()
    large_communities: tuple[tuple[int, int, int], ...] = ()
    best: bool = False
    valid: bool = False
    aliases: tuple[str, ...] = ()
    med: int | None = None
    extended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpstreamRoute:
    """zebra's BGP route for a prefix.

    ``installed``: it is in the FIB, and its next hop resolves to ``next_hops``: the addresses packets leave by, which
    are not BGP's next hop where that one is reached through another router. Empty where it is not installed, or where
    the next hop is an interface.
    """

    prefix: Prefix
    installed: bool
    next_hops: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Sessions:
    """An upstream's neighbors: all of them, and those that may send VPN routes and flow rules."""

    every: frozenset[Address] = frozenset()
    vpn: frozenset[Address] = frozenset()
    flows: frozenset[Address] = frozenset()


@dataclass(frozen=True, slots=True)
class UpstreamTable:
    """All that an upstream has, both families: BGP paths (at least one a prefix) and zebra's BGP routes.

    ``flows`` are the next hops of flow rules; FRR does not say who sent one.
    """

    paths: Mapping[Key, tuple[UpstreamPath, ...]]
    routes: Mapping[Prefix, UpstreamRoute]
    sessions: Sessions = field(default_factory=Sessions)
    flows: Mapping[FlowRule, Address] = field(default_factory=dict)


def parse_paths(text: str, where: str = "upstream") -> dict[Key, tuple[UpstreamPath, ...]]:
    """What one of ``BGP_COMMANDS`` printed; ``where`` is for the error.

    Raises:
        UnreachableError: it is not JSON, not FRR's shape, or FRR's warning that there is no BGP.
    """
    return _read(text, where, _paths)


def parse_vpn_paths(text: str, where: str = "upstream") -> dict[Key, tuple[UpstreamPath, ...]]:
    """What one of ``VPN_COMMANDS`` printed; ``where`` is for the error.

    Raises:
        UnreachableError: it is not JSON, or not FRR's shape.
    """
    return _read(text, where, _vpn_paths)


def parse_sessions(text: str, where: str = "upstream") -> Sessions:
    """What ``SESSIONS_COMMAND`` printed; ``where`` is for the error.

    Raises:
        UnreachableError: it is not JSON, or not FRR's shape.
    """
    return _read(text, where, _sessions)


def parse_routes(text: str, where: str = "upstream") -> dict[Prefix, UpstreamRoute]:
    """What one of ``ROUTE_COMMANDS`` printed; ``where`` is for the error.

    Raises:
        UnreachableError: it is not JSON, or not FRR's shape.
    """
    return _read(text, where, _routes)


def _read(text: str, where: str, parse: Callable[[Any], _Value]) -> _Value:
    try:
        answer = json.loads(text)
    except ValueError:
        raise UnreachableError(f"vtysh printed no JSON: {_excerpt(text)}", where=where) from None
    if isinstance(answer, dict) and isinstance(answer.get("warning"), str):
        hint = "the router needs a `router bgp` in its default VRF"
        raise UnreachableError(f"FRR says: {answer['warning']}", where=where, hint=hint)
    try:
        return parse(answer)
    except ValueError as error:  # ours, and those of ip_address and Prefix.parse
        hint = "this reads FRR 10's JSON; `vtysh -c 'show version'` says which one it is"
        raise UnreachableError(f"not the JSON that FRR prints: {error}", where=where, hint=hint) from None


def _excerpt(text: str) -> str:
    lines = text.strip().splitlines()
    return repr(lines[0][:80]) if lines else "nothing at all"


# -- the BGP table ---------------------------------------------------------------------------------------------------


def _paths(answer: Any) -> dict[Key, tuple[UpstreamPath, ...]]:  # noqa: ANN401  # JSON has no type
    table = _object(answer, "the answer")
    if not table:
        return {}
    found: dict[Key, tuple[UpstreamPath, ...]] = {}
    for text, entries in _object(table.get("routes"), "routes").items():
        prefix = Prefix.parse(text)
        paths = tuple(_path(prefix, _object(entry, f"path of {text}")) for entry in _list(entries, f"routes.{text}"))
        if paths:
            found[prefix] = paths
    return found


def _vpn_paths(answer: Any) -> dict[Key, tuple[UpstreamPath, ...]]:  # noqa: ANN401  # JSON has no type
    table = _object(_object(answer, "the answer").get("routes", {}), "routes")
    found: dict[Key, tuple[UpstreamPath, ...]] = {}
    for rd, prefixes in _object(table.get("routeDistinguishers", {}), "routeDistinguishers").items():
        for text, entries in _object(prefixes, rd).items():
            key = VpnPrefix(rd, Prefix.parse(text))
            found[key] = tuple(_path(key, _object(one, f"path of {text}")) for one in _list(entries, f"{rd} {text}"))
    return {key: paths for key, paths in found.items() if paths}


def _sessions(answer: Any) -> Sessions:  # noqa: ANN401  # JSON has no type
    found: dict[str, set[Address]] = {"": set(), "Vpn": set(), "Flowspec": set()}
    for family, summary in _object(answer, "the answer").items():
        peers = _object(_object(summary, family).get("peers", {}), f"peers of {family}")
        for kind, addresses in found.items():
            if family.endswith(kind):
                addresses.update(ip_address(peer) for peer in peers if _is_address(peer))
    return Sessions(*map(frozenset, found.values()))


def _is_address(peer: str) -> bool:
    """A neighbor may be an interface instead: not one of ours, which have addresses."""
    try:
        ip_address(peer)
    except ValueError:
        return False
    return True


def _path(prefix: Key, entry: dict[str, Any]) -> UpstreamPath:
    peer = _object(entry.get("peer"), f"peer of {prefix}")
    best = _object(entry.get("bestpath", {}), f"bestpath of {prefix}")
    communities, aliases = _numbers(entry, "community", _community, prefix)
    large_communities, large_aliases = _numbers(entry, "largeCommunity", _large_community, prefix)
    return UpstreamPath(
        prefix=prefix,
        peer=_address(peer.get("peerId"), f"peerId of {prefix}"),
        next_hop=_next_hop(prefix, _list(entry.get("nexthops"), f"nexthops of {prefix}")),
        communities=communities,
        large_communities=large_communities,
        best=best.get("overall") is True,
        valid=entry.get("valid") is True,
        aliases=aliases + large_aliases,
        med=_med(entry.get("metric"), prefix),
        extended=_extended(entry.get("extendedCommunity", {}), prefix),
    )


def _med(value: Any, prefix: Key) -> int | None:  # noqa: ANN401  # JSON has no type
    if value is not None and not isinstance(value, int):
        raise ValueError(f"metric of {prefix} is not a number")  # _read makes one error of it
    return value


def _extended(value: Any, prefix: Key) -> tuple[str, ...]:  # noqa: ANN401  # JSON has no type
    text = _object(value, f"extendedCommunity of {prefix}").get("string", "")
    if not isinstance(text, str):
        raise ValueError(f"extendedCommunity of {prefix} is not text")  # _read makes one error of it
    return tuple(text.split())


def _next_hop(prefix: Key, hops: list[Any]) -> Address:
    """The global next hop: what was announced. FRR lists it first, and often uses the link-local one beside it."""
    addresses = [_address(_object(hop, f"next hop of {prefix}").get("ip"), f"next hop of {prefix}") for hop in hops]
    if not addresses:
        raise ValueError(f"{prefix} has a path without a next hop")
    return next((address for address in addresses if not address.is_link_local), addresses[0])


def _numbers(
    entry: dict[str, Any], key: str, parse: Callable[[str], _Value | None], prefix: Key
) -> tuple[tuple[_Value, ...], tuple[str, ...]]:
    """Communities of a kind as numbers, and those that FRR shows under an alias."""
    if key not in entry:
        return (), ()
    numbers, aliases = [], []
    for word in _list(_object(entry[key], f"{key} of {prefix}").get("list"), f"{key} of {prefix}"):
        if not isinstance(word, str):
            raise ValueError(f"{key} of {prefix} is not a list of words")
        number = parse(word)
        if number is None:
            aliases.append(word)
        else:
            numbers.append(number)
    return tuple(numbers), tuple(aliases)


def _community(word: str) -> tuple[int, int] | None:
    known = _WELL_KNOWN.get(word.lower().replace("-", ""))
    if known is not None:
        return 65535, known
    parts = word.split(":")
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 and all(map(_is_number, parts)) else None


def _large_community(word: str) -> tuple[int, int, int] | None:
    parts = word.split(":")
    return (int(parts[0]), int(parts[1]), int(parts[2])) if len(parts) == 3 and all(map(_is_number, parts)) else None


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


# -- zebra's routes --------------------------------------------------------------------------------------------------


def _routes(answer: Any) -> dict[Prefix, UpstreamRoute]:  # noqa: ANN401  # JSON has no type
    found = {}
    for text, entries in _object(answer, "the answer").items():
        prefix = Prefix.parse(text)
        routes = [_route(prefix, _object(entry, f"route of {text}")) for entry in _list(entries, text)]
        if routes:
            found[prefix] = next((route for route in routes if route.installed), routes[0])
    return found


def _route(prefix: Prefix, entry: dict[str, Any]) -> UpstreamRoute:
    """A route is in the FIB where all agree. A route that lost to a static one keeps ``fib`` at its next hops."""
    hops = [_object(hop, f"next hop of {prefix}") for hop in _list(entry.get("nexthops", []), f"nexthops of {prefix}")]
    used = [hop for hop in hops if hop.get("fib") is True and hop.get("active") is True]
    if not (entry.get("selected") is True and entry.get("installed") is True and used):
        return UpstreamRoute(prefix, installed=False)
    addresses = (_address(hop["ip"], f"next hop of {prefix}") for hop in used if "ip" in hop)
    return UpstreamRoute(prefix, installed=True, next_hops=tuple(addresses))


# -- shapes ----------------------------------------------------------------------------------------------------------


def _object(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401  # JSON has no type
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not an object")  # _read makes one error of it
    return value


def _list(value: Any, name: str) -> list[Any]:  # noqa: ANN401  # JSON has no type
    if not isinstance(value, list):
        raise ValueError(f"{name} is not a list")  # _read makes one error of it
    return value


def _address(value: Any, name: str) -> Address:  # noqa: ANN401  # JSON has no type
    if not isinstance(value, str):
        raise ValueError(f"{name} is not an address")  # ip_address would take a number
    return ip_address(value)
