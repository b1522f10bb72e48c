"""The reference has every key as the types have it, and its examples are policies.

``RRI_BGP_WRITE_DOCS=1 pytest tests/unit/policy/test_docs.py`` writes tables and JSON Schema anew: read the diff.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rri_bgp.policy import load
from rri_bgp.policy.json_schema import schema_text
from rri_bgp.policy.keys import table
from rri_bgp.policy.load import parse
from rri_bgp.policy.schema import Model

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docs" / "reference" / "policy.md"
SCHEMA = ROOT / "docs" / "reference" / "policy.schema.json"
HUB = ROOT / "examples" / "hub.yaml"
MODELS = {model.__name__: model for model in Model.__subclasses__() if model.model_fields}
TABLE = re.compile(r"<!-- keys of (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
IS_WRITING = os.environ.get("RRI_BGP_WRITE_DOCS") == "1"
EXAMPLES = FILE.read_text(encoding="utf-8").split("```yaml\n")[1:]
BASE = """\
version: 1
local: {as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}
sources: [vici]
sinks: {exabgp: {}}
"""


def written(found: re.Match[str]) -> str:
    return f"<!-- keys of {found[1]} -->\n{table(MODELS[found[1]])}\n<!-- end -->"


def test_the_tables_of_the_reference_are_made_from_the_types() -> None:
    text = FILE.read_text(encoding="utf-8")
    expected = TABLE.sub(written, text)
    if IS_WRITING:
        FILE.write_text(expected, encoding="utf-8")
        text = expected
    assert text == expected
    assert {found[1] for found in TABLE.finditer(text)} == set(MODELS) - {"SourceModel"}


def test_the_schema_that_is_shipped_is_current() -> None:
    if IS_WRITING:
        SCHEMA.write_text(schema_text(), encoding="utf-8")
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_reference_names_every_key(name: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    for key in MODELS[name].allowed():
        assert re.search(rf"[`.]{re.escape(key)}[`.]", text), key


def test_the_example_in_the_reference_is_the_one_we_ship() -> None:
    ours, theirs = parse(EXAMPLES[0].split("```")[0], HUB), load(HUB)
    entries = [replace(entry, where="") for entry in ours.policy.entries]
    assert entries == [replace(entry, where="") for entry in theirs.policy.entries]
    assert replace(ours, policy=theirs.policy) == theirs


@pytest.mark.parametrize("number", range(1, len(EXAMPLES)))
def test_the_parts_in_the_reference_are_parts_of_policies_without_warnings(number: int) -> None:
    part = EXAMPLES[number].split("```")[0]
    base = "".join(line for line in BASE.splitlines(keepends=True) if f"\n{line.split(':')[0]}:" not in f"\n{part}")
    assert parse(base + part, HUB).warnings == ()


def test_examples_name_the_schema_for_editors() -> None:
    for file in (ROOT / "examples").glob("*.yaml"):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        name = first.removeprefix("# yaml-language-server: $schema=")
        assert (file.parent / name).resolve() == SCHEMA


def test_the_full_example_has_every_key() -> None:
    text = re.sub("#.*", "", (ROOT / "examples" / "full.yaml").read_text(encoding="utf-8"))
    for name, model in MODELS.items():
        for key in model.allowed():
            assert name == "ReplayModel" or key == "replay" or re.search(rf"\b{key}:", text), (name, key)
