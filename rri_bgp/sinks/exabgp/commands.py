"""The commands that ExaBGP understands, and the values that it would silently mangle.

Rules of this file: values in, text out, no I/O. A line that leaves here is printable ASCII, has one family, one path
and at most ``MAX_NLRI`` prefixes (docs/decisions/0001-one-command-in-flight.md), and means the same to ExaBGP as to
us. ``check`` says why a path cannot be sent; it is asked before a command is built.

ExaBGP 5.0 answers ``done`` to all of these and then does something else (each seen on 5.0.15):

- a community part above 65535 is carried into its neighbour (``65000:70000`` leaves as ``65001:4464``);
- an IPv4 prefix with an IPv6 next hop leaves in a form that most peers drop;
- an IPv6 prefix with an IPv4 next hop breaks the session, and again each time it comes back;
- a next hop of 0.0.0.0 is sent as it is.

A withdraw names the attributes that the route was announced with. It need not (ExaBGP finds the route by its prefix),
but ExaBGP queues what it has to send by attributes and sends the queues in the order in which they were opened. While
a peer is slow or away, a withdraw in a queue of its own can go out after the announcement that followed it, and the
route is lost upstream although ``show adj-rib out`` has it. In one queue the newest entry for a prefix replaces the
older.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rri_bgp.errors import ExabgpError
from rri_bgp.model import Attributes, Path, Prefix

__all__ = [
    "MAX_NLRI",
    "OPENING",
    "OPENING_ANSWERS",
    "PROBE",
    "PROBE_BEGINS",
    "SHOW_ROUTES",
    "Command",
    "Verb",
    "check",
    "end_of_rib",
]

MAX_NLRI = 49
"""ExaBGP works 50 steps a turn; a grouped command costs one a prefix and one to finish."""

OPENING = "reset\nenable-ack\nversion"
"""Forget what an earlier life of ours queued (this has no answer), answer from now on, and who are you? ExaBGP runs the
three at once, so only the answer after the version's own line is meant. 4.2 knows no ``enable-ack``, and needs none."""
OPENING_ANSWERS = 2

SHOW_ROUTES = "show adj-rib out extensive"

PROBE = "show neighbor summary"
PROBE_BEGINS = "Peer "
"""The heading, which is printed even where there is no neighbour. ExaBGP runs it after the command before it."""

_MAX_ATTRIBUTES = 2048
"""Octets of communities in an UPDATE: a message has 4096 (RFC 4271 §4.1), and ``MAX_NLRI`` IPv6 prefixes take 833."""


class Verb(enum.Enum):
    """What is done with prefixes."""

    ANNOUNCE = "announce"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Command:
    """One command: ``path`` is what to announce, or what was announced (None where nobody knows, withdraws only)."""

    verb: Verb
    version: int
    path: Path | None
    prefixes: tuple[Prefix, ...]

    def line(self) -> str:
        """The command, without the newline. Asked again within a few commands, it is not worked out again.

        Raises:
            ExabgpError: it holds what ExaBGP would mangle; nobody should have built it.
        """
        return _line(self)

    def check(self) -> None:
        """Raises ``ExabgpError`` as ``line`` does."""
        if not 1 <= len(self.prefixes) <= MAX_NLRI:
            raise ExabgpError(f"{len(self.prefixes)} prefixes in a command; 1 to {MAX_NLRI} are allowed")
        if any(prefix.version != self.version for prefix in self.prefixes):
            raise ExabgpError("prefixes of both families in one command")
        if self.path is not None:
            check(self.version, self.path)
        elif self.verb is Verb.ANNOUNCE:
            raise ExabgpError("an announcement needs a path")


@lru_cache(maxsize=4)
def _line(command: Command) -> str:
    command.check()
    words = [command.verb.value, "attributes"]
    if command.path is not None:
        words.extend(_attribute_words(command.path))
    words.append("nlri")
    words.extend(map(str, command.prefixes))
    return " ".join(words)


def end_of_rib(peer: str, family: str) -> str:
    """Tells a neighbour that it has the whole table now (RFC 4724 §2); needs ``manual-eor true`` in its section."""
    return f"neighbor {peer} announce eor {family}"


@lru_cache(maxsize=4096)
def _fault(version: int, path: Path) -> str:
    """What is wrong with a path for prefixes of a family, empty for nothing. Paths are few, prefixes many: cached."""
    return next(_faults(version, path), "")


def check(version: int, path: Path) -> None:
    """Whether a path can be sent for prefixes of this IP version.

    Raises:
        ExabgpError: it cannot; the error says what ExaBGP would have made of it.
    """
    fault = _fault(version, path)
    if fault:
        raise ExabgpError(fault)


def _faults(version: int, path: Path) -> Iterator[str]:
    hop = path.next_hop
    if hop.version != version:
        yield f"next hop {hop} for an IPv{version} prefix: it must be of the same family"
    elif hop.is_unspecified or hop.is_multicast or "%" in str(hop):
        yield f"next hop {hop} is no address of a router (RFC 4271 §5.1.3)"
    yield from _attribute_faults(path.attributes)


def _attribute_faults(attributes: Attributes) -> Iterator[str]:
    for community in attributes.communities:
        if not all(_fits(part, 16) for part in community):
            yield f"community {_colons(community)}: each part must be 0 to 65535 (RFC 1997)"
    for large in attributes.large_communities:
        if not all(_fits(part, 32) for part in large):
            yield f"large community {_colons(large)}: each part must be 0 to 4294967295 (RFC 8092)"
    for name, value in (("med", attributes.med), ("local-preference", attributes.local_preference)):
        if value is not None and not _fits(value, 32):
            yield f"{name} {value}: must be 0 to 4294967295 (RFC 4271 §4.3)"
    size = 4 * len(attributes.communities) + 12 * len(attributes.large_communities)
    if size > _MAX_ATTRIBUTES:
        yield f"{size} octets of communities: at most {_MAX_ATTRIBUTES} are safe in one UPDATE (RFC 4271 §4.1)"


def _fits(number: int, bits: int) -> bool:
    return 0 <= number < 1 << bits


def _colons(parts: tuple[int, ...]) -> str:
    return ":".join(map(str, parts))


def _attribute_words(path: Path) -> Iterator[str]:
    attributes = path.attributes
    yield f"next-hop {path.next_hop}"
    if attributes.med is not None:
        yield f"med {attributes.med}"
    if attributes.local_preference is not None:
        yield f"local-preference {attributes.local_preference}"
    if attributes.communities:
        yield f"community [ {' '.join(map(_colons, attributes.communities))} ]"
    if attributes.large_communities:
        yield f"large-community [ {' '.join(map(_colons, attributes.large_communities))} ]"
