"""``pytest --hypothesis-profile=long tests/fuzz``: 20,000 examples for each test, half a minute each."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "long", max_examples=20_000, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
