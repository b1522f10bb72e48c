"""When an SA pair counts: what stands between the sources and the routes where time matters (rules E6, E13, G4, G5).

Rules of this file: no clock. ``now`` is an argument, seconds that never go back; ``due`` says when ``advance`` has
something to do. What counts is told as changes for the RIB, and told once.

* A pair *continues a line* (see ``lines``) when it comes while another of it is there, or is held: it has the line's
  age from then on, so that a rekey or reauthentication makes nobody the newest (rules E6, E13).
* ``announce-delay`` is a line's: it begins with its first pair, and those that continue the line do not begin it anew.
  It begins when the first pair came up, not when it was heard of, where the source can tell: after a restart of the
  controller nothing that was announced long ago waits again (rule G7).
* ``withdraw-delay`` begins when the last pair of an announced line goes; until it is over that pair is *held*. A pair
  that comes meanwhile takes its place. A gap shorter than this is no gap to ``announce-delay`` either.
* A suspicion (rule G5) is passed on where the entry degrades, and nowhere else.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from rri_bgp.model import Address, SaKey, SaPair
from rri_bgp.rri.candidates import Candidate
from rri_bgp.rri.entries import MapEntry, Policy
from rri_bgp.rri.lines import Line, LineTable, has_same_name, is_same_line
from rri_bgp.rri.match import Matcher
from rri_bgp.rri.news import difference

__all__ = ["Tunnels"]

_Told = dict[SaKey, SaPair | None]

_ROUNDING = 2.0
"""Seconds. ``SaPair.since`` is in whole ones, so an age below this may be none."""

_SPARE_TIMERS = 64
"""Timers that may be out of date, besides as many as there are lines with a delay, before they are sorted out."""


class Tunnels:
    """See the head of this file.

    ``epoch`` is what makes ``now`` seconds since 1970, None where nobody knows. Somebody may set the clock: it may be
    another at each update, as it is for the source that says when a pair came up.
    """

    def __init__(self, policy: Policy, epoch: float | None = None) -> None:
        self.epoch = epoch
        self._known: dict[SaKey, SaPair] = {}
        """As the sources told them."""
        self._lines = LineTable()
        self._delayed: dict[Line, float] = {}
        """Lines that wait or are held, and until when."""
        self._timers: list[tuple[float, int, Line]] = []
        """A heap; one that ``_delayed`` does not confirm is out of date."""
        self._ticket = itertools.count()
        self._held: dict[SaKey, Line] = {}
        self._spare_ids = itertools.count(-1, -1)
        """For pairs that are held when their id is given to another: a restarted daemon counts from 1 again."""
        self._now = 0.0
        self._begin(policy, {})

    def _begin(self, policy: Policy, names: Mapping[str, tuple[Address, ...]]) -> None:
        self._policy = policy
        self._names = names
        entries = policy.entries
        self._has_announce = any(entry.announce_delay > 0 for entry in entries)
        self._has_withdraw = any(entry.withdraw_delay > 0 for entry in entries)
        self._has_degrade = any(entry.degrade_med is not None for entry in entries)
        is_timed = self._has_announce or self._has_withdraw or self._has_degrade
        self._matcher = Matcher(policy, names) if is_timed else None

    def update(self, changes: Mapping[SaKey, SaPair | None], now: float) -> _Told:
        """Takes SA pairs that came or changed, or went (None). Returns what is another in what counts.

        A delay that was over by then is not, as long as ``advance`` has not been told.
        """
        self._now = now
        told: _Told = {}
        gone: list[tuple[SaPair, bool]] = []
        known, enter, is_plain = self._known, self._lines.enter, not self._has_announce
        for key, sa in changes.items():
            before = known.get(key)
            if before is None:
                if sa is None:
                    continue
                known[key] = sa
                if self._held:
                    self._give_key(sa, told)
                line = enter(sa)
                if line is None and is_plain and not sa.is_suspect:
                    told[key] = sa  # as most are
                else:
                    self._come(sa, line, None, told)
            elif sa is None:
                del known[key]
                gone.append((before, True))
            elif sa != before:
                known[key] = sa
                self._change(before, sa, gone, told)
        for before, is_loss in gone:  # after those that came: what continues a line must find it
            self._go(before, is_loss, told)
        return told

    def advance(self, now: float, most: int | None = None) -> _Told:
        """Does what is due by now, of ``most`` lines at most. Returns what is another in what counts."""
        self._now = now
        told: _Told = {}
        left = len(self._timers) if most is None else most
        while left and self._timers and self._timers[0][0] <= now:
            due, _, line = heapq.heappop(self._timers)
            if self._delayed.get(line) == due:
                self._look(line, told)
                left -= 1
        return told

    @property
    def due(self) -> float | None:
        """When ``advance`` has something to do next, None for never."""
        while self._timers and self._delayed.get(self._timers[0][2]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def take_policy(self, policy: Policy, now: float) -> _Told:
        """Goes by another policy. Delays count from when they began; what counts already is not held back."""
        return self._rejudge(policy, self._names, now)

    def take_names(self, names: Mapping[str, tuple[Address, ...]], now: float) -> _Told:
        """Goes by other addresses of the peers' names."""
        return self._rejudge(self._policy, names, now)

    def _rejudge(self, policy: Policy, names: Mapping[str, tuple[Address, ...]], now: float) -> _Told:
        self._now = now
        suspects = [key for key, sa in self._known.items() if sa.is_suspect]
        suspects += [key for key, line in self._held.items() if line.last.is_suspect]
        before = [self._counting(key) for key in suspects]
        self._begin(policy, names)
        after = [self._counting(key) for key in suspects]
        told: _Told = {key: new for key, old, new in zip(suspects, before, after, strict=True) if new != old}
        for line in list(self._delayed):
            self._look(line, told)
        return told

    def difference(self, source: str, sas: Iterable[SaPair]) -> _Told:
        """What would have to be updated if these were all SA pairs that a source has (rule E8)."""
        return difference(self._known, source, sas)

    def sa(self, key: SaKey) -> SaPair | None:
        """The SA pair of that key, as its source told it."""
        return self._known.get(key)

    def waiting_sas(self) -> Iterator[SaPair]:
        """The pairs that are there and do not count yet (``announce-delay``)."""
        for line in self._delayed:
            if line.waits:
                yield from (self._known[key] for key in line.members)

    def waiting(self, key: SaKey, now: float | None = None) -> str:
        """Why a pair does not count yet, or counts although it has gone, for people; empty where neither is so.

        ``now`` None: as of the last change.
        """
        if key in self._held:
            return f"withdraw-delay: {self._left(self._held[key], now)} s left"
        line = self._lines.find(self._known[key]) if key in self._known else None
        if isinstance(line, Line) and line.waits:
            return f"announce-delay: {self._left(line, now)} s left"
        return ""

    def special(self, now: float) -> Iterator[Candidate]:
        """The pairs of which another policy might judge otherwise: those that wait, are held, or are suspected."""
        for line in self._delayed:
            if line.waits:
                members = (self._known[key] for key in line.members)
                same = (sa for sa in members if is_same_line(sa, line.last))
                yield from (Candidate(self._aged(sa, line), waits=True, elapsed=now - line.start) for sa in same)
        for line in self._held.values():
            yield Candidate(self._aged(line.last, line), elapsed=now - (line.gone or now))
        for sa in self._known.values():
            if sa.is_suspect and (shown := self._counting(sa.key)) is not None:
                yield Candidate(replace(shown, is_suspect=True))

    def _left(self, line: Line, now: float | None) -> int:
        return max(0, math.ceil(self._delayed[line] - (self._now if now is None else now)))

    def _come(self, sa: SaPair, line: SaPair | Line | None, before: SaPair | None, told: _Told) -> None:
        """A pair has come to a line, None for one of its own; from another one where ``before`` is not None."""
        if line is None:
            line = self._begin_line(sa, before)
        else:
            line = self._in_full(line)
            line.members = (*line.members, sa.key)
            line.last = sa
            self._resume(line, told)
        if line is not None and line.waits:
            self._look(line, told)
        else:
            told[sa.key] = self._shown(sa, line)

    def _begin_line(self, sa: SaPair, before: SaPair | None) -> Line | None:
        """A new line; None where there is no more to it than the pair."""
        if before is None and not self._has_announce:
            return None
        line = Line(sa, (sa.key,), sa.since, sa.key.uniqueid)
        if before is None:
            line.start = self._start(sa)
            line.waits = line.start + self._announce_delay(sa) > self._now
            if not line.waits:
                return None
        elif isinstance(left := self._lines.find(before), Line):
            line.since, line.first, line.start, line.waits = left.since, left.first, left.start, left.waits
        else:
            line.since = left.since
        self._lines.replace(sa, line)
        return line

    def _start(self, sa: SaPair) -> float:
        """From when ``announce-delay`` counts."""
        if self.epoch is None or not sa.since:
            return self._now
        age = self._now + self.epoch - sa.since
        return self._now - age if age > _ROUNDING else self._now

    def _resume(self, line: Line, told: _Told) -> None:
        """A pair has come to a line: whatever held it holds it no more."""
        line.gone = None
        self._delayed.pop(line, None)
        if line.held is not None:
            told[line.held] = None
            del self._held[line.held]
            line.held = None

    def _change(self, before: SaPair, sa: SaPair, gone: list[tuple[SaPair, bool]], told: _Told) -> None:
        """What is told of a key is another pair, or the same with something else about it."""
        if not is_same_line(before, sa):
            is_loss = not has_same_name(before, sa)
            self._come(sa, self._lines.enter(sa), None if is_loss else before, told)
            gone.append((before, is_loss))
            return
        line = self._lines.find(before)
        was = self._shown(before, line)
        if isinstance(line, Line) or sa.since != before.since:
            line = self._in_full(line)
            line.last = sa
        else:
            self._lines.replace(sa, sa)
        if isinstance(line, Line) and line.waits:
            self._look(line, told)
        elif (shown := self._shown(sa, line)) != was:
            told[sa.key] = shown

    def _go(self, sa: SaPair, is_loss: bool, told: _Told) -> None:
        """A pair has left its line. ``is_loss``: it is gone, and not in another line."""
        line = self._lines.find(sa)
        did_count = not (isinstance(line, Line) and line.waits)
        if isinstance(line, Line) and len(line.members) > 1:
            line.members = tuple(key for key in line.members if key != sa.key)
        elif is_loss and self._withdraw_delay(sa) > 0:
            line = self._in_full(line)
            line.last, line.members, line.gone = sa, (), self._now
            self._look(line, told)
        else:
            self._lines.drop(sa)
            if isinstance(line, Line):
                self._delayed.pop(line, None)
        if isinstance(line, Line) and line.gone is not None and did_count:
            self._hold(line, told)
        elif did_count and self._counting(sa.key) is None:
            told[sa.key] = None

    def _hold(self, line: Line, told: _Told) -> None:
        key = line.last.key
        if self._known.get(key) is not None:  # a restarted daemon has given the id away
            if self._counting(key) is None:
                told[key] = None
            key = SaKey(key.source, next(self._spare_ids))
        line.held = key
        self._held[key] = line
        told[key] = self._shown(line.last, line)

    def _give_key(self, sa: SaPair, told: _Told) -> None:
        """A pair comes. A held one of that key is the one that returns, or has to have another key."""
        line = self._held.get(sa.key)
        if line is not None and not is_same_line(line.last, sa):
            del self._held[sa.key]
            told[sa.key] = None
            line.held = SaKey(sa.key.source, next(self._spare_ids))
            self._held[line.held] = line
            told[line.held] = self._shown(line.last, line)

    def _look(self, line: Line, told: _Told) -> None:
        """Does what a line's delay has ended for, or says when that will be."""
        if line.gone is None:
            due = line.start + self._announce_delay(line.last)
        else:
            due = line.gone + self._withdraw_delay(line.last)
        if due > self._now:
            self._delay(line, due)
            return
        self._delayed.pop(line, None)
        if line.gone is None:
            line.waits = False
            members = [self._known[key] for key in line.members]
            told.update((sa.key, self._shown(sa, line)) for sa in members if is_same_line(sa, line.last))
            return
        self._lines.drop(line.last)
        if line.held is not None:
            told[line.held] = None
            del self._held[line.held]

    def _delay(self, line: Line, due: float) -> None:
        if self._delayed.get(line) != due:
            self._delayed[line] = due
            heapq.heappush(self._timers, (due, next(self._ticket), line))
        if len(self._timers) > 2 * len(self._delayed) + _SPARE_TIMERS:
            self._timers = [(due, next(self._ticket), line) for line, due in self._delayed.items()]
            heapq.heapify(self._timers)

    def _in_full(self, line: SaPair | Line) -> Line:
        """The line as one that can be more than a pair."""
        if isinstance(line, SaPair):
            pair, line = line, Line(line, (line.key,), line.since, line.key.uniqueid)
            self._lines.replace(pair, line)
        return line

    def _counting(self, key: SaKey) -> SaPair | None:
        """What counts under a key now."""
        if (held := self._held.get(key)) is not None:
            return self._shown(held.last, held)
        sa = self._known.get(key)
        line = None if sa is None else self._lines.find(sa)
        return None if sa is None or (isinstance(line, Line) and line.waits) else self._shown(sa, line)

    def _shown(self, sa: SaPair, line: SaPair | Line | None) -> SaPair:
        """A pair as it counts: with its line's age, suspected only where that says something, held where it is."""
        is_suspect = sa.is_suspect and self._degrades(sa)
        found = self._aged(sa, line) if isinstance(line, Line) else sa
        return found if is_suspect == sa.is_suspect else replace(found, is_suspect=is_suspect)

    def _aged(self, sa: SaPair, line: Line) -> SaPair:
        """A pair with its line's age, held where it is."""
        key = line.held or sa.key
        first = 0 if line.first == key.uniqueid else line.first
        if line.held is None and (line.since, first) == (sa.since, sa.first):
            return sa
        return replace(sa, key=key, since=line.since, first=first, is_held=line.held is not None)

    def _announce_delay(self, sa: SaPair) -> float:
        entry = self._entry(sa) if self._has_announce else None
        return 0.0 if entry is None else entry.announce_delay

    def _withdraw_delay(self, sa: SaPair) -> float:
        entry = self._entry(sa) if self._has_withdraw else None
        return 0.0 if entry is None else entry.withdraw_delay

    def _degrades(self, sa: SaPair) -> bool:
        entry = self._entry(sa) if self._has_degrade else None
        return entry is not None and entry.degrade_med is not None

    def _entry(self, sa: SaPair) -> MapEntry | None:
        rank = None if self._matcher is None else self._matcher.rank(sa)
        return None if rank is None else self._policy.entries[rank]
