"""What `rri-bgp check` warns of: each warning once, at its line, and nothing where nothing is odd."""

from __future__ import annotations

import sys
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from rri_bgp.policy.lint import lint, lint_here, warnings_here
from rri_bgp.policy.lint_entries import MAX_COMPARISONS
from rri_bgp.policy.load import load, parse
from rri_bgp.rri.surroundings import Surroundings
from tests.policies import HEAD, SHAPES
from tests.values import pfx

FILE = Path("p.yaml")
EXAMPLES = Path(__file__).parents[3] / "examples"
LISTS = """\
access-lists:
  wide: [permit ip any 10.0.0.0/8]
  narrow: [permit ip 192.168.1.0/24 10.1.0.0/16]
  apart: [permit ip any 172.16.0.0/12]
  beside: [permit ip 192.168.0.0/16 10.1.128.0/17, permit ip any 192.0.2.0/24]
  holed: [deny ip any 10.1.2.0/24, permit ip any 10.0.0.0/8]
  web: [permit tcp any 10.0.0.0/8 eq 80]
"""


def entries(*written: str, more: str = "") -> str:
    lines = "".join(f"      - {{seq: {(number + 1) * 10}, {text}}}\n" for number, text in enumerate(written))
    return f"{HEAD}{more}crypto-maps:\n  m:\n    entries:\n{lines}"


def said(*written: str, more: str = LISTS) -> list[str]:
    """What is said of the entries, without places."""
    config = parse(entries(*written, more=more), FILE)
    return [text.split(": ", 1)[1] for text in lint(config) if text.split(": ", 1)[1].startswith("m ")]


# Entries

NEVER = "m 20 is never reached: m 10 (p.yaml:{}) takes every SA that it would"
OVERLAP = "m 20 overlaps with m 10 (p.yaml:{}), which takes what fits both"
LINE = len(f"{HEAD}{LISTS}".splitlines()) + 4


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("type: dynamic, match: {connection: 'b*'}", "type: dynamic, match: {connection: 'br*'}"),
        ("type: dynamic, match: {connection: 'b*'}", "type: static, set-peer: 203.0.113.2, match: {connection: b1}"),
        ("type: static, set-peer: [203.0.113.2, 203.0.113.3]", "type: static, set-peer: 203.0.113.3"),
        ("type: static, set-peer: hub.example", "type: static, set-peer: hub.example, match: {child: x}"),
        ("type: dynamic, match-address: wide", "type: dynamic, match-address: narrow"),
        ("type: dynamic, match-address: wide", "type: dynamic, match-address: wide, match: {identity: '*@x'}"),
        ("type: dynamic, match-address: wide", "type: dynamic, match-address: web"),
        ("type: dynamic, match: {if-id: 5}", "type: dynamic, match: {if-id: 5, child: x}"),
        ("type: dynamic, match: {mark: 0x10/0xf0}", "type: dynamic, match: {mark: 0x11/0xff}"),
        ("type: dynamic, match: {identity: '*'}, match-address: wide", "type: dynamic, match-address: wide"),
    ],
)
def test_an_entry_that_no_sa_can_reach(first: str, second: str) -> None:
    assert said(first, second) == [NEVER.format(LINE)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("type: dynamic, match: {connection: 'b*'}", "type: dynamic, match: {connection: '*1'}"),
        ("type: dynamic, match: {connection: 'b*'}", "type: static, set-peer: 203.0.113.3"),
        ("type: static, set-peer: [203.0.113.2, 203.0.113.3]", "type: static, set-peer: [203.0.113.3, 203.0.113.4]"),
        ("type: dynamic, match-address: narrow", "type: dynamic, match-address: beside"),
        ("type: dynamic, match-address: holed", "type: dynamic, match-address: narrow"),
        ("type: dynamic, match: {mark: 0x10/0xf0}", "type: dynamic, match: {mark: 0x1/0xf}"),
        ("type: dynamic, match: {if-id: 5}", "type: dynamic, match: {identity: '*@x'}"),
    ],
)
def test_an_entry_that_loses_some_sas_to_an_earlier_one(first: str, second: str) -> None:
    assert said(first, second) == [OVERLAP.format(LINE)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("type: static, set-peer: 203.0.113.2", "type: static, set-peer: 203.0.113.3"),
        ("type: static, set-peer: 203.0.113.2, match: {child: x}", "type: static, set-peer: 203.0.113.2"),
        ("type: static, set-peer: 203.0.113.2", "type: dynamic, match: {connection: 'b*'}"),
        ("type: dynamic, match: {connection: 'br*'}", "type: dynamic, match: {connection: 'b*'}"),
        ("type: dynamic, match: {connection: 'b*'}", "type: dynamic, match: {connection: 'c*'}"),
        ("type: dynamic, match: {connection: '*@b'}", "type: dynamic, match: {connection: '*@c'}"),
        ("type: dynamic, match-address: narrow", "type: dynamic, match-address: wide"),
        ("type: dynamic, match-address: narrow", "type: dynamic, match-address: apart"),
        ("type: dynamic, match: {mark: 0x10/0xf0}", "type: dynamic, match: {mark: 0x20/0xf0}"),
        ("type: dynamic, match: {if-id: 5}", "type: dynamic, match: {if-id: 6}"),
        ("type: dynamic, match: {if-id: 5}", "type: dynamic"),
        ("type: static, set-peer: 203.0.113.2, match: {if-id: 5}", "type: dynamic, match: {if-id: 5}"),
        (
            "type: static, set-peer: 203.0.113.2, match: {if-id: 5}",
            "type: static, set-peer: 203.0.113.3, match: {if-id: 5}",
        ),
        ("type: dynamic, match-address: narrow", "type: dynamic"),
    ],
)
def test_entries_as_they_should_be(first: str, second: str) -> None:
    assert said(first, second) == []


def test_what_comes_after_an_entry_that_takes_all_is_said_once() -> None:
    config = parse(entries("type: dynamic", "type: dynamic, match: {connection: a}"), FILE)
    assert (len(config.warnings), lint(config)) == (1, ())


# Access lists


def dead(*lines: str) -> list[str]:
    written = "".join(f"    - {line}\n" for line in lines)
    config = parse(entries("type: dynamic, match-address: a", more=f"access-lists:\n  a:\n{written}"), FILE)
    return list(lint(config))


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("permit ip any 10.0.0.0/8", "permit ip any 10.1.0.0/16"), "`permit ip any 10.0.0.0/8` (p.yaml:7)"),
        (("deny ip any 10.0.0.0/8", "permit tcp any host 10.1.1.1 eq 80"), "`deny ip any 10.0.0.0/8` (p.yaml:7)"),
        (("permit ip any any", "permit ip any 2001:db8::/32"), "`permit ip any any` (p.yaml:7)"),
        (("permit ip any 10.0.0.0/8", "deny ip 192.168.1.0/24 10.0.0.0/9"), "`permit ip any 10.0.0.0/8` (p.yaml:7)"),
    ],
)
def test_e9_a_line_that_an_earlier_one_shadows(lines: tuple[str, str], why: str) -> None:
    expected = f"p.yaml:8: `{lines[1]}` of the access list a never matches: {why} takes all of it (rule E9)"
    assert dead(*lines) == [expected]


def test_e9_a_line_that_several_earlier_ones_shadow_together() -> None:
    (found,) = dead("permit ip any 10.0.0.0/9", "deny ip any 10.128.0.0/9", "permit ip any 10.0.0.0/8")
    assert found.endswith(
        "`permit ip any 10.0.0.0/8` of the access list a never matches: the lines before it take all of it (rule E9)"
    )


@pytest.mark.parametrize(
    "lines",
    [
        ("permit ip any 10.1.0.0/16", "permit ip any 10.0.0.0/8"),
        ("permit tcp any 10.0.0.0/8", "permit udp any 10.0.0.0/8"),
        ("permit tcp any 10.0.0.0/8 eq 80", "permit tcp any 10.0.0.0/8 range 80 81"),
        ("permit ip 192.168.1.0/24 10.0.0.0/8", "permit ip 192.168.0.0/16 10.0.0.0/8"),
        ("permit ip any4 any", "permit ip any any"),
        ("permit ip host 192.168.1.1 10.0.0.0/8", "permit ip host 192.168.1.2 10.0.0.0/8"),
    ],
)
def test_e9_lines_that_all_decide_something(lines: tuple[str, ...]) -> None:
    assert dead(*lines) == []


# Static routes, tags, next hops

STATIC = "type: static, set-peer: 203.0.113.2, match-address: wide, reverse-route: {static: true}"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (", guard: {allow: [10.1.0.0/16]}", "10.0.0.0/8 is not in the allow-list of entry m 10 (p.yaml:15) (rule G1)"),
        (", guard: {lengths: {ipv4: [9, 32]}}", "10.0.0.0/8 is not of a length from 9 to 32 (rule G1)"),
    ],
)
def test_g1_a_guard_that_refuses_the_entrys_own_static_route(settings: str, text: str) -> None:
    assert said(STATIC + settings) == [f"m 10 refuses its own static route: {text}"]


def test_g1_many_static_routes_that_are_refused_are_one_warning() -> None:
    lines = "".join(f"    - permit ip any 10.{number}.0.0/16\n" for number in range(5))
    text = f"access-lists:\n  wide:\n{lines}"
    (found,) = said(f"{STATIC}, guard: {{lengths: {{ipv4: [24, 32]}}}}", more=text)
    assert ", and 4 more of its static routes are refused (rule G1)" in found


def test_e10_e11_static_routes_that_their_settings_skip() -> None:
    more = "access-lists:\n  wide: [permit tcp any host 10.1.1.1 eq 80, permit ip any4 0.0.0.0/0]\n"
    assert [text.rsplit(" ", 1)[1] for text in said(STATIC, more=more)] == ["E10)", "E11)"]
    assert said(f"{STATIC}, allow-default: halves, port-proxies: flowspec", more=more) == []


def test_a_group_that_is_not_here_and_a_name_that_is_not_resolved_are_no_mistakes() -> None:
    more = f"{LISTS}redundancy: {{pair: {{virtual-address: 198.51.100.9}}}}\n"
    assert said(STATIC.replace("203.0.113.2", "hub.example") + ", redundancy: pair", more=more) == []


def test_n8_a_tag_whose_table_gives_the_community_of_another_tag() -> None:
    text = entries(
        "type: static, set-peer: 203.0.113.2, reverse-route: {tag: 100}",
        "type: static, set-peer: 203.0.113.3, reverse-route: {tag: 200}",
        "type: static, set-peer: 203.0.113.4, reverse-route: {tag: 200}",
        "type: static, set-peer: 203.0.113.5, reverse-route: {tag: 70000}",
    )
    table = 'tags:\n  200: {communities: ["65000:100", "65000:300"]}\n  70000: {large-communities: ["65000:1:200"]}\n'
    tail = "upstream cannot tell m {} from m {} (rule N8)"
    assert lint(parse(text + table, FILE)) == (
        f"p.yaml:9: tag 200 and tag 100 both give the community 65000:100: {tail.format(20, 10)}",
        f"p.yaml:11: tag 70000 and tag 200 both give the community 65000:1:200: {tail.format(40, 20)}",
    )


def test_n9_a_next_hop_that_is_no_address_of_this_machine_or_of_its_group() -> None:
    text = entries(
        "type: static, set-peer: 203.0.113.2, reverse-route: true",
        "type: static, set-peer: 203.0.113.3, reverse-route: true, next-hop: 198.51.100.9, redundancy: pair",
        "type: static, set-peer: 203.0.113.4, reverse-route: true, next-hop: 198.51.100.9",
        "type: static, set-peer: 203.0.113.5, reverse-route: true, next-hop: peer",
        more="redundancy: {pair: {virtual-address: 198.51.100.9}}\n",
    )
    config = parse(text, FILE)
    here = Surroundings(addresses=frozenset({ip_address("198.51.100.1")}))
    tail = "is no address of this machine or of its group: what upstream sends there does not come here (rule N9)"
    expected = (
        f"p.yaml:9: the next hop 2001:db8:100::1 of m 10 {tail}",
        f"p.yaml:11: the next hop 198.51.100.9 of m 30 {tail}",
    )
    assert warnings_here(config, here) == expected
    assert lint_here(config, here) == expected
    assert warnings_here(config, Surroundings()) == ()


def test_n2_a_route_to_a_peer_by_the_interface_of_a_map_that_names_none() -> None:
    text = entries(
        "type: static, set-peer: 203.0.113.2, reverse-route: {remote-peer: true}",
        "type: static, set-peer: 203.0.113.3, reverse-route: {remote-peer: 192.0.2.1}",
        "type: static, set-peer: 203.0.113.4, reverse-route: true",
        "type: static, set-peer: 203.0.113.5",
    )
    assert lint(parse(text, FILE)) == ()
    here = text.replace("exabgp: ", "kernel: ")
    what = "m 10 has `remote-peer: true`, and its map no `interface`: the route to a peer changes nothing (rule N2)"
    assert lint(parse(here, FILE)) == (f"p.yaml:8: {what}",)
    assert lint(parse(here.replace("  m:\n", "  m:\n    interface: eth0\n"), FILE)) == ()


def test_what_is_for_bgp_is_not_asked_of_a_gateway_that_speaks_none() -> None:
    text = entries("type: static, set-peer: 203.0.113.2, reverse-route: {tag: 100}")
    text += "      - {seq: 30, type: static, set-peer: 203.0.113.3, reverse-route: {tag: 200}}\n"
    text += 'tags: {200: {communities: ["65000:100"]}}\n'
    here = Surroundings(addresses=frozenset({ip_address("203.0.113.99")}))
    assert len(lint_here(parse(text, FILE), here)) == 3
    assert lint_here(parse(text.replace("exabgp: ", "kernel: "), FILE), here) == ()


def test_n8_what_the_hand_off_does_not_take_along() -> None:
    text = entries(
        "type: dynamic, match: {connection: a}, reverse-route: {tag: 100}",
        "type: dynamic, match: {connection: b}, reverse-route: {tag: 200}, next-hop: 192.0.2.7, degrade: {med: 9}",
        "type: dynamic, match: {connection: c}, reverse-route: {tag: 200}, overlap: ecmp, port-proxies: flowspec",
        "type: dynamic, match: {connection: d}, vrf: red, reverse-route: true",
    )
    text += "tags: {200: {med: 5}}\nvrfs: {red: {table: 10}}\n"
    here = text.replace("exabgp: ", "hand-off: {table: 4242}")
    assert lint(parse(here, FILE)) == (
        "p.yaml:9: `degrade` of m 20 is not handed off: see docs/howto/hand-off.md",
        "p.yaml:9: `next-hop` of m 20 is not handed off: see docs/howto/hand-off.md",
        "p.yaml:9: `tags` of m 20 and 1 more is not handed off: see docs/howto/hand-off.md",
        "p.yaml:10: `overlap` of m 30 is not handed off: see docs/howto/hand-off.md",
        "p.yaml:10: `port-proxies` of m 30 is not handed off: see docs/howto/hand-off.md",
        "p.yaml:11: `vrf` of m 40 is not handed off: see docs/howto/hand-off.md",
    )
    assert lint(parse(text.replace("exabgp: ", "exabgp: , hand-off: {table: 4242}"), FILE)) == ()


def test_g1_a_static_route_to_a_network_of_this_machine() -> None:
    config = parse(entries(STATIC, more=LISTS), FILE)
    here = Surroundings(networks=frozenset({pfx("10.9.0.0/24")}))
    assert lint(config) == ()
    (found,) = warnings_here(config, here)
    assert "m 10 refuses its own static route: 10.0.0.0/8 overlaps with 10.9.0.0/24" in found
    assert lint_here(config, here) == (found,)


@pytest.mark.parametrize("name", ["hub.yaml", "full.yaml"])
def test_the_examples_have_nothing_odd(name: str) -> None:
    assert lint(load(EXAMPLES / name)) == ()


# A thousand entries


@pytest.mark.parametrize("shape", SHAPES)
def test_a_thousand_entries_are_read_and_checked_in_a_second_each(shape: str) -> None:
    text = SHAPES[shape](1000)
    limit = 1 if sys.gettrace() is None else 10  # under coverage
    started = time.process_time()
    config = parse(text, FILE)
    read = time.process_time()
    lint_here(config, Surroundings(addresses=frozenset({ip_address("192.0.2.1")})))
    assert read - started < limit
    assert time.process_time() - read < limit


def test_more_comparisons_than_there_is_time_for_are_said() -> None:
    found = lint(parse(SHAPES["endings"](1000), FILE))
    assert found[0] == (
        f"p.yaml: only the first {MAX_COMPARISONS} pairs of entries were compared with each other: "
        "so many of them may take the same SAs"
    )
