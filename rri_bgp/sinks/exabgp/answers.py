"""What ExaBGP writes to its helper: answers, events, and the output of ``show``.

Rules of this file: bytes in, values out, no I/O. Whatever comes, the worst it becomes is ``Other``: some of the text
between is the peer's (names, reasons), so nothing here trusts it or raises on it. Formats: ExaBGP 5.0 (JSON format
version 5.0.0); ``done`` and ``error`` come as text also under ``encoder json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rri_bgp.sinks import NeighborState
from rri_bgp.text import plain

__all__ = [
    "Answer",
    "Done",
    "Error",
    "Lines",
    "NeighborEvent",
    "NeighborFamilies",
    "Other",
    "Shutdown",
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

    ``graceful``: graceful restart is configured (RFC 4724), so the neighbour waits for our End-of-RIB. ``add_path`` are
    the families in which it takes several paths of a prefix (RFC 7911), empty while it is not up. AS numbers are 0
    where they are not told.
    """

    neighbor: NeighborState
    families: frozenset[str]
    graceful: bool = False
    local_asn: int = 0
    peer_asn: int = 0
    add_path: frozenset[str] = frozenset()

    @property
    def is_external(self) -> bool:
        """Whether it is in another AS."""
        return self.local_asn != self.peer_asn


class Lines:
    """Bytes to lines, with bounded memory: what is longer than ``MAX_LINE`` is skipped to its end."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    @property
    def is_whole(self) -> bool:
        """Whether no line has been begun."""
        return not self._rest and not self._skipping

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
    return NeighborFamilies(
        neighbor,
        frozenset(name for name in families if isinstance(name, str)),
        graceful=isinstance(capabilities, dict) and bool(capabilities.get("graceful-restart")),
        local_asn=_asn(local),
        peer_asn=_asn(peer),
        add_path=_add_path(local) if is_up else frozenset(),
    )


def _asn(side: dict[str, object]) -> int:
    asn = side.get("as")
    return asn if isinstance(asn, int) and 0 <= asn <= 0xFFFFFFFF else 0


def _add_path(local: dict[str, object]) -> frozenset[str]:
    """The families in which we may send several paths: that was negotiated."""
    sent = local.get("add-path")
    return frozenset(name for name, may in sent.items() if may is True) if isinstance(sent, dict) else frozenset()
