"""The model's values as JSON: the same fields wherever one of them stands (docs/reference/json.md)."""

from __future__ import annotations

import ipaddress
from typing import Any

from rri_bgp.model import Destination, FlowRule, LineKey, Owner, Path, Refusal, SaPair, prefix_of, vrf_of

__all__ = [
    "Item",
    "destination_fields",
    "extended_community",
    "owner_fields",
    "path_fields",
    "refusal_fields",
    "sa_fields",
]

Item = dict[str, Any]

_ROUTE_TARGET = 0x02
"""Subtype of a route target (RFC 4360 §4)."""


def destination_fields(destination: Destination) -> Item:
    """What a route is for; ``flow`` is null for a prefix."""
    flow = None
    if isinstance(destination, FlowRule):
        flow = {"protocol": destination.protocol, "ports": list(destination.ports)}
    return {"prefix": str(prefix_of(destination)), "vrf": vrf_of(destination), "flow": flow}


def path_fields(path: Path) -> Item:
    """The next hop and the attributes."""
    attributes = path.attributes
    return {
        "next_hop": str(path.next_hop),
        "communities": [":".join(map(str, one)) for one in attributes.communities],
        "large_communities": [":".join(map(str, one)) for one in attributes.large_communities],
        "extended_communities": [extended_community(one) for one in attributes.extended_communities],
        "med": attributes.med,
        "local_preference": attributes.local_preference,
        "as_path_prepend": attributes.as_path_prepend,
    }


def extended_community(number: int) -> str:
    """``target:65000:1`` or ``target:192.0.2.1:1`` for a route target, hexadecimal otherwise (RFC 4360, RFC 5668)."""
    kind, subtype, value = number >> 56, number >> 48 & 0xFF, number & (1 << 48) - 1
    if subtype == _ROUTE_TARGET:
        match kind:
            case 0:
                return f"target:{value >> 32}:{value & 0xFFFFFFFF}"
            case 1:
                return f"target:{ipaddress.IPv4Address(value >> 16)}:{value & 0xFFFF}"
            case 2:
                return f"target:{value >> 16}:{value & 0xFFFF}"
    return f"0x{number:016x}"


def owner_fields(owner: Owner) -> Item:
    """An SA pair by ``source`` and ``uniqueid``, or an access list line by ``entry`` and ``line``, counted from 1."""
    if isinstance(owner, LineKey):
        return {"source": None, "uniqueid": None, "entry": owner.entry, "line": owner.line + 1}
    return {"source": owner.source, "uniqueid": owner.uniqueid, "entry": None, "line": None}


def sa_fields(sa: SaPair) -> Item:
    """An SA pair. No key material: there is none in it."""
    return {
        "source": sa.key.source,
        "uniqueid": sa.key.uniqueid,
        "connection": sa.connection,
        "child": sa.child,
        "peer": str(sa.peer),
        "local": str(sa.local),
        "identity": sa.identity,
        "remote_ts": [str(selector) for selector in sa.remote_ts],
        "local_ts": [str(selector) for selector in sa.local_ts],
        "mode": sa.mode.value,
        "state": sa.state,
        "ike_id": sa.ike_id,
        "reqid": sa.reqid,
        "if_id": sa.if_id,
        "mark": sa.mark,
        "vrf": sa.vrf,
        "since": sa.since,
        "suspect": sa.is_suspect,
        "not_in_kernel": [str(selector) for selector in sa.not_in_kernel],
        "held": sa.is_held,
    }


def refusal_fields(refusal: Refusal) -> Item:
    """Why something made no route, without whose it is."""
    return {
        "prefix": None if refusal.destination is None else str(refusal.prefix),
        "rule": refusal.rule,
        "label": refusal.why.label,
        "reason": refusal.reason,
    }
