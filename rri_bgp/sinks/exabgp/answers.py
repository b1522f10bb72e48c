"""What ExaBGP writes to its helper: answers, events, and the output of ``show``.

Rules of this file: bytes in, values out, no I/O. Whatever comes, the worst it becomes is ``Other``: some of the text
between is the peer's (names, reasons), so nothing here trusts it or raises on it. Formats: ExaBGP 5.0 (JSON format
version 5.0.0); ``done`` and ``error`` come as text also under ``encoder json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from rri_bgp.model import Attributes, Path, Prefix
from rri_bgp.sinks import NeighborState
from rri_bgp.text import plain

__all__ = [
    "Answer",
    "Done",
    "Error",
    "HeldRoute",
    "Lines",
    "NeighborEvent",
    "NeighborFamilies",
    "Other",
    "Shutdown",
    "held_route",
    "neighbors",
    "parse",
    "version",
]

MAX_LINE = 4 * 1024 * 1024
"""Octets; a longer line is dropped. The longest honest one is ``show neighbor`` with hundreds of neighbours."""

_VERSION = re.compile(r"exabgp (\d{1,4})\.(\d{1,4})\.(\d{1,4})")


@dataclass(frozen=True, slots=True)
class Done:
    """The command was parsed and is in ExaBGP's table (not yet: sent)."""


@dataclass(frozen=True, slots=True)
class Error:
    """The command was refused, all of it. ExaBGP says why in its log only."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """ExaBGP is going: SIGTERM follows 0.1 s later, SIGKILL after 2 s."""


@dataclass(frozen=True, slots=True)
class NeighborEvent:
    """A session changed its state."""

    neighbor: NeighborState


@dataclass(frozen=True, slots=True)
class Other:
    """Any other line: the output of a ``show``, an event that nobody asked for, garbage."""

    text: str


Answer = Done | Error | Shutdown | NeighborEvent | Other


@dataclass(frozen=True, slots=True)
class NeighborFamilies:
    """A neighbour as ``show neighbor`` tells it. Its families: negotiated, or configured while it is not up.

    ``graceful``: graceful restart is configured (RFC 4724), so the neighbour waits for our End-of-RIB.
    """

    neighbor: NeighborState
    families: frozenset[str]
    graceful: bool = False


@dataclass(frozen=True, slots=True)
class HeldRoute:
    """A route in ExaBGP's adj-RIB-out towards a neighbour; ``path`` None where it has what we never send."""

    peer: str
    prefix: Prefix
    path: Path | None


class Lines:
    """Bytes to lines, with bounded memory: what is longer than ``MAX_LINE`` is skipped to its end."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that these bytes complete. Bytes that are no ASCII become question marks."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            if self._skipping:
                self._skipping = False
            else:
                yield line.decode("ascii", "replace").rstrip("\r")
        if len(self._rest) > MAX_LINE:
            self._rest, self._skipping = b"", True


def parse(line: str) -> Answer:
    """What a line means. Never raises."""
    text = line.strip()
    if text == "done":
        return Done()
    if text == "error":
        return Error()
    if re.fullmatch(r"shutdown( \d+)*", text, re.ASCII):
        return Shutdown()
    if text.startswith("{"):
        return _parse_event(text)
    return Other(text)


def _parse_event(text: str) -> Answer:
    event = _json(text)
    if not isinstance(event, dict):
        return Other(text)
    if event.get("type") == "notification" and event.get("notification") == "shutdown":
        return Shutdown()
    neighbor = event.get("neighbor")
    if event.get("type") != "state" or not isinstance(neighbor, dict):
        return Other(text)
    address = neighbor.get("address")
    if not isinstance(address, dict):
        return Other(text)
    found = _neighbor(address.get("local"), address.get("peer"), neighbor.get("state"), neighbor.get("reason", ""))
    return Other(text) if found is None else NeighborEvent(found)


def _neighbor(local: object, peer: object, state: object, reason: object) -> NeighborState | None:
    if isinstance(local, str) and isinstance(peer, str) and isinstance(state, str) and isinstance(reason, str):
        return NeighborState(plain(local), plain(peer), plain(state), plain(reason))
    return None


def _json(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


def version(line: str) -> tuple[int, int, int] | None:
    """The version in the answer to ``version`` (``exabgp 5.0.15``), None where the line is something else."""
    found = _VERSION.match(line)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def held_route(line: str) -> HeldRoute | None:
    """The route in a line of ``show adj-rib out extensive``, None where the line is something else.

    ``neighbor 198.51.100.2 local-ip … ipv4 unicast 10.1.0.0/24 next-hop 198.51.100.1 community [ 65000:1 no-export ]``
    """
    words = line.split()
    if len(words) < 2 or words[0] != "neighbor":
        return None
    for index in range(2, len(words) - 2):
        if words[index] in ("ipv4", "ipv6") and words[index + 1] == "unicast":
            try:
                prefix = Prefix.parse(words[index + 2])
            except ValueError:
                return None
            return HeldRoute(words[1], prefix, _held_path(" ".join(words[index + 3 :])))
    return None


@lru_cache(maxsize=4096)
def _held_path(text: str) -> Path | None:
    """The path in words, None where it has a word that we never send. Routes are many and paths few: cached."""
    found: dict[str, list[str]] = {}
    key, is_list = "", False
    for word in text.split():
        if word in "[]":
            is_list = word == "["
        elif key and (is_list or not found[key]):
            found[key].append(word)
        else:
            key = word
            found[key] = []
    try:
        return _path(found)
    except (ValueError, KeyError):
        return None


def _path(found: dict[str, list[str]]) -> Path:
    (hop,) = found.pop("next-hop")
    communities = [_community(word) for word in found.pop("community", ())]
    large = [_numbers(word, 3) for word in found.pop("large-community", ())]
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
        ),
    )


def _community(word: str) -> tuple[int, ...]:
    return (65535, _WELL_KNOWN[word]) if word in _WELL_KNOWN else _numbers(word, 2)


_WELL_KNOWN = {
    "no-export": 65281,
    "no-advertise": 65282,
    "no-export-subconfed": 65283,
    "nopeer": 65284,
    "blackhole": 666,
}
"""ExaBGP prints these by name (RFC 1997, RFC 3765, RFC 7999)."""


def _numbers(word: str, count: int) -> tuple[int, ...]:
    parts = tuple(int(part) for part in word.split(":"))
    if len(parts) != count:
        raise ValueError(f"{word} is no community")
    return parts


def _number(words: Sequence[str]) -> int | None:
    return int(words[0]) if words else None


def neighbors(line: str) -> tuple[NeighborFamilies, ...] | None:
    """The neighbours in the answer to ``show neighbor summary json``, None where the line is something else.

    Its ``state`` is ``down`` for a session that is up (5.0.15), so ``fsm`` is read: ESTABLISHED is ``up``.
    """
    if not line.startswith("["):
        return None
    found = _json(line)
    if not isinstance(found, list):
        return None
    return tuple(one for one in map(_neighbor_families, found) if one is not None)


def _neighbor_families(entry: object) -> NeighborFamilies | None:
    if not isinstance(entry, dict):
        return None
    local, peer, fsm = (entry.get(key) for key in ("local", "peer", "fsm"))
    if not (isinstance(local, dict) and isinstance(peer, dict) and isinstance(fsm, str)):
        return None
    is_up = fsm == "ESTABLISHED"
    neighbor = _neighbor(local.get("address"), peer.get("address"), "up" if is_up else fsm.lower(), "")
    families = entry.get("families") if is_up else local.get("families")
    if neighbor is None or not isinstance(families, list | dict):
        return None
    capabilities = local.get("capabilities")
    graceful = isinstance(capabilities, dict) and bool(capabilities.get("graceful-restart"))
    return NeighborFamilies(neighbor, frozenset(name for name in families if isinstance(name, str)), graceful)
