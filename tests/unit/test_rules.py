"""What ``make rules`` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import rules

PAGE = "# Rules\n| id | rule |\n|---|---|\n| E1 | one |\n| E10 | ten, not E7 |\n| N2 | E3 is no row |\n"
TESTS = """
import pytest

def test_e1_n2_both() -> None: ...

async def test_what_e10_says() -> None: ...

def test_e100x_and_me1_are_other_words() -> None: ...

def helper_e1() -> None: ...
"""
PARAMETERS = """
class TestAll:
    @pytest.mark.parametrize("x", [pytest.param(1, id="N2 again"), 2], ids=["E10", make("E1")])
    @pytest.mark.lab
    def test_plain(self, x) -> None: ...

    @pytest.mark.parametrize("x", ["E1"], ids=str)
    def test_no_ids(self, x) -> None: ...
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for file, text in {
        "docs/reference/rules.md": PAGE,
        "tests/unit/test_one.py": TESTS,
        "lab/faults/test_two.py": PARAMETERS,
        "tests/values.py": "def test_e1_is_in_no_test_file(): ...",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    return tmp_path


def test_each_rule_with_its_tests(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules.main(root) == 0
    assert capsys.readouterr().out.splitlines() == [
        "E1   2 tests",
        "     lab/faults/test_two.py::test_plain",
        "     tests/unit/test_one.py::test_e1_n2_both",
        "E10  2 tests",
        "     lab/faults/test_two.py::test_plain",
        "     tests/unit/test_one.py::test_what_e10_says",
        "N2   2 tests",
        "     lab/faults/test_two.py::test_plain",
        "     tests/unit/test_one.py::test_e1_n2_both",
        "3 rules, 0 without a test",
    ]


def test_an_empty_row_is_an_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "lab/faults/test_two.py").unlink()
    (root / "tests/unit/test_one.py").write_text("def test_n2_only(): ...")
    assert rules.main(root) == 1
    assert capsys.readouterr().out.splitlines() == [
        "E1   NO TEST",
        "E10  NO TEST",
        "N2   1 test",
        "     tests/unit/test_one.py::test_n2_only",
        "3 rules, 2 without a test: E1, E10",
    ]


def test_a_test_that_names_a_rule_that_there_is_not_is_an_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "tests/unit/test_three.py").write_text("def test_g9_is_no_rule(): ...")
    assert rules.main(root) == 1
    assert "no such rule: tests/unit/test_three.py::test_g9_is_no_rule names G9\n" in capsys.readouterr().out


def test_quietly_only_what_is_wrong_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules.main(root, is_quiet=True) == 0
    assert capsys.readouterr().out == "3 rules, 0 without a test\n"


def test_a_page_without_rules_is_an_error(root: Path) -> None:
    (root / "docs/reference/rules.md").write_text("nothing here")
    (root / "lab/faults/test_two.py").unlink()
    (root / "tests/unit/test_one.py").unlink()
    assert rules.main(root) == 1


def test_the_page_has_every_rule() -> None:
    page = (rules.ROOT / "docs" / "reference" / "rules.md").read_text()
    most = {"E": 14, "N": 10, "G": 8}
    assert list(rules.rules_in(page)) == [f"{kind}{n}" for kind, last in most.items() for n in range(1, last + 1)]
