"""The lab, deployed once for all tests of this folder, and brought back to rest after each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.harness import Lab, wait_until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the lab: deploying it may take a while on a busy machine."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def deployed() -> Iterator[Lab]:
    """The lab. Removed at the end, also after failures."""
    with Lab().deployed() as lab:
        yield lab


@pytest.fixture
def lab(deployed: Lab) -> Iterator[Lab]:
    """The lab at rest: no tunnel, no route. A test that ends a daemon starts it again."""
    yield deployed
    for branch in ("branch1", "branch2", "rw"):
        deployed.try_exec(branch, "swanctl", "--terminate", "--ike", "hub", "--timeout", "5", "--force")
    wait_until(lambda: deployed.prefixes() == set(), "upstream has no route of an earlier test", 30)
