"""FRR's FlowSpec table, as FRR 10.3 printed it: ``frr-10.3/`` holds its answers, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from rri_bgp.errors import UnreachableError
from rri_bgp.inspect.flows import parse_flows
from rri_bgp.model import ANY_PORT, FlowRule
from tests.values import HUB4, HUB6, pfx

RECORDED = Path(__file__).parent / "frr-10.3"
ENTRY = """BGP flowspec entry: (flags 0x418)
\tDestination Address 10.41.0.0/24
\tIP Protocol = 6 
\tDestination Port = 443 
\tFS:redirect IP 0x0
\tNLRI NH 198.51.100.1
\treceived for 00:00:03
\tnot installed in PBR

Displayed 1 flowspec entries
"""  # noqa: W291  # FRR's


def test_e11_ipv4() -> None:
    assert parse_flows((RECORDED / "flow4.txt").read_text()) == {
        FlowRule(pfx("10.41.0.0/24"), 6, (443, 443)): HUB4,
        FlowRule(pfx("10.42.0.0/24"), 6, (21, 22)): HUB4,
        FlowRule(pfx("10.43.0.0/24"), 17, ANY_PORT): HUB4,
        FlowRule(pfx("10.44.0.0/24"), 1, (0x0800, 0x0800)): HUB4,
        FlowRule(pfx("10.45.0.0/24"), 0, (1024, 2047)): HUB4,
    }, "all but the one with a source, whose action is a rate"


def test_e11_ipv6() -> None:
    assert parse_flows((RECORDED / "flow6.txt").read_text()) == {
        FlowRule(pfx("2001:db8:41::/48"), 6, (443, 443)): HUB6,
        FlowRule(pfx("2001:db8:42::/48"), 58, (0x8000, 0x80FF)): HUB6,
    }


@pytest.mark.parametrize("text", ["", "\nDisplayed 0 flowspec entries\n"])
def test_none(text: str) -> None:
    assert parse_flows(text) == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\tNLRI NH 198.51.100.1\n", ""),
        ("FS:redirect IP 0x0", "FS:redirect VRF RT:65000:1"),
        ("= 443 ", "= 443 , or = 80 "),
        ("Destination Port = 443", "Source Port = 443"),
        ("Destination Port = 443", "ICMP Type > 3"),
    ],
)
def test_what_is_not_of_our_shape_is_passed_over(old: str, new: str) -> None:
    assert len(parse_flows(ENTRY)) == 1
    assert parse_flows(ENTRY.replace(old, new)) == {}


@pytest.mark.parametrize(("old", "new"), [("10.41.0.0/24", "10.41.0.1/24"), ("NH 198.51.100.1", "NH nobody")])
def test_numbers_that_cannot_be(old: str, new: str) -> None:
    with pytest.raises(UnreachableError, match="not a flow rule"):
        parse_flows(ENTRY.replace(old, new))
