"""The commands that ExaBGP understands: their text.

Rules of this file: values in, text out, no I/O. A line that leaves here is printable ASCII, has one form, one path and
at most ``Form.most`` destinations (docs/decisions/0001-one-command-in-flight.md), and means the same to ExaBGP as to
us: ``checks.py`` says what would not.

A withdraw names the attributes that the route was announced with. It need not (ExaBGP finds the route by its prefix),
but ExaBGP queues what it has to send by attributes and sends the queues in the order in which they were opened. While
a peer is slow or away, a withdraw in a queue of its own can go out after the announcement that followed it, and the
route is lost upstream although ``show adj-rib out`` has it. In one queue the newest entry for a prefix replaces the
older.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from rri_bgp.errors import ExabgpError
from rri_bgp.model import Destination, FlowRule, Path, Prefix, prefix_of
from rri_bgp.sinks.exabgp import flows
from rri_bgp.sinks.exabgp.checks import check, check_destination
from rri_bgp.sinks.exabgp.forms import Form

__all__ = [
    "EVERYBODY",
    "OPENING",
    "OPENING_ANSWERS",
    "PROBE",
    "PROBE_BEGINS",
    "SHOW_ROUTES",
    "Audience",
    "Command",
    "Verb",
    "end_of_rib",
]

OPENING = "reset\nenable-ack\nversion"
"""Forget what an earlier life of ours queued (this has no answer), answer from now on, and who are you? ExaBGP runs the
three at once, so only the answer after the version's own line is meant. 4.2 knows no ``enable-ack``, and needs none."""
OPENING_ANSWERS = 2

SHOW_ROUTES = "show adj-rib out extensive"

PROBE = "show neighbor summary"
PROBE_BEGINS = "Peer "
"""The heading, which is printed even where there is no neighbour. ExaBGP runs it after the command before it."""


class Verb(enum.Enum):
    """What is done with destinations."""

    ANNOUNCE = "announce"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who hears a command: these neighbours, or all that feed on this process where ``peers`` is empty.

    ``asn`` is our AS in their sessions where theirs is another and paths prepend, else 0. ExaBGP puts our AS into the
    AS path itself, but only where no path is given.
    """

    peers: tuple[str, ...] = ()
    asn: int = 0

    @property
    def selector(self) -> str:
        """What stands before a command; ExaBGP wants a space on either side of a comma."""
        return " , ".join(f"neighbor {peer}" for peer in self.peers) + " " if self.peers else ""

    def as_path(self, prepend: int) -> tuple[int, ...]:
        """The AS path that is to be given for so many prepends; empty for none."""
        return (self.asn,) * (prepend + 1) if prepend and self.asn else ()


EVERYBODY = Audience()


@dataclass(frozen=True, slots=True)
class Command:
    """One command: ``path`` is what to announce, or what was announced (None where nobody knows, withdraws only)."""

    verb: Verb
    form: Form
    path: Path | None
    destinations: tuple[Destination, ...]
    audience: Audience = EVERYBODY
    _text: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    """The line, once it has been written."""

    def line(self) -> str:
        """The command, without the newline. It is worked out once.

        Raises:
            ExabgpError: it holds what ExaBGP would mangle; nobody should have built it.
        """
        if not self._text:
            self.check()
            self._text.append(f"{self.audience.selector}{self.verb.value} {self._body()}")
        return self._text[0]

    def _body(self) -> str:
        if not self.form.is_flow:
            words = _words(self.form, self.path, self.audience)
            return f"attributes {words}nlri {_nlri(self.form.version, self.destinations)}"
        (rule,) = self.destinations
        if not isinstance(rule, FlowRule) or rule.prefix.version != self.form.version:
            raise ExabgpError(_MIXED)
        check_destination(rule)
        return flows.body(self.form, rule, _flow_words(self.path))

    def check(self) -> None:
        """Whether it may be sent, as far as that does not show while it is written.

        Raises:
            ExabgpError: it may not.
        """
        count = len(self.destinations)
        if not 1 <= count <= self.form.most:
            raise ExabgpError(f"{count} destinations in a command; 1 to {self.form.most} are allowed")
        if self.path is not None:
            check(self.form, self.path)
        elif self.verb is Verb.ANNOUNCE:
            raise ExabgpError("an announcement needs a path")


_MIXED = "destinations of several forms in one command"


def end_of_rib(peer: str, family: str) -> str:
    """Tells a neighbour that it has the whole table now (RFC 4724 §2); needs ``manual-eor true`` in its section."""
    return f"neighbor {peer} announce eor {family}"


_OCTETS = tuple(map(str, range(256)))


def _nlri(wanted: int, destinations: tuple[Destination, ...]) -> str:
    """The prefixes, of this IP version, in order. They are written here: every route that is announced comes by.

    In order, because ExaBGP sorts them for its UPDATE, in Python: 49 that come in any order cost it 0.3 ms more.
    """
    words = []
    for destination in sorted(destinations, key=prefix_of):
        if not isinstance(destination, Prefix):
            if isinstance(destination, FlowRule):
                raise ExabgpError(_MIXED)
            destination = destination.prefix  # noqa: PLW2901  # what stands in the line
        version, network, length = destination
        if version != wanted:
            raise ExabgpError(_MIXED)
        if version == 4:
            high, low = network >> 16, network & 0xFFFF
            words.append(
                f"{_OCTETS[high >> 8]}.{_OCTETS[high & 255]}.{_OCTETS[low >> 8]}.{_OCTETS[low & 255]}/{length}"
            )
        else:
            words.append(str(destination))
    return " ".join(words)


@lru_cache(maxsize=4096)
def _words(form: Form, path: Path | None, audience: Audience) -> str:
    """What stands before the prefixes, with a space after it. Paths are few, prefixes many: cached."""
    words = [] if path is None else [f"next-hop {path.next_hop}"]
    if form.path_id is not None:
        words.append(f"path-information {form.path_id}")
    if form.rd:
        words.append(f"rd {form.rd} label {form.label}")
    if path is not None:
        words.extend(_attribute_words(path, audience))
    return "".join(f"{word} " for word in words)


def _flow_words(path: Path | None) -> str:
    """What is done with a flow, each word a statement of its own."""
    if path is None:
        return ""
    return "".join(f"{word}; " for word in (f"redirect {path.next_hop}", *_community_words(path)))


def _attribute_words(path: Path, audience: Audience) -> Iterator[str]:
    attributes = path.attributes
    as_path = audience.as_path(attributes.as_path_prepend)
    if as_path:
        yield f"as-path [ {' '.join(map(str, as_path))} ]"
    if attributes.med is not None:
        yield f"med {attributes.med}"
    if attributes.local_preference is not None:
        yield f"local-preference {attributes.local_preference}"
    yield from _community_words(path)


def _community_words(path: Path) -> Iterator[str]:
    attributes = path.attributes
    if attributes.communities:
        yield f"community [ {' '.join(map(_colons, attributes.communities))} ]"
    if attributes.large_communities:
        yield f"large-community [ {' '.join(map(_colons, attributes.large_communities))} ]"
    if attributes.extended_communities:
        # As hexadecimal digits: ExaBGP 5.0 takes the words `target:70000:7` for an address, 4.2 `origin:192.0.2.1:5`
        yield f"extended-community [ {' '.join(f'0x{one:016x}' for one in attributes.extended_communities)} ]"


def _colons(parts: tuple[int, ...]) -> str:
    return ":".join(map(str, parts))
