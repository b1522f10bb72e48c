"""The text of access lists, object groups and guard rules: what each form means, and at which word it is wrong."""

from __future__ import annotations

import pytest

from rri_bgp.model import ANY_PORT, Prefix
from rri_bgp.policy.access_lists import (
    MAX_EXPANSION,
    Line,
    TextError,
    parse_allow,
    parse_line,
    parse_network,
    parse_prefix,
)
from rri_bgp.policy.well_known import PORTS, PROTOCOLS, WITH_PORTS
from rri_bgp.rri.entries import AllowRule
from tests.values import pfx

ANY = ["0.0.0.0/0", "::/0"]


def words(prefixes: tuple[Prefix, ...]) -> list[str]:
    return [str(prefix) for prefix in prefixes]


@pytest.mark.parametrize(
    ("text", "permit", "protocol", "source", "destination"),
    [
        ("permit ip 192.168.1.0/24 10.0.0.0/16", True, 0, ["192.168.1.0/24"], ["10.0.0.0/16"]),
        ("deny ip 192.168.1.0 0.0.0.255 host 10.1.1.1", False, 0, ["192.168.1.0/24"], ["10.1.1.1/32"]),
        ("permit ip any any", True, 0, ANY, ANY),
        ("permit ip any4 any", True, 0, ANY[:1], ANY),
        ("permit ip any6 2001:db8::/32", True, 0, ANY[1:], ["2001:db8::/32"]),
        ("permit ipv6 any host 2001:db8::1", True, 0, ANY[1:], ["2001:db8::1/128"]),
        ("permit gre host 192.0.2.1 host 192.0.2.2", True, 47, ["192.0.2.1/32"], ["192.0.2.2/32"]),
        ("permit 50 any4 0.0.0.0/0", True, 50, ANY[:1], ANY[:1]),
        ("permit 0 any any", True, 0, ANY, ANY),
        ("  permit\tip   any  any ", True, 0, ANY, ANY),
    ],
)
def test_e9_a_line_is_action_protocol_source_destination(
    text: str, permit: bool, protocol: int, source: list[str], destination: list[str]
) -> None:
    line = parse_line(text)
    assert (line.permit, line.protocol) == (permit, protocol)
    assert (words(line.source.prefixes), words(line.destination.prefixes)) == (source, destination)
    assert (line.source.ports, line.destination.ports) == (ANY_PORT, ANY_PORT)


@pytest.mark.parametrize(
    ("text", "source", "destination"),
    [
        ("permit tcp any any eq 443", ANY_PORT, (443, 443)),
        ("permit tcp any eq bgp any", (179, 179), ANY_PORT),
        ("permit udp any range 1000 2000 any range isakmp 4500", (1000, 2000), (500, 4500)),
        ("permit sctp any any lt 1", ANY_PORT, (0, 0)),
        ("permit 6 any any gt 65534", ANY_PORT, (65535, 65535)),
        ("permit tcp any any range 80 80", ANY_PORT, (80, 80)),
        ("permit tcp any host 10.1.1.1 gt 1023", ANY_PORT, (1024, 65535)),
        ("permit tcp 10.0.0.0 0.0.0.255 lt 1024 any", (0, 1023), ANY_PORT),
    ],
)
def test_e11_ports_are_after_their_side(text: str, source: tuple[int, int], destination: tuple[int, int]) -> None:
    line = parse_line(text)
    assert (line.source.ports, line.destination.ports) == (source, destination)


@pytest.mark.parametrize(
    ("text", "prefixes"),
    [
        ("10.0.0.0 0.0.255.255", ["10.0.0.0/16"]),
        ("10.0.3.4 0.0.255.255", ["10.0.0.0/16"]),
        ("10.0.0.1 0.0.0.0", ["10.0.0.1/32"]),
        ("0.0.0.0 255.255.255.255", ["0.0.0.0/0"]),
        ("10.0.0.0 0.0.2.255", ["10.0.0.0/24", "10.0.2.0/24"]),
        ("10.0.0.0 0.0.0.5", ["10.0.0.0/31", "10.0.0.4/31"]),
        ("10.0.0.0 128.0.0.1", ["10.0.0.0/31", "138.0.0.0/31"]),
    ],
)
def test_e9_a_wildcard_mask_makes_exact_prefixes(text: str, prefixes: list[str]) -> None:
    assert words(parse_network(text)) == prefixes


def test_e9_a_wildcard_mask_makes_a_bounded_number_of_prefixes() -> None:
    assert len(parse_network("10.0.1.0 0.255.0.255")) == MAX_EXPANSION
    with pytest.raises(TextError, match=r"0\.255\.2\.255 makes 512 prefixes; allowed: up to 256"):
        parse_network("10.0.0.0 0.255.2.255")


@pytest.mark.parametrize("text", ["10.1.2.3", "host 10.1.2.3", "10.1.2.3/32", "10.1.2.3 0.0.0.0"])
def test_a_network_of_one_address(text: str) -> None:
    assert parse_network(text) == (pfx("10.1.2.3/32"),)


def test_an_object_group_stays_a_name_until_it_is_looked_up() -> None:
    line = parse_line("permit tcp object-group ours eq 80 object-group theirs")
    assert (line.source.group, line.source.ports, line.destination.group) == ("ours", (80, 80), "theirs")
    assert line.source.resolved({"ours": (pfx("10.0.0.0/8"),)}) == (pfx("10.0.0.0/8"),)


def test_sides_without_a_common_ip_version_are_refused_where_that_is_known() -> None:
    assert isinstance(parse_line("permit ip object-group ours 2001:db8::/32"), Line)
    assert isinstance(parse_line("permit ip 10.0.0.0/8 any"), Line)
    with pytest.raises(TextError, match="other IP version") as caught:
        parse_line("permit ip 10.0.0.0/8 2001:db8::/32")
    assert caught.value.offset == len("permit ip 10.0.0.0/8 ")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("10.0.0.0/8", (8, 8)),
        ("10.0.0.0/8 ge 24", (24, 32)),
        ("10.0.0.0/8 le 24", (8, 24)),
        ("10.0.0.0/8 ge 16 le 24", (16, 24)),
        ("10.0.0.0/8 ge 8 le 8", (8, 8)),
        ("2001:db8::/32 le 64", (32, 64)),
        ("2001:db8::/32 ge 48", (48, 128)),
    ],
)
def test_g1_an_allow_rule_is_as_in_a_prefix_list(text: str, rule: tuple[int, int]) -> None:
    assert parse_allow(text) == AllowRule(pfx(text.split(maxsplit=1)[0]), *rule)


WRONG = [
    ("", "permit or deny"),
    ("permit", "tcp, udp"),
    ("permit ^icmpp any any", "is no protocol"),
    ("permit ^256 any any", "is no protocol"),
    ("permit ^-1 any any", "is no protocol"),
    ("^Permit ip any any", "permit or deny"),
    ("permit ip any^", "it ends too early"),
    ("permit ip host^", "it ends too early; allowed here: an IP address"),
    ("permit ip host ^any any", "is no IP address"),
    ("permit ip any host ^10.1.1.1/32", "is no IP address"),
    ("permit ip any 10.1.1.1/^32/8", "has no prefix length"),
    ("permit ip any 10.0.0.0/^", "has no prefix length; allowed: 0..32"),
    ("permit ip any 10.0.0.0/^08", "has no prefix length"),
    ("permit ip any 2001:db8::/^129", "has no prefix length; allowed: 0..128"),
    ("permit ip any ^2001:db8::1", "host 2001:db8::1, 2001:db8::1/128"),
    ("permit ip 2001:db8:: ^0.0.0.255 any", None),
    ("permit ip any ^::ffff:10.0.0.0/104", "plain IPv6 address"),
    ("permit ip any 10.0.0.0 ^255.0.0.0", "allowed: a wildcard mask, as 0.255.255.255"),
    ("permit tcp any any eq^", "it ends too early; allowed here: a port"),
    ("permit tcp any any range 1^", "the last port of the range"),
    ("permit tcp any any eq ^1-2", "is no port"),
    ("permit tcp any any gt ^65535", "gt 65535 is no port at all"),
    ("permit icmp any any ^eq 8", "needs a protocol with ports"),
    ("permit tcp any any eq 80 ^established", "nothing more"),
    ("permit ip any any ^\x1b[0m", "nothing more"),
]


@pytest.mark.parametrize(("marked", "what"), WRONG)
def test_an_error_is_at_the_word_that_is_wrong(marked: str, what: str | None) -> None:
    with pytest.raises(TextError) as caught:
        parse_line(marked.replace("^", ""))
    if what is not None:
        assert what in caught.value.what
        assert caught.value.offset == max(0, marked.find("^")) or "^" not in marked
    assert caught.value.what.isprintable()


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0.0/8/9", "any/8", "/8", "10.0.0.0/8x"])
def test_what_is_no_prefix(text: str) -> None:
    with pytest.raises(TextError):
        parse_prefix(text)


def test_the_names_are_of_numbers_that_exist() -> None:
    assert all(0 <= number <= 255 for number in PROTOCOLS.values())
    assert all(0 <= number <= 65535 for number in PORTS.values())
    assert {PROTOCOLS["tcp"], PROTOCOLS["udp"], PROTOCOLS["sctp"]} <= WITH_PORTS
