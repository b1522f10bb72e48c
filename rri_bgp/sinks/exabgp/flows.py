"""FlowSpec rules in ExaBGP's words, both ways (rule E11; RFC 8955, RFC 8956).

Rules of this file: pure. ExaBGP takes a flow on one line, as a block::

    announce flow route { match { destination 10.1.0.0/16; protocol =6; destination-port =443; }
                          then { redirect 198.51.100.1; community [ 65000:100 ]; } }

The action is a redirect to the next hop (docs/decisions/0008-what-goes-to-exabgp-and-to-whom.md). MED, local preference
and AS path have no words there.

What it prints is no such block, and has names for numbers: ``protocol =tcp destination-port [ >=1024&<=callbook ]``.
They are names of protocols, of ICMP types, and in 5.0 of 4,928 ports, where 28 names stand for several. Which numbers a
name may stand for is read from the ``exabgp`` package, so a printed flow may be one of several.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping

from rri_bgp.model import ANY_PORT, FlowRule, Prefix
from rri_bgp.sinks.exabgp.forms import Form

__all__ = ["REDIRECT", "body", "candidates", "fault"]

REDIRECT = "redirect-to-nexthop"
"""How ExaBGP prints the action, among the extended communities."""

_ICMP = {4: 1, 6: 58}
_WITH_PORTS = (0, 6, 17)
"""Any, TCP and UDP: FlowSpec's port components know no other (RFC 8955 §4.2.2.5)."""

_ANY_CODE = (0, 255)


def fault(rule: FlowRule) -> str:
    """Why there are no words for a flow, empty where there are."""
    low, high = rule.ports
    if not (0 <= rule.protocol <= 255 and 0 <= low <= high <= 65535):
        return f"{rule} is no flow: protocol 0 to 255, ports 0 to 65535"
    if rule.ports == ANY_PORT or rule.protocol in _WITH_PORTS:
        return ""
    if rule.protocol != _ICMP[rule.prefix.version]:
        return f"protocol {rule.protocol} with ports: FlowSpec matches ports of TCP and UDP only (RFC 8955 §4.2.2.5)"
    if low >> 8 != high >> 8 and (low & 255, high & 255) != _ANY_CODE:
        return "ICMP codes that begin or end within a type: FlowSpec cannot say that in one rule (RFC 8955 §4.2.2.7)"
    return ""


def body(form: Form, rule: object, actions: str) -> str:
    """What follows the verb. ``actions`` are statements, each with ``; `` after it; none for a bare withdraw."""
    if not isinstance(rule, FlowRule):
        raise TypeError(f"{rule} is no flow")
    distinguisher = f"rd {form.rd}; " if form.rd else ""
    matches = "".join(f"{match}; " for match in _matches(rule))
    then = f"then {{ {actions}}} " if actions else ""
    return f"flow route {{ {distinguisher}match {{ {matches}}} {then}}}"


def _matches(rule: FlowRule) -> Iterator[str]:
    yield f"destination {rule.prefix}"
    if rule.protocol:
        yield f"{'protocol' if rule.prefix.version == 4 else 'next-header'} ={rule.protocol}"
    low, high = rule.ports
    if rule.ports == ANY_PORT:
        return
    if rule.protocol != _ICMP[rule.prefix.version]:
        yield f"destination-port {_range(low, high)}"
        return
    yield f"icmp-type {_range(low >> 8, high >> 8)}"
    if (low & 255, high & 255) != _ANY_CODE:
        yield f"icmp-code {_range(low & 255, high & 255)}"


def _range(low: int, high: int) -> str:
    return f"={low}" if low == high else f">={low}&<={high}"


# -- what ExaBGP prints ----------------------------------------------------------------------------------------------

_PRINTED = re.compile(
    r"flow destination-ipv[46] (?P<prefix>[0-9a-f.:]+/\d+)(/0)?"
    r"( (protocol|next-header) =(?P<protocol>\S+|unknown protocol type \d+))?"
    r"( destination-port (?P<ports>\[ [^\]]+ \]|\S+))?"
    r"( icmp-type (?P<types>\[ [^\]]+ \]|=unknown icmp type \d+|\S+))?( icmp-code (?P<codes>\[ [^\]]+ \]|\S+))?"
    r"( rd (?P<rd>\S+))?(?P<rest> (next-hop|origin|as-path|med|local-preference|(large-|extended-)?community) .*)?",
    re.ASCII,
)
_BOUNDS = re.compile(r"=(?P<same>[^<>=&]+)|>=(?P<low>[^<>=&]+)&<=(?P<high>[^<>=&]+)")
_UNKNOWN = re.compile(r"unknown [a-z ]+ type ")
_MANY = 64
"""Rules that one printed flow may stand for; beyond that it is not ours."""


def candidates(text: str) -> tuple[tuple[FlowRule, ...], str, str]:
    """The flows that a printed one may be, its route distinguisher, and the words of its path; no flows: not ours."""
    found = _PRINTED.fullmatch(text)
    if found is None:
        return (), "", ""
    try:
        prefix = Prefix.parse(found["prefix"])
    except ValueError:
        return (), "", ""
    protocols = _values(found["protocol"], _protocols()) if found["protocol"] else (0,)
    if found["types"]:
        spans = tuple(_icmp_spans(found["types"], found["codes"]))
    else:
        spans = tuple(_spans(found["ports"], _ports())) if found["ports"] else (ANY_PORT,)
    rules = [FlowRule(prefix, protocol, span) for protocol in protocols for span in spans]
    good = tuple(rule for rule in rules[:_MANY] if not fault(rule))
    return good, found["rd"] or "", (found["rest"] or "").strip()


def _icmp_spans(types: str, codes: str | None) -> Iterator[tuple[int, int]]:
    for low, high in _spans(types, _icmp_types()):
        for first, last in _spans(codes, {}) if codes else (_ANY_CODE,):
            yield low << 8 | first, high << 8 | last


def _spans(text: str, names: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    found = _BOUNDS.fullmatch(_UNKNOWN.sub("", text.strip("[] ")))
    if found is None:
        return
    if found["same"]:
        yield from ((number, number) for number in _values(found["same"], names))
    else:
        yield from itertools.product(_values(found["low"], names), _values(found["high"], names))


def _values(word: str, names: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    word = _UNKNOWN.sub("", word)
    return (int(word),) if word.isascii() and word.isdecimal() and len(word) < 10 else names.get(word, ())


@functools.cache
def _ports() -> Mapping[str, tuple[int, ...]]:
    """Read when the first flow is adopted: it is long, and most tables have none."""
    from exabgp.protocol.ip.port import Port  # noqa: PLC0415

    return _inverse(Port.names)


@functools.cache
def _protocols() -> Mapping[str, tuple[int, ...]]:
    from exabgp.protocol import Protocol  # noqa: PLC0415

    return _inverse(Protocol.names)


@functools.cache
def _icmp_types() -> Mapping[str, tuple[int, ...]]:
    from exabgp.protocol.ip.icmp import ICMPType  # noqa: PLC0415

    return {**_ICMP_TYPES_OF_4, **_inverse(ICMPType.names)}


_ICMP_TYPES_OF_4 = {
    "source-quench": (4,),
    "info-request": (15,),
    "info-reply": (16,),
    "mask-request": (17,),
    "mask-reply": (18,),
    "traceroute": (30,),
}
"""Names that 4.2 has and 5.0 has not."""


def _inverse(names: Mapping[int, str]) -> Mapping[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for number, name in names.items():
        found.setdefault(name, []).append(int(number))
    return {name: tuple(numbers) for name, numbers in found.items()}
