"""The story of a recording, and the upstream held against it."""

from __future__ import annotations

from collections.abc import Iterator

from rri_bgp.demo.story import Follower, Step, expected_routes, tell
from rri_bgp.demo.updates import Change, on_the_wire
from rri_bgp.model import Path, Prefix, SaPair
from rri_bgp.sources.recording import Moment
from tests.values import HUB4, entry, pfx, policy, sa

POLICY = policy(entry(tag=100, versions=(4,)))
WIRE = on_the_wire(Path(HUB4, POLICY.entries[0].attributes))
ONE, TWO = pfx("10.1.0.0/16"), pfx("10.2.0.0/16")


def pair(uniqueid: int, prefix: Prefix) -> SaPair:
    return sa(uniqueid, str(prefix), source="replay")


def moments() -> Iterator[Moment]:
    old, new, other = pair(1, ONE), pair(2, ONE), pair(3, TWO)
    yield Moment(0.0, is_snapshot=True, changes={})
    yield Moment(1.0, is_snapshot=False, changes={old.key: old})
    yield Moment(2.0, is_snapshot=False, changes={other.key: other})
    yield Moment(3.0, is_snapshot=False, changes={new.key: new})
    yield Moment(3.2, is_snapshot=False, changes={old.key: None})
    yield Moment(4.0, is_snapshot=True, changes={new.key: new, other.key: other})
    yield Moment(5.0, is_snapshot=True, changes={other.key: other})


def steps() -> tuple[Step, ...]:
    return tell(POLICY, "replay", moments())


def test_e6_a_rekey_is_one_silent_step() -> None:
    told = [(step.at, dict(step.changes), len(step.came), len(step.gone), step.sas) for step in steps()]
    assert told == [
        (1.0, {ONE: WIRE}, 1, 0, 1),
        (2.0, {TWO: WIRE}, 1, 0, 2),
        (3.2, {}, 1, 1, 2),
        (5.0, {ONE: None}, 0, 1, 1),
    ]
    assert expected_routes(steps()) == {TWO: WIRE}


def test_an_upstream_that_hears_what_it_should() -> None:
    follower = Follower(steps())
    assert follower.take(Change(ONE, WIRE)) == steps()[0]
    assert follower.next_is_silent() is None
    assert follower.take(Change(TWO, WIRE)) == steps()[1]
    assert follower.next_is_silent() == steps()[2]
    follower.silent_is_over()
    assert follower.take(Change(ONE, None)) == steps()[3]
    assert follower.is_over
    assert follower.surprises == []


def test_a_silence_is_over_when_the_next_step_is_heard() -> None:
    follower = Follower(steps())
    for change in (Change(ONE, WIRE), Change(TWO, WIRE), Change(ONE, None)):
        assert follower.take(change) is not None
    assert follower.is_over


def test_each_update_that_no_step_expects_is_a_surprise() -> None:
    follower = Follower(steps())
    wrong = [Change(TWO, WIRE), Change(ONE, Path(HUB4)), Change(ONE, None)]
    assert [follower.take(change) for change in wrong] == [None, None, None]
    follower.take(Change(ONE, WIRE))
    follower.take(Change(TWO, WIRE))
    again = Change(ONE, WIRE)
    assert follower.take(again) is None, "what a rekey must not send"
    assert follower.surprises == [*wrong, again]
    assert follower.next_is_silent() is not None
