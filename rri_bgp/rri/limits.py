"""How many routes a peer, an entry and all entries together may have (rule G1).

Which destinations are within a limit is a function of the claims that exist now (rule E7): the first ones by the age of
their oldest owner, then in order. So whoever comes last is refused, and a rekey, which keeps its line's age, changes
nothing. What is over a peer's limit does not count towards the entry's, nor what is over that towards the total: a peer
that asks for too much takes nothing from others.

A limit that is not near costs a counter. One that is has a ``_Ledger``, which ranks destinations; a change then costs
a search in it, and moves at most one other destination over the line.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from rri_bgp.model import Address, Claim, Destination, Owner, Refusal, SaPair, order
from rri_bgp.reasons import Reason
from rri_bgp.rri.ages import LINE_AGE, age_of
from rri_bgp.rri.entries import Policy

__all__ = ["Asker", "Limits", "Move", "asker_of_line", "asker_of_sa", "has_limits"]


class Asker(NamedTuple):
    """Who asks, as far as limits care: the peer, which is an address (version, number) and an identity, and an age."""

    peer: tuple[int, int, str]
    age: int


def asker_of_sa(sa: SaPair) -> Asker:
    """The asker of an SA pair's claims."""
    return Asker((sa.peer.version, int(sa.peer), sa.identity), age_of(sa))


def asker_of_line(peer: Address | None) -> Asker:
    """The asker of a static entry's own routes; they have no identity. A peer of no address asks for nothing."""
    return Asker((0, 0, "") if peer is None else (peer.version, int(peer), ""), LINE_AGE)


Move = tuple[Claim, int, bool]
"""A claim with its owner's age that counts from now on (True), or does so no longer."""


def has_limits(policy: Policy) -> bool:
    """Whether any limit is set: without one nobody has to count."""
    guards = (entry.guard for entry in policy.entries)
    return policy.max_routes is not None or any(
        guard.max_routes is not None or guard.max_routes_per_peer is not None for guard in guards
    )


class _Ledger:
    """The claims that one limit is about, the destinations in order of age: the first ``limit`` are within it."""

    def __init__(self, limit: int, members: Iterable[tuple[Claim, int]] = ()) -> None:
        self._limit = limit
        self._claims: dict[Destination, list[tuple[int, Claim]]] = {}
        for claim, age in members:
            self._claims.setdefault(claim.destination, []).append((age, claim))
        for claims in self._claims.values():
            claims.sort()
        self.count = sum(map(len, self._claims.values()))
        """Of claims, so at least that of destinations."""
        self._order = sorted(_place(claims[0][0], destination) for destination, claims in self._claims.items())

    def admits(self, destination: Destination) -> bool:
        """Whether a destination is within the limit."""
        claims = self._claims.get(destination)
        return claims is not None and bisect_left(self._order, _place(claims[0][0], destination)) < self._limit

    def refused(self) -> Iterator[Claim]:
        """The claims that are over the limit."""
        return (claim for *_, destination in self._order[self._limit :] for _, claim in self._claims[destination])

    def change(self, claim: Claim, age: int, comes: bool) -> Iterator[Move]:
        """Takes a claim that comes or goes. Yields what changes by that."""
        destination = claim.destination
        was_within = self.admits(destination)
        claims = self._claims.setdefault(destination, [])
        before = tuple(claims)
        if comes:
            insort(claims, (age, claim))
        else:
            del claims[bisect_left(claims, (age, claim))]
        self.count += 1 if comes else -1
        if not claims:
            del self._claims[destination]
        yield from self._move(destination, before, claims)
        is_within = self.admits(destination)
        if was_within and (is_within or not claims):
            yield claim, age, comes
        elif was_within:
            yield from ((other, its, False) for its, other in before)
        elif is_within:
            yield from ((other, its, True) for its, other in claims)

    def _move(
        self, destination: Destination, before: tuple[tuple[int, Claim], ...], after: list[tuple[int, Claim]]
    ) -> Iterator[Move]:
        """Ranks a destination anew. Yields the claims of others that cross the line by that."""
        if before and after and before[0][0] == after[0][0]:
            return
        promoted = displaced = None
        if before:
            position = bisect_left(self._order, _place(before[0][0], destination))
            del self._order[position]
            if position < self._limit <= len(self._order):
                promoted = self._order[self._limit - 1][-1]
        if after:
            place = _place(after[0][0], destination)
            position = bisect_left(self._order, place)
            self._order.insert(position, place)
            if position < self._limit < len(self._order):
                displaced = self._order[self._limit][-1]
        if promoted != displaced:
            if promoted is not None:
                yield from ((claim, age, True) for age, claim in self._claims[promoted])
            if displaced is not None:
                yield from ((claim, age, False) for age, claim in self._claims[displaced])


def _place(age: int, destination: Destination) -> tuple[int, tuple[object, ...], Destination]:
    return age, order(destination), destination


_PeerKey = tuple[int, tuple[int, int, str]]
"""Rank of the entry and peer."""


class _Gate:
    """One limit: of a peer, of an entry (its rank), or of all (None). Claims pass it on their way to the table."""

    __slots__ = ("count", "ledger", "limit", "scope", "why")

    def __init__(self, limit: int, why: Reason, scope: _PeerKey | int | None) -> None:
        self.limit = limit
        self.why = why
        self.scope = scope
        self.count = 0
        """Of claims, where there is no ledger."""
        self.ledger: _Ledger | None = None

    def admits(self, destination: Destination) -> bool:
        return self.ledger is None or self.ledger.admits(destination)

    def is_near(self, changes: int) -> bool:
        """Whether so many claims that come or go may be too many to be let through without a ledger.

        A claim that goes can have others of its peer take its place, so it may add a destination too.
        """
        return self.ledger is None and self.count + changes > self.limit

    def passing(self, moves: list[Move]) -> list[Move]:
        """What of these moves, and of what they cause, is within the limit."""
        if self.ledger is None:
            self.count += sum(1 if comes else -1 for _, _, comes in moves)
            return moves
        return [caused for move in moves for caused in self.ledger.change(*move)]

    def relax(self) -> None:
        """Drops a ledger that is not needed any more: some way below the limit, or each change would make it anew."""
        if self.ledger is not None and self.ledger.count <= self.limit - self.limit // 4:
            self.count = self.ledger.count
            self.ledger = None

    @property
    def is_idle(self) -> bool:
        return self.ledger is None and not self.count


class Limits:
    """All limits of a policy. ``wanted`` is what each owner wants, kept by the caller; ``asker_of`` tells of an owner.

    Both are read when a limit comes near. The caller takes an owner's claims out of ``wanted`` after ``go`` and puts
    the new ones in after ``come``.
    """

    def __init__(
        self, policy: Policy, wanted: Mapping[Owner, tuple[Claim, ...]], asker_of: Callable[[Owner], Asker]
    ) -> None:
        self._policy = policy
        self._wanted = wanted
        self._asker_of = asker_of
        self._peers: dict[_PeerKey, _Gate] = {}
        self._owners: dict[_PeerKey, list[Owner]] = {}
        """Of the peers in ``_peers``."""
        self._entries = {
            rank: _Gate(entry.guard.max_routes, Reason.ENTRY_LIMIT, rank)
            for rank, entry in enumerate(policy.entries)
            if entry.guard.max_routes is not None
        }
        self._total: _Gate | None = None
        if policy.max_routes is not None:
            self._total = _Gate(policy.max_routes, Reason.TOTAL_LIMIT, None)

    def go(self, owner: Owner, asker: Asker, claims: tuple[Claim, ...]) -> list[Move]:
        """An owner wants these no longer. Returns what changes in the table."""
        moves = self._change(asker, claims, comes=False)
        key = claims[0].rank, asker.peer
        if key in self._peers:
            self._owners[key].remove(owner)
            if self._peers[key].is_idle:
                del self._peers[key], self._owners[key]
        return moves

    def come(self, owner: Owner, asker: Asker, claims: tuple[Claim, ...]) -> list[Move]:
        """An owner, which wanted nothing until now, wants these. Returns what changes in the table."""
        rank = claims[0].rank
        limit = self._policy.entries[rank].guard.max_routes_per_peer
        if limit is not None:
            key = rank, asker.peer
            if key not in self._peers:
                self._peers[key] = _Gate(limit, Reason.PEER_LIMIT, key)
                self._owners[key] = []
            moves = self._change(asker, claims, comes=True)
            self._owners[key].append(owner)
            return moves
        return self._change(asker, claims, comes=True)

    def refusals_of(self, asker: Asker, claims: tuple[Claim, ...]) -> Iterator[Refusal]:
        """Which of an owner's claims, at least one, are over a limit."""
        gates = self._gates(claims[0].rank, asker)
        for claim in claims:
            gate = next((gate for gate in gates if not gate.admits(claim.destination)), None)
            if gate is not None:
                yield self._refusal(claim, gate)

    def refusals(self) -> Iterator[Refusal]:
        """All claims that are over a limit; costs no more than there are."""
        for gate in (*self._peers.values(), *self._entries.values(), self._total):
            if gate is not None and gate.ledger is not None:
                yield from (self._refusal(claim, gate) for claim in gate.ledger.refused())

    def _refusal(self, claim: Claim, gate: _Gate) -> Refusal:
        return Refusal(claim.owner, claim.destination, gate.why, (gate.limit, self._policy.entries[claim.rank].name))

    def _change(self, asker: Asker, claims: tuple[Claim, ...], *, comes: bool) -> list[Move]:
        gates = self._gates(claims[0].rank, asker)
        moves = [(claim, asker.age, comes) for claim in claims]
        for gate in gates:  # all before the first move: what has come as far as a limit depends on the ones before it
            if gate.is_near(len(claims)):
                gate.ledger = _Ledger(gate.limit, self._members(gate.scope))
        for gate in gates:
            moves = gate.passing(moves)
        for gate in gates:
            gate.relax()
        return moves

    def _gates(self, rank: int, asker: Asker) -> list[_Gate]:
        """The limits for such a claim, in the order in which it passes them."""
        found = (self._peers.get((rank, asker.peer)), self._entries.get(rank), self._total)
        return [gate for gate in found if gate is not None]

    def _members(self, scope: _PeerKey | int | None) -> Iterator[tuple[Claim, int]]:
        """The claims that have come as far as a limit."""
        if scope is None:
            return self._of_all()
        return self._of_entry(scope) if isinstance(scope, int) else self._of_peer(scope)

    def _of_peer(self, key: _PeerKey) -> Iterator[tuple[Claim, int]]:
        for owner in self._owners[key]:
            age = self._asker_of(owner).age
            yield from ((claim, age) for claim in self._wanted[owner])

    def _of_entry(self, rank: int) -> Iterator[tuple[Claim, int]]:
        for owner, claims in self._wanted.items():
            if claims[0].rank == rank:
                asker = self._asker_of(owner)
                gate = self._peers.get((rank, asker.peer))
                yield from ((claim, asker.age) for claim in claims if gate is None or gate.admits(claim.destination))

    def _of_all(self) -> Iterator[tuple[Claim, int]]:
        for owner, claims in self._wanted.items():
            asker, rank = self._asker_of(owner), claims[0].rank
            gates = [gate for gate in (self._peers.get((rank, asker.peer)), self._entries.get(rank)) if gate]
            for claim in claims:
                if all(gate.admits(claim.destination) for gate in gates):
                    yield claim, asker.age
