"""How a kernel route of ours stands among those of others."""

from __future__ import annotations

import pytest

from rri_bgp.rri.reconcile import Found, Place, Verdict, verdict
from tests.values import pfx

NET = pfx("10.1.0.0/16")
OTHERS = 4


@pytest.mark.parametrize(
    ("metrics", "expected", "by"),
    [
        ((), Verdict.FREE, None),
        ((11,), Verdict.WINS, 11),
        ((1024, 11), Verdict.WINS, 11),
        ((0,), Verdict.BEATEN, 0),
        ((20, 9, 5), Verdict.BEATEN, 5),
        ((10,), Verdict.BLOCKED, 10),
        ((5, 10, 20), Verdict.BLOCKED, 10),
    ],
)
def test_n7_the_lower_metric_counts_whoever_has_it(metrics: tuple[int, ...], expected: Verdict, by: int | None) -> None:
    others = {metric: Found(Place(254, NET, metric), OTHERS, "dev eth1") for metric in metrics}
    assert verdict(Place(254, NET, 10), iter(others.values())) == (expected, None if by is None else others[by])
