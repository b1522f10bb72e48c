"""Which SA pairs would count under another policy, said beforehand (rules G4, G5)."""

from __future__ import annotations

from dataclasses import replace

from rri_bgp.rri.candidates import Candidate, counting
from tests.unit.rri.clockwork import World
from tests.values import entry, policy, sa


def test_g4_g5_the_pairs_that_another_policy_may_judge_otherwise() -> None:
    world = World(policy(entry(10, connection="slow", announce_delay=5), entry(20, withdraw_delay=10)))
    waits, held = sa(1, "10.1.0.0/16", connection="slow", is_suspect=True), sa(2, "10.2.0.0/16")
    suspect, plain = sa(3, "10.3.0.0/16", is_suspect=True), sa(4, "10.4.0.0/16")
    world.say(waits, held, suspect, plain)
    world.say(gone=(2,))
    assert [*world.tunnels.special(world.now + 2)] == [
        Candidate(waits, waits=True, elapsed=2.0),
        Candidate(replace(held, is_held=True), elapsed=2.0),
        Candidate(suspect),
    ]


def test_g4_g5_what_would_count_is_what_counts_after_the_reload() -> None:
    first, second = sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16", is_held=True)
    third = sa(3, "10.3.0.0/16", is_suspect=True)
    plain = Candidate(sa(4, "10.4.0.0/16"))
    candidates = [Candidate(first, waits=True, elapsed=4.0), Candidate(second, elapsed=4.0), Candidate(third), plain]
    assert [*counting(candidates, policy(entry(announce_delay=5, withdraw_delay=3)), {})] == [
        replace(third, is_suspect=False),
        plain.sa,
    ]
    assert [*counting(candidates, policy(entry(announce_delay=4, withdraw_delay=5, degrade_med=5)), {})] == [
        first,
        second,
        third,
        plain.sa,
    ]
    other = policy(entry(connection="other", announce_delay=5, withdraw_delay=9))
    assert [*counting(candidates, other, {})] == [first, replace(third, is_suspect=False), plain.sa]
