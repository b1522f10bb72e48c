"""What an ExaBGP listener's helper is told, as a table: the upstream's view of our routes.

Rules of this file: lines in, values out, no I/O. Format: ExaBGP's JSON 5.0.0 with ``receive { parsed; update; }`` and
``neighbor-changes``. One line is one UPDATE message, so the lines are what is counted.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rri_bgp.model import Attributes, Path, Prefix

__all__ = ["IBGP_LOCAL_PREFERENCE", "Change", "Upstream", "on_the_wire"]

IBGP_LOCAL_PREFERENCE = 100
"""What ExaBGP sends to an internal peer where nothing else was said (RFC 4271 §5.1.5 wants one)."""

_FAMILIES = ("ipv4 unicast", "ipv6 unicast")


@dataclass(frozen=True, slots=True)
class Change:
    """A prefix that was learned, or withdrawn (``path`` None)."""

    prefix: Prefix
    path: Path | None


def on_the_wire(path: Path) -> Path:
    """A wanted path as an internal peer sees it: communities sorted, a local preference in any case."""
    attributes = path.attributes
    preference = attributes.local_preference
    return Path(
        path.next_hop,
        Attributes(
            communities=tuple(sorted(attributes.communities)),
            large_communities=tuple(sorted(attributes.large_communities)),
            med=attributes.med,
            local_preference=IBGP_LOCAL_PREFERENCE if preference is None else preference,
        ),
    )


class Upstream:
    """The routes that the listener holds now. ``updates`` counts UPDATE messages other than End-of-RIB."""

    def __init__(self) -> None:
        self.routes: dict[Prefix, Path] = {}
        self.updates = 0
        self.is_up = False

    def feed(self, line: str) -> list[Change]:
        """Takes one line; returns what it changed, in its order."""
        event = json.loads(line)
        neighbor = event.get("neighbor", {})
        if event.get("type") == "state":
            self.is_up = neighbor["state"] == "up"
            if neighbor["state"] == "down":
                self.routes.clear()
            return []
        update = neighbor.get("message", {}).get("update")
        if event.get("type") != "update" or update is None:
            return []
        self.updates += 1
        changes = [*_withdrawn(update), *_announced(update)]
        for change in changes:
            if change.path is None:
                self.routes.pop(change.prefix, None)
            else:
                self.routes[change.prefix] = change.path
        return changes


def _withdrawn(update: dict[str, Any]) -> Iterator[Change]:
    for family in _FAMILIES:
        for entry in update.get("withdraw", {}).get(family, ()):
            yield Change(Prefix.parse(entry["nlri"]), None)


def _announced(update: dict[str, Any]) -> Iterator[Change]:
    attributes = _attributes(update.get("attribute", {}))
    for family in _FAMILIES:
        for hop, entries in update.get("announce", {}).get(family, {}).items():
            path = Path(ipaddress.ip_address(hop), attributes)
            for entry in entries:
                yield Change(Prefix.parse(entry["nlri"]), path)


def _attributes(found: dict[str, Any]) -> Attributes:
    return Attributes(
        communities=tuple(sorted((high, low) for high, low in found.get("community", ()))),
        large_communities=tuple(sorted((a, b, c) for a, b, c in found.get("large-community", ()))),
        med=found.get("med"),
        local_preference=found.get("local-preference"),
    )
