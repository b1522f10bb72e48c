"""The shape of crypto maps and their entries in a policy file.

Rules of this file: those of ``schema``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict

from rri_bgp.policy.fields import (
    ADDRESS,
    EntryNextHop,
    Given,
    Glob,
    OptionalAddress,
    OptionalMark,
    OptionalName,
    OptionalWhole32,
    Peers,
    SchemaOf,
    wrong,
)
from rri_bgp.policy.fields_lists import Allow
from rri_bgp.policy.schema_base import SECONDS, Model, key, or_mapping
from rri_bgp.policy.yaml_text import show

__all__ = ["EntryModel", "GuardModel", "LengthsModel", "MapModel", "MatchModel", "RemotePeerModel", "ReverseRouteModel"]

_BOOLEAN = {"type": "boolean"}
_LENGTHS = "a list of two lengths, the least and the most, as [8, 32]"
_REMOTE_PEER = "true, false, an IP address, or a mapping with the keys address, gateway"
_REVERSE_ROUTE = "true, false, or a mapping with the keys static, tag, remote-peer, distance"
_MOST = 4294967295
_Special = Literal["peer", "neighbor", "local", "multicast", "broadcast", "loopback", "link-local", "unspecified"]


class MatchModel(Model):
    """Which SA pairs an entry takes, besides its peers and access list."""

    connection: Glob = key(
        "connection names of the IKE daemon, as a shell glob", "a glob over connection names", default="*", shown="`*`"
    )
    child: Glob = key("child names, as a shell glob", "a glob over child names", default="*", shown="`*`")
    identity: Glob = key(
        "the peer's IKE identity, as a shell glob", "a glob over IKE identities", default="*", shown="`*`"
    )
    if_id: OptionalWhole32 = key(
        "the outbound XFRM interface id; 0 is an SA without", "a whole number, 0..4294967295", default=None, shown="any"
    )
    mark: OptionalMark = key(
        "the outbound mark, of which the bits of the mask count", "VALUE or VALUE/MASK, as 0x10/0xff", default=None,
        shown="any",
    )  # fmt: skip
    vrf: OptionalName = key(
        "the VRF that the source knows the SA to be in", "the name of a VRF", default=None, shown="any", rules="N6"
    )


def _remote_peer(value: object) -> object:
    if isinstance(value, str) and not value.isalpha():
        return {"address": value}
    return or_mapping(value, _REMOTE_PEER)


class RemotePeerModel(Model):
    """Where the route to the peer points, in the kernel."""

    address: OptionalAddress = key(
        "the next hop of the network's route (N3), or with `gateway` that of the peer's (N4)",
        "an IP address",
        default=None,
        rules="N3, N4",
    )
    gateway: bool = key(
        "two routes: the network by the peer, the peer by the address",
        "true or false",
        default=False,
        shown="`false`",
        rules="N4",
    )


class ReverseRouteModel(Model):
    """What an entry injects."""

    static: bool = key(
        "a route per permit line's destination, by the first peer, with no SA; on a dynamic entry it changes nothing",
        "true or false",
        default=False,
        shown="`false`",
        rules="E3, E5",
    )
    tag: OptionalWhole32 = key(
        "the tag of its routes; tag 0 is a tag", "a whole number, 0..4294967295", default=None, shown="no tag",
        rules="N8",
    )  # fmt: skip
    remote_peer: Annotated[
        RemotePeerModel | None, BeforeValidator(_remote_peer), SchemaOf(_BOOLEAN, ADDRESS, own=True)
    ] = key(
        "a route to the peer beside the network's (true), or the network by another next hop (an address)",
        _REMOTE_PEER,
        default=None,
        shown="`false`",
        rules="N2, N3, N4",
    )
    distance: int = key(
        "the metric of its routes in the kernel",
        "a whole number, 1..255",
        default=1,
        shown="`1`",
        rules="N7",
        ge=1,
        le=255,
    )


def _reverse_route(value: object) -> object:
    return or_mapping(value, _REVERSE_ROUTE)


def _lengths(value: object, most: int) -> object:
    is_right = (
        isinstance(value, list)
        and len(value) == 2  # the least and the most
        and all(isinstance(one, int) and not isinstance(one, bool) for one in value)
        and 0 <= value[0] <= value[1] <= most
    )
    if not is_right:
        raise wrong(f"{show(value)} is not allowed here; allowed: {_LENGTHS}, each 0..{most}")
    return value


class LengthsModel(Model):
    """Bounds of the prefix lengths that a peer may propose, both inside."""

    ipv4: Annotated[
        list[int] | None,
        BeforeValidator(lambda value: _lengths(value, 32)),
        SchemaOf({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 32}, "minItems": 2}),
    ] = key("of IPv4 prefixes", f"{_LENGTHS}, each 0..32", default=None, rules="G1")
    ipv6: Annotated[
        list[int] | None,
        BeforeValidator(lambda value: _lengths(value, 128)),
        SchemaOf({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 128}, "minItems": 2}),
    ] = key("of IPv6 prefixes", f"{_LENGTHS}, each 0..128", default=None, rules="G1")

    def by_version(self) -> tuple[tuple[int, list[int] | None], ...]:
        """IP versions and their bounds."""
        return ((4, self.ipv4), (6, self.ipv6))


class GuardModel(Model):
    """What a peer of this entry is not believed."""

    allow: Annotated[list[Allow] | None, Given()] = key(
        "what peers may propose, as in a prefix list: a prefix alone is that prefix, `ge` and `le` bound its subnets",
        "a list of rules, as [10.0.0.0/8 ge 24]",
        default=None,
        shown="all",
        rules="G1",
    )
    lengths: LengthsModel = key(
        "bounds of prefix lengths", "a mapping with the keys ipv4, ipv6", default=LengthsModel(), rules="G1"
    )
    max_routes_per_peer: Annotated[int | None, Given()] = key(
        "most routes of one peer", "a whole number, 1..4294967295", default=None, shown="no limit", rules="G1",
        ge=1, le=_MOST,
    )  # fmt: skip
    max_routes: Annotated[int | None, Given()] = key(
        "most routes of this entry", "a whole number, 1..4294967295", default=None, shown="no limit", rules="G1",
        ge=1, le=_MOST,
    )  # fmt: skip
    allow_special: list[_Special] = key(
        "destinations that are refused otherwise: those that are or cover the peer's address or a BGP neighbor's, "
        "those that overlap with an address or network of this machine (local), and those with no unicast meaning",
        "a list of peer, neighbor, local, multicast, broadcast, loopback, link-local, unspecified",
        default=[],
        rules="G1",
    )


class DegradeModel(Model):
    """What a suspected peer's routes become."""

    med: int = key("their MED while the suspicion lasts", "a whole number, 0..4294967295", rules="G5", ge=0, le=_MOST)


class EntryModel(Model):
    """One numbered entry of a crypto map. The first one that fits takes the SA, and no entry after it sees it."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"type": {"const": "static"}}},
            "then": {"required": ["set-peer"]},
            "else": {"not": {"required": ["set-peer"]}},
        }
    )
    seq: int = key("the order within the map", "a whole number, 1..65535", ge=1, le=65535)
    type: Literal["static", "dynamic"] = key(
        "a static entry names its peers, a dynamic one takes whoever negotiates", "static or dynamic", rules="E1, E2"
    )
    set_peer: Peers = key(
        "the remote tunnel endpoints, the first one first; a host name is resolved and matches nobody until it is",
        "an IP address or host name, or a list of at least one",
        default=None,
        shown="required if static, refused if dynamic",
        rules="E2, E3",
    )
    match_address: OptionalName = key(
        "the access list within which an SA's selectors lie", "the name of an access list", default=None, shown="any",
        rules="E2, E3, E9",
    )  # fmt: skip
    match: MatchModel = key(
        "which SAs it takes, by what the IKE daemon and the kernel call them",
        "a mapping with the keys connection, child, identity, if-id, mark, vrf",
        default=MatchModel(),
        shown="any",
    )
    reverse_route: Annotated[
        ReverseRouteModel | None, BeforeValidator(_reverse_route), SchemaOf(_BOOLEAN, own=True)
    ] = key(
        "what the entry injects; without it, it takes its SAs and injects nothing",
        _REVERSE_ROUTE,
        default=None,
        shown="`false`",
        rules="E1, E2",
    )
    next_hop: EntryNextHop = key(
        "the BGP next hop of its routes: `self` is `local.next-hop`, or the virtual address of its redundancy group",
        "self, peer, an address, or a list of at most one per family",
        default=None,
        shown="`self`",
        rules="N9, G2",
    )
    allow_default: Literal["skip", "route", "halves"] = key(
        "what a proxy 0.0.0.0/0 or ::/0 makes: nothing, itself, or its two halves",
        "skip or route or halves",
        default="skip",
        shown="`skip`",
        rules="E10",
    )
    port_proxies: Literal["skip", "route", "flowspec"] = key(
        "what a proxy that is limited to a protocol or ports makes: nothing, a route, a FlowSpec rule",
        "skip or route or flowspec",
        default="skip",
        shown="`skip`",
        rules="E11",
    )
    overlap: Literal["newest", "oldest", "ecmp"] = key(
        "who wins where several SAs have the same proxy; `ecmp`: all of them, where the neighbor takes several",
        "newest or oldest or ecmp",
        default="newest",
        shown="`newest`",
        rules="E13",
    )
    guard: GuardModel = key(
        "what its peers are not believed",
        "a mapping with the keys allow, lengths, max-routes-per-peer, max-routes, allow-special",
        default=GuardModel(),
        rules="G1",
    )
    vrf: OptionalName = key(
        "the inner VRF, which its routes are in", "the name of a VRF", default=None, shown="the map's", rules="N6, N10"
    )
    front_vrf: OptionalName = key(
        "the outer VRF, which its peers are in", "the name of a VRF", default=None, shown="the map's", rules="N6"
    )
    redundancy: OptionalName = key(
        "only the holder of this group's virtual address injects",
        "the name of a redundancy group",
        default=None,
        shown="the map's",
        rules="G2",
    )
    withdraw_delay: float = key(
        "hold-down: how long a route outlives its last SA", "seconds, 0..86400", default=0.0, shown="`0`", rules="G4",
        **SECONDS,
    )  # fmt: skip
    announce_delay: float = key(
        "how long an SA is up before its first route", "seconds, 0..86400", default=0.0, shown="`0`", rules="G4",
        **SECONDS,
    )  # fmt: skip
    degrade: Annotated[DegradeModel | None, Given()] = key(
        "while a peer is suspected dead, its routes stay with this MED", "a mapping with the key med", default=None,
        shown="nothing changes", rules="G5",
    )  # fmt: skip


class MapModel(Model):
    """A crypto map. Its `redundancy`, `vrf` and `front-vrf` are the defaults of its entries."""

    interface: OptionalName = key(
        "the interface that carries the map", "the name of an interface", default=None, shown="not said", rules="N2"
    )
    redundancy: OptionalName = key(
        "the redundancy group of its entries", "the name of a redundancy group", default=None, rules="G2"
    )
    vrf: OptionalName = key(
        "the inner VRF of its entries", "the name of a VRF", default=None, shown="the default VRF", rules="N6, N10"
    )
    front_vrf: OptionalName = key(
        "the outer VRF of its entries", "the name of a VRF", default=None, shown="the default VRF", rules="N6"
    )
    entries: list[EntryModel] = key("its entries, tried by `seq`", "a list of at least one entry", min_length=1)
