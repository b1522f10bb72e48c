"""The host names of peers and what they resolve to: who is known, who is not, and for how long that holds.

Rules of this file: no I/O; time is an argument, seconds that never go back.

What is known is used. A name that stops resolving keeps its last addresses for ``keep`` seconds after its last good
answer: a name server that is away for a while must not take routes with it. Then they go, and say why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rri_bgp.model import Address

__all__ = ["NameState", "NameTable"]

_MOST = 64
"""Addresses of one name: more is no host."""


@dataclass(frozen=True, slots=True)
class NameState:
    """One name: its addresses, lowest first, and when the last good answer came (None: never).

    ``reason`` is why the last question had no good answer, empty where it had one or nobody has asked yet.
    """

    name: str
    addresses: tuple[Address, ...] = ()
    answered: float | None = None
    reason: str = ""


class NameTable:
    """The names of a policy."""

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._states: dict[str, NameState] = {}
        self._past: dict[str, NameState] = {}
        """Names of earlier policies: one that comes back is known, even where no name server answers just then."""

    def take_names(self, names: Iterable[str]) -> tuple[str, ...]:
        """Another policy's names; those that it shares with the one before keep what is known. Returns the new ones."""
        wanted = sorted(set(names))
        new = tuple(name for name in wanted if name not in self._states)
        known = {**self._past, **self._states}
        self._states = {name: known.pop(name, NameState(name)) for name in wanted}
        self._past = {name: state for name, state in known.items() if state.addresses}
        return new

    def answered(self, name: str, addresses: Iterable[Address], now: float) -> None:
        """A question had an answer. Name servers turn their answers round: the order is ours, so that none follows."""
        found = tuple(sorted(set(addresses), key=lambda one: (one.version, int(one))))[:_MOST]
        if not found:
            self.failed(name, "it has no address", now)
        elif name in self._states:
            self._states[name] = NameState(name, found, now)

    def failed(self, name: str, reason: str, now: float) -> None:
        """A question had none, or not in time."""
        if name in self._states:
            self._states[name] = replace(self._states[name], reason=reason)
            self.advance(now)

    def advance(self, now: float) -> None:
        """Lets go of addresses that are too old."""
        for table in (self._states, self._past):
            for name, state in table.items():
                if state.addresses and state.answered is not None and now - state.answered > self._keep:
                    table[name] = replace(state, addresses=())

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in alphabetical order."""
        return tuple(self._states)

    @property
    def resolved(self) -> Mapping[str, tuple[Address, ...]]:
        """The names that have addresses, and these."""
        return {name: state.addresses for name, state in self._states.items() if state.addresses}

    def states(self) -> tuple[NameState, ...]:
        """All names, in alphabetical order."""
        return tuple(self._states.values())
