"""Whose kernel routes are touched, and in which order with BGP."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.rri.reconcile import Found, Place, Step, Verdict, differences, next_step, verdict
from tests.values import pfx

OURS, OTHERS = 186, 4
NETS = tuple(pfx(text) for text in ("10.1.0.0/16", "10.2.0.0/16", "2001:db8:1::/48"))
places = st.builds(Place, st.sampled_from((10, 254)), st.sampled_from(NETS), st.sampled_from((1, 20)))
vias = st.sampled_from(("192.0.2.1 dev eth0", "192.0.2.9 dev eth1"))


@given(st.dictionaries(places, vias), st.dictionaries(places, st.tuples(st.sampled_from((OURS, OTHERS)), vias)))
def test_g6_foreign_routes_stay_and_ours_become_what_is_wanted(
    wanted: dict[Place, str], there: dict[Place, tuple[int, str]]
) -> None:
    """Whatever is in the kernel: what differences say is applied to it as the kernel would."""
    said = differences(wanted, [Found(place, *one) for place, one in there.items()], OURS)
    after = {place: one for place, one in there.items() if place not in said.delete}
    assert not said.add.keys() & there.keys()
    assert all(there[place][0] == OURS for place in (*said.replace, *said.delete))
    after |= {place: (OURS, via) for place, via in {**said.add, **said.replace}.items()}
    foreign = {place: one for place, one in there.items() if one[0] != OURS}
    assert {place: one for place, one in after.items() if one[0] != OURS} == foreign
    mine = {place: via for place, (protocol, via) in after.items() if protocol == OURS}
    assert mine == {place: via for place, via in wanted.items() if place not in foreign}
    assert said.blocked == wanted.keys() & foreign.keys()


def test_g6_a_route_of_an_earlier_life_is_adopted() -> None:
    """One that is right is left alone."""
    place = Place(254, NETS[0], 1)
    said = differences({place: "dev eth0"}, [Found(place, OURS, "dev eth0")], OURS)
    assert (said.add, said.replace, said.delete, said.blocked) == ({}, {}, frozenset(), frozenset())


@pytest.mark.parametrize(("wanted", "in_kernel", "announced"), list(itertools.product((True, False), repeat=3)))
def test_g3_the_kernel_is_first_to_have_a_route_and_last_to_lose_it(
    wanted: bool, in_kernel: bool, announced: bool
) -> None:
    """From any state, step by step, to the one that is wanted; nothing is announced that the kernel has not."""
    taken = []
    while (step := next_step(wanted=wanted, in_kernel=in_kernel, announced=announced)) is not Step.NOTHING:
        taken.append(step)
        match step:
            case Step.ADD:
                in_kernel = True
            case Step.ANNOUNCE:
                assert in_kernel
                announced = True
            case Step.WITHDRAW:
                announced = False
            case Step.DELETE:
                assert not announced
                in_kernel = False
        assert len(taken) <= 2
    assert (in_kernel, announced) == (wanted, wanted)


@pytest.mark.parametrize(
    ("metrics", "expected", "by"),
    [
        ((), Verdict.FREE, None),
        ((11,), Verdict.WINS, 11),
        ((1024, 11), Verdict.WINS, 11),
        ((0,), Verdict.BEATEN, 0),
        ((20, 9, 5), Verdict.BEATEN, 5),
        ((10,), Verdict.BLOCKED, 10),
        ((5, 10, 20), Verdict.BLOCKED, 10),
    ],
)
def test_n7_the_lower_metric_counts_whoever_has_it(metrics: tuple[int, ...], expected: Verdict, by: int | None) -> None:
    others = {metric: Found(Place(254, NETS[0], metric), OTHERS, "dev eth1") for metric in metrics}
    assert verdict(Place(254, NETS[0], 10), iter(others.values())) == (expected, None if by is None else others[by])
    assert expected.counts == all(metric > 10 for metric in metrics)
