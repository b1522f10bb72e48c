"""Every user mistake has a file in tests/errors, and next to it what the program says to it, to the letter.

``RRI_BGP_WRITE_ERRORS=1 pytest tests/unit/policy/test_errors.py`` writes the texts anew: read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from rri_bgp.errors import PolicyError, PolicyErrors
from rri_bgp.policy import load, yaml_text
from rri_bgp.policy.load import parse
from rri_bgp.policy.yaml_text import MAX_SIZE

ERRORS = Path(__file__).parents[2] / "errors"
FILES = sorted(ERRORS.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_error_says_what_where_and_what_is_allowed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ERRORS)
    with pytest.raises(PolicyErrors) as caught:
        load(Path(file.name))
    said = f"{caught.value}\n"
    expected = file.with_suffix(".txt")
    if os.environ.get("RRI_BGP_WRITE_ERRORS") == "1":
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


def test_every_text_has_its_file_and_there_are_enough() -> None:
    assert {file.stem for file in ERRORS.glob("*.txt")} == {file.stem for file in FILES}
    assert len(FILES) >= 30


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_errors_come_in_file_order_and_name_a_place(file: Path) -> None:
    with pytest.raises(PolicyErrors) as caught:
        load(file)
    places = []
    for error in caught.value.errors:
        assert error.where.startswith(f"{file}:")
        line, column = error.where.removeprefix(f"{file}:").split(":")[:2]
        places.append((int(line), int(column)))
    assert places == sorted(places)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path / "none.yaml")
    assert str(caught.value) == f"{tmp_path}/none.yaml: cannot read the policy: No such file or directory"


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot read the policy: Is a directory"


def test_a_name_with_a_zero_byte() -> None:
    with pytest.raises(PolicyError, match="cannot read the policy"):
        load(Path("a\0b.yaml"))


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"#" * (MAX_SIZE + 1))
    with pytest.raises(PolicyErrors) as caught:
        load(file)
    assert str(caught.value) == f"{file}:1:1: the file is too large; allowed: up to 4 MiB"
    with pytest.raises(PolicyErrors, match="too large"):
        parse("#" * (MAX_SIZE + 1), file)


def test_a_syntax_error_in_a_large_file_keeps_its_place() -> None:
    with pytest.raises(PolicyErrors, match=r"p\.yaml:2:\d+: not YAML: "):
        parse("# " + "x" * 300_000 + "\na: [1}\n", Path("p.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_without_libyaml_the_errors_are_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "_LOADER", yaml.SafeLoader)
    monkeypatch.chdir(ERRORS)
    with pytest.raises(PolicyErrors) as caught:
        load(Path(file.name))
    assert f"{caught.value}\n" == file.with_suffix(".txt").read_text(encoding="utf-8")


def test_without_libyaml_an_escape_beyond_unicode_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "_LOADER", yaml.SafeLoader)
    with pytest.raises(PolicyErrors, match="not YAML"):
        parse('a: "\\UFFFFFFFF"\n', Path("p.yaml"))


def test_an_escape_that_the_python_parser_trips_over() -> None:
    with pytest.raises(PolicyErrors, match="not YAML"):
        parse('a: "\\UFFFFFFFF"\n', Path("p.yaml"))
