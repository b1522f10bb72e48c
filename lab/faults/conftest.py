"""The lab with a big hub in it, deployed once, and the list of what its faults have done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.faults.report import Outcome, write
from lab.faults.world import BULK, World
from lab.harness import ROOT, STATE, Lab


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The lab, deployed once."""
    World.prepare()
    with Lab("hub-service").deployed() as lab:
        yield World(lab)


@pytest.fixture(scope="session")
def outcomes(world: World) -> Iterator[list[Outcome]]:
    """All outcomes; written down at the end."""
    found: list[Outcome] = []
    yield found
    write(ROOT / "docs" / "results" / "faults.md", STATE / "faults.json", found, world.lab.esp.value, BULK)
