"""Says once what is refused, and counts it by reason (rules G1, G8).

Rules of this file: no I/O, no clock. A refusal is new when nobody of the same line of SA pairs met it before: a rekey
says nothing again. A peer chooses what it asks for, so what is said is limited in rate, and what is remembered in
number. That a group is on standby is counted and not said: it is so for all of its routes together. Nor is what the
kernel does not carry: ``missing`` says that, whatever the policy makes of it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence

from rri_bgp.model import Destination, LineKey, Owner, Refusal, SaKey, SaPair
from rri_bgp.reasons import Reason

__all__ = ["Pace", "RefusalLog", "name_of"]

_REMEMBERED = 10_000
"""Owners with refusals."""

_BURST = 20.0
_PER_SECOND = 1.0
"""Lines in the log."""

_UNSAID = frozenset((Reason.STANDBY, Reason.NOT_IN_KERNEL))

_Refused = frozenset[tuple[Reason, Destination | None]]


class Pace:
    """So many lines at once, and then so many a second; the next one says how many were left out."""

    def __init__(self) -> None:
        self._tokens = _BURST
        self._refilled = 0.0
        self._unsaid = 0

    def may_speak(self, now: float) -> bool:
        """Whether a line may be logged at ``now``, in seconds."""
        self._tokens = min(_BURST, self._tokens + (now - self._refilled) * _PER_SECOND)
        self._refilled = now
        if self._tokens < 1:
            self._unsaid += 1
            return False
        self._tokens -= 1
        return True

    def unsaid(self) -> str:
        """What to add to a line about those that were left out before it."""
        unsaid, self._unsaid = self._unsaid, 0
        return f" ({unsaid} more before it were not logged)" if unsaid else ""


class RefusalLog:
    """See the head of this file. ``counts`` only grow."""

    def __init__(self) -> None:
        self.counts: Counter[Reason] = Counter()
        self._known: OrderedDict[Owner, _Refused] = OrderedDict()
        self._pace = Pace()

    def note(self, owner: Owner, sa: SaPair | None, refusals: Sequence[Refusal], now: float) -> Iterator[str]:
        """Takes all that an owner (an SA pair, or an access list line) asks for in vain. Yields lines for the log."""
        line = owner if sa is None else SaKey(sa.key.source, sa.first or sa.key.uniqueid)
        before = self._known.pop(line, frozenset())
        new = [refusal for refusal in refusals if (refusal.why, refusal.destination) not in before]
        self._known[line] = frozenset((refusal.why, refusal.destination) for refusal in refusals)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        for refusal in new:
            self.counts[refusal.why] += 1
            if refusal.why not in _UNSAID and self._pace.may_speak(now):
                yield f"{name_of(owner, sa)}: refused by {refusal.rule}: {refusal.reason}{self._pace.unsaid()}"


def name_of(owner: Owner, sa: SaPair | None) -> str:
    """Who that is, for people."""
    if isinstance(owner, LineKey):
        return f"entry {owner.entry}, line {owner.line + 1} of its access list"
    if sa is None:
        return f"{owner.source} {owner.uniqueid}"
    who = f"{sa.identity} at {sa.peer}" if sa.identity else str(sa.peer)
    return f"{owner.source} {owner.uniqueid}, {sa.connection}/{sa.child} of {who}"
