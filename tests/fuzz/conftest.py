"""``pytest --hypothesis-profile=long tests/fuzz``: 100,000 examples for each test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "long", max_examples=100_000, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
