"""Refusals in the log: each once, and no more than so many."""

from __future__ import annotations

from rri_bgp.model import LineKey, Refusal, SaKey
from rri_bgp.reasons import Reason
from rri_bgp.refusals import RefusalLog
from tests.values import pfx, sa

ONE, TWO = pfx("10.1.0.0/16"), pfx("10.2.0.0/16")


def loopback(uniqueid: int, *prefixes: str) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(SaKey("vici", uniqueid), pfx(prefix), Reason.LOOPBACK, ("127.0.0.0/8",)) for prefix in prefixes
    )


def test_g8_a_refusal_is_said_once_for_a_line_of_pairs() -> None:
    said = RefusalLog()
    first, second = sa(1), sa(2, first=1)
    assert [*said.note(first.key, first, loopback(1, "127.1.0.0/16"), 0.0)] == [
        "vici 1, branch1/net of 203.0.113.2: refused by G1: 127.1.0.0/16 is or holds loopback addresses (127.0.0.0/8)"
    ]
    assert [*said.note(second.key, second, loopback(2, "127.1.0.0/16"), 1.0)] == []
    assert len([*said.note(second.key, second, loopback(2, "127.1.0.0/16", "127.2.0.0/16"), 2.0)]) == 1
    assert said.counts == {Reason.LOOPBACK: 2}


def test_g8_owners_without_an_sa_have_names_too() -> None:
    said = RefusalLog()
    line = LineKey("mymap 10", 0)
    refusal = Refusal(line, ONE, Reason.NO_NEXT_HOP, ("mymap 10", "hub.yaml:3", 4))
    assert [*said.note(line, None, [refusal], 0.0)] == [
        "entry mymap 10, line 1 of its access list: refused by N9: entry mymap 10 (hub.yaml:3) has no IPv4 next hop"
    ]
    key = SaKey("vici", 9)
    assert [*said.note(key, None, [Refusal(key, None, Reason.NO_ENTRY)], 0.0)] == [
        "vici 9: refused by E1: no map entry takes this SA"
    ]


def test_g2_that_a_group_is_on_standby_is_counted_and_not_said() -> None:
    said = RefusalLog()
    one = sa(1)
    assert [*said.note(one.key, one, [Refusal(one.key, ONE, Reason.STANDBY, ("group1",))], 0.0)] == []
    assert said.counts == {Reason.STANDBY: 1}


def test_e8_what_the_kernel_does_not_carry_is_counted_and_said_elsewhere() -> None:
    said = RefusalLog()
    one = sa(1)
    assert [*said.note(one.key, one, [Refusal(one.key, ONE, Reason.NOT_IN_KERNEL)], 0.0)] == []
    assert said.counts == {Reason.NOT_IN_KERNEL: 1}


def test_g1_a_peer_that_asks_for_very_much_fills_neither_log_nor_memory() -> None:
    said = RefusalLog()
    lines: list[str] = []
    for number in range(1, 20_001):
        one = sa(number)
        lines += said.note(one.key, one, loopback(number, "127.1.0.0/16"), 0.0)
    assert (len(lines), len(said._known), said.counts[Reason.LOOPBACK]) == (20, 10_000, 20_000)
    one = sa(30_000)
    (line,) = said.note(one.key, one, loopback(30_000, "127.1.0.0/16"), 1.0)
    assert line.endswith(" (19980 more before it were not logged)")
