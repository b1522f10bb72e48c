"""What should be where: the policy's kernel routes by table, and what each leads to (rules N1-N7).

Rules of this file: pure. The policy speaks of VRFs, the kernel of tables; here is where the one becomes the other.
Nothing is kept of a route: it is worked out when somebody asks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, Protocol

from rri_bgp.model import Address, Destination, Prefix, VrfPrefix
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.kernel import Hop, KernelKey, KernelTable, key_of
from rri_bgp.rri.rib import Rib
from rri_bgp.sinks.kernel.kernel import Spot
from rri_bgp.sinks.kernel.resolve import Target

__all__ = ["Wanting", "Wish", "Wishes"]


class Wish(NamedTuple):
    """What should be at a spot: a route of this metric that leads to these. ``crosses``: into another VRF."""

    metric: int
    targets: tuple[Target, ...]
    crosses: bool = False


class Wanting(Protocol):
    """Who knows what is wanted."""

    def at(self, spot: Spot) -> Wish | None:
        """What should be at a spot now."""

    def destination(self, spot: Spot) -> Destination | None:
        """What upstream calls it; None where the policy uses no such table."""


class Wishes:
    """See the head of this file. ``table`` is that of the default VRF."""

    def __init__(self, rib: Rib, table: int) -> None:
        self._main = table
        self._routes = KernelTable(rib)
        self.tables: Mapping[str, int] = {}
        """By VRF, the default one included."""
        self._vrfs: dict[int, str] = {}

    def take_policy(self, policy: Policy) -> Collection[str]:
        """Another policy's VRFs have other tables. Returns those VRFs that are no more.

        All destinations are to be looked at with ``touched``, those that have gone too.
        """
        before = self.tables.keys()
        self.tables = {"": self._main, **{vrf.name: vrf.table for vrf in policy.vrfs.values()}}
        self._vrfs = {table: vrf for vrf, table in self.tables.items()}
        self._routes.take_policy()
        return before - self.tables.keys()

    # -- places ------------------------------------------------------------------------------------------------------

    def spot(self, vrf: str, prefix: Prefix) -> Spot:
        """Where a prefix of a VRF has its place."""
        return Spot(self.tables.get(vrf, 0), prefix)

    def spot_of(self, destination: Destination) -> Spot | None:
        """Where a destination has its place; None for a flow."""
        key = key_of(destination)
        return None if key is None else self.spot(*key)

    def destination(self, spot: Spot) -> Destination | None:
        """See ``Wanting``."""
        vrf = self._vrfs.get(spot.table)
        if vrf is None:
            return None
        return VrfPrefix(vrf, spot.prefix) if vrf else spot.prefix

    # -- wishes ------------------------------------------------------------------------------------------------------

    def touched(self, destinations: Iterable[Destination]) -> tuple[list[Spot], list[tuple[str, Address]]]:
        """The spots that a change of these is about, routes to peers first; and the peers, if they are any."""
        keys = sorted(self._routes.changed(destinations), key=_length, reverse=True)
        hosts = [(vrf, _address(prefix)) for vrf, prefix in keys if prefix.length == _BITS[prefix.version]]
        return [self.spot(*key) for key in keys], hosts

    def at(self, spot: Spot) -> Wish | None:
        """See ``Wanting``."""
        vrf = self._vrfs.get(spot.table)
        if vrf is None:
            return None
        bearing = self._routes.bearing(KernelKey(vrf, spot.prefix))
        if bearing is None:
            return None
        distance, hops, front, is_to_peer = bearing
        peer = _address(spot.prefix) if is_to_peer else None
        return Wish(distance, tuple([Target(hop, front, peer) for hop in hops]), front != vrf)

    def redirected(self, vrf: str, address: Address) -> Hop | None:
        """Where the policy's own route to a peer points, None where it has none."""
        host = Prefix(address.version, int(address), address.max_prefixlen)
        bearing = self._routes.bearing(KernelKey(vrf, host))
        return bearing.hops[0] if bearing is not None and bearing.is_to_peer and bearing.hops else None


_BITS = {4: 32, 6: 128}


def _length(key: KernelKey) -> int:
    return key.prefix.length


def _address(host: Prefix) -> Address:
    return IPv4Address(host.network) if host.version == 4 else IPv6Address(host.network)
