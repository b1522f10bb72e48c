"""The shape of the tables that a policy file's entries name: tags, redundancy groups, VRFs; and of BGP neighbours.

Rules of this file: those of ``schema``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from rri_bgp.policy.fields import (
    AbsolutePath,
    Given,
    Name,
    OptionalName,
    OptionalWhole32,
    SchemaOf,
    VirtualAddresses,
    wrong,
)
from rri_bgp.policy.fields_bgp import (
    Community,
    EntryName,
    ExtendedCommunity,
    LargeCommunity,
    NeighborTag,
    OptionalDistinguisher,
    RouteTarget,
)
from rri_bgp.policy.fields_kernel import MAX_TABLE, VrfTable
from rri_bgp.policy.schema_base import Model, key
from rri_bgp.policy.yaml_text import show

__all__ = ["GroupModel", "NeighborModel", "NotifyModel", "StandbyModel", "TagModel", "TotalGuardModel", "VrfModel"]

_STANDBY = "silent, or a mapping with the key med"
_MOST = 4294967295


class TagModel(Model):
    """What a tag adds upstream."""

    communities: list[Community] = key(
        "more communities (RFC 1997)", 'a list of communities, as ["65000:100"]', default=[], rules="N8"
    )
    large_communities: list[LargeCommunity] = key(
        "more large communities (RFC 8092)", 'a list of large communities, as ["65000:1:100"]', default=[], rules="N8"
    )
    extended_communities: list[ExtendedCommunity] = key(
        "extended communities (RFC 4360)", 'a list of extended communities, as ["target:65000:1"]', default=[],
        rules="N8",
    )  # fmt: skip
    local_preference: OptionalWhole32 = key(
        "LOCAL_PREF", "a whole number, 0..4294967295", default=None, shown="not sent", rules="N8"
    )
    med: OptionalWhole32 = key(
        "MULTI_EXIT_DISC", "a whole number, 0..4294967295", default=None, shown="not sent", rules="N8"
    )
    as_path_prepend: int = key(
        "how often the local AS stands in AS_PATH before what is there anyway",
        "a whole number, 0..16",
        default=0,
        shown="`0`",
        rules="N8",
        ge=0,
        le=16,
    )


class StandbyModel(Model):
    """What the standby announces, with its own next hop."""

    med: int = key("the MED of its routes", "a whole number, 0..4294967295", rules="G2", ge=0, le=_MOST)


class NotifyModel(Model):
    """keepalived's notify FIFO: it tells of a change of state at once."""

    fifo: AbsolutePath = key("`vrrp_notify_fifo` of keepalived.conf", "an absolute path", rules="G2")
    instance: Name = key("the `vrrp_instance` that holds the virtual address", "a name", rules="G2")


def _standby(value: object) -> object:
    if value == "silent":
        return None
    if not isinstance(value, dict):
        raise wrong(f"{show(value)} is not allowed here; allowed: {_STANDBY}")
    return value


class GroupModel(Model):
    """A redundancy group: the gateway that holds the virtual address injects, with that address as next hop."""

    virtual_address: VirtualAddresses = key(
        "the address that moves", "an IP address, or a list of at most one per family", rules="G2"
    )
    standby: Annotated[StandbyModel | None, BeforeValidator(_standby), SchemaOf({"const": "silent"}, own=True)] = key(
        "what the gateway does that does not hold it: nothing, or announce with this MED and its own next hop",
        _STANDBY,
        default=None,
        shown="`silent`",
        rules="G2",
    )
    notify: Annotated[NotifyModel | None, Given()] = key(
        "keepalived's notify FIFO, beside the kernel's addresses", "a mapping with the keys fifo, instance",
        default=None, rules="G2",
    )  # fmt: skip


class VrfModel(Model):
    """A VRF. With `rd` its routes go upstream as VPNv4 or VPNv6 routes."""

    table: VrfTable = key(
        "its routing table in the kernel", f"a whole number, 1..{MAX_TABLE}", rules="N6", ge=1, le=MAX_TABLE
    )
    rd: OptionalDistinguisher = key(
        "the route distinguisher of its VPN routes",
        '"A:B" with A an AS number or an IPv4 address',
        default=None,
        shown="none: no VPN routes",
        rules="N10",
    )
    export: list[RouteTarget] = key(
        "the route targets of its VPN routes", 'a list of route targets, as ["65000:1"]', default=[], rules="N10"
    )
    label: int = key(
        "the MPLS label of its VPN routes", "a whole number, 0..1048575", default=0, shown="`0`", rules="N10",
        ge=0, le=1048575,
    )  # fmt: skip


class NeighborModel(Model):
    """What one BGP neighbor is given. One that is not named is given everything of the default VRF."""

    tags: Annotated[list[NeighborTag] | None, Given()] = key(
        "routes with these tags; `none` is those without a tag", "a list of tags, as [100, none]", default=None,
        shown="all", rules="N8",
    )  # fmt: skip
    entries: Annotated[list[EntryName] | None, Given()] = key(
        "routes of these entries", "a list of entries, as [mymap 10]", default=None, shown="all"
    )
    vrf: OptionalName = key(
        "the routes of this VRF, as plain unicast, and no others", "the name of a VRF", default=None,
        shown="the default VRF, and all VRFs as VPN routes", rules="N10",
    )  # fmt: skip


class TotalGuardModel(Model):
    """What holds for all entries together."""

    max_routes: Annotated[int | None, Given()] = key(
        "most routes in all", "a whole number, 1..4294967295", default=None, shown="no limit", rules="G1",
        ge=1, le=_MOST,
    )  # fmt: skip
