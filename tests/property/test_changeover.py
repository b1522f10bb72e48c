"""A large change that is taken in pieces, whatever comes between, ends as the same change at once (rules E4, G2)."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.changeover import Changeover, Reviews
from rri_bgp.model import Destination, Path, SaKey, SaPair
from rri_bgp.rri import Policy, Rib, Surroundings, routes_from_scratch
from tests.property.test_rib import paths_of, policies, routes_of, sas, surroundings

News = dict[SaKey, SaPair | None]
Step = News | Surroundings | int

found = st.lists(sas, max_size=8).map(lambda several: {one.key: one for one in several})
news = st.lists(st.tuples(sas, st.booleans()), max_size=3).map(
    lambda several: {one.key: one if is_up else None for one, is_up in several}
)
steps = st.lists(st.one_of(news, surroundings, st.integers(1, 3)), max_size=12)
"""News of SA pairs, other surroundings, or time for a piece of that size."""


def table(rules: Policy, around: Surroundings, pairs: dict[SaKey, SaPair]) -> Rib:
    rib = Rib(rules, around)
    rib.update(pairs)
    return rib


def apply(world: dict[SaKey, SaPair], changes: News) -> None:
    for key, one in changes.items():
        world.pop(key, None)
        if one is not None:
            world[key] = one


@given(policies, policies, surroundings, found, steps)
def test_e4_another_policy_in_pieces_is_the_same_change(
    first: Policy, second: Policy, around: Surroundings, pairs: dict[SaKey, SaPair], history: Sequence[Step]
) -> None:
    rib, world = table(first, around, pairs), dict(pairs)
    changeover = Changeover(rib, second)
    for step in history:
        if isinstance(step, int):
            changeover.step(step)
        elif isinstance(step, Surroundings):
            around = step
            changed = rib.take_surroundings(around)
            changeover.take_surroundings(around)
            changeover.doubt(changed)
        else:
            apply(world, step)
            changed = rib.update(step)
            changeover.update(step)
            changeover.doubt(changed)
        assert routes_of(rib) == routes_from_scratch(first, world.values(), around), "nothing of it is seen yet"
    while changeover.step(2):
        pass
    before = paths_of(rib)
    told = changeover.finish({})
    after = paths_of(rib)
    assert routes_of(rib) == routes_from_scratch(second, world.values(), around)
    assert len(told) == len(set(told))
    assert set(told) >= different(before, after)
    assert [one in after for one in told] == sorted((one in after for one in told), reverse=True), "comings first"


@given(policies, surroundings, found, steps)
def test_g2_other_surroundings_in_pieces_are_the_same_change(
    rules: Policy, around: Surroundings, pairs: dict[SaKey, SaPair], history: Sequence[Step]
) -> None:
    rib, world = table(rules, around, pairs), dict(pairs)
    reviews = Reviews(rib)
    told = dict(paths_of(rib))
    for step in [*history, *[3] * 100]:
        if isinstance(step, Surroundings):
            around = step
            changed = reviews.enter(around)
        elif isinstance(step, int):
            changed = reviews.step(step) if reviews else set()
        else:
            apply(world, step)
            changed = rib.update(step)
        after = paths_of(rib)
        assert different(told, after) == {one for one in changed if told.get(one) != after.get(one)}
        told = after
    assert not reviews
    assert routes_of(rib) == routes_from_scratch(rules, world.values(), around)


def different(
    before: dict[Destination, tuple[Path, ...]], after: dict[Destination, tuple[Path, ...]]
) -> set[Destination]:
    return {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}
