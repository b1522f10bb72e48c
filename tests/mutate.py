"""A pytest plugin for ``make mutate``: thousands of mutants, each a run of the tests that touch it.

The quick tests go first, because the first that fails ends the run; hypothesis tries few examples, the same ones each
time, so that a mutant that lives does so again.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

__all__ = ["pytest_collection_modifyitems"]

EXAMPLES = 30

settings.register_profile(
    "mutate",
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutate")


def pytest_collection_modifyitems(items: list[object]) -> None:
    """Unit tests first."""
    items.sort(key=lambda item: "property" in getattr(item, "nodeid", ""))
