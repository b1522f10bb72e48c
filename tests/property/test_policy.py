"""Whatever the text, the reader gives a configuration or a ``PolicyError``, and never another exception."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rri_bgp.errors import PolicyError, PolicyErrors
from rri_bgp.model import Prefix
from rri_bgp.policy import Config, load
from rri_bgp.policy.access_lists import MAX_EXPANSION, Line, TextError, parse_allow, parse_line, parse_network
from rri_bgp.policy.lint import lint, lint_here, warnings_here
from rri_bgp.policy.load import parse
from rri_bgp.rri.surroundings import Surroundings

FILE = Path("policy.yaml")
EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = (EXAMPLES / "full.yaml").read_text(encoding="utf-8")
GOOD_LINES = GOOD.splitlines(keepends=True)

# fmt: off
TOKENS = st.sampled_from(
    (
        "{", "}", "[", "]", ":", ": ", "- ", "? ", ",", "#", "&a ", "*a", "!!int ", "!x ", "<<: ", "|\n", ">-\n", "'",
        '"', "\n", "\n  ", "\t", "---\n", "...\n", "%YAML 1.2\n", "%TAG ! x:\n", "~", "null", "true", "no", "010",
        "-1", "0", "4294967296", "1e400", ".inf", "9" * 30, "9" * 5000, "0x10", "\\UFFFFFFFF", "\\ud800", "\\x00",
        "::", "::1%eth0", "version", "local", "as", "next-hop", "sources", "vici", "xfrm", "replay", "sinks", "exabgp",
        "kernel", "crypto-maps", "entries", "seq", "type", "static", "dynamic", "set-peer", "match", "reverse-route",
        "tag", "tags", "self", "peer", "access-lists", "object-groups", "permit ip any any", "object-group offices",
        "deny tcp host 10.0.0.1 10.0.0.0 0.255.0.255 eq 80", "guard", "allow", "10.0.0.0/8 ge 24", "le 33", "any",
        "neighbors", "198.51.100.2", "vrfs", "red", "redundancy", "pair", "none", "match", "mark", "0x10/0xff", "if-id",
        "static: true", "remote-peer", "degrade", "target:65000:1", "65000:1", "halves", "ecmp", "hub.example",
        "\u2028", "\x85", "\ufeff", "\x00", "\U0001f600", "\ud800",
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


def test_a_name_that_no_terminal_shows_is_no_hint_as_it_is() -> None:
    check(GOOD.replace("  offices:", "  o\ud7a4ffices:"))


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


# fmt: off
WORDS = st.sampled_from(
    (
        "permit", "deny", "ip", "ipv6", "tcp", "udp", "6", "256", "any", "any4", "any6", "host", "object-group", "eq",
        "range", "lt", "gt", "neq", "10.0.0.0", "10.0.0.0/8", "0.0.0.255", "255.255.0.0", "0.255.0.255", "::/0",
        "2001:db8::1", "fe80::1%eth0", "::ffff:10.0.0.1", "www", "0", "65535", "65536", "ge", "le", "24", "/", "\x1b",
    )
)
# fmt: on


@settings(max_examples=500, deadline=None)
@given(st.lists(WORDS | st.text(max_size=4), max_size=10).map(" ".join))
def test_any_words_are_a_line_or_an_error_within_it(text: str) -> None:
    for parse_one in (parse_line, parse_network, parse_allow):
        found = result_of(parse_one, text)
        if isinstance(found, TextError):
            assert 0 <= found.offset <= len(text)
            assert (found.what + found.hint).isprintable()
        elif isinstance(found, Line):
            assert len(found.source.prefixes) <= MAX_EXPANSION


def result_of(parse_one: Callable[[str], object], text: str) -> object:
    """What a text is, or why it is nothing."""
    try:
        return parse_one(text)
    except TextError as error:
        return error


BITS = st.sets(st.integers(0, 31), max_size=6).map(lambda bits: sum(1 << bit for bit in bits))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF) | BITS, st.integers(0, 0xFFFFFFFF))
def test_e9_a_wildcard_mask_is_exact(address: int, mask: int, probe: int) -> None:
    prefixes = result_of(parse_network, f"{IPv4Address(address)} {IPv4Address(mask)}")
    if isinstance(prefixes, TextError):
        assert "netmask" in prefixes.what or mask.bit_count() > 8
        return
    assert isinstance(prefixes, tuple)
    # What differs in free bits only, anything, and the first with one more bit turned.
    near = address & ~mask | probe & mask
    for one in (near, probe, near ^ 1 << probe % 32):
        is_in = one & ~mask == address & ~mask
        assert is_in == any(prefix.has_address(IPv4Address(one)) for prefix in prefixes)
    assert len(prefixes) == len(set(prefixes))


STATIC = "type: static, set-peer: [203.0.113.3, hub.example], match-address: a"
SETTINGS = (
    "reverse-route: {static: true, tag: 5}",
    "match: {connection: 'b*'}",
    "match: {identity: '*@x', child: '?'}",
    "match: {if-id: 5, mark: 0x1/0xf}",
    "allow-default: halves",
    "port-proxies: flowspec",
    "overlap: ecmp",
    "vrf: red",
    "front-vrf: red",
    "redundancy: pair",
    "next-hop: peer",
    "next-hop: 192.0.2.9",
    "guard: {allow: [10.0.0.0/8 ge 24], max-routes: 1}",
    "guard: {lengths: {ipv4: [0, 8]}, allow-special: [local, peer]}",
    "withdraw-delay: 1",
    "degrade: {med: 1}",
)
TABLES = """\
version: 1
local: {as: 65000, next-hop: 198.51.100.1}
sources: [vici]
sinks: {exabgp: }
guard: {max-routes: 3}
access-lists:
  a: [deny ip any 10.1.0.0/25, permit ip any 10.1.0.0/24, permit tcp any host 10.1.1.1 eq 80, permit ip any any]
redundancy: {pair: {virtual-address: 198.51.100.9}}
vrfs: {red: {table: 10, rd: "65000:1", export: ["65000:1"]}}
tags: {5: {communities: ["65000:6"]}, 6: {}}
"""
HERE = Surroundings(
    addresses=frozenset({IPv4Address("198.51.100.1")}), networks=frozenset({Prefix.parse("10.1.0.0/24")})
)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_whatever_is_right_can_be_checked(data: st.DataObject) -> None:
    """Settings of all kinds, put together at random: the checks have no exception of their own."""
    lines = []
    for seq in range(1, data.draw(st.integers(1, 8)) + 1):
        chosen = data.draw(st.lists(st.sampled_from(SETTINGS), unique_by=lambda text: text.split(":")[0], max_size=5))
        is_static = data.draw(st.booleans()) or any("static" in setting for setting in chosen)
        kind = STATIC if is_static else "type: dynamic"
        lines.append(f"      - {{{', '.join([f'seq: {seq}', kind, *chosen])}}}\n")
    config = parse(f"{TABLES}crypto-maps:\n  m:\n    entries:\n{''.join(lines)}", FILE)
    for text in (*config.warnings, *lint(config), *warnings_here(config, HERE), *lint_here(config, HERE)):
        assert text.startswith("policy.yaml:")
        assert text.isprintable()


@settings(deadline=None)
@given(raw=st.binary(max_size=100))
def test_any_bytes(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "policy.yaml"
    file.write_bytes(raw)
    for error in errors_of(lambda: load(file)):
        assert error.where.startswith(f"{file}:")
