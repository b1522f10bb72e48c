"""Good policies become exactly the configuration that they say."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from rri_bgp.errors import PolicyErrors
from rri_bgp.model import Address, Attributes
from rri_bgp.policy import load
from rri_bgp.policy.config import (
    Config,
    ControlSettings,
    ExabgpSettings,
    KernelSettings,
    OnExit,
    ReplaySettings,
    ResolveSettings,
    Unresolved,
    ViciSettings,
    XfrmSettings,
)
from rri_bgp.policy.load import parse
from rri_bgp.rri.entries import EntryKind, MapEntry, Match, Policy, ReverseRoute

HUB4, HUB6 = ip_address("198.51.100.1"), ip_address("2001:db8:100::1")
BOTH = {4: HUB4, 6: HUB6}

ROOT = Path(__file__).parents[3]
FILE = Path("/etc/rri-bgp/policy.yaml")

HEAD = """\
version: 1
local: {as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}
sources: [vici]
sinks: {exabgp: }
"""
MAP = """\
crypto-maps:
  m:
    entries:
      - {seq: 10, type: dynamic, reverse-route: true}
"""


def only(entries: str, tags: str = "", head: str = HEAD) -> MapEntry:
    """The one entry of a policy."""
    (found,) = parse(f"{head}crypto-maps:\n  m:\n    entries:\n{entries}{tags}", FILE).policy.entries
    return found


def taking_all(**more: Any) -> MapEntry:
    """The entry of ``HEAD + MAP``, with other fields."""
    return replace(MapEntry("m", 10, EntryKind.DYNAMIC, f"{FILE}:8", next_hops=BOTH), **more)


def test_the_example_is_this_configuration() -> None:
    file = ROOT / "examples" / "hub.yaml"
    tagged = Attributes(((65000, 100),), ((65000, 1, 100),), local_preference=200)
    assert load(file) == Config(
        file=file,
        asn=65000,
        policy=Policy(
            (
                MapEntry(
                    "internet",
                    10,
                    EntryKind.STATIC,
                    f"{file}:28",
                    peers=(ip_address("203.0.113.2"),),
                    reverse_route=ReverseRoute(tag=100),
                    next_hops=BOTH,
                    attributes=tagged,
                ),
                MapEntry(
                    "internet",
                    20,
                    EntryKind.DYNAMIC,
                    f"{file}:33",
                    match=Match(connection="branch*"),
                    reverse_route=ReverseRoute(tag=200),
                    next_hops=BOTH,
                    attributes=Attributes(((65000, 200),), ((65000, 1, 200),)),
                ),
                MapEntry(
                    "internet",
                    65000,
                    EntryKind.DYNAMIC,
                    f"{file}:38",
                    match=Match(connection="rw-*"),
                    reverse_route=ReverseRoute(tag=70000),
                    next_hops=BOTH,
                    attributes=Attributes((), ((65000, 1, 70000),)),
                ),
            )
        ),
        sources=(ViciSettings(),),
        exabgp=ExabgpSettings(),
    )


@pytest.mark.parametrize("name", ["examples/hub.yaml", "examples/full.yaml", "lab/basic/hub/rri-bgp.yaml"])
def test_what_we_ship_loads_without_warnings(name: str) -> None:
    assert load(ROOT / name).warnings == ()


def test_the_least_that_a_policy_says() -> None:
    assert parse(HEAD + MAP, FILE) == Config(
        file=FILE,
        asn=65000,
        policy=Policy((taking_all(),)),
        sources=(ViciSettings("vici", Path("/run/charon.vici"), 30.0),),
        exabgp=ExabgpSettings(10.0),
        control=ControlSettings(Path("/run/rri-bgp/control.sock")),
        warnings=(),
    )


def test_settings_are_taken_over() -> None:
    config = parse(
        f"""\
version: 1
local: {{as: 4200000000, next-hop: 198.51.100.1}}
sources:
  - vici: {{name: hub, socket: /run/hub.vici, resync: 1.5}}
  - vici:
  - xfrm
  - xfrm: {{name: outer, netns: red, resync: 5}}
  - replay: {{file: history.jsonl, speed: 2}}
sinks: {{exabgp: {{ack-timeout: 3}}}}
control: {{socket: /run/c.sock}}
resolve: {{interval: 5, keep: 0}}
{MAP}""",
        FILE,
    )
    assert config.asn == 4200000000
    assert config.sources == (
        ViciSettings("hub", Path("/run/hub.vici"), 1.5),
        ViciSettings(),
        XfrmSettings(),
        XfrmSettings("outer", "red", 5.0),
        ReplaySettings("replay", Path("/etc/rri-bgp/history.jsonl"), 2.0),
    )
    assert config.exabgp == ExabgpSettings(3.0)
    assert config.control == ControlSettings(Path("/run/c.sock"))
    assert config.resolve == ResolveSettings(interval=5.0, keep=0.0)


@pytest.mark.parametrize(
    ("sources", "is_witnessed", "believed"),
    [
        ("vici, xfrm", True, ()),
        ("vici: {kernel: report}, xfrm: {netns: red}", True, ()),
        ("vici: {name: hub, kernel: withdraw}, xfrm", True, ("hub",)),
        ("vici: {kernel: ignore}", False, ()),
    ],
)
def test_e8_whether_the_kernel_is_a_witness(sources: str, is_witnessed: bool, believed: tuple[str, ...]) -> None:
    config = parse(HEAD.replace("sources: [vici]", f"sources: [{sources}]") + MAP, FILE)
    vici = config.sources[0]
    assert isinstance(vici, ViciSettings)
    assert (vici.is_witnessed, config.policy.believe_kernel) == (is_witnessed, frozenset(believed))


@pytest.mark.parametrize(
    ("text", "exabgp", "kernel"),
    [
        ("kernel", None, KernelSettings()),
        ("{kernel: }", None, KernelSettings(254, 82, Unresolved.SKIP, OnExit.KEEP)),
        ("{kernel: {table: main}, exabgp: }", ExabgpSettings(), KernelSettings()),
        ("exabgp", ExabgpSettings(), None),
        (
            "{kernel: {table: 100, protocol: 83, unresolved: blackhole, on-exit: withdraw}}",
            None,
            KernelSettings(100, 83, Unresolved.BLACKHOLE, OnExit.WITHDRAW),
        ),
    ],
)
def test_g6_where_routes_go(text: str, exabgp: ExabgpSettings | None, kernel: KernelSettings | None) -> None:
    config = parse(HEAD.replace("sinks: {exabgp: }", f"sinks: {text}") + MAP, FILE)
    assert (config.exabgp, config.kernel) == (exabgp, kernel)


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("replay", None),
        ("replay: ", None),
        ("replay: {}", None),
        ("replay: {file: a/b.jsonl}", Path("/etc/rri-bgp/a/b.jsonl")),
        ("replay: {file: /var/lib/b.jsonl}", Path("/var/lib/b.jsonl")),
    ],
)
def test_a_replayed_file_is_relative_to_the_policy(text: str, file: Path | None) -> None:
    config = parse(HEAD.replace("[vici]", f"\n  - {text}") + MAP, FILE)
    assert config.sources == (ReplaySettings("replay", file, 1.0),)


def test_rank_is_the_order_of_maps_and_then_of_sequence_numbers() -> None:
    config = parse(
        f"""{HEAD}crypto-maps:
  zulu:
    entries:
      - {{seq: 20, type: dynamic, match: {{connection: a}}}}
      - {{seq: 10, type: dynamic, match: {{connection: b}}}}
  alpha:
    entries:
      - {{seq: 1, type: dynamic}}
""",
        FILE,
    )
    assert [(entry.name, entry.where) for entry in config.policy.entries] == [
        ("zulu 10", f"{FILE}:9"),
        ("zulu 20", f"{FILE}:8"),
        ("alpha 1", f"{FILE}:12"),
    ]


@pytest.mark.parametrize("text", ["", ", reverse-route: false"])
def test_an_entry_without_reverse_route_takes_and_injects_nothing(text: str) -> None:
    entry = only(f"      - {{seq: 10, type: dynamic{text}}}\n")
    assert (entry.reverse_route, entry.tag, entry.attributes) == (None, None, Attributes())


@pytest.mark.parametrize(
    ("text", "tag"), [("true", None), ("{}", None), ("{tag: 0}", 0), ("{tag: 4294967295}", 4294967295)]
)
def test_no_tag_is_not_tag_zero(text: str, tag: int | None) -> None:
    entry = only(f"      - {{seq: 10, type: dynamic, reverse-route: {text}}}\n")
    assert entry.reverse_route
    assert entry.tag == tag
    large = () if tag is None else ((65000, 1, tag),)
    assert entry.attributes.large_communities == large


@pytest.mark.parametrize(
    ("text", "peers"),
    [
        ("203.0.113.2", ["203.0.113.2"]),
        ("[203.0.113.3, 203.0.113.2, 203.0.113.3]", ["203.0.113.3", "203.0.113.2"]),
        ('["2001:db8::1"]', ["2001:db8::1"]),
        ("2001:db8::2", ["2001:db8::2"]),
        ("hub.example.org", ["hub.example.org"]),
        ("[203.0.113.2, hub, 3com.example]", ["203.0.113.2", "hub", "3com.example"]),
    ],
)
def test_set_peer_is_an_address_or_a_list(text: str, peers: list[str]) -> None:
    entry = only(f"      - seq: 10\n        type: static\n        set-peer: {text}\n")
    assert [str(peer) for peer in entry.peers] == peers
    assert [isinstance(peer, str) for peer in entry.peers] == [
        any(map(str.isalpha, peer)) and ":" not in peer for peer in peers
    ]
    assert entry.kind is EntryKind.STATIC


@pytest.mark.parametrize(
    ("text", "hops"),
    [
        ("self", {4: HUB4, 6: HUB6}),
        ("192.0.2.9", {4: ip_address("192.0.2.9")}),
        ("peer", None),
        ('["2001:db8:9::1", 192.0.2.9]', {4: ip_address("192.0.2.9"), 6: ip_address("2001:db8:9::1")}),
    ],
)
def test_an_entry_may_have_next_hops_of_its_own(text: str, hops: dict[int, Address] | None) -> None:
    entry = only(f"      - {{seq: 10, type: dynamic, reverse-route: {{tag: 5}}, next-hop: {text}}}\n")
    assert (entry.next_hops, entry.next_hop_self) == (hops, text == "self")


def test_a_tag_brings_its_attributes_and_each_community_once() -> None:
    entry = only(
        "      - {seq: 10, type: dynamic, reverse-route: {tag: 100}}\n",
        """\
tags:
  100:
    communities: ["65000:100", "65000:10", no-export, no-advertise, local-as, no-export-subconfed]
    large-communities: ["65000:1:100", "4294967295:0:7"]
    local-preference: 4294967295
    med: 0
""",
    )
    assert entry.attributes == Attributes(
        communities=((65000, 100), (65000, 10), (65535, 65281), (65535, 65282), (65535, 65283)),
        large_communities=((65000, 1, 100), (4294967295, 0, 7)),
        med=0,
        local_preference=4294967295,
    )


def test_globs_and_names_are_text_even_where_yaml_1_1_sees_something_else() -> None:
    entry = only("      - {seq: 10, type: dynamic, match: {connection: no, child: 22:30}}\n")
    assert (entry.match.connection, entry.match.child) == ("no", "22:30")


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + (HEAD + MAP).replace("\n", "\r\n").encode())
    assert load(file).policy.entries[0].where == f"{file}:8"


def test_a_missing_family_is_one_warning_for_all_entries() -> None:
    head = HEAD.replace('[198.51.100.1, "2001:db8:100::1"]', "198.51.100.1")
    text = """crypto-maps:
  m:
    entries:
      - {seq: 10, type: dynamic, match: {child: a}, reverse-route: true}
      - {seq: 20, type: dynamic, match: {child: b}, reverse-route: true}
      - {seq: 30, type: dynamic, match: {child: c}, reverse-route: true, next-hop: 192.0.2.9}
      - {seq: 40, type: dynamic, match: {child: d}}
"""
    config = parse(head + text, FILE)
    assert config.warnings == (
        f"{FILE}:2:30: IPv6 selectors of m 10 and 1 more make no route: local.next-hop has no IPv6 address",
    )
    assert set(config.policy.entries[0].next_hops or ()) == {4}


def test_an_entry_behind_one_that_takes_all_is_a_warning() -> None:
    text = """crypto-maps:
  m:
    entries:
      - {seq: 20, type: dynamic, match: {connection: "**"}}
      - {seq: 10, type: dynamic, match: {connection: a}}
      - {seq: 30, type: static, set-peer: 203.0.113.2}
  n:
    entries:
      - {seq: 1, type: dynamic}
"""
    assert parse(HEAD + text, FILE).warnings == (
        f"{FILE}:10:9: m 30 is never reached: m 20 ({FILE}:8) takes every SA",
        f"{FILE}:13:9: n 1 is never reached: m 20 ({FILE}:8) takes every SA",
    )


def test_a_tag_that_no_entry_uses_is_a_warning() -> None:
    config = parse(f"{HEAD}{MAP}tags:\n  100: {{med: 5}}\n", FILE)
    assert config.warnings == (f"{FILE}:10:3: tag 100 is used by no entry",)


@pytest.mark.parametrize("text", ["true", "1.0", '"1"', "0x1", "[1]", "~"])
def test_only_1_is_version_1(text: str) -> None:
    with pytest.raises(PolicyErrors, match=r"version: .* is not allowed here; allowed: 1"):
        parse((HEAD + MAP).replace("version: 1", f"version: {text}"), FILE)


def test_a_thousand_entries_load_in_less_than_a_second() -> None:
    entries = "".join(
        f"      - {{seq: {n}, type: static, set-peer: [10.0.{n // 250}.{n % 250}], reverse-route: {{tag: {n}}}}}\n"
        for n in range(1, 1001)
    )
    started = time.process_time()
    config = parse(f"{HEAD}crypto-maps:\n  m:\n    entries:\n{entries}", FILE)
    assert time.process_time() - started < (1 if sys.gettrace() is None else 10)  # under coverage
    assert len(config.policy.entries) == 1000
