"""What plan foretells is what the reload then does, for random policies, surroundings and SA pairs (rule E4).

The state goes over the control socket's wire format in between, as it does for ``rri-bgp plan``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rri_bgp import reload
from rri_bgp.control.commands import obey
from rri_bgp.control.foretell import foretell, world
from rri_bgp.control.protocol import Ask, Request, decode, encode
from rri_bgp.control.views.state import read_state, state
from rri_bgp.control.views.values import Item
from rri_bgp.controller import Controller
from rri_bgp.model import SaPair
from rri_bgp.policy.config import Config
from rri_bgp.reload import Reloader
from rri_bgp.rri import Policy, Surroundings
from tests.property.test_rib import policies, sas, surroundings
from tests.unit.control.small import Quiet

FILE = Path("hub.yaml")
delayed = st.builds(
    lambda rules, announce, withdraw, which: replace(
        rules,
        entries=tuple(
            replace(one, announce_delay=announce, withdraw_delay=withdraw) if rank == which else one
            for rank, one in enumerate(rules.entries)
        ),
    ),
    policies,
    st.sampled_from((0.0, 1000.0)),
    st.sampled_from((0.0, 1000.0)),
    st.integers(0, 3),
)
told = sas.map(lambda one: replace(one, is_held=False))  # no source says that


@pytest.fixture(autouse=True)
def _no_file(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The policy to take is the one that the test has at hand."""
    monkeypatch.setattr(reload, "_read", lambda _: TO_READ[0])
    yield
    TO_READ.clear()


TO_READ: list[Config] = []


async def done(first: Policy, second: Policy, around: Surroundings, pairs: list[SaPair], gone: int) -> list[list[Item]]:
    """The changes as they are foretold, and as they are made."""
    config = Config(FILE, 65000, first, (), text="version: 1")
    controller = Controller(first, [Quiet()])
    controller.take_surroundings(around)
    controller.update("vici", {one.key: one for one in pairs})
    controller.update("vici", {one.key: None for one in pairs[:gone]})
    reloader = Reloader(controller, config)
    known = read_state(decode(encode(item)) for item in state(controller, reloader))
    before = world(first, known.surroundings, known.candidates)
    foretold = foretell(before, world(second, known.surroundings, known.candidates))
    assert before[1].keys() == set(controller.rib.destinations())
    TO_READ[:] = [replace(config, policy=second)]
    report = list(await obey(reloader, Request(Ask.RELOAD)))
    if controller._timer is not None:
        controller._timer.cancel()
    return [foretold, [item["change"] for item in report if item and "change" in item]]


@settings(deadline=None)
@given(delayed, delayed, surroundings, st.lists(told, max_size=8, unique_by=lambda one: one.key), st.integers(0, 3))
def test_e4_what_plan_foretells_is_what_the_reload_does(
    first: Policy, second: Policy, around: Surroundings, pairs: list[SaPair], gone: int
) -> None:
    foretold, made = asyncio.run(done(first, second, around, pairs, gone))
    assert json.loads(json.dumps(foretold)) == json.loads(json.dumps(made))
