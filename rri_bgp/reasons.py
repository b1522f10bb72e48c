"""Why something made no route: a closed set, so that refusals can be counted (rules G1, G8).

Rules of this file: a label never changes once released, monitoring counts by it; the text may.
"""

from __future__ import annotations

import enum

__all__ = ["Reason"]


class Reason(enum.Enum):
    """A label for counters, the rule that refuses, and the words for people.

    In the words ``{destination}`` is what was refused, and numbers are what else the refusal is about.
    """

    NO_ENTRY = ("no-entry", "E1", "no map entry takes this SA")
    NO_REVERSE_ROUTE = ("no-reverse-route", "E1", "entry {0} ({1}) has no reverse-route")
    TRANSPORT = ("transport-mode", "E1", "a transport mode SA has no network behind the peer")
    UNRESOLVED_PEER = ("unresolved-peer", "E3", "the name of the peer {0} does not resolve")
    NOT_IN_KERNEL = (
        "not-in-kernel",
        "E8",
        "the kernel does not carry {destination}: its SA or policy is lost",
    )
    ACCESS_LIST = ("access-list", "E9", "access list {0} permits {1} of {2}")
    DEFAULT = ("default-route", "E10", "{destination} would be a default route")
    PORTS = ("ports", "E11", "{0} is limited to a protocol or port")
    NO_NEXT_HOP = ("no-next-hop", "N9", "entry {0} ({1}) has no IPv{2} next hop")
    PEER_NEXT_HOP = ("peer-next-hop", "N9", "the peer {0} is no next hop for {destination}: it is of the other family")
    NOT_ALLOWED = ("not-allowed", "G1", "{destination} is not in the allow-list of entry {0} ({1})")
    LENGTH = ("length", "G1", "{destination} is not of a length from {0} to {1}")
    PEER = ("peer-address", "G1", "{destination} covers the peer's own address {0}")
    NEIGHBOR = ("neighbor-address", "G1", "{destination} is or holds the address of the BGP neighbor {0}")
    LOCAL = ("local-network", "G1", "{destination} overlaps with {0}, which is an address or network of this machine")
    MULTICAST = ("multicast", "G1", "{destination} is or holds multicast addresses ({0})")
    BROADCAST = ("broadcast", "G1", "{destination} is or holds broadcast addresses ({0})")
    LOOPBACK = ("loopback", "G1", "{destination} is or holds loopback addresses ({0})")
    LINK_LOCAL = ("link-local", "G1", "{destination} is or holds link-local addresses ({0})")
    UNSPECIFIED = ("unspecified", "G1", "{destination} is or holds unspecified addresses ({0})")
    SA_TOO_LARGE = ("sa-too-large", "G1", "the SA asks for more than {0} prefixes: none of them is believed")
    PEER_LIMIT = ("peer-limit", "G1", "{destination} is over the {0} routes that entry {1} allows a peer")
    ENTRY_LIMIT = ("entry-limit", "G1", "{destination} is over the {0} routes that entry {1} may have")
    TOTAL_LIMIT = ("total-limit", "G1", "{destination} is over the {0} routes that there may be in all")
    STANDBY = ("standby", "G2", "the virtual address of redundancy group {0} is not on this machine")

    def __init__(self, label: str, rule: str, text: str) -> None:
        self.label = label
        self.rule = rule
        self.text = text
