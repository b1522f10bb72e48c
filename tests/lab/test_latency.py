"""How long a route takes. Prints the figures; asserts only that nothing takes seconds."""

from __future__ import annotations

import pytest
from rich.console import Console

from lab.harness import Lab
from lab.latency import measure, percentile, table

SAMPLES = 100


@pytest.mark.timeout(600)
def test_from_the_sa_event_to_the_wire_and_to_the_fib(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    latencies = measure(lab, SAMPLES)
    with capsys.disabled():
        Console(width=100).print("", table(latencies))
    for latency in latencies:
        assert len(latency.wire) == len(latency.fib) == SAMPLES
        assert percentile(latency.wire, 0.5) < 1000
        assert percentile(latency.fib, 0.5) < 2000
