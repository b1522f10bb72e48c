"""``rri-bgp help``: every key, described from the types that read the file."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from rri_bgp.cli import program
from rri_bgp.errors import UsageError
from rri_bgp.policy.json_schema import schema
from rri_bgp.policy.keys import find, keys_of
from rri_bgp.policy.schema import Model, PolicyModel

GUARD = """\
KEY:      crypto-maps.NAME.entries[].guard.lengths
TYPE:     mapping
ALLOWED:  a mapping with the keys ipv4, ipv6
DEFAULT:  none
RULES:    G1

bounds of prefix lengths

Bounds of the prefix lengths that a peer may propose, both inside.

KEYS:
  ipv4  <list of whole numbers>  (G1)
      of IPv4 prefixes

  ipv6  <list of whole numbers>  (G1)
      of IPv6 prefixes
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["help", *arguments])


@pytest.mark.parametrize(
    "path",
    [
        "crypto-maps.entries.guard.lengths",
        "crypto-maps.NAME.entries[].guard.lengths",
        "crypto-maps.internet.entries[0].guard.lengths",
        ".crypto-maps.entries.guard.lengths.",
    ],
)
def test_a_key_by_its_path_as_errors_write_it_or_shorter(path: str) -> None:
    done = run("config", path)
    assert (done.exit_code, done.stdout) == (0, GUARD)


def test_the_whole_file() -> None:
    done = run("config")
    assert done.exit_code == 0
    assert done.stdout.startswith("KEYS:\n  version  <whole number> -required-\n      the version of this format\n\n")
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line[2] != " "] == (
        PolicyModel.allowed()
    )


def test_everything_below_a_key() -> None:
    lines = run("config", "redundancy", "--all").stdout.splitlines()
    assert lines[lines.index("KEYS:") + 1 :] == [
        "  virtual-address  <text or list of text> -required-  (G2)",
        "  standby  <text or mapping>  (G2)",
        "    med  <whole number> -required-  (G2)",
        "  notify  <mapping>  (G2)",
        "    fifo  <text> -required-  (G2)",
        "    instance  <text> -required-  (G2)",
    ]


@pytest.mark.parametrize(
    ("path", "what", "hint"),
    [
        ("crypto-map", "the policy file has no key `crypto-map`", "did you mean `crypto-maps`?"),
        ("crypto-maps.entries.gard", "`crypto-maps.NAME.entries[]` has no key `gard`", "did you mean `guard`?"),
        ("version.x", "`version` has no key `x`; allowed: none", ""),
        ("tags.100.200.med", "`tags.NAME` has no key `200`", ""),
    ],
)
def test_a_key_that_is_not_there(path: str, what: str, hint: str) -> None:
    error = run("config", path).exception
    assert isinstance(error, UsageError)
    assert (error.what.startswith(what), error.hint) == (True, hint)


def test_the_schema() -> None:
    assert json.loads(run("schema").stdout) == schema()


def test_every_key_has_a_type_a_meaning_and_a_path_that_finds_it() -> None:
    seen = 0
    waiting = list(keys_of(PolicyModel))
    while waiting:
        key = waiting.pop()
        seen += 1
        assert (bool(key.kind), bool(key.about), bool(key.allowed), bool(key.default)) == (True, True, True, True)
        assert find(key.path) == key
        waiting.extend(key.children)
    assert seen == sum(len(model.model_fields) for model in Model.__subclasses__())
