"""Sets of addresses: exact arithmetic on intervals, and finding prefixes among many."""

from __future__ import annotations

from rri_bgp.model import Prefix
from rri_bgp.rri.intervals import (
    PrefixTable,
    add,
    holds,
    holds_all,
    lowest,
    meets,
    meets_any,
    merged,
    to_prefixes,
    without,
)


def test_intervals_that_overlap_or_touch_become_one() -> None:
    assert merged([(5, 9), (0, 2), (3, 3), (7, 8), (11, 12)]) == [(0, 3), (5, 9), (11, 12)]
    assert merged([]) == []


def test_an_interval_is_added_where_it_belongs() -> None:
    known: list[tuple[int, int]] = []
    for first, last in ((10, 20), (30, 40), (0, 1), (22, 28), (50, 60)):
        add(known, first, last)
    assert known == [(0, 1), (10, 20), (22, 28), (30, 40), (50, 60)]
    add(known, 21, 29)
    assert known == [(0, 1), (10, 40), (50, 60)]
    add(known, 12, 13)
    assert known == [(0, 1), (10, 40), (50, 60)]
    add(known, 0, 55)
    assert known == [(0, 60)]


def test_a_set_without_another() -> None:
    taken = [(0, 1), (5, 6), (8, 8), (20, 30)]
    assert without([(0, 10), (15, 25), (40, 41)], taken) == [(2, 4), (7, 7), (9, 10), (15, 19), (40, 41)]
    assert without([(5, 6)], taken) == []
    assert without([(5, 6)], []) == [(5, 6)]
    assert without([(0, 5)], [(5, 7)]) == [(0, 4)]
    assert without([(7, 9)], [(5, 7)]) == [(8, 9)]


def test_whether_a_set_holds_all_or_any_of_an_interval() -> None:
    known = [(2, 4), (8, 9)]
    assert [holds(known, *one) for one in ((2, 4), (3, 3), (1, 2), (4, 5), (4, 8), (10, 11))] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
    assert [meets(known, *one) for one in ((0, 1), (0, 2), (4, 5), (5, 7), (9, 20), (10, 11))] == [
        False, True, True, False, True, False,
    ]  # fmt: skip


def test_whether_a_set_holds_all_or_any_of_another() -> None:
    one, two = [(2, 9)], [(2, 4), (8, 9)]
    others = ([(2, 3), (8, 9)], [(2, 9)], [(1, 3), (8, 9)], [(2, 3), (9, 10)], [(5, 7)], [(0, 1), (10, 11)])
    assert [holds_all(one, other) for other in others] == [True, True, False, False, True, False]
    assert [holds_all(two, other) for other in others] == [True, False, False, False, False, False]
    assert [meets_any(one, other) for other in others] == [True, True, True, True, True, False]
    assert [meets_any(two, other) for other in others] == [True, True, True, True, False, False]


def test_a_set_becomes_prefixes() -> None:
    assert to_prefixes(4, [(0, 2), (8, 15)]) == (Prefix(4, 0, 31), Prefix(4, 2, 32), Prefix(4, 8, 29))


def test_the_lowest_of_overlapping_spans() -> None:
    assert list(lowest([(0, 20, 3), (5, 10, 1), (8, 15, 2), (30, 31, 0)])) == [
        (0, 4, 3), (5, 7, 1), (8, 10, 1), (11, 15, 2), (16, 20, 3), (30, 31, 0),
    ]  # fmt: skip
    assert list(lowest([])) == []


def test_prefixes_are_found_by_what_they_hold_and_overlap() -> None:
    table: PrefixTable[str] = PrefixTable(32)
    for text in ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "11.0.0.0/8"):
        table.add(Prefix.parse(text), text)
    table.add(Prefix.parse("10.1.0.0/16"), "again")
    host, net = Prefix.parse("10.1.2.3/32"), Prefix.parse("10.1.0.0/16")
    assert sorted(table.holding(net.network, net.last)) == ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "again"]
    assert len(table.holding(host.network, host.last)) == 5
    everything = ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "again"]
    assert sorted(value for _, _, value in table.overlapping(net.network - 1, net.last + 1)) == everything
    assert max(table.overlapping(host.network, host.last)) == (host.network, host.last, "10.1.2.3/32")
    table.add(Prefix.parse("10.1.9.0/24"), "new")
    assert "new" in [value for _, _, value in table.overlapping(net.network, net.last)]
