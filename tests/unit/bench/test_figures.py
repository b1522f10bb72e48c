"""Medians, ratios by pairs, percentiles, and the JSON document there and back."""

from __future__ import annotations

import json

import pytest

from bench.figures import Curve, Figure, Ratio, Result, percentile, ratio, thinned


@pytest.mark.parametrize(("rank", "value"), [(0.01, 1), (0.5, 50), (0.9, 90), (0.99, 99), (1.0, 100)])
def test_percentiles_are_values_that_were_measured(rank: float, value: float) -> None:
    assert percentile(range(100, 0, -1), rank) == value


def test_a_percentile_of_few_values() -> None:
    assert [percentile([7.0], rank) for rank in (0.01, 0.5, 1.0)] == [7.0, 7.0, 7.0]
    assert percentile([1.0, 2.0], 0.5) == 1.0
    assert percentile(range(1, 41), 0.99) == 40


def test_a_figure_has_its_spread() -> None:
    figure = Figure("f", "s", (3.0, 1.0, 2.0))
    assert (figure.median, figure.low, figure.high) == (2.0, 1.0, 3.0)


def test_a_ratio_pairs_the_runs() -> None:
    found = ratio("r", Figure("a", "s", (2.0, 9.0, 4.0)), Figure("b", "s", (2.0, 3.0, 4.0)), 1.05)
    assert (found.pairs, found.median, found.is_met) == ((1.0, 3.0, 1.0), 1.0, True)
    assert Ratio("r", (1.06,), 1.05).is_met is False
    assert Ratio("r", (1.06,)).is_met is None
    with pytest.raises(ValueError, match="shorter"):
        ratio("r", Figure("a", "s", (1.0, 2.0)), Figure("b", "s", (1.0,)))


def test_a_curve_keeps_its_ends() -> None:
    points = [(float(x), 2.0 * x) for x in range(1001)]
    few = thinned(points, 11)
    assert (len(few), few[0], few[-1]) == (11, points[0], points[-1])
    assert thinned(points[:5], 11) == tuple(points[:5])


def test_a_result_survives_its_document() -> None:
    result = Result(
        name="bulk",
        title="bulk: some routes",
        figures=(Figure("ours", "s", (1.0, 2.0)),),
        ratios=(Ratio("ours / floor", (1.1, 1.0), 1.05), Ratio("UPDATEs", (0.0,), 0.0, "")),
        notes=("a note",),
        curves=(Curve("ours", ((0.0, 0.0), (1.0, 5.0))),),
        axes={"x": "s", "y": "routes"},
    )
    assert Result.read(json.loads(json.dumps(result.document()))) == result
