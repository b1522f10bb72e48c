"""What each key of a policy becomes in the core: the full example to the letter, then each form there is."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from rri_bgp.errors import PolicyErrors
from rri_bgp.model import ANY_PORT, Address, Attributes, Prefix
from rri_bgp.policy import load
from rri_bgp.policy.config import (
    Config,
    ExabgpSettings,
    HandOffSettings,
    KernelSettings,
    NotifySettings,
    OnExit,
    Unresolved,
    ViciSettings,
    XfrmSettings,
)
from rri_bgp.policy.load import parse
from rri_bgp.rri.entries import (
    AccessList,
    AclLine,
    AllowRule,
    DefaultProxies,
    EntryKind,
    Group,
    Guard,
    MapEntry,
    Match,
    NeighborPolicy,
    Overlap,
    Policy,
    PortProxies,
    RemotePeer,
    ReverseRoute,
    Special,
    Vrf,
)
from tests.policies import HEAD
from tests.values import pfx

FULL = Path(__file__).parents[3] / "examples" / "full.yaml"
FILE = Path("/etc/rri-bgp/policy.yaml")


def at(text: str, nth: int = 0) -> str:
    """``file:line`` of the line of the full example that holds a text."""
    lines = FULL.read_text(encoding="utf-8").splitlines()
    return f"{FULL}:{[number for number, line in enumerate(lines, 1) if text in line][nth]}"


def address(text: str) -> Address:
    return ip_address(text)


def prefixes(*texts: str) -> tuple[Prefix, ...]:
    return tuple(map(pfx, texts))


OFFICES = prefixes("10.1.0.0/16", "10.2.3.4/32", "10.4.0.0/16", "2001:db8:4::/48")
OURS = prefixes("192.168.1.0/24")
SELF = {4: address("198.51.100.1"), 6: address("2001:db8:100::1")}


def line(permit: bool, source: tuple[Prefix, ...], destination: tuple[Prefix, ...], **more: Any) -> AclLine:
    text = more.pop("text")
    return AclLine(permit, source, destination, at(text), text, **more)


BERLIN = AccessList(
    "berlin",
    (
        line(False, OURS, prefixes("10.1.99.0/24"), text="deny ip 192.168.1.0 0.0.0.255 10.1.99.0/24"),
        line(True, OURS, OFFICES, text="permit ip 192.168.1.0/24 object-group offices"),
        line(True, prefixes("2001:db8:1::/48"), OFFICES, text="permit ipv6 2001:db8:1::/48 object-group offices"),
        line(
            True,
            prefixes("0.0.0.0/0", "::/0"),
            prefixes("10.1.1.1/32"),
            text="permit tcp any host 10.1.1.1 eq https",
            protocol=6,
            source_ports=ANY_PORT,
            ports=(443, 443),
        ),
    ),
)
ENTRIES = (
    MapEntry(
        "branches",
        10,
        EntryKind.STATIC,
        at("- seq: 10"),
        peers=(address("203.0.113.2"), "berlin.example.org"),
        access_list=BERLIN,
        reverse_route=ReverseRoute(static=True, tag=100, remote_peer=RemotePeer(), distance=10),
        next_hops=SELF,
        attributes=Attributes(
            communities=((65000, 100), (0xFFFF, 0xFF01)),
            large_communities=((65000, 1, 100), (65000, 2, 100)),
            med=10,
            local_preference=200,
            extended_communities=(0x0002_FDE8_0000_0001, 0x0103_C000_0201_0007, 0x4300_0000_0000_0001),
            as_path_prepend=2,
        ),
        port_proxies=PortProxies.ROUTE,
        interface="eth0",
        redundancy="pair",
    ),
    MapEntry(
        "branches",
        20,
        EntryKind.STATIC,
        at("- seq: 20"),
        peers=(address("203.0.113.7"),),
        match=Match("red-*", "*", "*@red.example", 5, (0x10, 0xFF), "red"),
        reverse_route=ReverseRoute(tag=200, remote_peer=RemotePeer(address("203.0.113.254"), gateway=True)),
        next_hops={4: address("198.51.100.7"), 6: address("2001:db8:100::7")},
        next_hop_self=False,
        attributes=Attributes(((65000, 200),), ((65000, 1, 200),)),
        allow_default=DefaultProxies.HALVES,
        port_proxies=PortProxies.FLOWSPEC,
        overlap=Overlap.ECMP,
        vrf="red",
        front_vrf="outside",
        interface="eth0",
        redundancy="pair",
    ),
    MapEntry(
        "branches",
        65000,
        EntryKind.DYNAMIC,
        at("- seq: 65000"),
        match=Match(connection="rw-*"),
        next_hops=SELF,
        guard=Guard(
            allow=(AllowRule(pfx("10.128.0.0/9"), 24, 32), AllowRule(pfx("2001:db8:80::/41"), 48, 64)),
            lengths={4: (24, 32), 6: (48, 128)},
            max_routes_per_peer=4,
            max_routes=1000,
            allow_special=frozenset({Special.LOCAL}),
        ),
        interface="eth0",
        redundancy="pair",
        withdraw_delay=10.0,
        announce_delay=0.5,
        degrade_med=500,
    ),
)


def test_the_full_example_is_this_configuration() -> None:
    assert load(FULL) == Config(
        file=FULL,
        asn=65000,
        policy=Policy(
            ENTRIES,
            groups={"pair": Group("pair", (address("198.51.100.9"), address("2001:db8:100::9")), 200)},
            vrfs={
                "red": Vrf("red", 10, "65000:1", (0x0002_FDE8_0000_0001,), 100),
                "outside": Vrf("outside", 20),
            },
            neighbors=(
                NeighborPolicy(address("198.51.100.2"), frozenset({0, 1, 2}), frozenset({100, 200, None})),
                NeighborPolicy(address("198.51.100.3"), vrf="red"),
            ),
            max_routes=10000,
        ),
        sources=(
            ViciSettings("hub", Path("/run/charon.vici"), 30.0),
            XfrmSettings("kernel", "outer", 30.0),
        ),
        exabgp=ExabgpSettings(10.0, OnExit.KEEP, Path("/run/rri-bgp/exabgp.sock")),
        kernel=KernelSettings(254, 82, Unresolved.SKIP, OnExit.KEEP),
        hand_off=HandOffSettings(4242, 82, OnExit.KEEP),
        names=frozenset({"berlin.example.org"}),
        groups={"pair": NotifySettings(Path("/run/rri-bgp-vrrp.fifo"), "VI_1")},
    )


def config(settings: str, more: str = "", of_map: str = "") -> Config:
    """A policy with one dynamic entry that has these settings."""
    entry = f"      - {{seq: 10, type: dynamic{settings and ', '}{settings}}}\n"
    return parse(f"{HEAD}{more}crypto-maps:\n  m:\n{of_map}    entries:\n{entry}", FILE)


def only(settings: str, more: str = "", of_map: str = "") -> MapEntry:
    (entry,) = config(settings, more, of_map).policy.entries
    return entry


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("true", RemotePeer()),
        ("false", None),
        ("203.0.113.254", RemotePeer(ip_address("203.0.113.254"))),
        ('"2001:db8::fe"', RemotePeer(ip_address("2001:db8::fe"))),
        ("{}", RemotePeer()),
        ("{address: 203.0.113.254}", RemotePeer(ip_address("203.0.113.254"))),
        ("{address: 203.0.113.254, gateway: true}", RemotePeer(ip_address("203.0.113.254"), gateway=True)),
    ],
)
def test_n2_n3_n4_the_forms_of_remote_peer(text: str, found: RemotePeer | None) -> None:
    entry = only(f"reverse-route: {{remote-peer: {text}}}")
    assert entry.reverse_route == ReverseRoute(remote_peer=found)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("16", (16, 0xFFFFFFFF)),
        ("0x10", (16, 0xFFFFFFFF)),
        ("0x10/0xff", (16, 255)),
        ("16/255", (16, 255)),
        ('"0"', (0, 0xFFFFFFFF)),
        ("0/0", (0, 0)),
        ("0xFFFFFFFF/0xffffffff", (0xFFFFFFFF, 0xFFFFFFFF)),
    ],
)
def test_the_forms_of_a_mark(text: str, mark: tuple[int, int]) -> None:
    assert only(f"match: {{mark: {text}}}").match.mark == mark


@pytest.mark.parametrize(
    "text", ["0x", "-1", "true", "1/", "/1", "1/2/3", "0x1ffffffff", "4294967296", "~", "1.5", "2/1"]
)
def test_what_is_no_mark(text: str) -> None:
    with pytest.raises(PolicyErrors, match="mark"):
        only(f"match: {{mark: {text}}}")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("target:65000:1", 0x0002_FDE8_0000_0001),
        ("target:65000:4294967295", 0x0002_FDE8_FFFF_FFFF),
        ("target:4200000000:7", 0x0202_FA56_EA00_0007),
        ("target:192.0.2.1:7", 0x0102_C000_0201_0007),
        ("origin:65000:1", 0x0003_FDE8_0000_0001),
        ("0x030b000000000008", 0x030B_0000_0000_0008),
    ],
)
def test_n10_extended_communities_are_as_on_the_wire(text: str, number: int) -> None:
    """RFC 4360 §3, §4; RFC 5668 §2."""
    tags = f'tags:\n  5: {{extended-communities: ["{text}", "{text}"]}}\n'
    entry = only("reverse-route: {tag: 5}", tags)
    assert entry.attributes.extended_communities == (number,)


@pytest.mark.parametrize("rd", ["65000:1", "192.0.2.1:7", "4200000000:7"])
def test_n10_a_vrf_with_and_without_a_route_distinguisher(rd: str) -> None:
    more = f'vrfs:\n  red: {{table: 10, rd: "{rd}", export: ["{rd}"]}}\n  blue: {{table: 4294967295}}\n'
    vrfs = config("vrf: red, front-vrf: blue", more).policy.vrfs
    assert (vrfs["red"].rd, len(vrfs["red"].route_targets), vrfs["red"].label) == (rd, 1, 0)
    assert vrfs["blue"] == Vrf("blue", 4294967295)


VRFS = "vrfs: {red: {table: 10, rd: '1:1', export: ['1:1']}, blue: {table: 11, rd: '1:2', export: ['1:2']}}\n"
PAIRS = "redundancy: {one: {virtual-address: 192.0.2.3}, two: {virtual-address: '2001:db8::3', standby: silent}}\n"


def test_n6_a_maps_value_is_the_default_of_its_entries() -> None:
    of_map = "    interface: eth1\n    redundancy: one\n    vrf: red\n    front-vrf: blue\n"
    entry = only("", VRFS + PAIRS, of_map)
    assert (entry.interface, entry.redundancy, entry.vrf, entry.front_vrf) == ("eth1", "one", "red", "blue")
    entry = only("redundancy: two, vrf: blue, front-vrf: red", VRFS + PAIRS, of_map)
    assert (entry.interface, entry.redundancy, entry.vrf, entry.front_vrf) == ("eth1", "two", "blue", "red")
    assert (only("").interface, only("").redundancy, only("").vrf, only("").front_vrf) == ("", "", "", "")


def test_g2_a_group_holds_with_its_address_or_announces_a_worse_med() -> None:
    groups = config(
        "redundancy: one", f"{PAIRS[:-2]}, three: {{virtual-address: 192.0.2.4, standby: {{med: 0}}}}}}\n"
    ).policy.groups
    assert groups == {
        "one": Group("one", (address("192.0.2.3"),)),
        "two": Group("two", (address("2001:db8::3"),)),
        "three": Group("three", (address("192.0.2.4"),), 0),
    }


def test_g5_an_entry_that_degrades_is_no_other_source() -> None:
    assert config("degrade: {med: 0}").sources == config("").sources, "a reload takes it at once"


def test_n9_the_peer_as_next_hop() -> None:
    entry = only("next-hop: peer")
    assert (entry.next_hops, entry.next_hop_self) == (None, False)


def test_neighbors_are_given_entries_by_rank() -> None:
    text = f"""{HEAD}neighbors:
  "2001:db8::2": {{entries: [z 20, a 1], tags: []}}
  192.0.2.2: {{}}
crypto-maps:
  z:
    entries: [{{seq: 20, type: dynamic, match: {{child: b}}}}, {{seq: 10, type: dynamic, match: {{child: a}}}}]
  a:
    entries: [{{seq: 1, type: dynamic}}]
"""
    assert parse(text, FILE).policy.neighbors == (
        NeighborPolicy(address("2001:db8::2"), frozenset({1, 2}), frozenset()),
        NeighborPolicy(address("192.0.2.2")),
    )


# Values that are nothing of the kind


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ("next-hop: [5]", "5 is no IP address; allowed: one IPv4 or IPv6 address"),
        ('next-hop: "fe80::1%eth0"', '"fe80::1%eth0" has a zone; allowed: an address without `%`'),
        ('next-hop: "::ffff:192.0.2.1"', '"::ffff:192.0.2.1" is an IPv4-mapped address; allowed: 192.0.2.1'),
        ("match: {child: ''}", '"" matches no name; allowed: text, `*` and `?` as in a shell'),
        ("set-peer: 224.0.0.1", "224.0.0.1 is not unicast; allowed: the unicast address of a peer"),
        ("set-peer: 255.255.255.255", "255.255.255.255 is not unicast; allowed: the unicast address of a peer"),
        ("set-peer: -hub.example", '"-hub.example" is no host name (RFC 1123)'),
        (f"set-peer: {'a' * 64}.example", "is no host name (RFC 1123)"),
        (f"set-peer: {'a.' * 127}example", "is no host name (RFC 1123)"),
        ("set-peer: a..example", '"a..example" is no host name (RFC 1123)'),
        ("set-peer: {}", "an empty mapping is not allowed here; allowed: an IP address or host name"),
    ],
)
def test_values_that_are_nothing_of_the_kind(settings: str, what: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        only(settings)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("[vici]", "[{}]", "an empty source; allowed: vici, xfrm or replay"),
        ("[vici]", '[replay: {file: ""}]', '"" is no file name; allowed: a path'),
        ("[vici]", f"[vici: {{socket: /{'x' * 107}}}]", "the path is too long for a Unix socket; allowed: 107 bytes"),
        ("version: 1", "<<: 1\nversion: 1", "merge keys (`<<`) are not supported"),
        ("version: 1", "!!str x: 1\nversion: 1", "tags (`!`) are not supported"),
    ],
)
def test_the_same_around_the_maps(old: str, new: str, what: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        parse(HEAD.replace(old, new) + "crypto-maps: {m: {entries: [{seq: 1, type: dynamic}]}}\n", FILE)
    assert what in str(caught.value)


# Warnings


def warnings(text: str) -> list[str]:
    return [warning.removeprefix(f"{FILE}:") for warning in parse(text, FILE).warnings]


def test_e5_static_on_a_dynamic_entry_is_accepted_with_a_warning_that_names_the_line() -> None:
    found = config("reverse-route: {static: true}")
    assert found.policy.entries[0].reverse_route == ReverseRoute(static=True)
    what = "`static` changes nothing on the dynamic entry m 10"
    why = "what its peers will ask for is not known before they do (rule E5)"
    assert found.warnings == (f"{FILE}:8:58: {what}: {why}",)


def test_names_that_nobody_uses() -> None:
    more = (
        "object-groups:\n  offices: [10.0.0.0/8]\naccess-lists:\n  branches: [permit ip any any]\n"
        "redundancy:\n  pair: {virtual-address: 192.0.2.3}\nvrfs:\n  red: {table: 10}\ntags:\n  100: {med: 5}\n"
    )
    assert [text.split(": ", 1)[1] for text in config("", more).warnings] == [
        "the object group offices is used by no access list",
        "the access list branches is used by no entry",
        "the group pair is used by no entry",
        "the VRF red is used by no entry",
        "tag 100 is used by no entry",
    ]


VRF_RED = "vrfs: {red: {table: 10}}\ncrypto-maps: {m: {entries: [{seq: 1, type: dynamic, vrf: red}]}}\n"


def test_n10_a_vrf_whose_routes_nobody_gets() -> None:
    alone = config("vrf: red", "vrfs:\n  red: {table: 10}\n")
    assert alone.warnings == (
        f"{FILE}:6:3: the VRF red has no `rd`, and no neighbor has it: its routes go to nobody (rule N10)",
    )
    given = config("vrf: red", "vrfs:\n  red: {table: 10}\nneighbors: {192.0.2.2: {vrf: red}}\n")
    assert given.warnings == ()
    here = parse(HEAD.replace("sinks: {exabgp: }", "sinks: kernel") + VRF_RED, FILE)
    assert here.warnings == ()
    untold = config("vrf: red", 'vrfs:\n  red: {table: 10, rd: "65000:1"}\n')
    assert untold.warnings == (
        f"{FILE}:6:3: the VRF red has no route target in `export`: no router imports its routes (rule N10)",
    )


def test_a_tag_for_a_neighbor_that_no_entry_has() -> None:
    found = config("reverse-route: {tag: 5}", "neighbors: {192.0.2.2: {tags: [5, 6, none]}}\n")
    assert [text.split(": ", 1)[1] for text in found.warnings] == [
        "no entry has the tag 6: the neighbor gets no route for it",
        "no entry has the tag none: the neighbor gets no route for it",
    ]


def test_n9_a_virtual_address_is_a_next_hop_of_its_family() -> None:
    text = (HEAD + PAIRS).replace('[198.51.100.1, "2001:db8:100::1"]', "198.51.100.1")
    one, two = "reverse-route: true, redundancy: one", "reverse-route: true, redundancy: two"
    for group, count in ((one, 1), (two, 0)):
        body = f"crypto-maps: {{m: {{entries: [{{seq: 1, type: dynamic, {group}}}]}}}}\n"
        found = [warning for warning in warnings(text + body) if "IPv6 selectors" in warning]
        assert len(found) == count
