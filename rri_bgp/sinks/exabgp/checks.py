"""What ExaBGP would silently mangle, and what it has no words for.

Rules of this file: values in, errors out, no I/O. ``check`` is asked before a command is built.

ExaBGP 5.0 answers ``done`` to all of these and then does something else (each seen on 5.0.15):

- a community part above 65535 is carried into its neighbour (``65000:70000`` leaves as ``65001:4464``);
- an IPv4 prefix with an IPv6 next hop leaves in a form that most peers drop;
- an IPv6 prefix with an IPv4 next hop breaks the session, and again each time it comes back;
- a next hop of 0.0.0.0 is sent as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rri_bgp.errors import ExabgpError
from rri_bgp.model import Attributes, Destination, FlowRule, Path
from rri_bgp.sinks.exabgp import flows
from rri_bgp.sinks.exabgp.forms import Form

__all__ = ["check", "check_destination", "destination_fault", "fault"]

_MAX_ATTRIBUTES = 2048
"""Octets of communities and AS path in an UPDATE: a message has 4096 (RFC 4271 §4.1), and ``MAX_NLRI`` VPNv6 prefixes,
each in an UPDATE of its own or not, take less than half of it."""

_MAX_PREPEND = 16
_RD = re.compile(r"(?P<asn>\d{1,10}):(?P<number>\d{1,10})|(?P<ip>\d{1,3}(\.\d{1,3}){3}):(?P<small>\d{1,5})", re.ASCII)


@lru_cache(maxsize=4096)
def fault(form: Form, path: Path) -> str:
    """What is wrong with a path in a form, empty for nothing. Paths are few, destinations many: cached."""
    return next(_faults(form, path), "")


def check(form: Form, path: Path) -> None:
    """Whether a path can be sent in a form.

    Raises:
        ExabgpError: it cannot; the error says what ExaBGP would have made of it.
    """
    found = fault(form, path)
    if found:
        raise ExabgpError(found)


def check_destination(destination: Destination) -> None:
    """Whether there are words for a destination: there are for all but some flows.

    Raises:
        ExabgpError: there are none.
    """
    found = destination_fault(destination)
    if found:
        raise ExabgpError(found)


def destination_fault(destination: Destination) -> str:
    """Why there are no words for a destination, empty where there are."""
    return flows.fault(destination) if isinstance(destination, FlowRule) else ""


def _faults(form: Form, path: Path) -> Iterator[str]:
    hop = path.next_hop
    if hop.version != form.version:
        yield f"next hop {hop} for an IPv{form.version} prefix: it must be of the same family"
    elif hop.is_unspecified or hop.is_multicast or "%" in str(hop):
        yield f"next hop {hop} is no address of a router (RFC 4271 §5.1.3)"
    yield from _form_faults(form)
    yield from _attribute_faults(path.attributes)


def _form_faults(form: Form) -> Iterator[str]:
    if form.rd and not _is_distinguisher(form.rd):
        yield f"route distinguisher {form.rd}: AS:number or address:number (RFC 4364 §4.2)"
    if not _fits(form.label, 20):
        yield f"label {form.label}: must be 0 to 1048575 (RFC 3032 §2.1)"


def _is_distinguisher(text: str) -> bool:
    found = _RD.fullmatch(text)
    if found is None:
        return False
    if found["ip"]:
        return all(_fits(int(octet), 8) for octet in found["ip"].split(".")) and _fits(int(found["small"]), 16)
    asn, number = int(found["asn"]), int(found["number"])
    return (_fits(asn, 16) and _fits(number, 32)) or (_fits(asn, 32) and _fits(number, 16))


def _attribute_faults(attributes: Attributes) -> Iterator[str]:
    for community in attributes.communities:
        if not all(_fits(part, 16) for part in community):
            yield f"community {_colons(community)}: each part must be 0 to 65535 (RFC 1997)"
    for large in attributes.large_communities:
        if not all(_fits(part, 32) for part in large):
            yield f"large community {_colons(large)}: each part must be 0 to 4294967295 (RFC 8092)"
    for extended in attributes.extended_communities:
        if not _fits(extended, 64):
            yield f"extended community {extended:#x}: must have 64 bits (RFC 4360 §2)"
    for name, value in (("med", attributes.med), ("local-preference", attributes.local_preference)):
        if value is not None and not _fits(value, 32):
            yield f"{name} {value}: must be 0 to 4294967295 (RFC 4271 §4.3)"
    if not 0 <= attributes.as_path_prepend <= _MAX_PREPEND:
        yield f"as-path-prepend {attributes.as_path_prepend}: must be 0 to {_MAX_PREPEND}"
    yield from _size_faults(attributes)


def _size_faults(attributes: Attributes) -> Iterator[str]:
    sizes = (
        4 * len(attributes.communities),
        12 * len(attributes.large_communities),
        8 * len(attributes.extended_communities),
    )
    if sum(sizes) > _MAX_ATTRIBUTES:
        yield f"{sum(sizes)} octets of communities: at most {_MAX_ATTRIBUTES} are safe in one UPDATE (RFC 4271 §4.1)"


def _fits(number: int, bits: int) -> bool:
    return 0 <= number < 1 << bits


def _colons(parts: tuple[int, ...]) -> str:
    return ":".join(map(str, parts))
