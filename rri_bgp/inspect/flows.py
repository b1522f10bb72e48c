"""FRR's FlowSpec table, as it prints it for people: its JSON leaves the next hop out.

Rules of this file: pure, no I/O. Seen on FRR 10.3. Only rules of our shape are read (rule E11): traffic to a
prefix, perhaps of one protocol and to some ports, redirected to a next hop. All others are somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

from rri_bgp.errors import UnreachableError
from rri_bgp.model import ANY_PORT, Address, FlowRule, Prefix

__all__ = ["FLOW_COMMANDS", "parse_flows"]

FLOW_COMMANDS = ("show bgp ipv4 flowspec detail", "show bgp ipv6 flowspec detail")
"""The FlowSpec table, one command a family: for ``parse_flows``."""

_START = "BGP flowspec entry:"
_LINE = re.compile(
    r"Destination Address (?P<prefix>[0-9a-f.:]+/\d+)(?:/off 0)?"
    r"|IP Protocol = (?P<protocol>\d+)"
    r"|Destination Port (?P<ports>.+)"
    r"|ICMP Type (?P<type>.+)"
    r"|ICMP Code (?P<code>.+)"
    r"|NLRI NH (?P<hop>\S+)"
    r"|FS:(?P<action>redirect IP) 0x0"
    r"|received for .*|(?:not )?installed in PBR.*"
)
_RANGE = re.compile(r"= (\d+)|>= (\d+) , <= (\d+)")


def parse_flows(text: str, where: str = "upstream") -> dict[FlowRule, Address]:
    """What one of ``FLOW_COMMANDS`` printed: the next hop of each rule that may be ours; ``where`` is for the error.

    Raises:
        UnreachableError: a rule of our shape has numbers that cannot be.
    """
    found = {}
    for entry in text.split(_START)[1:]:
        lines = [line.strip() for line in entry.splitlines()[1:]]
        fields = _fields([line for line in lines if line and not line.startswith("Displayed ")])
        if fields is None:
            continue
        try:
            rule = _rule(fields)
            if rule is not None:
                found[rule] = ip_address(fields["hop"])
        except ValueError as error:
            raise UnreachableError(f"not a flow rule as FRR prints it: {error}", where=where) from None
    return found


def _fields(lines: list[str]) -> dict[str, str] | None:
    """What the lines of a rule say, None where one says what ours do not say, or what ours say is not there."""
    fields: dict[str, str] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        fields |= {name: value for name, value in match.groupdict().items() if value is not None}
    return fields if fields.keys() >= {"prefix", "hop", "action"} else None


def _rule(fields: Mapping[str, str]) -> FlowRule | None:
    ports: tuple[int, int] | None = ANY_PORT
    if "ports" in fields:
        ports = _range(fields["ports"])
    elif "type" in fields:
        ports = _icmp(_range(fields["type"]), _range(fields.get("code", ">= 0 , <= 255")))
    if ports is None:
        return None
    return FlowRule(Prefix.parse(fields["prefix"]), int(fields.get("protocol", "0")), ports)


def _range(text: str) -> tuple[int, int] | None:
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    one, low, high = match.groups()
    return (int(one), int(one)) if one is not None else (int(low), int(high))


def _icmp(types: tuple[int, int] | None, codes: tuple[int, int] | None) -> tuple[int, int] | None:
    """Types and codes packed as ports are (RFC 4301 §4.4.1.1)."""
    if types is None or codes is None:
        return None
    return types[0] << 8 | codes[0], types[1] << 8 | codes[1]
