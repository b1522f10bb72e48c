"""Short ways to write the model's values in tests."""

from __future__ import annotations

from ipaddress import ip_address

from rri_bgp.model import Mode, Path, Prefix, SaKey, SaPair, TrafficSelector
from rri_bgp.rri import EntryKind, MapEntry, Policy
from rri_bgp.rri.entries import tag_attributes

__all__ = ["HUB4", "HUB6", "entry", "pfx", "policy", "sa", "ts"]

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
    connection: str = "branch1",
    child: str = "net",
    source: str = "vici",
    mode: Mode = Mode.TUNNEL,
    state: str = "INSTALLED",
) -> SaPair:
    """An SA pair with these remote selectors."""
    return SaPair(
        key=SaKey(source, uniqueid),
        connection=connection,
        child=child,
        peer=ip_address(peer),
        local=ip_address("203.0.113.1"),
        remote_ts=tuple(ts(item) if isinstance(item, str) else item for item in remote),
        mode=mode,
        state=state,
    )


def entry(
    seq: int = 10,
    *,
    peers: tuple[str, ...] = (),
    connection: str = "*",
    child: str = "*",
    tag: int | None = None,
    reverse_route: bool = True,
    versions: tuple[int, ...] = (4, 6),
) -> MapEntry:
    """A map entry: static where it has peers, dynamic otherwise; its next hop is the hub's own address."""
    attributes = tag_attributes(65000, tag, {})
    hops = {4: HUB4, 6: HUB6}
    return MapEntry(
        map_name="mymap",
        seq=seq,
        kind=EntryKind.STATIC if peers else EntryKind.DYNAMIC,
        where=f"hub.yaml:{seq}",
        peers=frozenset(ip_address(peer) for peer in peers),
        connection=connection,
        child=child,
        reverse_route=reverse_route,
        tag=tag,
        paths={version: Path(hops[version], attributes) for version in versions},
    )


def policy(*entries: MapEntry) -> Policy:
    """A policy of these entries, or of one dynamic entry that takes all."""
    return Policy(entries or (entry(),))
