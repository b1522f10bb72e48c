"""A destination that a deny line keeps from being a route has that line named (rules E9, G8)."""

from __future__ import annotations

import pytest

from rri_bgp.model import VrfPrefix
from rri_bgp.rri import Rib
from rri_bgp.rri.denied import denied_lines, denied_selectors
from rri_bgp.rri.entries import AccessList, MapEntry, Vrf
from rri_bgp.rri.explain import explain
from tests.unit.rri.tables import up
from tests.values import acl, entry, pfx, policy, sa, ts

PEERS = ("203.0.113.2",)


def denied(rib: Rib, destination: str, vrf: str = "") -> list[tuple[int, str, bool]]:
    """Sequence number of the entry, text of the line, whether it takes all."""
    prefix = pfx(destination)
    found = explain(rib, VrfPrefix(vrf, prefix) if vrf else prefix).denials
    return [(one.entry.seq, one.line.text, one.is_whole) for one in found]


def static(seq: int, lines: AccessList) -> MapEntry:
    return entry(seq, peers=PEERS, static=True, access_list=lines)


def test_e9_g8_the_deny_line_that_takes_an_address_from_a_static_route() -> None:
    rib = Rib(policy(static(10, acl("deny any 10.1.99.0/24", "permit any 10.1.0.0/16"))))
    assert denied(rib, "10.1.99.7/32") == [(10, "deny any 10.1.99.0/24", True)]
    for prefix in ("10.1.99.0/24", "10.1.99.0/32", "10.1.99.255/32"):
        assert denied(rib, prefix) == [(10, "deny any 10.1.99.0/24", True)]
    assert denied(rib, "10.0.0.0/8") == [(10, "deny any 10.1.99.0/24", False)]
    assert denied(rib, "10.1.98.7/32") == [], "a route holds it"
    assert denied(rib, "10.2.0.0/16") == [], "nobody speaks of it"
    assert denied(rib, "2001:db8::/32") == []


@pytest.mark.parametrize(
    "lines",
    [
        ("permit any 10.1.0.0/16", "deny any 10.1.99.0/24"),
        ("deny 192.168.1.0/24 10.1.99.0/24", "permit 192.168.0.0/16 10.1.0.0/16"),
        ("deny any 10.1.99.0/24 6 443", "permit any 10.1.0.0/16"),
        ("deny any 10.2.0.0/16", "permit any 10.1.0.0/16"),
    ],
    ids=["after", "not all sources", "one port", "elsewhere"],
)
def test_e9_g8_a_deny_line_that_takes_nothing_is_not_named(lines: tuple[str, ...]) -> None:
    rib = Rib(policy(static(10, acl(*lines))))
    for prefix in ("10.1.99.0/24", "10.0.0.0/8"):
        assert denied(rib, prefix) == []


def test_e9_g8_a_line_is_named_once_and_with_every_entry_that_has_it() -> None:
    lines = acl("deny any 10.1.99.0/24", "deny any 10.1.99.0/25", "permit any 10.1.0.0/16", "permit any 10.0.0.0/8")
    rib = Rib(policy(static(10, lines), static(20, lines), entry(30, peers=PEERS, access_list=lines), entry(40)))
    wide, narrow = ("deny any 10.1.99.0/24", True), ("deny any 10.1.99.0/25", True)
    assert denied(rib, "10.1.99.7/32") == [(10, *wide), (10, *narrow), (20, *wide), (20, *narrow)]
    assert denied(rib, "10.1.99.200/32") == [(10, *wide), (20, *wide)]


def test_e9_g8_the_deny_line_that_takes_an_address_from_an_sa() -> None:
    lines = acl("deny 192.168.1.0/24 10.1.99.0/24", "permit 192.168.0.0/16 10.1.0.0/16", "permit any 2001:db8::/32")
    rib = Rib(policy(entry(10, access_list=lines), entry(20)))
    up(rib, sa(1, "10.1.0.0/16", local_ts=("192.168.1.0/25",)))
    assert denied(rib, "10.1.99.7/32") == [(10, "deny 192.168.1.0/24 10.1.99.0/24", True)]
    assert denied(rib, "10.1.98.7/32") == []
    up(rib, sa(2, "10.1.99.0/25", connection="other", local_ts=("192.168.2.0/24",)))
    assert denied(rib, "10.1.99.7/32") == [], "another SA of the entry carries it"
    assert denied(rib, "10.1.99.200/32") == [(10, "deny 192.168.1.0/24 10.1.99.0/24", True)]


def test_e9_g8_a_part_of_a_selector_that_no_line_permits_is_denied_by_none() -> None:
    lines = acl("deny any 10.9.0.0/16", "permit 192.168.1.0/24 10.1.0.0/16")
    rib = Rib(policy(entry(10, access_list=lines)))
    up(rib, sa(1, "10.1.0.0/16", "2001:db8::/32", local_ts=("192.168.1.0/24",)), sa(2, ts("10.0.0.0/15", 6)))
    assert denied(rib, "10.0.0.0/16") == []
    assert denied(rib, "2001:db8::/48") == []
    assert list(denied_selectors(rib.policy.entries[0], sa(1, "10.1.0.0/16"), pfx("10.9.0.0/16"))) == []


def test_e9_g8_of_lines_and_sas_that_have_nothing_to_do_with_each_other_nothing_is_said() -> None:
    lines = acl("deny 192.168.1.0/24 10.1.99.0/24,2001:db8::/32", "permit 192.168.0.0/16 10.1.0.0/16", "permit any any")
    taker = static(10, lines)
    other = sa(1, "10.1.0.0/16", local_ts=("192.168.2.0/24",))
    assert list(denied_selectors(taker, other, pfx("10.1.99.0/24"))) == []
    assert list(denied_lines(taker, pfx("2001:db8::/48"))) == [], "the line has no source of that version"
    assert list(denied_lines(entry(10, peers=PEERS, static=True), pfx("10.1.99.0/24"))) == []


def test_e9_g8_more_lines_than_anybody_reads_about_take_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    taker = static(
        10, acl("deny any 10.1.1.0/24", "permit any 10.1.0.0/16", "deny any 10.2.1.0/24", "permit any 10.0.0.0/8")
    )
    for most, found in ((3, ["10.1.1.0/24", "10.1.1.0/24", "10.2.1.0/24"]), (2, ["10.1.1.0/24"]), (0, [])):
        monkeypatch.setattr("rri_bgp.rri.denied.MOST_PAIRS", most)
        lines = [one.line.text for one in denied_lines(taker, pfx("10.0.0.0/8"))]
        assert lines == [f"deny any {prefix}" for prefix in found]


def test_e9_g8_only_entries_of_the_vrf_that_is_asked_about_are_named() -> None:
    lines = acl("deny any 10.1.99.0/24", "permit any 10.1.0.0/16")
    red = entry(10, peers=PEERS, static=True, access_list=lines, vrf="red")
    rib = Rib(policy(red, static(20, acl("permit any 10.2.0.0/16")), vrfs=(Vrf("red", 10),)))
    assert denied(rib, "10.1.99.7/32") == []
    assert denied(rib, "10.1.99.7/32", "red") == [(10, "deny any 10.1.99.0/24", True)]
