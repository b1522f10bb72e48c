"""``rri-bgp record``."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.support import Call, Done


def test_record_into_a_file_that_exists_is_refused_and_leaves_it_alone(tmp_path: Path, call: Call) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text("precious")
    assert call("record", file) == Done(2, "", f"rri-bgp: {file}: cannot write: File exists\n")
    assert file.read_text() == "precious"


def test_record_into_a_directory_that_is_not_there(tmp_path: Path, call: Call) -> None:
    file = tmp_path / "no" / "history.jsonl"
    assert call("record", file) == Done(2, "", f"rri-bgp: {file}: cannot write: No such file or directory\n")


def test_record_without_a_daemon_records_that(tmp_path: Path, call: Call) -> None:
    file = tmp_path / "history.jsonl"
    done = call("record", file, "--vici", tmp_path / "charon.vici", "--seconds", "0.2")
    header, first, *more = (json.loads(line) for line in file.read_text().splitlines())
    assert (done.code, done.out) == (0, f"{file}: {1 + len(more)} moments\n")
    assert header == {"format": "rri-bgp sa history", "version": 1}
    assert sorted(first) == ["at", "lost"]
