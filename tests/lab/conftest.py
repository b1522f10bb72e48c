"""The labs: one at a time, deployed once for all tests that need it in a row, and brought back to rest after each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.harness import ROOT, STATE, Lab, LabError, wait_until
from lab.semantics.report import Page, Section
from lab.semantics.world import World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the lab: deploying it may take a while on a busy machine."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(300))


class OneLab:
    """The lab that is there; asking for another topology removes it first.

    One that does not come up, or that is not well any more, is not waited for again: its other tests fail at once.
    """

    def __init__(self) -> None:
        self._lab: Lab | None = None
        self._stack = ExitStack()
        self._broken: dict[str, LabError] = {}

    def use(self, topology: str, is_well: Callable[[Lab], None] = lambda _: None) -> Lab:
        """That topology, deployed if it is not, and well."""
        if topology in self._broken:
            raise LabError(f"the lab {topology} is not well since an earlier test: {self._broken[topology]}")
        try:
            if self._lab is None or self._lab.topology != topology:
                self.remove()
                self._lab = self._stack.enter_context(Lab(topology=topology).deployed())
            is_well(self._lab)
        except LabError as error:
            self._broken[topology] = error
            raise
        return self._lab

    def remove(self) -> None:
        """Removes it, also after failures."""
        self._lab = None
        self._stack.close()


@pytest.fixture(scope="session")
def labs() -> Iterator[OneLab]:
    """The lab of this run. Removed at the end."""
    one = OneLab()
    yield one
    one.remove()


@pytest.fixture
def lab(labs: OneLab) -> Iterator[Lab]:
    """The basic lab at rest: no tunnel, no route. A test that ends a daemon starts it again."""
    deployed = labs.use("basic")
    yield deployed
    for branch in ("branch1", "branch2", "rw"):
        deployed.try_exec(branch, "swanctl", "--terminate", "--ike", "hub", "--timeout", "5", "--force")
    wait_until(lambda: deployed.prefixes() == set(), "upstream has no route of an earlier test", 30)


@pytest.fixture
def world(labs: OneLab) -> Iterator[World]:
    """The lab of the rules, without a tunnel; a test takes its policy itself."""
    found = World(labs.use("semantics", lambda deployed: World(deployed).is_well()))
    yield found
    found.rest()


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    """What docs/results/semantics.md says; written where RRI_SEMANTICS says so (make semantics)."""
    found = Page(STATE / "semantics.json")
    yield found
    if os.environ.get("RRI_SEMANTICS"):
        found.write(ROOT / "docs" / "results" / "semantics.md")


@pytest.fixture
def section(page: Page, world: World, request: pytest.FixtureRequest) -> Section:
    """This test's section of that page, titled by the first line of its docstring."""
    page.esp = world.lab.esp.value
    return page.section(request.node.name, request.function.__doc__.strip().splitlines()[0])
