"""The routes that ExaBGP says it holds: ``show adj-rib out extensive``.

Rules of this file: a line in, values out, no I/O; nothing here raises. ExaBGP prints a route as::

    neighbor 198.51.100.2 local-ip … ipv4 unicast 10.1.0.0/24 next-hop 198.51.100.1 community [ 65000:1 no-export ]
    neighbor 198.51.100.2 local-ip … ipv4 mpls-vpn 10.1.0.0/24 label 100 next-hop 198.51.100.1 rd 65000:1 …
    neighbor 198.51.100.2 local-ip … ipv4 flow flow destination-ipv4 10.1.0.0/24 protocol =tcp next-hop 198.51.100.1 …

A path with a word that we never send is no path of ours: it is announced anew. That costs a command and no UPDATE where
it is the same after all, as ExaBGP compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from rri_bgp.model import Attributes, Destination, Path, Prefix, VrfPrefix
from rri_bgp.sinks.exabgp import flows
from rri_bgp.sinks.exabgp.forms import Key, Numbered

__all__ = ["HeldRoute", "held_route"]


@dataclass(frozen=True, slots=True)
class HeldRoute:
    """A route in ExaBGP's adj-RIB-out towards a neighbour; ``path`` None where it has what we never send.

    ``keys`` are several where what is printed may be one of several flows, and none where it is nothing of ours. A VRF
    is its route distinguisher. ``as_path`` is not in ``path``: whose AS it is depends on the session.
    """

    peer: str
    keys: tuple[Key, ...]
    path: Path | None
    as_path: tuple[int, ...] = ()
    label: int = 0


@dataclass(frozen=True, slots=True)
class _Words:
    path: Path | None
    rd: str = ""
    label: int = 0
    path_id: int | None = None
    as_path: tuple[int, ...] = ()


def held_route(line: str) -> HeldRoute | None:
    """The route in a line, None where the line is something else."""
    words = line.split()
    if len(words) < 2 or words[0] != "neighbor":
        return None
    for index in range(2, len(words) - 2):
        if words[index] in ("ipv4", "ipv6"):
            rest = words[index + 2 :]
            match words[index + 1]:
                case "unicast" | "mpls-vpn":
                    return _prefix_route(words[1], rest)
                case "flow" | "flow-vpn":
                    return _flow_route(words[1], " ".join(rest))
    return None


def _prefix_route(peer: str, words: list[str]) -> HeldRoute | None:
    try:
        prefix = Prefix.parse(words[0])
    except ValueError:
        return None
    found = _read(" ".join(words[1:]))
    destination: Destination = VrfPrefix(found.rd, prefix) if found.rd else prefix
    key: Key = destination if found.path_id is None else Numbered(destination, found.path_id)
    return HeldRoute(peer, (key,), found.path, found.as_path, found.label)


def _flow_route(peer: str, text: str) -> HeldRoute | None:
    rules, rd, rest = flows.candidates(text)
    if not rules:
        return None
    words = rest.split()
    path = None
    if flows.REDIRECT in words:
        words.remove(flows.REDIRECT)
        path = _read(" ".join(words)).path
    keys = tuple(rule._replace(vrf=rd) for rule in rules)
    return HeldRoute(peer, keys, path if len(keys) == 1 else None)


@lru_cache(maxsize=4096)
def _read(text: str) -> _Words:
    """The words of a path, and what stands between them. Routes are many and paths few: cached."""
    found: dict[str, list[str]] = {}
    key, is_list = "", False
    for word in text.split():
        if word in "[]()":
            is_list = word in "[("
        elif key and (is_list or not found[key]):
            found[key].append(word)
        else:
            key = word
            found[key] = []
    rd = " ".join(found.pop("rd", ()))
    try:
        label = _number(found.pop("label", ())) or 0
        path_id = int(ip_address(found.pop("path-information")[0])) if "path-information" in found else None
    except (ValueError, IndexError):
        return _Words(None, rd)
    try:
        as_path = tuple(map(int, found.pop("as-path", ())))
        return _Words(_path(found), rd, label, path_id, as_path)
    except (ValueError, KeyError):
        return _Words(None, rd, label, path_id)


def _path(found: dict[str, list[str]]) -> Path:
    (hop,) = found.pop("next-hop")
    communities = [_community(word) for word in found.pop("community", ())]
    large = [_numbers(word, 3) for word in found.pop("large-community", ())]
    extended = tuple(map(_extended, found.pop("extended-community", ())))
    med, preference = (_number(found.pop(name, ())) for name in ("med", "local-preference"))
    if found:
        raise ValueError(f"unknown words {sorted(found)}")
    return Path(
        ip_address(hop),
        Attributes(
            communities=tuple((high, low) for high, low in communities),
            large_communities=tuple((a, b, c) for a, b, c in large),
            med=med,
            local_preference=preference,
            extended_communities=extended,
        ),
    )


def _community(word: str) -> tuple[int, ...]:
    return (65535, _WELL_KNOWN[word]) if word in _WELL_KNOWN else _numbers(word, 2)


_WELL_KNOWN = {
    "no-export": 65281,
    "no-advertise": 65282,
    "no-export-subconfed": 65283,
    "no-peer": 65284,
    "blackhole": 666,
}
"""ExaBGP prints these by name (RFC 1997, RFC 3765, RFC 7999)."""


def _extended(word: str) -> int:
    """``target:65000:1``, ``target:192.0.2.1:1``, ``target:70000:1`` (4.2: ``70000L``), or all digits.

    5.0 prints the target of a small AS alike in both of its encodings (RFC 4360 §4, RFC 5668 §2): it is read as the
    first, which nearly everybody writes.
    """
    if word.startswith("0x"):
        return int(word[:19], 16)
    kind, high, low = word.split(":")
    if kind != "target":
        raise ValueError(f"{word} is printed so for several")
    if "." in high:
        return 0x0102 << 48 | int(ip_address(high)) << 16 | _small(low, 16)
    if high.endswith("L") or int(high) > 0xFFFF:
        return 0x0202 << 48 | _small(high.rstrip("L"), 32) << 16 | _small(low, 16)
    return 0x0002 << 48 | int(high) << 32 | _small(low, 32)


def _small(word: str, bits: int) -> int:
    number = int(word)
    if not 0 <= number < 1 << bits:
        raise ValueError(f"{word} has more than {bits} bits")
    return number


def _numbers(word: str, count: int) -> tuple[int, ...]:
    parts = tuple(int(part) for part in word.split(":"))
    if len(parts) != count:
        raise ValueError(f"{word} is no community")
    return parts


def _number(words: Sequence[str]) -> int | None:
    return int(words[0]) if words else None
