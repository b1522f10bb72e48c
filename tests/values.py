"""Short ways to write the model's values in tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from rri_bgp.model import Address, Attributes, Mode, Prefix, SaKey, SaPair, TrafficSelector
from rri_bgp.rri.entries import (
    AccessList,
    AclLine,
    DefaultProxies,
    EntryKind,
    Group,
    Guard,
    MapEntry,
    Match,
    NeighborPolicy,
    Overlap,
    Policy,
    PortProxies,
    RemotePeer,
    ReverseRoute,
    Vrf,
    tag_attributes,
)

__all__ = ["HUB4", "HUB6", "acl", "entry", "pfx", "policy", "sa", "ts"]

HUB4 = ip_address("198.51.100.1")
HUB6 = ip_address("2001:db8:100::1")


def pfx(text: str) -> Prefix:
    """A prefix."""
    return Prefix.parse(text)


def ts(text: str, protocol: int = 0, ports: tuple[int, int] = (0, 65535)) -> TrafficSelector:
    """A traffic selector: ``10.1.0.0/16`` or ``10.1.0.17..10.1.0.20``."""
    if ".." in text:
        start, end = (ip_address(part) for part in text.split(".."))
        return TrafficSelector(start.version, int(start), int(end), protocol, ports)
    return TrafficSelector.from_prefix(pfx(text), protocol, ports)


def sa(
    uniqueid: int,
    *remote: str | TrafficSelector,
    peer: str = "203.0.113.2",
    local: str = "203.0.113.1",
    local_ts: Iterable[str | TrafficSelector] = (),
    connection: str = "branch1",
    child: str = "net",
    identity: str = "",
    source: str = "vici",
    mode: Mode = Mode.TUNNEL,
    state: str = "INSTALLED",
    ike_id: int = 0,
    if_id: int = 0,
    mark: int = 0,
    vrf: str = "",
    since: int = 0,
    first: int = 0,
    is_suspect: bool = False,
    is_held: bool = False,
    not_in_kernel: Iterable[str | TrafficSelector] = (),
) -> SaPair:
    """An SA pair with these remote selectors."""
    return SaPair(
        key=SaKey(source, uniqueid),
        connection=connection,
        child=child,
        peer=ip_address(peer),
        local=ip_address(local),
        remote_ts=_selectors(remote),
        local_ts=_selectors(local_ts),
        identity=identity,
        ike_id=ike_id,
        mode=mode,
        state=state,
        if_id=if_id,
        mark=mark,
        vrf=vrf,
        since=since,
        first=first,
        is_suspect=is_suspect,
        is_held=is_held,
        not_in_kernel=_selectors(not_in_kernel),
    )


def _selectors(items: Iterable[str | TrafficSelector]) -> tuple[TrafficSelector, ...]:
    return tuple(ts(item) if isinstance(item, str) else item for item in items)


def acl(*lines: str, name: str = "branches") -> AccessList:
    """An access list of lines as ``permit 192.168.1.0/24 10.0.0.0/16`` or ``permit any 10.1.0.0/16 6 443``.

    The last two words, where they are there, are the number of a protocol and the destination's port or ``low-high``.
    """
    return AccessList(name, tuple(_line(text, number) for number, text in enumerate(lines, 1)))


def _line(text: str, number: int) -> AclLine:
    verdict, source, destination, *limits = text.split()
    low, _, high = (limits[1] if limits[1:] else "0-65535").partition("-")
    return AclLine(
        permit=verdict == "permit",
        source=_prefixes(source),
        destination=_prefixes(destination),
        where=f"hub.yaml:{number}",
        text=text,
        protocol=int(limits[0]) if limits else 0,
        ports=(int(low), int(high or low)),
    )


def _prefixes(text: str) -> tuple[Prefix, ...]:
    return (pfx("0.0.0.0/0"), pfx("::/0")) if text == "any" else tuple(pfx(one) for one in text.split(","))


def entry(
    seq: int = 10,
    *,
    map_name: str = "mymap",
    peers: tuple[str, ...] = (),
    match: Match | None = None,
    connection: str = "*",
    child: str = "*",
    identity: str = "*",
    access_list: AccessList | None = None,
    reverse_route: bool = True,
    static: bool = False,
    tag: int | None = None,
    remote_peer: RemotePeer | None = None,
    distance: int = 1,
    versions: tuple[int, ...] = (4, 6),
    next_hops: Mapping[int, Address] | str | None = "self",
    attributes: Attributes | None = None,
    allow_default: DefaultProxies = DefaultProxies.SKIP,
    port_proxies: PortProxies = PortProxies.SKIP,
    overlap: Overlap = Overlap.NEWEST,
    guard: Guard | None = None,
    vrf: str = "",
    front_vrf: str = "",
    interface: str = "",
    redundancy: str = "",
    withdraw_delay: float = 0.0,
    announce_delay: float = 0.0,
    degrade_med: int | None = None,
) -> MapEntry:
    """A map entry: static where it has peers, dynamic otherwise.

    Peers that are no addresses are host names. ``next_hops`` as the entry has them; "self" is the hub's own addresses,
    of the ``versions`` alone. ``match`` goes before the globs.
    """
    hops = {4: HUB4, 6: HUB6}
    return MapEntry(
        map_name=map_name,
        seq=seq,
        kind=EntryKind.STATIC if peers else EntryKind.DYNAMIC,
        where=f"hub.yaml:{seq}",
        peers=tuple(_peer(peer) for peer in peers),
        match=Match(connection, child, identity) if match is None else match,
        access_list=access_list,
        reverse_route=ReverseRoute(static, tag, remote_peer, distance) if reverse_route else None,
        next_hops={version: hops[version] for version in versions} if isinstance(next_hops, str) else next_hops,
        next_hop_self=isinstance(next_hops, str),
        attributes=tag_attributes(65000, tag, {}) if attributes is None else attributes,
        allow_default=allow_default,
        port_proxies=port_proxies,
        overlap=overlap,
        guard=Guard() if guard is None else guard,
        vrf=vrf,
        front_vrf=front_vrf,
        interface=interface,
        redundancy=redundancy,
        withdraw_delay=withdraw_delay,
        announce_delay=announce_delay,
        degrade_med=degrade_med,
    )


def _peer(text: str) -> Address | str:
    try:
        return ip_address(text)
    except ValueError:
        return text


def policy(
    *entries: MapEntry,
    groups: Iterable[Group] = (),
    vrfs: Iterable[Vrf] = (),
    neighbors: tuple[NeighborPolicy, ...] = (),
    max_routes: int | None = None,
    believe_kernel: Iterable[str] = (),
) -> Policy:
    """A policy of these entries, or of one dynamic entry that takes all."""
    return Policy(
        entries=entries or (entry(),),
        groups={group.name: group for group in groups},
        vrfs={vrf.name: vrf for vrf in vrfs},
        neighbors=neighbors,
        max_routes=max_routes,
        believe_kernel=frozenset(believe_kernel),
    )
