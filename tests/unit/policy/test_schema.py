"""The JSON Schema takes every policy that is one, and refuses every mistake that a schema can see."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from rri_bgp.errors import PolicyErrors
from rri_bgp.policy import yaml_text
from rri_bgp.policy.json_schema import schema
from rri_bgp.policy.load import parse
from tests.policies import SHAPES

ROOT = Path(__file__).parents[3]
ERRORS = ROOT / "tests" / "errors"
REFERENCE = (ROOT / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
VALIDATOR = Draft7Validator(schema())

# Two places that have to agree, and names; then the words of a text; then what a value is, beyond its form.
NOT_THE_SCHEMAS = """
acl-group-other-family acl-group-unknown front-vrf-unknown match-address match-address-misspelt match-vrf-unknown
names-several neighbor-entry-unknown neighbor-twice neighbor-vrf-unknown redundancy-unknown remote-peer-gateway
kernel-table-of-a-vrf kernel-without-xfrm hand-off-table-of-a-vrf hand-off-table-of-the-kernel
reverse-route-static seq-twice source-name-twice vrf-export-without-rd vrf-rd-twice vrf-table-twice vrf-unknown

acl-any4-in-ipv6 acl-folded acl-group-without-name acl-host-bits acl-in-quotes acl-length-too-large acl-log acl-netmask
acl-no-length acl-not-an-address acl-other-family acl-port-lt-0 acl-port-misspelt acl-port-neq acl-port-too-large
acl-port-without-protocol acl-protocol-unknown acl-range-backwards acl-wildcard-expands acl-with-escapes acl-zone
extended-community-too-large group-network guard-allow-ge guard-allow-ge-below guard-allow-host-bits
guard-allow-le-below match-mark match-mark-outside-mask peer-hostname community-over-16-bits vrf-export-too-large
long-line

as-trans guard-lengths next-hop-link-local next-hop-twice-ipv4 peer-any redundancy-multicast redundancy-twice-ipv4
kernel-protocol-frr kernel-protocol-kernel kernel-table-local vrf-table-main map-name-number tag-key-quoted
hand-off-table-main
"""


def data(text: str) -> Any:
    """As an editor has it: keys are text."""
    return json.loads(json.dumps(yaml_text.read(text).root.value))


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("name", ["examples/hub.yaml", "examples/full.yaml", "lab/basic/hub/rri-bgp.yaml"])
def test_what_we_ship_is_valid(name: str) -> None:
    assert [*VALIDATOR.iter_errors(data((ROOT / name).read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize("shape", SHAPES)
def test_large_policies_are_valid(shape: str) -> None:
    assert [*VALIDATOR.iter_errors(data(SHAPES[shape](10)))] == []


def test_the_example_of_the_readme_is_valid() -> None:
    text = README.split("```yaml\n")[1].split("```")[0]
    indent = len(text) - len(text.lstrip())
    assert [*VALIDATOR.iter_errors(data(re.sub(rf"(?m)^ {{{indent}}}", "", text)))] == []


@pytest.mark.parametrize("text", REFERENCE.split("```yaml\n")[1:])
def test_the_parts_in_the_reference_are_valid(text: str) -> None:
    found = VALIDATOR.iter_errors(data(text.split("```", maxsplit=1)[0]))
    assert [error for error in found if error.validator != "required" or error.path] == []


@pytest.mark.parametrize("file", sorted(ERRORS.glob("*.yaml")), ids=lambda file: file.stem)
def test_mistakes_that_a_schema_can_see_are_invalid(file: Path) -> None:
    try:
        document = yaml_text.read(file.read_text(encoding="utf-8"))
    except (yaml_text.Unreadable, UnicodeDecodeError):
        return
    if not document.problems:  # what is wrong with the text itself no schema gets to see
        found = [*VALIDATOR.iter_errors(json.loads(json.dumps(document.root.value)))]
        assert bool(found) == (file.stem not in NOT_THE_SCHEMAS.split())


@pytest.mark.parametrize(
    "text",
    [
        "vrfs: {red: {table: 10, rd: '192.0.2.1:7', export: ['4200000000:7', '192.0.2.1:7', '65000:4294967295']}}",
        "tags: {4294967295: {extended-communities: [0x0002FDE800000001, 'origin:4200000000:1']}}",
        "redundancy: {g: {virtual-address: 192.0.2.3, standby: silent}, h: {virtual-address: ['2001:db8::3']}}",
        "sources: [replay, vici: , vici: {name: two, resync: 1.5}, xfrm, xfrm: {name: four, netns: red}]",
        "sinks: kernel",
        "sinks: {kernel: }",
        "sinks: {exabgp: , kernel: {table: main}}",
        "sinks: {hand-off: {table: 1}}",
        "sinks: {exabgp: , kernel: , hand-off: {table: 4294967295, protocol: 255, on-exit: withdraw}}",
        "sinks: {kernel: {table: 4294967295, protocol: 255, unresolved: blackhole, on-exit: withdraw}}",
        "neighbors: {'2001:db8::2': {tags: [none, 0]}, 192.0.2.2: {}}",
        "object-groups: {o: [10.0.0.1, host 10.0.0.1, '2001:db8::/32', '2001:db8::1', 10.0.0.0 0.255.0.255]}",
    ],
)
def test_forms_that_the_examples_do_not_have(text: str) -> None:
    base = (
        "version: 1\nlocal: {as: 65000, next-hop: 192.0.2.1}\nsources: [vici]\nsinks: {exabgp: }\n"
        "crypto-maps: {m: {entries: [{seq: 1, type: dynamic, reverse-route: {remote-peer: 192.0.2.7, tag: 1}}]}}\n"
    )
    section = text.partition(":")[0]
    whole = re.sub(rf"(?m)^{section}:.*\n", "", base) + text
    try:
        parse(whole + "\n", Path("p.yaml"))
    except PolicyErrors as error:
        pytest.fail(str(error))
    assert [*VALIDATOR.iter_errors(data(whole))] == []


def test_what_an_editor_shows() -> None:
    entry = schema()["$defs"]["EntryModel"]["properties"]["overlap"]
    assert entry["default"] == "newest"
    assert entry["enum"] == ["newest", "oldest", "ecmp"]
    assert entry["description"].splitlines()[1:] == [
        "Allowed: newest or oldest or ecmp.",
        "Default: `newest`.",
        "Rules: E13.",
    ]
