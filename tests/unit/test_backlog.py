"""The backlog: a large snapshot is told in pieces, and nothing that is told meanwhile is out of order."""

from __future__ import annotations

from rri_bgp.backlog import PIECE, Backlog
from rri_bgp.model import SaKey, SaPair
from tests.values import sa


def many(first: int, count: int, peer: str = "203.0.113.2") -> dict[SaKey, SaPair | None]:
    return {one.key: one for one in (sa(number, peer=peer) for number in range(first, first + count))}


def gone(*uniqueids: int, source: str = "vici") -> dict[SaKey, SaPair | None]:
    return {SaKey(source, uniqueid): None for uniqueid in uniqueids}


def nobody(_key: SaKey) -> SaPair | None:
    return None


def test_a_snapshot_is_told_in_pieces_and_in_its_own_order() -> None:
    backlog = Backlog(nobody)
    changes = many(1, PIECE + 3)
    backlog.take_snapshot("vici", changes)
    first, second = backlog.next_piece(), backlog.next_piece()
    assert (len(first), len(second), len(backlog)) == (PIECE, 3, 0)
    assert [*first, *second] == [*changes]


def test_what_comes_is_told_before_what_goes_e6() -> None:
    backlog = Backlog(nobody)
    backlog.take_snapshot("vici", gone(900) | many(1, 2) | gone(901))
    assert [*backlog.next_piece().items()] == [*many(1, 2).items(), *gone(900, 901).items()]


def test_news_of_a_few_goes_ahead_and_replaces_what_the_snapshot_said() -> None:
    backlog = Backlog(nobody)
    backlog.take_snapshot("vici", many(1, 3))
    newer = {sa(2).key: sa(2, "10.2.0.0/16")}
    assert backlog.overtake(newer) == newer
    assert backlog.next_piece() == {key: one for key, one in many(1, 3).items() if key != sa(2).key}


def test_an_sa_that_goes_waits_for_one_of_its_peer_that_has_yet_to_come_e6() -> None:
    old = sa(1, "10.1.0.0/16")
    backlog = Backlog({old.key: old}.get)
    backlog.take_snapshot("vici", many(2, 1))
    assert backlog.overtake(gone(1)) == {}
    assert [*backlog.next_piece().items()] == [*many(2, 1).items(), *gone(1).items()]


def test_an_sa_of_another_peer_goes_at_once() -> None:
    old = sa(1, "10.1.0.0/16", peer="203.0.113.9")
    backlog = Backlog({old.key: old}.get)
    backlog.take_snapshot("vici", many(2, 1))
    assert backlog.overtake(gone(1)) == gone(1)


def test_an_sa_that_nobody_was_told_of_goes_at_once() -> None:
    backlog = Backlog(nobody)
    backlog.take_snapshot("vici", many(1, 2))
    assert backlog.overtake(gone(1)) == gone(1)
    assert backlog.next_piece() == many(2, 1)


def test_the_next_snapshot_of_a_source_replaces_what_is_left_of_its_last_and_of_no_other() -> None:
    backlog = Backlog(nobody)
    backlog.take_snapshot("vici", many(1, 2) | gone(900))
    backlog.take_snapshot("xfrm", gone(7, source="xfrm"))
    backlog.take_snapshot("vici", many(5, 1))
    assert backlog.next_piece() == many(5, 1) | gone(7, source="xfrm")
    assert backlog.next_piece() == {}
