"""What should be where: the policy's kernel routes by table, and what each leads to (rules N1-N7).

Rules of this file: pure. The policy speaks of VRFs, the kernel of tables; here is where the one becomes the other.
Nothing is kept of a route: it is worked out when somebody asks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, Protocol

from rri_bgp.model import Address, Destination, Prefix, VrfPrefix
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.kernel import Gateway, Hop, Interface, KernelKey, KernelRoute, KernelTable, destination_of, key_of
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
        self._rib = rib
        self._main = table
        self._routes = KernelTable(rib)
        self.tables: Mapping[str, int] = {}
        """By VRF, the default one included."""
        self._vrfs: dict[int, str] = {}

    def take_policy(self, policy: Policy) -> Collection[str]:
        """Another policy's VRFs have other tables. Returns those VRFs that are no more."""
        before = self.tables.keys()
        self.tables = {"": self._main, **{vrf.name: vrf.table for vrf in policy.vrfs.values()}}
        self._vrfs = {table: vrf for vrf, table in self.tables.items()}
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

    def restart(self) -> Iterator[Spot]:
        """All spots that a change of the policy is about."""
        return (self.spot(*key) for key in self._routes.restart())

    def at(self, spot: Spot) -> Wish | None:
        """See ``Wanting``."""
        vrf = self._vrfs.get(spot.table)
        if vrf is None:
            return None
        key = KernelKey(vrf, spot.prefix)
        route = self._routes.route(key)
        if route is None:
            return None
        if _is_to_peer(route):
            peer = _address(spot.prefix)
            return Wish(route.distance, tuple([Target(hop, vrf, peer) for hop in route.hops]))
        front = self._front_vrf(key) if self._rib.policy.vrfs else ""
        return Wish(route.distance, tuple([Target(hop, front) for hop in route.hops]), front != vrf)

    def _front_vrf(self, key: KernelKey) -> str:
        """Where the peers of a route are (rule N6)."""
        claims = self._rib.claims(destination_of(key))
        return self._rib.policy.entries[claims[0].rank].front_vrf if claims else ""

    def redirected(self, vrf: str, address: Address) -> Hop | None:
        """Where the policy's own route to a peer points, None where it has none."""
        host = Prefix(address.version, int(address), address.max_prefixlen)
        route = self._routes.route(KernelKey(vrf, host))
        return route.hops[0] if route is not None and _is_to_peer(route) else None


_BITS = {4: 32, 6: 128}


def _length(key: KernelKey) -> int:
    return key.prefix.length


def _is_to_peer(route: KernelRoute) -> bool:
    """Whether it is a route to a peer itself (rules N2, N4), and not to what is behind one."""
    hop = route.hops[0] if route.hops else None
    return isinstance(hop, Interface) or (isinstance(hop, Gateway) and "N4" in route.rules)


def _address(host: Prefix) -> Address:
    return IPv4Address(host.network) if host.version == 4 else IPv6Address(host.network)
