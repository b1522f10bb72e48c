"""The text of each command, and the values that must never reach ExaBGP."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest

from rri_bgp.errors import ExabgpError
from rri_bgp.model import Attributes, Path, Prefix
from rri_bgp.sinks.exabgp.checks import check
from rri_bgp.sinks.exabgp.commands import Command, Verb
from rri_bgp.sinks.exabgp.forms import MAX_NLRI, PLAIN
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
                "community [ 65000:100 65535:65281 ] large-community [ 65000:1:4294967295 ] nlri 10.1.0.0/16 0.0.0.0/1"
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
