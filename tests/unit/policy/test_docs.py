"""The reference names every key, and its example is one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from rri_bgp.errors import PolicyErrors
from rri_bgp.policy import load
from rri_bgp.policy.load import parse
from rri_bgp.policy.schema import Model

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
HUB = ROOT / "examples" / "hub.yaml"
MODELS = {model.__name__: model for model in Model.__subclasses__()}

# Where each model's keys stand in the example, as (text, text with the key).
PLACES = {
    "PolicyModel": ("version: 1\n", "version: 1\n{key}: {{}}\n"),
    "SourceModel": ("  - vici:\n", "  - {key}:\n"),
    "ExabgpModel": ("ack-timeout: 10 ", "{key}: 10 "),
    "SinksModel": ("  exabgp:\n", "  {key}: {{}}\n  exabgp:\n"),
    "ReverseRouteModel": ("{tag: 100}", "{{{key}: 1}}"),
    "EntryModel": ("set-peer: 203.0.113.2", "set-peer: 203.0.113.2\n        {key}: 1"),
    "MapModel": ("  internet:\n", "  internet:\n    {key}: x\n"),
    "TagModel": ("local-preference: 200", "{key}: 200"),
}


NOT_YET = [(name, key) for name, model in MODELS.items() for key in model.NOT_YET]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_reference_names_every_key(name: str) -> None:
    for key in (*MODELS[name].allowed(), *MODELS[name].NOT_YET):
        assert re.search(rf"[`.]{re.escape(key)}[`.]", REFERENCE), key


def test_the_example_in_the_reference_is_the_one_we_ship() -> None:
    text = REFERENCE.split("```yaml\n")[1].split("```")[0]
    ours, theirs = parse(text, HUB), load(HUB)
    entries = [replace(entry, where="") for entry in ours.policy.entries]
    assert entries == [replace(entry, where="") for entry in theirs.policy.entries]
    assert replace(ours, policy=theirs.policy) == theirs


@pytest.mark.parametrize(("name", "key"), NOT_YET)
def test_what_is_not_built_yet_is_refused_by_name(name: str, key: str) -> None:
    old, new = PLACES[name]
    text = HUB.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(PolicyErrors) as caught:
        parse(text.replace(old, new.format(key=key), 1), HUB)
    said = [error for error in caught.value.errors if error.what == f"`{key}` is not supported yet"]
    assert len(said) == 1
    assert said[0].hint.startswith("it belongs to ")
