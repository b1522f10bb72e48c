"""The measurements of kernel routes, small: they run in namespaces of their own, and check what they did."""

from __future__ import annotations

from pathlib import Path

from bench.cases import Runs, follow, kernel


async def test_it_measures_every_way_and_leaves_nothing_behind(tmp_path: Path) -> None:
    told: list[str] = []
    result = await kernel.measure(Runs(tmp_path, rounds=2, scale=0.001, tell=told.append))
    assert [len(one.runs) for one in result.figures] == [2] * 11
    assert all(second > 0 for one in result.figures for second in one.runs)
    assert [one.aim for one in result.ratios] == [2.0, 2.0, None] * 2 + [None]
    assert [line.partition(":")[0] for line in told] == ["kernel 1/2", "kernel 2/2"]


async def test_it_measures_how_soon_routes_follow(tmp_path: Path) -> None:
    told: list[str] = []
    result = await follow.measure(Runs(tmp_path, rounds=1, scale=0.001, tell=told.append))
    assert [len(one.runs) for one in result.figures] == [1] * 4
    assert all(one.median > 0 for one in result.figures)
    assert [one.aim for one in result.ratios] == [1.0]
    assert [line.partition(":")[0] for line in told] == ["follow 1/1"]
