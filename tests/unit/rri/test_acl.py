"""Access lists: what permit and deny lines leave, and which SAs belong to a list (rules E2, E3, E9)."""

from __future__ import annotations

import pytest

from rri_bgp.model import ANY_PORT, SaPair, TrafficSelector, range_to_prefixes
from rri_bgp.rri.acl import Permits, covers, permitted, static_destinations
from rri_bgp.rri.entries import AccessList, AclLine
from tests import values
from tests.values import pfx, ts

ANY = ("0.0.0.0/0", "::/0")


def line(
    verb: str,
    source: str | tuple[str, ...],
    destination: str | tuple[str, ...],
    protocol: int = 0,
    ports: tuple[int, int] = ANY_PORT,
    source_ports: tuple[int, int] = ANY_PORT,
) -> AclLine:
    sides = [(side,) if isinstance(side, str) else side for side in (source, destination)]
    return AclLine(
        permit=verb == "permit",
        source=tuple(pfx(text) for text in sides[0]),
        destination=tuple(pfx(text) for text in sides[1]),
        where="hub.yaml:1",
        text="",
        protocol=protocol,
        source_ports=source_ports,
        ports=ports,
    )


def acl(*lines: AclLine) -> AccessList:
    return AccessList("branches", lines)


def sa(remote: tuple[str | TrafficSelector, ...], local: tuple[str | TrafficSelector, ...] = ()) -> SaPair:
    return values.sa(1, *remote, local_ts=local)


def static(*lines: AclLine) -> list[tuple[int, str]]:
    return [(index, str(prefix)) for index, prefix in static_destinations(acl(*lines))]


def part(found: AccessList, remote: str | TrafficSelector, *local: str | TrafficSelector) -> list[str]:
    one = sa((remote,), local)
    return [str(prefix) for prefix in permitted(found, one.remote_ts[0], one.local_ts)]


def test_e9_a_slash_24_minus_a_slash_26_is_two_prefixes() -> None:
    assert static(
        line("deny", "192.168.1.0/24", "10.0.99.0/26"),
        line("permit", "192.168.1.0/24", "10.0.99.0/24"),
    ) == [(1, "10.0.99.64/26"), (1, "10.0.99.128/25")]


def test_e9_a_deny_line_makes_no_route_and_takes_nothing_from_lines_before_it() -> None:
    assert static(
        line("permit", "192.168.1.0/24", "10.0.0.0/16"),
        line("deny", "192.168.1.0/24", "10.0.99.0/24"),
    ) == [(0, "10.0.0.0/16")]


def test_e9_several_deny_lines_in_any_order_take_together() -> None:
    assert static(
        line("deny", "192.168.1.0/24", "10.0.192.0/18"),
        line("deny", "192.168.0.0/16", "10.0.0.0/17"),
        line("deny", ANY, "10.0.128.0/19"),
        line("permit", "192.168.1.0/24", "10.0.0.0/16"),
    ) == [(3, "10.0.160.0/19")]


def test_e9_what_is_denied_as_a_whole_leaves_nothing() -> None:
    assert (
        static(
            line("deny", ANY, "10.0.0.0/8"),
            line("permit", "192.168.1.0/24", ("10.0.0.0/16", "10.9.0.0/16")),
        )
        == []
    )


@pytest.mark.parametrize(
    "deny",
    [
        line("deny", "192.168.1.7/32", "10.0.99.0/24"),
        line("deny", ANY, "10.0.99.0/24", protocol=6),
        line("deny", ANY, "10.0.99.0/24", protocol=17, ports=(53, 53)),
        line("deny", ANY, "10.0.99.0/24", ports=(0, 1023)),
        line("deny", ANY, "10.0.99.0/24", source_ports=(1024, 65535)),
        line("deny", "2001:db8::/32", ("10.0.99.0/24", "2001:db8:1::/48")),
    ],
    ids=["host", "protocol", "port", "low ports", "source ports", "other family"],
)
def test_e9_a_deny_line_that_takes_only_a_part_of_the_traffic_leaves_the_route(deny: AclLine) -> None:
    assert static(deny, line("permit", "192.168.1.0/24", "10.0.99.0/24")) == [(1, "10.0.99.0/24")]


def test_e9_a_deny_line_takes_what_is_narrower_than_it() -> None:
    assert static(
        line("deny", "192.168.0.0/16", "10.0.99.0/25", protocol=6, ports=(0, 1023), source_ports=(1000, 65535)),
        line("permit", "192.168.1.0/24", "10.0.99.0/24", protocol=6, ports=(80, 443), source_ports=(1024, 65535)),
    ) == [(1, "10.0.99.128/25")]


def test_e9_deny_lines_that_take_all_only_together_are_judged_alone() -> None:
    assert static(
        line("deny", "192.168.1.0/25", "10.0.99.0/24"),
        line("deny", "192.168.1.128/25", "10.0.99.0/24"),
        line("permit", "192.168.1.0/24", "10.0.99.0/24"),
    ) == [(2, "10.0.99.0/24")]


def test_e9_the_source_of_one_deny_line_may_be_several_prefixes_that_touch() -> None:
    assert (
        static(
            line("deny", ("192.168.1.0/25", "192.168.1.128/25"), "10.0.99.0/24"),
            line("permit", "192.168.1.0/24", "10.0.99.0/24"),
        )
        == []
    )


def test_e9_destinations_of_one_line_become_as_few_prefixes_as_can_be() -> None:
    wildcard = ("10.4.1.0/25", "10.4.1.128/25", "10.4.1.64/26", "10.4.3.0/24")
    assert static(line("permit", ANY, wildcard)) == [(0, "10.4.1.0/24"), (0, "10.4.3.0/24")]


def test_e9_permit_lines_take_nothing_from_each_other() -> None:
    assert static(line("permit", ANY, "10.0.0.0/8"), line("permit", ANY, "10.0.0.0/8")) == [
        (0, "10.0.0.0/8"),
        (1, "10.0.0.0/8"),
    ]


def test_e9_any_is_both_defaults_and_a_family_without_a_source_is_nothing() -> None:
    assert static(line("permit", ANY, ANY)) == [(0, "0.0.0.0/0"), (0, "::/0")]
    assert static(line("permit", "192.168.1.0/24", ANY)) == [(0, "0.0.0.0/0")]
    assert static(line("permit", "2001:db8:1::/48", ANY)) == [(0, "::/0")]


def test_e9_e14_ipv6_is_subtracted_as_ipv4_is() -> None:
    assert static(
        line("deny", ANY, "2001:db8:0:c000::/50"),
        line("permit", "2001:db8:ffff::/48", ("2001:db8::/48", "10.0.0.0/8")),
    ) == [(1, "2001:db8::/49"), (1, "2001:db8:0:8000::/50")]


def test_e9_any_minus_one_host() -> None:
    found = static(line("deny", ANY, "128.0.0.0/32"), line("permit", "192.168.1.1/32", ANY))
    assert found == [(1, "0.0.0.0/1"), *((1, str(one)) for one in range_to_prefixes(4, 0x80000001, 0xFFFFFFFF))]
    assert len(found) == 32


def test_an_empty_list_permits_nothing() -> None:
    assert static() == []
    assert part(acl(), "10.0.0.0/8") == []
    assert not covers(acl(), sa(("10.0.0.0/8",)))


def test_e9_permitted_is_what_is_left_of_the_selector() -> None:
    found = acl(
        line("deny", "192.168.1.0/24", "10.0.99.0/24"),
        line("permit", "192.168.1.0/24", "10.0.0.0/16"),
        line("permit", "192.168.1.0/24", "10.2.0.0/16"),
    )
    assert part(found, "10.0.98.0/23", "192.168.1.0/24") == ["10.0.98.0/24"]
    assert part(found, "10.0.5.0/24", "192.168.1.7/32") == ["10.0.5.0/24"]
    assert part(found, "10.0.255.255..10.2.0.1", "192.168.1.0/24") == ["10.0.255.255/32", "10.2.0.0/31"]
    assert part(found, "10.1.0.0/16", "192.168.1.0/24") == []
    assert part(found, "10.0.99.128/25", "192.168.1.0/24") == []


def test_e9_permitted_joins_what_several_lines_permit() -> None:
    found = acl(line("permit", ANY, "10.0.0.0/17"), line("permit", ANY, "10.0.128.0/17"))
    assert part(found, "10.0.0.0/16", "192.168.1.0/24") == ["10.0.0.0/16"]


def test_e9_an_sa_that_carries_more_than_a_deny_line_takes_keeps_its_route() -> None:
    found = acl(line("deny", "192.168.1.7/32", "10.0.99.0/24"), line("permit", "192.168.1.0/24", "10.0.0.0/16"))
    assert part(found, "10.0.99.0/24", "192.168.1.0/24") == ["10.0.99.0/24"]
    assert part(found, "10.0.99.0/24", "192.168.1.7/32") == []


def test_e9_a_deny_line_that_takes_all_of_a_permit_line_counts_for_an_sa_that_carries_more() -> None:
    found = acl(
        line("deny", "192.168.1.0/24", "10.0.99.0/24"),
        line("permit", "192.168.1.0/24", "10.0.0.0/16"),
        line("deny", ANY, "10.0.99.0/25"),
        line("permit", ANY, "10.0.99.0/24"),
    )
    assert part(found, "10.0.99.0/24", "0.0.0.0/0") == ["10.0.99.128/25"]


def test_e9_an_earlier_permit_line_of_a_part_is_enough_for_a_route() -> None:
    found = acl(
        line("permit", "192.168.1.7/32", "10.0.99.0/24"),
        line("deny", ANY, "10.0.0.0/16"),
        line("permit", ANY, "10.0.0.0/8"),
    )
    assert part(found, "10.0.0.0/15", "192.168.0.0/16") == ["10.0.99.0/24", "10.1.0.0/16"]
    assert part(found, "10.0.0.0/15", "192.168.2.0/24") == ["10.1.0.0/16"]


def test_unknown_local_selectors_may_be_any() -> None:
    found = acl(line("permit", "192.168.1.0/24", "10.0.0.0/16"), line("permit", ANY, "10.1.0.0/16"))
    assert part(found, "10.0.0.0/15") == ["10.0.0.0/15"]
    assert not covers(found, sa(("10.0.0.0/16",)))
    assert covers(found, sa(("10.1.0.0/16",)))


def test_local_selectors_of_another_family_or_protocol_carry_nothing_there() -> None:
    found = acl(line("permit", ANY, ANY))
    assert part(found, "10.0.0.0/16", "2001:db8::/32") == []
    assert part(found, ts("10.0.0.0/16", 6), ts("192.168.1.0/24", 17)) == []
    assert not covers(found, sa(("10.0.0.0/16",), ("2001:db8::/32",)))


def test_the_protocol_may_stand_on_either_side() -> None:
    found = acl(line("permit", ANY, "10.0.0.0/16", protocol=6))
    tcp, local_tcp = ts("10.0.0.0/16", 6), ts("192.168.1.0/24", 6)
    assert covers(found, sa((tcp,), ("192.168.1.0/24",)))
    assert covers(found, sa(("10.0.0.0/16",), (local_tcp,)))
    assert covers(found, sa(("10.0.0.0/16",), (local_tcp, ts("192.168.2.0/24", 6))))
    assert not covers(found, sa(("10.0.0.0/16",), ("192.168.1.0/24",)))
    assert not covers(found, sa(("10.0.0.0/16",), (local_tcp, ts("192.168.2.0/24", 17))))
    assert part(found, "10.0.0.0/16", local_tcp, ts("192.168.2.0/24", 17)) == ["10.0.0.0/16"]


def test_ports_of_several_local_selectors_count_as_one_range() -> None:
    found = acl(line("permit", ANY, "10.0.0.0/16", protocol=6, source_ports=(1024, 2048)))
    low, high = ts("192.168.1.0/24", 6, (1024, 1030)), ts("192.168.2.0/24", 6, (2000, 2048))
    assert covers(found, sa(("10.0.0.0/16",), (low, high)))
    assert not covers(found, sa(("10.0.0.0/16",), (low, ts("192.168.2.0/24", 6, (2000, 2049)))))
    assert not covers(found, sa(("10.0.0.0/16",), (ts("192.168.2.0/24", 6, (1023, 1030)), high)))


def test_ports_that_do_not_meet_permit_nothing() -> None:
    found = acl(line("permit", ANY, "10.0.0.0/16", protocol=6, ports=(80, 90), source_ports=(1024, 2048)))
    for low, high, expected in ((70, 79, []), (70, 80, ["10.0.0.0/16"]), (90, 99, ["10.0.0.0/16"]), (91, 99, [])):
        assert part(found, ts("10.0.0.0/16", 6, (low, high)), "192.168.1.0/24") == expected
    assert part(found, ts("10.0.0.0/16", 6), ts("192.168.1.0/24", 6, (0, 1023))) == []
    assert part(found, ts("10.0.0.0/16", 6), ts("192.168.1.0/24", 6, (2048, 2050))) == ["10.0.0.0/16"]
    assert part(found, ts("10.0.0.0/16", 17), "192.168.1.0/24") == []


def test_e2_an_sa_belongs_where_all_its_selectors_lie_within_permit_lines() -> None:
    found = acl(line("permit", "192.168.1.0/24", "10.0.0.0/16"), line("permit", "192.168.0.0/16", "10.1.0.0/16"))
    assert covers(found, sa(("10.0.0.0/16",), ("192.168.1.0/24",)))
    assert covers(found, sa(("10.0.3.0/24", "10.1.0.0/17"), ("192.168.1.7/32", "192.168.1.128/25")))
    assert covers(found, sa(("10.0.0.0/15",), ("192.168.1.0/24",)))
    assert not covers(found, sa(("10.0.0.0/15",), ("192.168.0.0/23",)))
    assert not covers(found, sa(("10.0.0.0/16",), ("192.168.0.0/16",)))
    assert not covers(found, sa(("10.0.0.0/16", "10.2.0.0/16"), ("192.168.1.0/24",)))
    assert not covers(found, sa(("2001:db8::/32",), ("192.168.1.0/24", "2001:db8:1::/48")))
    assert not covers(found, sa((), ("192.168.1.0/24",)))


def test_e2_an_sa_within_an_earlier_deny_line_does_not_belong() -> None:
    found = acl(
        line("deny", "192.168.1.0/24", "10.0.99.0/24"),
        line("permit", "192.168.1.0/24", "10.0.0.0/16"),
    )
    assert not covers(found, sa(("10.0.99.0/25",), ("192.168.1.0/24",)))
    assert not covers(found, sa(("10.0.0.0/24", "10.0.99.0/25"), ("192.168.1.0/24",)))
    assert covers(found, sa(("10.0.98.0/23",), ("192.168.1.0/24",)))
    assert covers(found, sa(("10.0.0.0/16",), ("192.168.1.0/24",)))


def test_e2_each_selector_is_judged_with_its_own_ports() -> None:
    found = acl(line("permit", ANY, "10.0.0.0/16", protocol=6, ports=(80, 443)))
    web, tls, mail = (ts("10.0.0.0/16", 6, (port, port)) for port in (80, 443, 25))
    assert covers(found, sa((web, tls), ("192.168.1.0/24",)))
    assert Permits(found).outside(sa((web, mail), ("192.168.1.0/24",))) == mail


def test_e2_selectors_of_several_protocols_are_each_judged_by_their_own() -> None:
    found = acl(line("permit", ANY, ("10.0.0.0/16", "2001:db8:1::/48"), protocol=6))
    tcp, udp = ts("10.0.0.0/16", 6), ts("10.0.0.0/16", 17)
    assert Permits(found).outside(sa((tcp, udp), ("192.168.1.0/24",))) == udp
    assert Permits(found).outside(sa((tcp, udp))) == udp
    assert covers(found, sa((tcp,)))
    six = ts("2001:db8:1::/48", 6)
    assert Permits(found).outside(sa((tcp, six), ("192.168.1.0/24",))) == six
    assert covers(found, sa((tcp, six), ("192.168.1.0/24", "2001:db8::/48")))


def test_a_list_tells_where_its_sas_can_be() -> None:
    found = Permits(
        acl(
            line("permit", ("192.168.1.0/25", "192.168.1.128/25"), "10.0.0.0/9"),
            line("deny", "172.16.0.0/12", "10.128.0.0/9"),
            line("permit", ("192.168.1.7/32", "2001:db8::/32"), ("10.128.0.0/9", "2001:db8:1::/48")),
        )
    )
    assert [str(one) for one in found.source_prefixes()] == ["192.168.1.0/24", "2001:db8::/32"]
    assert [str(one) for one in found.destination_prefixes()] == ["10.0.0.0/8", "2001:db8:1::/48"]
