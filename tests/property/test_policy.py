"""Whatever the text, the reader gives a configuration or a ``PolicyError``, and never another exception."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rri_bgp.errors import PolicyError, PolicyErrors
from rri_bgp.policy import Config, load
from rri_bgp.policy.load import parse

FILE = Path("policy.yaml")
EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = (EXAMPLES / "hub.yaml").read_text(encoding="utf-8")
GOOD_LINES = GOOD.splitlines(keepends=True)

# fmt: off
TOKENS = st.sampled_from(
    (
        "{", "}", "[", "]", ":", ": ", "- ", "? ", ",", "#", "&a ", "*a", "!!int ", "!x ", "<<: ", "|\n", ">-\n", "'",
        '"', "\n", "\n  ", "\t", "---\n", "...\n", "%YAML 1.2\n", "%TAG ! x:\n", "~", "null", "true", "no", "010",
        "-1", "0", "4294967296", "1e400", ".inf", "9" * 30, "9" * 5000, "0x10", "\\UFFFFFFFF", "\\ud800", "\\x00",
        "::", "::1%eth0", "version", "local", "as", "next-hop", "sources", "vici", "replay", "sinks", "exabgp",
        "kernel", "crypto-maps", "entries", "seq", "type", "static", "dynamic", "set-peer", "match", "reverse-route",
        "tag", "tags", "self", "peer", "\u2028", "\x85", "\ufeff", "\x00", "\U0001f600", "\ud800",
    )
)
# fmt: on


def errors_of(read: Callable[[], Config]) -> tuple[PolicyError, ...]:
    """What reading found; none where it gave a configuration."""
    try:
        assert isinstance(read(), Config)
    except PolicyErrors as error:
        return error.errors
    return ()


def check(text: str) -> None:
    for error in errors_of(lambda: parse(text, FILE)):
        assert error.where.startswith("policy.yaml:")
        assert error.what
        assert all(line.isprintable() for line in str(error).split("\n"))


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)


@settings(deadline=None)
@given(st.lists(TOKENS, max_size=40))
def test_any_mix_of_what_yaml_is_made_of(tokens: list[str]) -> None:
    check("".join(tokens))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_good_policy_with_pieces_changed(data: st.DataObject) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(TOKENS | st.text(max_size=5)) + text[end:]
    check(text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_good_policy_with_values_changed(data: st.DataObject) -> None:
    lines = list(GOOD_LINES)
    with_value = [index for index, line in enumerate(lines) if ":" in line and not line.lstrip().startswith("#")]
    for index in data.draw(st.lists(st.sampled_from(with_value), min_size=1, max_size=3)):
        key = lines[index].partition(":")[0]
        lines[index] = f"{key}: {data.draw(TOKENS | st.from_regex(r'[ -~]{0,20}', fullmatch=True))}\n"
    check("".join(lines))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_good_policy_with_lines_shuffled(data: st.DataObject) -> None:
    lines = list(GOOD_LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        line = lines.pop(data.draw(st.integers(0, len(lines) - 1)))
        for _ in range(data.draw(st.integers(0, 2))):
            lines.insert(data.draw(st.integers(0, len(lines))), line)
    check("".join(lines))


@settings(deadline=None)
@given(raw=st.binary(max_size=100))
def test_any_bytes(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "policy.yaml"
    file.write_bytes(raw)
    for error in errors_of(lambda: load(file)):
        assert error.where.startswith(f"{file}:")
