"""What charon says about SAs, as values: the sections of ``list-sas`` and of the events that tell of a change.

Rules of this file: messages in, values out, no I/O. What is malformed is left out and named in ``problems``; it never
takes its well-formed neighbours along. Text that a peer chose loses its control characters here. Sources: strongSwan,
src/libcharon/plugins/vici/README.md, and what its own test scenarios were seen to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rri_bgp.addresses import read_address
from rri_bgp.errors import ViciError
from rri_bgp.model import Mode, SaKey, SaPair, TrafficSelector
from rri_bgp.sources.shared import shared
from rri_bgp.sources.vici.selectors import parse_selector
from rri_bgp.sources.vici.wire import Message
from rri_bgp.text import plain

__all__ = ["EVENTS", "Hint", "IkeSa", "read_event", "read_sas"]

EVENTS = ("ike-updown", "child-updown", "ike-update", "child-rekey", "ike-rekey")
"""All that can come before a change of the SAs. Some changes come without any event: hence the full snapshots."""

_CARRIES_TRAFFIC = frozenset(("INSTALLED", "UPDATING", "REKEYING", "REKEYED"))
_UNNAMED = "(unnamed)"
"""An IKE SA that is still connecting and has no configuration yet; it cannot have children."""


@dataclass(frozen=True, slots=True)
class IkeSa:
    """An IKE SA as ``list-sas`` has it: its children that carry traffic, and the unique ids of those that do not."""

    ike_id: int
    children: tuple[SaPair, ...] = ()
    down: frozenset[int] = frozenset()
    problems: tuple[str, ...] = ()


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


def read_sas(source: str, message: Message) -> Iterator[IkeSa]:
    """The IKE SAs in one ``list-sa`` event (it has one, keyed by a connection name, and names repeat).

    Raises:
        ViciError: an IKE SA has no unique id.
    """
    for connection, section in message.items():
        if isinstance(section, dict):
            yield _read_ike(source, connection, section)


def _read_ike(source: str, connection: str, ike: Message) -> IkeSa:
    ike_id = _uniqueid(ike)
    children: list[SaPair] = []
    down: set[int] = set()
    problems: list[str] = []
    for name, child in _sections(ike, "child-sas"):
        try:
            uniqueid = _uniqueid(child)
            if _value(child, "state") not in _CARRIES_TRAFFIC:
                down.add(uniqueid)
                continue
            children.append(_read_child(SaKey(source, uniqueid), connection, ike_id, ike, child, problems))
        except (ViciError, ValueError) as error:
            problems.append(f"child {plain(name)} of {plain(connection)}: {error}")
    return IkeSa(ike_id, tuple(children), frozenset(down), tuple(problems))


def _read_child(key: SaKey, connection: str, ike_id: int, ike: Message, child: Message, problems: list[str]) -> SaPair:
    return SaPair(
        key=key,
        connection=shared(plain(connection)),
        child=shared(plain(_value(child, "name"))),
        peer=read_address(_value(ike, "remote-host")),
        local=shared(read_address(_value(ike, "local-host"))),
        remote_ts=_selectors(child, "remote-ts", problems),
        local_ts=shared(_selectors(child, "local-ts", problems)),
        identity=plain(next((text for name in _IDENTITIES if (text := _value(ike, name))), "")),
        ike_id=ike_id,
        reqid=int(_value(child, "reqid") or 0),
        mode=_MODES.get(_value(child, "mode"), Mode.TRANSPORT),
        state=shared(_value(child, "state")),
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


def read_event(source: str, name: str, message: Message) -> Hint:
    """What an event says to look at again. Never raises: an event that makes no sense is a hint too."""
    try:
        return _read_updown(source, message) if name == "child-updown" else _read_event(name, message)
    except ViciError:
        return Hint(everything=True)


def _read_updown(source: str, message: Message) -> Hint:
    if message.get("up") == "yes":
        found = list(read_sas(source, message))
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


def _value(section: Message, name: str) -> str:
    found = section.get(name, "")
    return found if isinstance(found, str) else ""
