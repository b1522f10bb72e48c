"""Numbers, tables, the page and the plot."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from bench.figures import Curve, Figure, Ratio, Result
from bench.plot import svg, ticks
from bench.report import document, markdown, number, tables, together

RESULT = Result(
    name="bulk",
    title="bulk: 10 <routes>",
    figures=(Figure("ours [10]", "s", (1.5, 1.0, 2.0)), Figure("floor", "s", (1.0, 1.0, 1.0))),
    ratios=(Ratio("ours / floor", (1.5, 1.0, 2.0), 1.05), Ratio("UPDATEs", (0.0,), 0.0, "")),
    notes=("floor: the least",),
    curves=(Curve("ours & co", ((0.0, 0.0), (1.0, 10.0))),),
    axes={"x": "seconds", "y": "routes"},
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.0, "0"), (3.0, "3"), (123456.7, "123,457"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"),
        (0.1234, "0.123"), (0.00001, "under 0.001"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_the_table_has_each_figure_with_its_spread_and_brackets_are_no_markup() -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(tables([RESULT]))
    text = " ".join(out.getvalue().split())
    for words in ("bulk: 10 <routes>", "ours [10]", "1.50", "≤ 1.05", "floor: the least"):
        assert words in text


def test_the_page_tells_what_was_missed_and_no_more_of_the_machine_than_is_known() -> None:
    about = {"date": "2026-01-02", "cpus": 2, "revision": "", "secret": "hostname"}
    page = markdown(document(about, [RESULT]))
    assert "| ours / floor | 1.50 | 1 | 2 | x | ≤ 1.05 | **missed** |" in page
    assert "| UPDATEs | 0 | 0 | 0 |  | ≤ 0 | met |" in page
    assert "| CPUs | 2 |" in page
    assert "revision" not in page
    assert "hostname" not in page


def test_a_part_measured_anew_takes_its_own_place_alone() -> None:
    """Each part says of which day and revision it is."""
    old, new = {"date": "2026-01-02", "revision": "aaa"}, {"date": "2026-01-03", "revision": "bbb"}
    earlier = document(old, [Result("core", "core", ()), RESULT])
    found = together(earlier, document(new, [RESULT]), ("core", "bulk"))
    assert [(one["name"], one["of"]["revision"]) for one in found["cases"]] == [("core", "aaa"), ("bulk", "bbb")]
    assert "Measured on 2026-01-03, at revision bbb." in markdown(found)
    assert together({**earlier, "format": 0}, document(new, [RESULT]), ("bulk",)) == document(new, [RESULT])


def test_the_plot_is_xml_with_a_line_for_each_curve() -> None:
    root = ET.fromstring(svg([RESULT, Result("core", "core", ())]))  # noqa: S314  # ours
    assert len(root.findall(".//{*}polyline")) == 1
    texts = [element.text for element in root.findall(".//{*}text")]
    assert "bulk: 10 <routes>" in texts
    assert "ours & co" in texts
    ET.fromstring(svg([]))  # noqa: S314


def test_ticks_are_round() -> None:
    assert ticks(100_000) == [0, 20_000, 40_000, 60_000, 80_000, 100_000]
    assert ticks(9.0) == [0, 2, 4, 6, 8]
    assert ticks(0) == [0]
