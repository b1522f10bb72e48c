"""Lines of SA pairs: each pair and those that continue it (rules E6, E13). A table of them that costs little.

Two pairs are of one line when source, connection, child, identity (the peer's address where there is none) and remote
selectors agree: what a rekey or a reauthentication leaves as it is, and MOBIKE too.

Rules of this file: most lines are one pair that came once, and such a line is that pair itself; only one that has more
to it is a ``Line``. The table's key is a number, as a hundred thousand tuples would take more room than the rest of it.
It is made of what costs little to hash, so two lines may meet at one number: the second of them is kept apart, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

from rri_bgp.model import Address, SaKey, SaPair, TrafficSelector

__all__ = ["Line", "LineTable", "is_same_line", "pair_of"]

_Exact = tuple[str, str, str, str | Address, tuple[TrafficSelector, ...]]


@dataclass(slots=True, eq=False)
class Line:
    """A line that pairs have joined, or that a delay holds, or whose last pair has gone.

    ``last`` is the pair that came, changed or went last. ``since`` and ``first`` are as in ``SaPair``, of the whole
    line, but that ``first`` is never 0. ``start`` and ``gone`` are seconds as ``now`` is: from when ``announce-delay``
    counts, and when the last pair went. ``waits``: it was not announced yet. ``held`` is the key under which a pair
    that has gone still counts.
    """

    last: SaPair
    members: tuple[SaKey, ...]
    since: int
    first: int
    start: float = 0.0
    waits: bool = False
    gone: float | None = None
    held: SaKey | None = None


def pair_of(line: SaPair | Line) -> SaPair:
    """A pair of the line, the latest that is known."""
    return line.last if isinstance(line, Line) else line


def is_same_line(one: SaPair, other: SaPair) -> bool:
    """Whether the one continues the other."""
    return one.remote_ts == other.remote_ts and has_same_name(one, other)


def has_same_name(one: SaPair, other: SaPair) -> bool:
    """Whether both are of one source, connection, child and identity, whatever they carry."""
    return (
        one.identity == other.identity
        and one.child == other.child
        and one.connection == other.connection
        and one.key.source == other.key.source
        and (bool(one.identity) or one.peer == other.peer)
    )


class LineTable:
    """See the head of this file."""

    def __init__(self) -> None:
        self._by_mark: dict[int, SaPair | Line] = {}
        self._apart: dict[_Exact, SaPair | Line] = {}
        """Lines that came when another one had their mark."""

    def enter(self, sa: SaPair) -> SaPair | Line | None:
        """The line that is there for a pair; None where there was none, and then the pair is one from now on."""
        if self._apart and (found := self._apart.get(_exact(sa))) is not None:
            return found
        remote = sa.remote_ts  # as in _mark, which would take a third of the time that all of this does
        mark = hash((sa.connection, sa.child, sa.identity or sa.peer, remote[0].start if remote else None))
        there = self._by_mark.setdefault(mark, sa)
        if there is sa:
            return None
        if is_same_line(pair_of(there), sa):
            return there
        self._apart[_exact(sa)] = sa
        return None

    def find(self, sa: SaPair) -> SaPair | Line:
        """The line of a pair that is in one.

        Raises:
            KeyError: it is in none.
        """
        there = self._by_mark.get(_mark(sa))
        if there is not None and is_same_line(pair_of(there), sa):
            return there
        return self._apart[_exact(sa)]

    def replace(self, sa: SaPair, line: SaPair | Line) -> None:
        """The line of this pair is kept like that from now on."""
        mark = _mark(sa)
        there = self._by_mark.get(mark)
        if there is not None and is_same_line(pair_of(there), sa):
            self._by_mark[mark] = line
        else:
            self._apart[_exact(sa)] = line

    def drop(self, sa: SaPair) -> None:
        """The line of this pair is over."""
        mark = _mark(sa)
        there = self._by_mark.get(mark)
        if there is not None and is_same_line(pair_of(there), sa):
            del self._by_mark[mark]
        else:
            del self._apart[_exact(sa)]

    def __len__(self) -> int:
        return len(self._by_mark) + len(self._apart)


def _mark(sa: SaPair) -> int:
    """The same for all pairs of a line. Texts have their hash at hand; of the selectors a number stands for all."""
    remote = sa.remote_ts
    return hash((sa.connection, sa.child, sa.identity or sa.peer, remote[0].start if remote else None))


def _exact(sa: SaPair) -> _Exact:
    return (sa.key.source, sa.connection, sa.child, sa.identity or sa.peer, sa.remote_ts)
