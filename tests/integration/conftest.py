"""What the tests on real ExaBGPs share."""

from __future__ import annotations

from pathlib import Path as FilePath

import pytest

from tests.integration.test_exabgp4 import exabgp4

__all__ = ["exabgp4", "program"]


@pytest.fixture(params=["5", "4.2"])
def program(request: pytest.FixtureRequest) -> FilePath | None:
    """The speaker's ExaBGP, None for the one that we depend on."""
    return None if request.param == "5" else request.getfixturevalue("exabgp4")
