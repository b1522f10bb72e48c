"""What would count under another policy, said beforehand, is what then counts (rules G4, G5), whatever the history."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.model import SaKey, SaPair
from rri_bgp.rri.candidates import Candidate, counting
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.tunnels import Tunnels
from tests.property.test_tunnels import EPOCH, POLICIES, Step, histories


def keep(counts: dict[SaKey, SaPair], told: dict[SaKey, SaPair | None]) -> None:
    for key, sa in told.items():
        if sa is None:
            counts.pop(key, None)
        else:
            counts[key] = sa


@given(st.sampled_from(POLICIES), histories, st.sampled_from(POLICIES), st.integers(0, 4))
def test_g4_g5_what_would_count_then_counts(first: Policy, history: list[Step], then: Policy, wait: int) -> None:
    tunnels, counts, rules, now = Tunnels(first, EPOCH), dict[SaKey, SaPair](), first, 0.0
    for step in (*history, Step(wait, {})):
        now += step.wait
        keep(counts, tunnels.advance(now))
        if step.rules is not None:
            rules = step.rules
            keep(counts, tunnels.take_policy(rules, now))
        keep(counts, tunnels.update(step.changes, now))
    special = {one.sa.key: one for one in tunnels.special(now)}
    candidates = [*(Candidate(sa) for key, sa in counts.items() if key not in special), *special.values()]
    assert {sa.key: sa for sa in counting(candidates, rules, {})} == counts
    keep(counts, tunnels.take_policy(then, now))
    assert {sa.key: sa for sa in counting(candidates, then, {})} == counts
