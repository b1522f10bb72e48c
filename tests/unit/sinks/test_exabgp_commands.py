"""The text of each command, and the values that must never reach ExaBGP."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest

from rri_bgp.errors import ExabgpError
from rri_bgp.model import Attributes, Destination, FlowRule, Path, Prefix, VrfPrefix
from rri_bgp.sinks.exabgp.checks import check
from rri_bgp.sinks.exabgp.commands import Audience, Command, Verb
from rri_bgp.sinks.exabgp.forms import MAX_NLRI, PLAIN, Form
from tests.values import HUB4, HUB6, pfx

V4, V6 = pfx("10.1.0.0/16"), pfx("2001:db8:1::/48")
FULL = Attributes(((65000, 100), (65535, 65281)), ((65000, 1, 4294967295),), med=0, local_preference=4294967295)


def command(verb: Verb, path: Path | None, *prefixes: Prefix) -> Command:
    return Command(verb, PLAIN[prefixes[0].version], path, prefixes)


@pytest.mark.parametrize(
    ("built", "line"),
    [
        (
            command(Verb.ANNOUNCE, Path(HUB4, FULL), V4, pfx("0.0.0.0/1")),
            (
                "announce attributes next-hop 198.51.100.1 med 0 local-preference 4294967295 "
                "community [ 65000:100 65535:65281 ] large-community [ 65000:1:4294967295 ] nlri 0.0.0.0/1 10.1.0.0/16"
            ),
        ),
        (
            command(Verb.ANNOUNCE, Path(HUB6), V6),
            "announce attributes next-hop 2001:db8:100::1 nlri 2001:db8:1::/48",
        ),
        (
            command(Verb.WITHDRAW, Path(HUB4, Attributes(med=7)), V4),
            "withdraw attributes next-hop 198.51.100.1 med 7 nlri 10.1.0.0/16",
        ),
        (command(Verb.WITHDRAW, None, V6), "withdraw attributes nlri 2001:db8:1::/48"),
    ],
)
def test_the_line_of_a_command(built: Command, line: str) -> None:
    assert built.line() == line


@pytest.mark.parametrize(
    ("version", "path", "says"),
    [
        (4, Path(HUB6), "next hop 2001:db8:100::1 for an IPv4 prefix: it must be of the same family"),
        (6, Path(HUB4), "next hop 198.51.100.1 for an IPv6 prefix: it must be of the same family"),
        (4, Path(IPv4Address(0)), "next hop 0.0.0.0 is no address of a router"),
        (6, Path(ip_address("::")), "next hop :: is no address of a router"),
        (4, Path(ip_address("224.0.0.5")), "next hop 224.0.0.5 is no address of a router"),
        (6, Path(ip_address("fe80::1%eth0")), "next hop fe80::1%eth0 is no address of a router"),
        (6, Path(ip_address("fe80::1%a\nshutdown")), "is no address of a router"),
        (4, Path(HUB4, Attributes(((65000, 65536),))), "community 65000:65536: each part must be 0 to 65535"),
        (4, Path(HUB4, Attributes(((-1, 0),))), "community -1:0: each part must be 0 to 65535"),
        (4, Path(HUB4, Attributes((), ((1, 2, 1 << 32),))), "large community 1:2:4294967296: each part must be"),
        (4, Path(HUB4, Attributes(med=1 << 32)), "med 4294967296: must be 0 to 4294967295"),
        (4, Path(HUB4, Attributes(local_preference=-1)), "local-preference -1: must be 0 to 4294967295"),
        (4, Path(HUB4, Attributes(((1, 1),) * 513)), "2052 octets of communities: at most 2048 are safe"),
    ],
)
def test_what_exabgp_would_mangle_is_refused(version: int, path: Path, says: str) -> None:
    with pytest.raises(ExabgpError) as caught:
        check(PLAIN[version], path)
    assert says in caught.value.what


@pytest.mark.parametrize(
    ("built", "says"),
    [
        (command(Verb.ANNOUNCE, None, V4), "an announcement needs a path"),
        (command(Verb.ANNOUNCE, Path(HUB4), V4, V6), "destinations of several forms in one command"),
        (Command(Verb.ANNOUNCE, PLAIN[4], Path(HUB4), ()), "0 destinations in a command; 1 to 49 are allowed"),
        (command(Verb.ANNOUNCE, Path(HUB4), *[V4] * (MAX_NLRI + 1)), "50 destinations in a command"),
        (command(Verb.WITHDRAW, Path(HUB6), V4), "it must be of the same family"),
    ],
)
def test_a_command_that_nobody_should_have_built(built: Command, says: str) -> None:
    with pytest.raises(ExabgpError) as caught:
        built.line()
    assert says in caught.value.what


TARGET = 0x0002_FDE8_0000_0001


@pytest.mark.parametrize(
    ("form", "path", "line"),
    [
        (
            Form(4, rd="65000:1", label=100),
            Path(HUB4, Attributes(extended_communities=(TARGET,))),
            (
                "announce attributes next-hop 198.51.100.1 rd 65000:1 label 100 "
                "extended-community [ 0x0002fde800000001 ] nlri 10.1.0.0/16"
            ),
        ),
        (
            Form(4, path_id=7),
            Path(HUB4, Attributes(med=1)),
            "announce attributes next-hop 198.51.100.1 path-information 7 med 1 nlri 10.1.0.0/16",
        ),
    ],
)
def test_n10_e13_the_line_of_other_forms(form: Form, path: Path, line: str) -> None:
    destination = VrfPrefix("65000:1", V4) if form.rd else V4
    assert Command(Verb.ANNOUNCE, form, path, (destination,)).line() == line


def test_a_withdraw_names_the_distinguisher_and_the_identifier() -> None:
    lines = [
        Command(Verb.WITHDRAW, form, None, (V4,)).line() for form in (Form(4, rd="192.0.2.1:5"), Form(4, path_id=7))
    ]
    assert lines == [
        "withdraw attributes rd 192.0.2.1:5 label 0 nlri 10.1.0.0/16",
        "withdraw attributes path-information 7 nlri 10.1.0.0/16",
    ]


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (FlowRule(V4, 6, (443, 443)), "destination 10.1.0.0/16; protocol =6; destination-port =443; "),
        (FlowRule(V4, 17, (1, 9)), "destination 10.1.0.0/16; protocol =17; destination-port >=1&<=9; "),
        (FlowRule(V4, 0, (53, 53)), "destination 10.1.0.0/16; destination-port =53; "),
        (FlowRule(V4, 47, (0, 65535)), "destination 10.1.0.0/16; protocol =47; "),
        (FlowRule(V4, 0, (0, 65535)), "destination 10.1.0.0/16; "),
        (FlowRule(V4, 1, (0x0800, 0x0800)), "destination 10.1.0.0/16; protocol =1; icmp-type =8; icmp-code =0; "),
        (FlowRule(V4, 1, (0x0303, 0x0304)), "destination 10.1.0.0/16; protocol =1; icmp-type =3; icmp-code >=3&<=4; "),
        (FlowRule(V4, 1, (0x0300, 0x05FF)), "destination 10.1.0.0/16; protocol =1; icmp-type >=3&<=5; "),
        (FlowRule(V6, 58, (0x8000, 0x80FF)), "destination 2001:db8:1::/48; next-header =58; icmp-type =128; "),
    ],
)
def test_e11_the_line_of_a_flow(rule: FlowRule, match: str) -> None:
    form, hop = Form(rule.prefix.version, is_flow=True), HUB4 if rule.prefix.version == 4 else HUB6
    path = Path(hop, Attributes(communities=((65000, 100),), large_communities=((65000, 1, 100),)))
    then = f"then {{ redirect {hop}; community [ 65000:100 ]; large-community [ 65000:1:100 ]; }} }}"
    assert Command(Verb.ANNOUNCE, form, path, (rule,)).line() == f"announce flow route {{ match {{ {match}}} {then}"
    assert Command(Verb.WITHDRAW, form, None, (rule,)).line() == f"withdraw flow route {{ match {{ {match}}} }}"


def test_e11_a_flow_of_a_vrf() -> None:
    rule = FlowRule(V4, 47, (0, 65535), "65000:1")
    line = Command(Verb.ANNOUNCE, Form(4, rd="65000:1", is_flow=True), Path(HUB4), (rule,)).line()
    assert line.startswith("announce flow route { rd 65000:1; match { destination 10.1.0.0/16; protocol =47; } then")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (FlowRule(V4, 132, (80, 80)), "protocol 132 with ports: FlowSpec matches ports of TCP and UDP only"),
        (FlowRule(V4, 58, (0, 255)), "protocol 58 with ports"),
        (FlowRule(V4, 1, (0x0801, 0x0900)), "ICMP codes that begin or end within a type"),
        (FlowRule(V4, 6, (90, 80)), "is no flow"),
        (FlowRule(V4, 256, (0, 65535)), "is no flow"),
    ],
)
def test_e11_flows_that_have_no_words(rule: FlowRule, says: str) -> None:
    with pytest.raises(ExabgpError) as caught:
        Command(Verb.ANNOUNCE, Form(4, is_flow=True), Path(HUB4), (rule,)).line()
    assert says in caught.value.what


def test_a_command_for_some_neighbors_only() -> None:
    path = Path(HUB4, Attributes(as_path_prepend=2))
    audience = Audience(("192.0.2.1", "2001:db8::2"), 65000)
    line = Command(Verb.ANNOUNCE, PLAIN[4], path, (V4,), audience).line()
    assert line == (
        "neighbor 192.0.2.1 , neighbor 2001:db8::2 announce attributes next-hop 198.51.100.1 "
        "as-path [ 65000 65000 65000 ] nlri 10.1.0.0/16"
    )


def test_no_as_path_is_given_without_an_as() -> None:
    line = Command(Verb.ANNOUNCE, PLAIN[4], Path(HUB4, Attributes(as_path_prepend=2)), (V4,)).line()
    assert line == "announce attributes next-hop 198.51.100.1 nlri 10.1.0.0/16"


@pytest.mark.parametrize(
    ("form", "attributes", "says"),
    [
        (Form(4, rd="65000"), Attributes(), "route distinguisher 65000: AS:number or address:number"),
        (Form(4, rd="65536:65536"), Attributes(), "route distinguisher 65536:65536"),
        (Form(4, rd="192.0.2.256:1"), Attributes(), "route distinguisher 192.0.2.256:1"),
        (Form(4, rd="1:1; shutdown"), Attributes(), "route distinguisher"),
        (Form(4, rd="65000:1", label=1 << 20), Attributes(), "label 1048576: must be 0 to 1048575"),
        (PLAIN[4], Attributes(extended_communities=(1 << 64,)), "extended community 0x10000000000000000: must have 64"),
        (PLAIN[4], Attributes(as_path_prepend=17), "as-path-prepend 17: must be 0 to 16"),
        (PLAIN[4], Attributes(extended_communities=(1,) * 257), "2056 octets of communities"),
    ],
)
def test_what_else_exabgp_would_mangle_is_refused(form: Form, attributes: Attributes, says: str) -> None:
    with pytest.raises(ExabgpError) as caught:
        check(form, Path(HUB4, attributes))
    assert says in caught.value.what


@pytest.mark.parametrize("rd", ["65000:4294967295", "4294967295:65535", "192.0.2.1:65535", "0:0"])
def test_n10_distinguishers_that_are_well(rd: str) -> None:
    check(Form(4, rd=rd), Path(HUB4))


@pytest.mark.parametrize(
    ("form", "destination"),
    [
        (PLAIN[4], FlowRule(V4, 6, (0, 65535))),
        (Form(4, is_flow=True), V4),
        (Form(4, is_flow=True), FlowRule(V6, 6, (0, 65535))),
        (PLAIN[4], VrfPrefix("65000:1", V6)),
    ],
)
def test_another_form_in_a_command(form: Form, destination: Destination) -> None:
    with pytest.raises(ExabgpError, match="destinations of several forms in one command"):
        Command(Verb.ANNOUNCE, form, Path(HUB4), (destination,)).line()
