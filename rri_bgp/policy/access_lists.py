"""The text of access lists, object groups and guard rules: from a line to values. It knows no YAML and no file.

A line is ``permit|deny PROTOCOL SOURCE [PORTS] DESTINATION [PORTS]``, in the words of Cisco's extended access lists: as
in a crypto map, the source is this gateway's side and the destination the peer's (rule E9). An address is ``any``,
``any4``, ``any6``, ``host A``, ``A/length``, ``A WILDCARD`` or ``object-group NAME``.

Rules of this file: whatever the text, the result is a value or a ``TextError``, which has the offset of the word that
is wrong. A wildcard mask whose free bits are no suffix becomes several prefixes, at most ``MAX_EXPANSION``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from rri_bgp.model import ANY_PORT, Address, Prefix
from rri_bgp.policy.well_known import PORTS, PROTOCOLS, WITH_PORTS
from rri_bgp.rri.entries import AllowRule

__all__ = ["MAX_EXPANSION", "Line", "Side", "TextError", "parse_allow", "parse_line", "parse_network", "parse_prefix"]

MAX_EXPANSION = 256
"""How many prefixes one wildcard mask may make."""
_BITS = {4: 32, 6: 128}
_ALL_ONES = 0xFFFFFFFF
_DEFAULTS = {"any": (4, 6), "any4": (4,), "any6": (6,)}
_WORD = re.compile(r"\S+")
_WHOLE = re.compile(r"(?:0|[1-9][0-9]{0,9})\Z", re.ASCII)
_OPERATORS = ("eq", "range", "lt", "gt")
_ADDRESSES = "any, host A, A/length, A WILDCARD, object-group NAME"
_NETWORKS = "A/length, host A, A WILDCARD"


class TextError(Exception):
    """A word of a text is wrong: what, and what is allowed; the word's offset; a hint where there is one."""

    def __init__(self, what: str, offset: int = 0, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset
        self.hint = hint


class Word(NamedTuple):
    """A word and where it starts."""

    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a line: its prefixes, or the object group that has them. ``offset`` is that of its first word."""

    prefixes: tuple[Prefix, ...]
    group: str = ""
    ports: tuple[int, int] = ANY_PORT
    offset: int = 0

    def resolved(self, groups: Mapping[str, tuple[Prefix, ...]]) -> tuple[Prefix, ...]:
        """Its prefixes, where object groups have theirs."""
        return groups[self.group] if self.group else self.prefixes

    def meets(self, other: Side) -> bool:
        """Whether it has an IP version in common with another side, as far as that is known without object groups."""
        versions = {prefix.version for prefix in self.prefixes}
        return bool(self.group or other.group) or not versions.isdisjoint(one.version for one in other.prefixes)


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is written, its object groups still names."""

    permit: bool
    protocol: int
    source: Side
    destination: Side


class _Words:
    """The words of a text, taken from the front."""

    def __init__(self, text: str) -> None:
        self._words = [Word(found[0], found.start()) for found in _WORD.finditer(text)]
        self._next = 0
        self.end = len(text.rstrip())

    def peek(self) -> str:
        """The word that comes next, empty at the end."""
        return self._words[self._next].text if self._next < len(self._words) else ""

    def take(self, allowed: str) -> Word:
        """The next word; there has to be one."""
        if self._next == len(self._words):
            raise TextError(f"it ends too early; allowed here: {allowed}", self.end)
        self._next += 1
        return self._words[self._next - 1]

    def finish(self, allowed: str) -> None:
        """There may be no further word."""
        if self._next < len(self._words):
            word = self._words[self._next]
            raise TextError(f"{_shown(word.text)} is not allowed here; allowed: {allowed}", word.offset)


def parse_line(text: str) -> Line:
    """One line of an access list.

    Raises:
        TextError: it is none.
    """
    words = _Words(text)
    action = words.take("permit or deny")
    if action.text not in ("permit", "deny"):
        raise TextError(
            f"{_shown(action.text)} is not allowed here; allowed: permit or deny",
            action.offset,
            _action_hint(action.text),
        )
    allowed = "ip, ipv6, tcp, udp, ... or 0..255"
    protocol = words.take(allowed)
    number = _number_of(protocol, PROTOCOLS, 255)
    if number is None:
        hint = _did_you_mean(protocol.text, PROTOCOLS)
        raise TextError(f"{_shown(protocol.text)} is no protocol; allowed: {allowed}", protocol.offset, hint)
    versions = (6,) if protocol.text == "ipv6" else (4, 6)
    source = _side(words, number, versions)
    destination = _side(words, number, versions)
    words.finish("nothing more")
    if not source.meets(destination):
        what = "the destination is of the other IP version than the source; allowed: both of one version"
        raise TextError(what, destination.offset)
    return Line(action.text == "permit", number, source, destination)


def parse_network(text: str) -> tuple[Prefix, ...]:
    """One item of an object group: ``A/length``, ``A``, ``host A`` or ``A WILDCARD``.

    Raises:
        TextError: it is none.
    """
    words = _Words(text)
    prefixes = _prefixes(words, words.take(_NETWORKS), is_member=True)
    words.finish("nothing more")
    return prefixes


def parse_allow(text: str) -> AllowRule:
    """A guard rule, as in a prefix list: ``A/length [ge N] [le N]``; with neither it is that prefix alone (rule G1).

    Raises:
        TextError: it is none.
    """
    words = _Words(text)
    prefix = parse_prefix(*words.take("A/length, ge N, le N"))
    bits = _BITS[prefix.version]
    found: dict[str, int] = {}
    for name in ("ge", "le"):
        if words.peek() == name:
            words.take(name)
            low = found.get("ge", prefix.length)
            allowed = f"a length, {low}..{bits}"
            word = words.take(allowed)
            if not _WHOLE.match(word.text) or not low <= int(word.text) <= bits:
                raise TextError(f"{_shown(word.text)} is not allowed here; allowed: {allowed}", word.offset)
            found[name] = int(word.text)
    words.finish("nothing more" if "le" in found else "le N" if found else "ge N, le N")
    least = found.get("ge", prefix.length)
    return AllowRule(prefix, least, found.get("le", bits if "ge" in found else prefix.length))


def parse_prefix(text: str, offset: int = 0) -> Prefix:
    """``A/length``, without host bits.

    Raises:
        TextError: it is none.
    """
    address, slash, length = text.partition("/")
    number = _parse_address(address, offset) if slash else None
    if number is None:
        raise TextError(f"{_shown(text)} is no prefix; allowed: A/length, as 10.1.0.0/16", offset)
    bits = _BITS[number.version]
    if not _WHOLE.match(length) or int(length) > bits:
        what = f"{_shown(text)} has no prefix length; allowed: 0..{bits} after the slash"
        raise TextError(what, offset + len(address) + 1)
    return _without_host_bits(text, number, int(length), offset)


def _parse_address(text: str, offset: int = 0, allowed: str = _ADDRESSES) -> Address:
    """One address.

    Raises:
        TextError: it is none.
    """
    try:
        address = ip_address(text)
    except ValueError:
        raise TextError(f"{_shown(text)} is no IP address; allowed: {allowed}", offset) from None
    if isinstance(address, IPv6Address) and (address.scope_id is not None or address.ipv4_mapped is not None):
        raise TextError(f"{_shown(text)} has a zone or holds an IPv4 address; allowed: a plain IPv6 address", offset)
    return address


def _side(words: _Words, protocol: int, versions: tuple[int, ...]) -> Side:
    first = words.take(_ADDRESSES)
    group = words.take("the name of an object group").text if first.text == "object-group" else ""
    prefixes = () if group else _prefixes(words, first, versions)
    return Side(prefixes, group, _ports(words, protocol), first.offset)


def _prefixes(
    words: _Words, first: Word, versions: tuple[int, ...] = (), *, is_member: bool = False
) -> tuple[Prefix, ...]:
    """``versions`` are those that ``any`` stands for. A member of a group is never ``any``, but may be a host."""
    if first.text in _DEFAULTS and versions:
        found = tuple(Prefix(version, 0, 0) for version in _DEFAULTS[first.text] if version in versions)
        if not found:
            raise TextError(f"{first.text} is of the other family than the protocol; allowed: any, any6", first.offset)
        return found
    if first.text == "host":
        word = words.take("an IP address")
        return (_host(_parse_address(word.text, word.offset)),)
    if "/" in first.text:
        return (parse_prefix(*first),)
    address = _parse_address(*first, _NETWORKS if is_member else _ADDRESSES)
    if isinstance(address, IPv6Address) or not _is_address(words.peek()):
        if is_member:
            return (_host(address),)
        what = f"{address} has no length; allowed: host {address}, {address}/{_BITS[address.version]}"
        raise TextError(what + (", or a wildcard mask after it" if address.version == 4 else ""), first.offset)
    return _wildcard(address, words.take("a wildcard mask"))


def _wildcard(address: IPv4Address, word: Word) -> tuple[Prefix, ...]:
    """The prefixes of an address and a mask whose one bits are free."""
    mask = int(IPv4Address(word.text))
    inverse = mask ^ _ALL_ONES
    if 0 < mask < _ALL_ONES and inverse & (inverse + 1) == 0:
        what = f"{word.text} is a netmask; allowed: a wildcard mask, as {IPv4Address(inverse)}"
        raise TextError(what, word.offset)
    free = mask.bit_length() if mask & (mask + 1) == 0 else (~mask & (mask + 1)).bit_length() - 1
    above = [bit for bit in range(free, 32) if mask >> bit & 1]
    if 1 << len(above) > MAX_EXPANSION:
        what = f"the wildcard mask {word.text} makes {1 << len(above)} prefixes; allowed: up to {MAX_EXPANSION}"
        raise TextError(what, word.offset, "write the prefixes, or an object group of them")
    networks = [int(address) & inverse]
    for bit in above:
        networks += [network | 1 << bit for network in networks]
    return tuple(Prefix(4, network, 32 - free) for network in sorted(networks))


def _ports(words: _Words, protocol: int) -> tuple[int, int]:
    operator = words.peek()
    if operator == "neq":
        word = words.take("")
        raise TextError("neq is not supported; allowed: eq, range, lt, gt", word.offset, "deny the port, then permit")
    if operator not in _OPERATORS:
        return ANY_PORT
    word = words.take("")
    if protocol not in WITH_PORTS:
        raise TextError(f"{operator} needs a protocol with ports; allowed: tcp, udp, sctp", word.offset)
    first = words.take("a port: 0..65535 or its name")
    low = _port(first)
    if operator == "eq":
        return low, low
    if operator == "range":
        last = words.take("the last port of the range")
        if (high := _port(last)) < low:
            raise TextError(f"the range ends before it begins; allowed: {low}..65535", last.offset)
        return low, high
    if low == (0 if operator == "lt" else 65535):
        raise TextError(f"{operator} {low} is no port at all; allowed: a range that holds a port", first.offset)
    return (0, low - 1) if operator == "lt" else (low + 1, 65535)


def _port(word: Word) -> int:
    number = _number_of(word, PORTS, 65535)
    if number is None:
        hint = _did_you_mean(word.text, PORTS)
        raise TextError(f"{_shown(word.text)} is no port; allowed: 0..65535 or the name of one", word.offset, hint)
    return number


def _number_of(word: Word, names: Mapping[str, int], most: int) -> int | None:
    if word.text in names:
        return names[word.text]
    return int(word.text) if _WHOLE.match(word.text) and int(word.text) <= most else None


def _host(address: Address) -> Prefix:
    return Prefix(address.version, int(address), _BITS[address.version])


def _without_host_bits(text: str, address: Address, length: int, offset: int) -> Prefix:
    below = _BITS[address.version] - length
    network = int(address) >> below << below
    if network != int(address):
        meant = Prefix(address.version, network, length)
        raise TextError(f"{text} has host bits set; allowed: a prefix without", offset, f"did you mean {meant}?")
    return Prefix(address.version, network, length)


def _is_address(text: str) -> bool:
    try:
        return ip_address(text).version == 4
    except ValueError:
        return False


def _action_hint(text: str) -> str:
    if text.isdecimal():
        return "the order in the list is the order of the lines: they have no numbers"
    if text == "remark":
        return "write a comment: `# ...`"
    return _did_you_mean(text, ("permit", "deny"))


def _did_you_mean(word: str, allowed: Iterable[str]) -> str:
    close = difflib.get_close_matches(word[:64], list(allowed), n=1)
    return f"did you mean `{close[0]}`?" if close else ""


def _shown(text: str) -> str:
    """A word as an error names it: short, and harmless on a terminal."""
    text = text if len(text) <= 40 else text[:37] + "..."
    return '"' + "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text) + '"'
