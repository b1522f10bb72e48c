"""The CHILD_SAs that charon has, as far as it has told us, and what to ask it next.

Rules of this file: no I/O, no clock. An event is believed at once where it shows a child that is up, or names one that
is down; whatever it says, the IKE SA is looked at again after it, and what was looked at is what counts: ``list-sas``,
of one IKE SA or of all.

Two things make that harder than it sounds. A look takes time, and events go on meanwhile: an IKE SA that an event names
while it is being looked at is looked at once more, and a full listing says nothing about those that were named since it
began. And children move: an IKE SA that is rekeyed, or reauthenticated under IKEv1, hands its children to the new one
without any event. A child that its IKE SA no longer lists is therefore gone only if an event named it as going, or
``list-sas`` shows it as deleted; otherwise it is *unconfirmed*, keeps its routes, and a full listing decides.

A peer is suspected when two looks, a second apart, find its IKE SA waiting for the answer to a dead-peer check, and no
longer when a look finds that it does not wait (rule G5). One that is not listed may be busy, and is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from rri_bgp.model import SaKey, SaPair
from rri_bgp.sources.vici.sas import Hint, IkeSa

__all__ = ["Look", "SaTable"]


_SUSPICION = 1.0
"""Seconds: a check that is answered within this says nothing. A round trip takes less."""


@dataclass(frozen=True, slots=True)
class Look:
    """A look at one IKE SA that is under way; ``ended`` are the children that events had named as going."""

    ike_id: int
    ended: frozenset[int] = frozenset()


class SaTable:
    """Children by unique id, what is unconfirmed, and which IKE SAs are to be looked at."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._children: dict[int, SaPair] = {}
        self._of_ike: dict[int, set[int]] = {}
        self._dirty: dict[int, set[int]] = {}
        """IKE SAs to look at, oldest first, with the children that were named as going."""
        self._looking: set[int] = set()
        self._touched: set[int] = set()
        """IKE SAs that were named or looked at since the full listing under way began."""
        self._unconfirmed: set[int] = set()
        self._everything = False
        self._checking: dict[int, float] = {}
        """IKE SAs that wait for the answer to a dead-peer check, and since when that has been seen."""
        self._suspects: set[int] = set()

    @property
    def wants_full(self) -> bool:
        """Whether only a full listing can tell what is."""
        return self._everything or bool(self._unconfirmed)

    @property
    def has_suspicion(self) -> bool:
        """Whether any IKE SA waits for the answer to a dead-peer check."""
        return bool(self._checking)

    def sas(self) -> list[SaPair]:
        """All children that carry traffic."""
        return list(self._children.values())

    def sa(self, uniqueid: int) -> SaPair | None:
        """The child of that unique id."""
        return self._children.get(uniqueid)

    def heard(self, hint: Hint) -> dict[SaKey, SaPair | None]:
        """Takes an event. Returns the children that came or went."""
        self._everything = self._everything or hint.everything
        changes: dict[SaKey, SaPair | None] = {}
        for sa in hint.come:
            if sa.key.uniqueid not in self._children and sa.key.uniqueid not in self._dirty.get(sa.ike_id, ()):
                self._put(sa)
                changes[sa.key] = sa
        for uniqueid in hint.gone & self._children.keys():
            self._drop(uniqueid)
            changes[SaKey(self._source, uniqueid)] = None
        for ike_id in hint.ike_ids:
            self._dirty.setdefault(ike_id, set()).update(hint.ended)
        self._touched |= hint.ike_ids
        return changes

    def next_look(self) -> Look | None:
        """An IKE SA to look at now, None where there is none that is not being looked at already."""
        for ike_id in self._dirty:
            if ike_id not in self._looking:
                self._looking.add(ike_id)
                return Look(ike_id, frozenset(self._dirty.pop(ike_id)))
        return None

    def looked(self, look: Look, found: IkeSa | None) -> dict[SaKey, SaPair | None]:
        """Takes what a look found, None for no such IKE SA. Returns the children that came, changed or went."""
        self._looking.discard(look.ike_id)
        self._touched.add(look.ike_id)
        listed = {} if found is None else {sa.key.uniqueid: sa for sa in found.children}
        ended = look.ended | self._dirty.get(look.ike_id, frozenset()) | (found.down if found else frozenset())
        changes: dict[SaKey, SaPair | None] = {}
        since_then: set[int] | frozenset[int] = self._dirty.get(look.ike_id, frozenset())
        if found is None or not found.is_checking:
            self._trust(look.ike_id)
        for uniqueid, sa in self._judged(listed).items():
            self._unconfirmed.discard(uniqueid)
            if self._children.get(uniqueid) != sa and uniqueid not in since_then:
                self._put(sa)
                changes[sa.key] = sa
        for uniqueid in (self._of_ike.get(look.ike_id, set()) | ended) - listed.keys():
            if uniqueid not in ended:
                self._unconfirmed.add(uniqueid)
            elif uniqueid in self._children:
                self._drop(uniqueid)
                changes[SaKey(self._source, uniqueid)] = None
        return changes

    def look_failed(self, look: Look) -> None:
        """The look came to nothing: do it again."""
        self._looking.discard(look.ike_id)
        self._dirty.setdefault(look.ike_id, set()).update(look.ended)

    def begin_full(self) -> None:
        """A full listing begins."""
        self._touched = set(self._looking) | self._dirty.keys()
        self._everything = False

    def recognized(self, found: Iterable[IkeSa]) -> list[IkeSa]:
        """What a full listing shows, with the children that are known in place of those that are equal to them.

        Most are. That is seen piece by piece here, and at a glance by whoever takes all of them at once.
        """
        return [replace(ike, children=tuple(map(self._known, ike.children))) for ike in found]

    def full(self, found: Iterable[IkeSa]) -> list[SaPair]:
        """Takes a full listing. Returns all children there are."""
        touched = self._touched
        seen = [ike for ike in found if ike.ike_id not in touched]
        for ike_id in self._checking.keys() - touched - {ike.ike_id for ike in seen if ike.is_checking}:
            self._trust(ike_id)
        listed = self._judged({sa.key.uniqueid: sa for ike in seen for sa in ike.children})
        gone = [one for one, sa in self._children.items() if one not in listed and sa.ike_id not in touched]
        for uniqueid in gone:
            self._drop(uniqueid)
        known = self._children.get
        for sa in [sa for uniqueid, sa in listed.items() if known(uniqueid) is not sa]:
            self._put(sa)
        self._unconfirmed -= listed.keys()
        for ike_id in touched - self._looking:
            self._dirty.setdefault(ike_id, set())
        return self.sas()

    def scanned(self, checking: Collection[int], now: float) -> dict[SaKey, SaPair | None]:
        """Takes which IKE SAs wait for the answer to a dead-peer check, as far as could be seen at ``now`` (seconds).

        Returns the children whose peer is suspected from now on.
        """
        changes: dict[SaKey, SaPair | None] = {}
        for ike_id in checking:
            is_long = now - self._checking.setdefault(ike_id, now) >= _SUSPICION
            if is_long and ike_id not in self._suspects:
                self._suspects.add(ike_id)
                for uniqueid in self._of_ike.get(ike_id, ()):
                    sa = self._children[uniqueid] = replace(self._children[uniqueid], is_suspect=True)
                    changes[sa.key] = sa
        for ike_id in self._checking.keys() - checking:
            if ike_id in self._suspects:
                self._dirty.setdefault(ike_id, set())
            else:
                del self._checking[ike_id]
        return changes

    def trust_all(self) -> dict[SaKey, SaPair | None]:
        """Nobody is suspected any more. Returns the children that were."""
        self._checking.clear()
        self._suspects.clear()
        changes: dict[SaKey, SaPair | None] = {}
        for uniqueid, sa in self._children.items():
            if sa.is_suspect:
                changes[sa.key] = self._children[uniqueid] = replace(sa, is_suspect=False)
        return changes

    def _trust(self, ike_id: int) -> None:
        self._checking.pop(ike_id, None)
        self._suspects.discard(ike_id)

    def _judged(self, listed: dict[int, SaPair]) -> dict[int, SaPair]:
        """Children as they were listed, those of a suspect as such."""
        if self._suspects:
            listed |= {
                uniqueid: replace(sa, is_suspect=True) for uniqueid, sa in listed.items() if sa.ike_id in self._suspects
            }
        return listed

    def _known(self, sa: SaPair) -> SaPair:
        before = self._children.get(sa.key.uniqueid)
        return before if before is not None and before == sa else sa

    def _put(self, sa: SaPair) -> None:
        uniqueid = sa.key.uniqueid
        if uniqueid in self._children:
            self._drop(uniqueid)
        self._children[uniqueid] = sa
        self._of_ike.setdefault(sa.ike_id, set()).add(uniqueid)

    def _drop(self, uniqueid: int) -> None:
        ike_id = self._children.pop(uniqueid).ike_id
        siblings = self._of_ike[ike_id]
        siblings.discard(uniqueid)
        if not siblings:
            del self._of_ike[ike_id]
        self._unconfirmed.discard(uniqueid)
