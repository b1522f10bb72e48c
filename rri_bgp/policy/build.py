"""From a policy file's checked shape to what the program is built from: ``Config``, and the core's ``Policy``.

Rules of this file: everything has been checked, and every name is there; nothing here can fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rri_bgp.model import Address, Attributes, Prefix
from rri_bgp.policy.config import (
    Config,
    ControlSettings,
    ExabgpSettings,
    HandOffSettings,
    KernelSettings,
    NotifySettings,
    OnExit,
    ReplaySettings,
    ResolveSettings,
    SourceSettings,
    Unresolved,
    ViciSettings,
    XfrmSettings,
)
from rri_bgp.policy.schema import (
    EntryModel,
    ExabgpModel,
    GuardModel,
    HandOffModel,
    KernelModel,
    MapModel,
    PolicyModel,
    ReplayModel,
    ReverseRouteModel,
    SourceModel,
    TagModel,
    XfrmModel,
)
from rri_bgp.policy.yaml_text import Document
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
    Special,
    Vrf,
    tag_attributes,
)

__all__ = ["config_of", "policy_of", "ranked"]


@dataclass(frozen=True, slots=True)
class _Tables:
    """What entries name. ``attributes`` has one value per tag, so that entries with the same tag share it."""

    lists: Mapping[str, AccessList]
    attributes: dict[int | None, Attributes]
    hops: Mapping[int, Address]


def ranked(policy: PolicyModel) -> Iterator[tuple[str, int]]:
    """Map name and index in the file of every entry, in rank order: maps as written, entries by ``seq``."""
    for name, crypto_map in policy.crypto_maps.items():
        entries = crypto_map.entries
        for index in sorted(range(len(entries)), key=lambda index: entries[index].seq):
            yield name, index


def config_of(model: PolicyModel, policy: Policy, file: Path, warnings: tuple[str, ...]) -> Config:
    """All that the file says."""
    return Config(
        file=file,
        asn=model.local.asn,
        policy=policy,
        sources=tuple(_source(source, file) for source in model.sources),
        exabgp=None if model.sinks.exabgp is None else _exabgp(model.sinks.exabgp),
        kernel=None if model.sinks.kernel is None else _kernel(model.sinks.kernel),
        hand_off=None if model.sinks.hand_off is None else _hand_off(model.sinks.hand_off),
        control=ControlSettings(model.control.socket),
        resolve=ResolveSettings(model.resolve.interval, model.resolve.keep),
        names=frozenset(peer for entry in policy.entries for peer in entry.peers if isinstance(peer, str)),
        groups={
            name: NotifySettings(group.notify.fifo, group.notify.instance)
            for name, group in model.redundancy.items()
            if group.notify is not None
        },
        warnings=warnings,
    )


def policy_of(model: PolicyModel, document: Document, file: Path) -> Policy:
    """The policy as the core sees it."""
    more = {tag: _attributes(table) for tag, table in model.tags.items()}
    tags = {
        entry.reverse_route.tag for one in model.crypto_maps.values() for entry in one.entries if entry.reverse_route
    }
    tables = _Tables(
        lists=_lists(model, document, file),
        attributes={tag: tag_attributes(model.local.asn, tag, more) for tag in tags},
        hops={hop.version: hop for hop in model.local.next_hop},
    )
    maps = document.root.children["crypto-maps"].children
    entries = []
    for name, index in ranked(model):
        crypto_map = model.crypto_maps[name]
        where = f"{file}:{maps[name].children['entries'].children[index].place.line + 1}"
        entries.append(_entry(name, crypto_map, crypto_map.entries[index], where, tables))
    ranks = {(entry.map_name, entry.seq): rank for rank, entry in enumerate(entries)}
    return Policy(
        entries=tuple(entries),
        groups={
            name: Group(name, tuple(group.virtual_address), None if group.standby is None else group.standby.med)
            for name, group in model.redundancy.items()
        },
        vrfs={
            name: Vrf(name, vrf.table, vrf.rd or "", tuple(vrf.export), vrf.label) for name, vrf in model.vrfs.items()
        },
        neighbors=tuple(_neighbors(model, ranks)),
        max_routes=model.guard.max_routes,
        believe_kernel=frozenset(one.vici.name for one in model.sources if one.vici and one.vici.kernel == "withdraw"),
    )


def _neighbors(model: PolicyModel, ranks: Mapping[tuple[str, int], int]) -> Iterator[NeighborPolicy]:
    for address, neighbor in model.neighbors.items():
        entries = None if neighbor.entries is None else frozenset(ranks[name] for name in neighbor.entries)
        tags = None if neighbor.tags is None else frozenset(neighbor.tags)
        yield NeighborPolicy(address, entries, tags, neighbor.vrf)


def _lists(model: PolicyModel, document: Document, file: Path) -> dict[str, AccessList]:
    groups = {name: _union(networks) for name, networks in model.object_groups.items()}
    found = {}
    for name, lines in model.access_lists.items():
        nodes = document.root.children["access-lists"].children[name].children
        found[name] = AccessList(
            name,
            tuple(
                AclLine(
                    permit=line.permit,
                    source=line.source.resolved(groups),
                    destination=line.destination.resolved(groups),
                    where=f"{file}:{nodes[index].place.line + 1}",
                    text=text,
                    protocol=line.protocol,
                    source_ports=line.source.ports,
                    ports=line.destination.ports,
                )
                for index, (line, text) in enumerate(lines)
            ),
        )
    return found


def _union(networks: list[tuple[Prefix, ...]]) -> tuple[Prefix, ...]:
    """Each prefix of a group once, in the order in which they are written."""
    return tuple(dict.fromkeys(prefix for network in networks for prefix in network))


def _entry(name: str, crypto_map: MapModel, entry: EntryModel, where: str, tables: _Tables) -> MapEntry:
    reverse_route = _reverse_route(entry.reverse_route)
    match = entry.match
    return MapEntry(
        map_name=name,
        seq=entry.seq,
        kind=EntryKind(entry.type),
        where=where,
        peers=tuple(dict.fromkeys(entry.set_peer or ())),
        match=Match(match.connection, match.child, match.identity, match.if_id, match.mark, match.vrf),
        access_list=None if entry.match_address is None else tables.lists[entry.match_address],
        reverse_route=reverse_route,
        next_hops=_next_hops(entry, tables),
        next_hop_self=entry.next_hop is None,
        attributes=Attributes() if reverse_route is None else tables.attributes[reverse_route.tag],
        allow_default=DefaultProxies(entry.allow_default),
        port_proxies=PortProxies(entry.port_proxies),
        overlap=Overlap(entry.overlap),
        guard=_guard(entry.guard),
        vrf=entry.vrf or crypto_map.vrf or "",
        front_vrf=entry.front_vrf or crypto_map.front_vrf or "",
        interface=crypto_map.interface or "",
        redundancy=entry.redundancy or crypto_map.redundancy or "",
        withdraw_delay=float(entry.withdraw_delay),
        announce_delay=float(entry.announce_delay),
        degrade_med=None if entry.degrade is None else entry.degrade.med,
    )


def _next_hops(entry: EntryModel, tables: _Tables) -> Mapping[int, Address] | None:
    if entry.next_hop is None:
        return tables.hops
    return {hop.version: hop for hop in entry.next_hop} or None


def _reverse_route(model: ReverseRouteModel | None) -> ReverseRoute | None:
    if model is None:
        return None
    peer = model.remote_peer
    return ReverseRoute(
        static=model.static,
        tag=model.tag,
        remote_peer=None if peer is None else RemotePeer(peer.address, peer.gateway),
        distance=model.distance,
    )


def _guard(model: GuardModel) -> Guard:
    lengths = {version: (bounds[0], bounds[1]) for version, bounds in model.lengths.by_version() if bounds}
    return Guard(
        allow=None if model.allow is None else tuple(model.allow),
        lengths=lengths,
        max_routes_per_peer=model.max_routes_per_peer,
        max_routes=model.max_routes,
        allow_special=frozenset(Special(name) for name in model.allow_special),
    )


def _attributes(more: TagModel) -> Attributes:
    return Attributes(
        communities=tuple(more.communities),
        large_communities=tuple(more.large_communities),
        med=more.med,
        local_preference=more.local_preference,
        extended_communities=tuple(dict.fromkeys(more.extended_communities)),
        as_path_prepend=more.as_path_prepend,
    )


def _exabgp(model: ExabgpModel) -> ExabgpSettings:
    return ExabgpSettings(model.ack_timeout, OnExit(model.on_exit), model.listen)


def _kernel(model: KernelModel) -> KernelSettings:
    return KernelSettings(model.table, model.protocol, Unresolved(model.unresolved), OnExit(model.on_exit))


def _hand_off(model: HandOffModel) -> HandOffSettings:
    return HandOffSettings(model.table, model.protocol, OnExit(model.on_exit))


def _source(source: SourceModel, file: Path) -> SourceSettings:
    chosen = source.chosen
    if isinstance(chosen, ReplayModel):
        return ReplaySettings(file=None if chosen.file is None else file.parent / chosen.file, speed=chosen.speed)
    if isinstance(chosen, XfrmModel):
        return XfrmSettings(chosen.name, chosen.netns or "", chosen.resync)
    return ViciSettings(chosen.name, chosen.socket, chosen.resync, chosen.kernel != "ignore")
