"""A model of ExaBGP 5: the text protocol, its adj-RIB-out for each neighbour, and what each neighbour then has.

As the real one it takes no notice of an announcement that it has already, labels apart; and what it sends is told apart
by path identifiers only where add-path was negotiated.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from rri_bgp.model import Attributes, FlowRule, Path, Prefix, VrfPrefix
from rri_bgp.sinks.exabgp.commands import PROBE_BEGINS
from rri_bgp.sinks.exabgp.forms import MAX_NLRI

__all__ = ["ASN", "GARBAGE", "ExaBgp", "Neighbor", "Nlri", "Sent", "is_command", "spoilt"]

GARBAGE = ("debris", '{"type": "update"}', "{", "[", "", "neighbor", "Neighbor x", '{"type": "state", "neighbor": 1}')
ASN = 65000
PORTS = {443: "https", 8080: "http-alt"}
_FLOW = re.compile(
    r"flow route \{ (rd (?P<rd>\S+); )?match \{ destination (?P<prefix>\S+); "
    r"(protocol|next-header) =(?P<protocol>\d+); "
    r"(destination-port (?P<ports>\S+); )?\} (then \{ redirect (?P<hop>\S+); (?P<rest>.*)\} )?\}"
)


class Nlri(NamedTuple):
    """What tells routes apart: a VRF is its distinguisher."""

    destination: Prefix | VrfPrefix | FlowRule
    path_id: int | None = None

    @property
    def family(self) -> str:
        """As ExaBGP names it."""
        where = self.destination
        if isinstance(where, Prefix):
            return f"ipv{where.version} unicast"
        if isinstance(where, VrfPrefix):
            return f"ipv{where.prefix.version} mpls-vpn"
        return f"ipv{where.prefix.version} flow{'-vpn' if where.vrf else ''}"


class Sent(NamedTuple):
    """What is sent for it; ``label`` is no part of what ExaBGP compares."""

    path: Path
    as_path: tuple[int, ...] = ()
    label: int = 0


def spoilt(nlri: Nlri, path: Path) -> bool:
    """The model refuses it, and with it the whole command."""
    where = nlri.destination
    prefix = where if isinstance(where, Prefix) else where.prefix
    return path.attributes.med == 666 and prefix.network >> (8 if prefix.version == 4 else 64) & 1 == 1


@dataclass
class Neighbor:
    """``table`` is the adj-RIB-out; it outlives sessions. ``has`` is what the neighbour has. Our AS is 65000."""

    families: frozenset[str]
    up: bool = True
    add_path: bool = False
    asn: int = ASN
    table: dict[Nlri, Sent] = field(default_factory=dict)
    has: dict[Nlri, Sent] = field(default_factory=dict)
    updates: int = 0

    def announce(self, nlri: Nlri, sent: Sent) -> None:
        """As ExaBGP does it: what it has is not sent again."""
        old = self.table.get(nlri)
        if old is not None and old[:2] == sent[:2]:
            return
        self.table[nlri] = sent
        self.updates += 1
        if self.up:
            self.has[self._on_the_wire(nlri)] = sent

    def withdraw(self, nlri: Nlri) -> None:
        """As ExaBGP does it."""
        if self.table.pop(nlri, None) is not None:
            self.updates += 1
        if self.up:
            self.has.pop(self._on_the_wire(nlri), None)

    def session(self, *, up: bool, add_path: bool) -> None:
        """All of the table is sent when it comes up."""
        self.up, self.add_path = up, add_path
        self.has = {self._on_the_wire(nlri): sent for nlri, sent in self.table.items()} if up else {}

    def _on_the_wire(self, nlri: Nlri) -> Nlri:
        return nlri if self.add_path else Nlri(nlri.destination)


@dataclass
class ExaBgp:
    """``inbox`` holds the lines that it has not run, ``outbox`` the bytes that its helper has not read."""

    neighbors: dict[str, Neighbor]
    inbox: deque[str] = field(default_factory=deque)
    outbox: bytearray = field(default_factory=bytearray)

    def say(self, *lines: str) -> None:
        """Tells its helper."""
        for line in lines:
            self.outbox += line.encode() + b"\n"

    def run(self, *, noise: bool = False, forget: bool = False, lose: bool = False) -> None:
        """Runs the next line. ``forget``: a command is not answered; ``lose``: nor does it do anything."""
        line = self.inbox.popleft()
        if is_command(line):
            done = (forget and lose) or self.change(line)
            if not forget:
                self.say("done" if done else "error")
            return
        for number, text in enumerate(self.answer(line)):
            if noise:
                self.say(GARBAGE[number % len(GARBAGE)])
            self.say(text)

    def answer(self, line: str) -> list[str]:
        """What it prints for a question."""
        match line:
            case "reset":
                return []
            case "enable-ack":
                return ["done"]
            case "version":
                return ["exabgp 5.0.15", "done"]
            case "show neighbor summary":
                return [PROBE_BEGINS + " AS  up/down", *(f"{peer}  65000" for peer in self.neighbors), "done"]
            case "show neighbor summary json":
                return [json.dumps([self.entry(peer) for peer in self.neighbors]), "done"]
            case "show adj-rib out extensive":
                return [*self.routes(), "done"]
        raise AssertionError(line)

    def entry(self, peer: str) -> dict[str, object]:
        """A neighbour, as it is listed."""
        neighbor = self.neighbors[peer]
        families = sorted(neighbor.families)
        paths = dict.fromkeys(families, neighbor.add_path if neighbor.up else None)
        return {
            "fsm": "ESTABLISHED" if neighbor.up else "IDLE",
            "local": {
                "address": "192.0.2.254", "families": families, "capabilities": {}, "as": ASN, "add-path": paths,
            },
            "peer": {"address": peer, "as": neighbor.asn},
            "families": families if neighbor.up else [],
        }  # fmt: skip

    def routes(self) -> list[str]:
        """Its table."""
        return [
            f"neighbor {peer} local-ip 192.0.2.254 {nlri.family} {printed(nlri, sent)}"
            for peer, neighbor in self.neighbors.items()
            for nlri, sent in neighbor.table.items()
        ]

    def change(self, line: str) -> bool:
        """Whether it was taken; all of it, or nothing."""
        peers, verb, body = addressed(line)
        hearing = (
            [self.neighbors[peer] for peer in peers if peer in self.neighbors] if peers else self.neighbors.values()
        )
        if not hearing:
            return False
        found, sent = parsed(body)
        assert 1 <= len(found) <= MAX_NLRI
        assert len({nlri.family for nlri in found}) == 1
        if verb == "withdraw":
            for neighbor in hearing:
                for nlri in found:
                    neighbor.withdraw(nlri)
            return True
        assert sent is not None
        if any(spoilt(nlri, sent.path) for nlri in found):
            return False
        for neighbor in hearing:
            if found[0].family in neighbor.families:
                for nlri in found:
                    neighbor.announce(nlri, sent)
        return True

    def session(self, peer: str, *, up: bool, add_path: bool = False) -> None:
        """A session comes or goes."""
        self.neighbors[peer].session(up=up, add_path=add_path)
        address = {"local": "192.0.2.254", "peer": peer}
        state = {"address": address, "state": "up" if up else "down", "reason": "" if up else "hold timer"}
        self.say(json.dumps({"type": "state", "neighbor": state}))


def is_command(line: str) -> bool:
    """Whether a line changes routes."""
    return " attributes " in line or " flow route " in line


def addressed(line: str) -> tuple[list[str], str, str]:
    """To whom, what, and the rest."""
    peers = []
    while line.startswith("neighbor "):
        _, peer, line = line.split(" ", 2)
        peers.append(peer)
        line = line.removeprefix(", ")
    verb, body = line.split(" ", 1)
    return peers, verb, body


def parsed(body: str) -> tuple[list[Nlri], Sent | None]:
    """A command's routes, and what it says of them."""
    flow = _FLOW.fullmatch(body)
    if flow is not None:
        low, high = bounds(flow["ports"]) if flow["ports"] else (0, 65535)
        rule = FlowRule(Prefix.parse(flow["prefix"]), int(flow["protocol"]), (low, high), flow["rd"] or "")
        if flow["hop"] is None:
            return [Nlri(rule)], None
        return [Nlri(rule)], Sent(path_of(f"next-hop {flow['hop']} {flow['rest'].replace(';', '')}"))
    words, _, nlri = body.removeprefix("attributes ").partition("nlri ")
    facts = facts_of(words)
    rd = facts["rd"][0] if "rd" in facts else ""
    number = int(facts["path-information"][0]) if "path-information" in facts else None
    prefixes = [Prefix.parse(word) for word in nlri.split()]
    found = [Nlri(VrfPrefix(rd, prefix) if rd else prefix, number) for prefix in prefixes]
    if "next-hop" not in facts:
        return found, None
    return found, Sent(
        path_of(words), tuple(map(int, facts.get("as-path", ()))), int(facts["label"][0]) if "label" in facts else 0
    )


def bounds(text: str) -> tuple[int, int]:
    """``=443`` or ``>=1&<=2``."""
    low, _, high = text.lstrip(">=").partition("&<=")
    return int(low), int(high or low)


def facts_of(words: str) -> dict[str, list[str]]:
    """Each key with its words."""
    found: dict[str, list[str]] = {}
    is_list, key = False, ""
    for word in words.split():
        if word in "[]":
            is_list = word == "["
        elif key and (is_list or not found[key]):
            found[key].append(word)
        else:
            key, found[word] = word, []
    return found


def path_of(words: str) -> Path:
    """The path in a command's words: those that our paths have."""
    facts = facts_of(words)
    pairs = sorted(tuple(map(int, word.split(":"))) for word in facts.get("community", ()))
    return Path(
        ip_address(facts["next-hop"][0]),
        Attributes(
            communities=tuple((high, low) for high, low in pairs),
            med=int(facts["med"][0]) if "med" in facts else None,
            extended_communities=tuple(sorted(int(word, 16) for word in facts.get("extended-community", ()))),
        ),
    )


def printed(nlri: Nlri, sent: Sent) -> str:
    """As ExaBGP prints a route: communities in the order that it likes, names for numbers."""
    return " ".join(_printed(nlri, sent))


def _printed(nlri: Nlri, sent: Sent) -> Iterator[str]:
    where, attributes = nlri.destination, sent.path.attributes
    redirect = []
    if isinstance(where, FlowRule):
        version = where.prefix.version
        yield f"flow destination-ipv{version} {where.prefix}{'/0' if version == 6 else ''}"
        yield f"{'protocol' if version == 4 else 'next-header'} ={'tcp' if where.protocol == 6 else where.protocol}"
        low, high = (PORTS.get(port, str(port)) for port in where.ports)
        if where.ports != (0, 65535):
            yield f"destination-port {f'={low}' if low == high else f'[ >={low}&<={high} ]'}"
        yield f"rd {where.vrf}" if where.vrf else ""
        redirect = ["redirect-to-nexthop"]
    else:
        yield str(where if isinstance(where, Prefix) else where.prefix)
        yield f"path-information {ip_address(nlri.path_id)}" if nlri.path_id is not None else ""
        yield f"label {sent.label}" if isinstance(where, VrfPrefix) else ""
    yield f"next-hop {sent.path.next_hop}"
    yield f"rd {where.vrf}" if isinstance(where, VrfPrefix) else ""
    yield f"as-path ( {' '.join(map(str, sent.as_path))} )" if sent.as_path else ""
    yield f"med {attributes.med}" if attributes.med is not None else ""
    communities = [f"{high}:{low}" for high, low in attributes.communities]
    yield f"community [ {' '.join(communities)} ]" if communities else ""
    extended = [f"target:{one >> 32 & 0xFFFF}:{one & 0xFFFFFFFF}" for one in attributes.extended_communities] + redirect
    yield f"extended-community [ {' '.join(extended)} ]" if extended else ""
