"""Where the routes of a map entry point upstream, and what they carry (rules N8, N9, N10, G2, G5).

Rules of this file: equal paths go out in one UPDATE and are compared all the time, so an entry has one object for each
path, and whoever wants that path is given that object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rri_bgp.model import Address, Attributes, Path
from rri_bgp.rri.entries import Group, MapEntry, Policy
from rri_bgp.rri.surroundings import Surroundings

__all__ = ["Paths"]


class Paths:
    """The paths of one entry, as things stand with its redundancy group.

    The virtual address of a group is the next hop of its family while it is here, where the entry's next hop is
    ``self``. Without it a group is silent, or has a worse MED and the entry's own next hops (rule G2).
    """

    def __init__(self, entry: MapEntry, policy: Policy, surroundings: Surroundings) -> None:
        group = policy.groups[entry.redundancy] if entry.redundancy else None
        is_here = group is None or group.name in surroundings.held
        self.silent = group is not None and not is_here and group.standby_med is None
        """Whether it may announce nothing."""
        self._next_hops = _next_hops(entry, group if is_here else None)
        self._attributes = _attributes(entry, policy, None if is_here or group is None else group.standby_med)
        self._degraded = self._attributes
        if entry.degrade_med is not None:
            self._degraded = _worse(self._attributes, entry.degrade_med)
        self.healthy = self._fixed(self._attributes)
        """By IP version, where they do not depend on the peer; those of the families that have none are not there."""
        self._suspect = self._fixed(self._degraded)

    def _fixed(self, attributes: Attributes) -> Mapping[int, Path]:
        return {version: Path(address, attributes) for version, address in (self._next_hops or {}).items()}

    def get(self, version: int, peer: Address, *, is_suspect: bool) -> Path | None:
        """The path of a route of that IP version, None where there is no next hop for it."""
        if self._next_hops is not None:
            return (self._suspect if is_suspect else self.healthy).get(version)
        if peer.version != version:  # RFC 4760: a next hop is of the family of what it is for
            return None
        return Path(peer, self._degraded if is_suspect else self._attributes)


def _next_hops(entry: MapEntry, held: Group | None) -> Mapping[int, Address] | None:
    if held is None or not entry.next_hop_self:
        return entry.next_hops
    return {**(entry.next_hops or {}), **{address.version: address for address in held.addresses}}


def _attributes(entry: MapEntry, policy: Policy, standby_med: int | None) -> Attributes:
    attributes = entry.attributes
    if entry.vrf:
        targets = policy.vrfs[entry.vrf].route_targets
        known = attributes.extended_communities
        attributes = replace(attributes, extended_communities=tuple(dict.fromkeys((*known, *targets))))
    return attributes if standby_med is None else _worse(attributes, standby_med)


def _worse(attributes: Attributes, med: int) -> Attributes:
    """The same with that MED, or with its own where that is worse already (the higher, RFC 4271 §9.1.2.2)."""
    return replace(attributes, med=max(med, attributes.med or 0))
