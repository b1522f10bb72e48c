"""What charon says about SAs, as values: the sections of ``list-sas`` and of the events that tell of a change.

Rules of this file: messages in, values out, no I/O. What is malformed is left out and named in ``problems``; it never
takes its well-formed neighbours along. Text that a peer chose loses its control characters here. Sources: strongSwan,
src/libcharon/plugins/vici/README.md, and what its own test scenarios were seen to do.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rri_bgp.addresses import read_address
from rri_bgp.errors import ViciError
from rri_bgp.model import Mode, SaKey, SaPair, TrafficSelector
from rri_bgp.sources.shared import shared
from rri_bgp.sources.vici.selectors import parse_selector
from rri_bgp.sources.vici.wire import Message
from rri_bgp.text import plain

__all__ = ["EVENTS", "HAS_TASKS", "Hint", "IkeSa", "Since", "read_checking", "read_event", "read_sas"]

EVENTS = ("ike-updown", "child-updown", "ike-update", "child-rekey", "ike-rekey")
"""All that can come before a change of the SAs. Some changes come without any event: hence the full snapshots."""

_CARRIES_TRAFFIC = frozenset(("INSTALLED", "UPDATING", "REKEYING", "REKEYED"))
_CHECKS = frozenset(("IKE_DPD", "IKE_MOBIKE", "INFORMATIONAL", "ISAKMP_DPD"))
"""Tasks that wait for no more than a sign of life. A peer that speaks MOBIKE is checked by IKE_MOBIKE."""

HAS_TASKS = b"tasks-active"
"""In an encoded IKE SA that has any task under way."""

Since = Callable[[int, int | None, int | None], int]
"""From a child's unique id, and how many seconds ago it was installed and its IKE SA established, to when it came up
(``SaPair.since``). charon says only how long ago, and not always that."""

_UNNAMED = "(unnamed)"
"""An IKE SA that is still connecting and has no configuration yet; it cannot have children."""


@dataclass(frozen=True, slots=True)
class IkeSa:
    """An IKE SA as ``list-sas`` has it: its children that carry traffic, and the unique ids of those that do not.

    ``is_checking``: it waits for its peer's answer to a dead-peer check (rule G5).
    """

    ike_id: int
    children: tuple[SaPair, ...] = ()
    down: frozenset[int] = frozenset()
    problems: tuple[str, ...] = ()
    is_checking: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """What an event says to look at again: IKE SAs by unique id, and the children that it names as going.

    Of those, ``gone`` have no successor that is yet to be seen. ``come`` are children that are up, as the event shows
    them. ``everything`` where the event could not be understood.
    """

    ike_ids: frozenset[int] = frozenset()
    ended: frozenset[int] = frozenset()
    gone: frozenset[int] = frozenset()
    come: tuple[SaPair, ...] = ()
    everything: bool = False


def _unknown(_uniqueid: int, _installed: int | None, _established: int | None) -> int:
    return 0


def read_sas(source: str, message: Message, since: Since = _unknown) -> Iterator[IkeSa]:
    """The IKE SAs in one ``list-sa`` event (it has one, keyed by a connection name, and names repeat).

    Raises:
        ViciError: an IKE SA has no unique id.
    """
    for connection, section in message.items():
        if isinstance(section, dict):
            yield _Reader(source, connection, section, since).read()


def read_checking(messages: Iterable[Message]) -> frozenset[int]:
    """The unique ids of the IKE SAs, in ``list-sa`` events, that wait for the answer to a dead-peer check (rule G5).

    Raises:
        ViciError: one has no unique id.
    """
    sections = (section for message in messages for section in message.values() if isinstance(section, dict))
    return frozenset(_uniqueid(section) for section in sections if _is_checking(section))


class _Reader:
    """Reads one IKE SA."""

    def __init__(self, source: str, connection: str, ike: Message, since: Since) -> None:
        self._source = source
        self._connection = connection
        self._ike = ike
        self._ike_id = _uniqueid(ike)
        self._since = since
        self._problems: list[str] = []

    def read(self) -> IkeSa:
        children: list[SaPair] = []
        down: set[int] = set()
        for name, child in _sections(self._ike, "child-sas"):
            try:
                uniqueid = _uniqueid(child)
                if _value(child, "state") not in _CARRIES_TRAFFIC:
                    down.add(uniqueid)
                    continue
                children.append(self._read_child(uniqueid, child))
            except (ViciError, ValueError) as error:
                self._problems.append(f"child {plain(name)} of {plain(self._connection)}: {error}")
        is_checking = _is_checking(self._ike)
        return IkeSa(self._ike_id, tuple(children), frozenset(down), tuple(self._problems), is_checking)

    def _read_child(self, uniqueid: int, child: Message) -> SaPair:
        ike = self._ike
        return SaPair(
            key=SaKey(self._source, uniqueid),
            connection=shared(plain(self._connection)),
            child=shared(plain(_value(child, "name"))),
            peer=read_address(_value(ike, "remote-host")),
            local=shared(read_address(_value(ike, "local-host"))),
            remote_ts=_selectors(child, "remote-ts", self._problems),
            local_ts=shared(_selectors(child, "local-ts", self._problems)),
            identity=plain(next((text for name in _IDENTITIES if (text := _value(ike, name))), "")),
            ike_id=self._ike_id,
            reqid=int(_value(child, "reqid") or 0),
            mode=_MODES.get(_value(child, "mode"), Mode.TRANSPORT),
            state=shared(_value(child, "state")),
            if_id=_hexadecimal(child, "if-id-out"),
            mark=_hexadecimal(child, "mark-out"),
            since=self._since(uniqueid, _seconds(child, "install-time"), _seconds(ike, "established")),
        )


_IDENTITIES = ("remote-eap-id", "remote-xauth-id", "remote-id")
"""Who the peer is, best first: the ``remote-id`` of an EAP or XAuth client is often no more than its address."""

_MODES = {"TUNNEL": Mode.TUNNEL, "BEET": Mode.BEET, "TRANSPORT": Mode.TRANSPORT, "TRANSPORT_PROXY": Mode.TRANSPORT}


def _selectors(child: Message, name: str, problems: list[str]) -> tuple[TrafficSelector, ...]:
    found = []
    texts = child.get(name, [])
    for text in texts if isinstance(texts, list) else [texts]:
        try:
            selector = parse_selector(text) if isinstance(text, str) else None
        except ViciError as error:
            problems.append(f"{name} of {plain(_value(child, 'name'))}: {error}")
            continue
        if selector is not None:
            found.append(selector)
    return tuple(found)


def read_event(source: str, name: str, message: Message, since: Since = _unknown) -> Hint:
    """What an event says to look at again. Never raises: an event that makes no sense is a hint too."""
    try:
        return _read_updown(source, message, since) if name == "child-updown" else _read_event(name, message)
    except ViciError:
        return Hint(everything=True)


def _read_updown(source: str, message: Message, since: Since) -> Hint:
    if message.get("up") == "yes":
        found = list(read_sas(source, message, since))
        return Hint(frozenset(ike.ike_id for ike in found), come=tuple(sa for ike in found for sa in ike.children))
    gone = {_uniqueid(child) for _, ike in _named(message) for _, child in _sections(ike, "child-sas")}
    return Hint(frozenset(_uniqueid(ike) for _, ike in _named(message)), ended=frozenset(gone), gone=frozenset(gone))


def _read_event(name: str, message: Message) -> Hint:
    ike_ids: set[int] = set()
    ended: set[int] = set()
    for _, section in _named(message):
        if name == "ike-rekey":
            ike_ids.update(_uniqueid(half) for half in _halves(section))
            continue
        ike_ids.add(_uniqueid(section))
        if name == "child-rekey":
            ended.update(_uniqueid(_halves(child)[0]) for _, child in _sections(section, "child-sas"))
    return Hint(frozenset(ike_ids), frozenset(ended))


def _named(message: Message) -> Iterator[tuple[str, Message]]:
    """The IKE SAs of an event."""
    return ((name, ike) for name, ike in message.items() if isinstance(ike, dict) and name != _UNNAMED)


def _halves(section: Message) -> tuple[Message, Message]:
    old, new = section.get("old"), section.get("new")
    if isinstance(old, dict) and isinstance(new, dict):
        return old, new
    raise ViciError("a rekey event without `old` and `new`")


def _sections(section: Message, name: str) -> Iterator[tuple[str, Message]]:
    inner = section.get(name, {})
    if isinstance(inner, dict):
        for key, value in inner.items():
            if isinstance(value, dict):
                yield key, value


def _uniqueid(section: Message) -> int:
    text = _value(section, "uniqueid")
    if not (text.isascii() and text.isdigit() and len(text) <= _UNIQUEID_DIGITS):
        raise ViciError(f"{plain(text)!r} is no uniqueid")
    return int(text)


_UNIQUEID_DIGITS = 10
"""charon counts them in 32 bits."""


_ID_DIGITS = 8


def _hexadecimal(section: Message, name: str) -> int:
    """A number of 32 bits as charon writes marks and interface ids; 0 where it has none."""
    text = _value(section, name)
    if not text:
        return 0
    if len(text) > _ID_DIGITS or not all(digit in string.hexdigits for digit in text):
        raise ViciError(f"{plain(text)!r} is no {name}")
    return int(text, 16)


def _seconds(section: Message, name: str) -> int | None:
    text = _value(section, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _UNIQUEID_DIGITS else None


def _is_checking(ike: Message) -> bool:
    tasks = ike.get("tasks-active", ())
    return isinstance(tasks, list) and not _CHECKS.isdisjoint(tasks)


def _value(section: Message, name: str) -> str:
    found = section.get(name, "")
    return found if isinstance(found, str) else ""
