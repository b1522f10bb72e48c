"""Addresses, prefixes and traffic selectors."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.model import Prefix, range_to_prefixes
from tests.values import pfx, ts


@pytest.mark.parametrize(
    "text", ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.1/32", "::/0", "2001:db8::/32", "2001:db8::1/128"]
)
def test_a_prefix_reads_back(text: str) -> None:
    assert str(pfx(text)) == text


@pytest.mark.parametrize("text", ["10.1.2.3/24", "10.0.0.0/33", "hub", "", "2001:db8::/129", "10.0.0.0/8/8"])
def test_what_is_no_prefix_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|network|prefix|octet|netmask|host bits"):
        Prefix.parse(text)


networks = st.one_of(
    st.builds(
        lambda number, length: ipaddress.ip_network((number, length), strict=False),
        st.integers(0, 2**32 - 1),
        st.integers(0, 32),
    ),
    st.builds(
        lambda number, length: ipaddress.ip_network((ipaddress.IPv6Address(number), length), strict=False),
        st.integers(0, 2**128 - 1),
        st.integers(0, 128),
    ),
)


@given(networks, networks)
def test_prefix_agrees_with_ipaddress(
    one: ipaddress.IPv4Network | ipaddress.IPv6Network, other: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> None:
    ours, theirs = pfx(str(one)), pfx(str(other))
    within = one.version == other.version and other.subnet_of(one)  # type: ignore[arg-type]  # same version here
    assert ours.last == int(one.broadcast_address)
    assert ours.contains(theirs) == within
    assert ours.has_address(other.network_address) == (other.network_address in one)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_range_becomes_the_least_exact_set_of_prefixes(one: int, other: int) -> None:
    start, end = sorted((one, other))
    expected = ipaddress.summarize_address_range(ipaddress.IPv4Address(start), ipaddress.IPv4Address(end))
    assert [str(prefix) for prefix in range_to_prefixes(4, start, end)] == [str(network) for network in expected]


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_an_ipv6_range_becomes_the_least_exact_set_of_prefixes(one: int, other: int) -> None:
    start, end = sorted((one, other))
    expected = ipaddress.summarize_address_range(ipaddress.IPv6Address(start), ipaddress.IPv6Address(end))
    assert [str(prefix) for prefix in range_to_prefixes(6, start, end)] == [str(network) for network in expected]


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (ts("10.1.0.0/16"), "10.1.0.0/16"),
        (ts("10.1.0.17..10.1.0.20"), "10.1.0.17..10.1.0.20"),
        (ts("10.1.0.0/16", 6, (22, 22)), "10.1.0.0/16[6/22]"),
        (ts("10.1.0.0/16", 6, (21, 22)), "10.1.0.0/16[6/21-22]"),
        (ts("10.1.0.0/16", 47), "10.1.0.0/16[47]"),
        (ts("2001:db8::/48", 0, (1, 5)), "2001:db8::/48[0/1-5]"),
    ],
)
def test_a_selector_prints_as_the_field_writes_it(selector: object, text: str) -> None:
    assert str(selector) == text
