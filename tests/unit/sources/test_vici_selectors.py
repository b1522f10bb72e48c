"""Traffic selectors in charon's words; each form was seen in strongSwan's own test scenarios."""

from __future__ import annotations

import pytest

from rri_bgp.errors import ViciError
from rri_bgp.sources.vici.selectors import parse_selector
from tests.values import ts


@pytest.mark.parametrize(
    ("text", "protocol", "ports"),
    [
        ("10.1.0.0/16", 0, (0, 65535)),
        ("10.1.0.0/16[tcp/ssh]", 6, (22, 22)),
        ("10.1.0.0/16[tcp/21-22]", 6, (21, 22)),
        ("10.1.0.0/16[tcp/32768-65535]", 6, (32768, 65535)),
        ("10.1.0.0/16[gre]", 47, (0, 65535)),
        ("10.1.0.0/16[17]", 17, (0, 65535)),
        ("10.1.0.0/16[icmp/8]", 1, (0x0800, 0x08FF)),
        ("10.1.0.0/16[icmp/8(1)]", 1, (0x0801, 0x0801)),
        ("10.1.0.0/16[ipv6-icmp/133-137]", 58, (133 << 8, (137 << 8) + 255)),
        ("10.1.0.0/16[tcp/OPAQUE]", 6, (0, 65535)),
    ],
)
def test_limits(text: str, protocol: int, ports: tuple[int, int]) -> None:
    assert parse_selector(text) == ts("10.1.0.0/16", protocol, ports)


def test_a_range() -> None:
    assert parse_selector("10.1.0.17..10.1.0.20") == ts("10.1.0.17..10.1.0.20")
    assert parse_selector("2001:db8::1..2001:db8::ff") == ts("2001:db8::1..2001:db8::ff")


def test_a_dynamic_selector_has_no_addresses_yet() -> None:
    assert parse_selector("dynamic") is None
    assert parse_selector("dynamic[icmp/8(1)]") is None


@pytest.mark.parametrize("limit", ["no-such-protocol", "tcp/no-such-service", "tcp/1-no-such", "0/500", "tcp/99999"])
def test_a_limit_that_this_machine_cannot_name_stays_a_limit(limit: str) -> None:
    selector = parse_selector(f"10.1.0.0/16[{limit}]")
    assert selector is not None
    assert not selector.whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.1.0.0/33",
        "10.1.0.5..10.1.0.1",
        "10.1.0.1..2001:db8::1",
        "10.1.0.0/16 ",
        "a\nb",
        "10.1.0.0/16[tcp",
        "::/129",
    ],
)
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ViciError):
        parse_selector(text)
