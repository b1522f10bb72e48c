"""Where routes point, upstream and in the kernel (rules N1-N10), on the incremental table and the intended routes."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

import pytest

from rri_bgp.model import Attributes, LineKey, SaKey, VrfPrefix
from rri_bgp.rri import Rib
from rri_bgp.rri.entries import MapEntry, Match, NeighborPolicy, Overlap, PortProxies, RemotePeer, Vrf, tag_attributes
from rri_bgp.rri.kernel import Gateway, Hop, IfId, Interface, KernelRoute, Peer, intended
from tests.unit.rri.tables import down, next_hop, reasons, table, text, up
from tests.values import HUB4, HUB6, acl, entry, pfx, policy, sa, ts

PEER = ip_address("203.0.113.2")
ELSEWHERE = ip_address("192.0.2.9")
RED = Vrf("red", 10, "65000:1", (0x0002FDE800000001,))
BLUE = Vrf("blue", 20)


def kernel(rib: Rib) -> dict[tuple[str, str], KernelRoute]:
    """The intended kernel routes by VRF and prefix; each is there once."""
    routes = list(intended(rib))
    found = {(route.vrf, str(route.prefix)): route for route in routes}
    assert len(found) == len(routes)
    return found


def hops(routes: Iterable[KernelRoute]) -> dict[tuple[str, str], tuple[Hop, ...]]:
    return {(route.vrf, str(route.prefix)): route.hops for route in routes}


def test_n1_n9_the_path_points_at_the_hub_in_the_family_of_the_prefix() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.0.0/16", "2001:db8:1::/48"))
    assert {str(r.destination): r.path.next_hop for r in rib.routes()} == {"10.1.0.0/16": HUB4, "2001:db8:1::/48": HUB6}


def test_n1_in_the_kernel_a_proxy_leads_to_the_peer() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.0.0/16"))
    assert list(intended(rib)) == [
        KernelRoute("", pfx("10.1.0.0/16"), (Peer(PEER),), 1, (SaKey("vici", 1),), ("N1", "N7"))
    ]


def test_n1_a_static_line_leads_to_the_first_peer() -> None:
    lines = acl("permit any 10.1.0.0/16")
    rib = Rib(policy(entry(peers=("203.0.113.2", "203.0.113.3"), static=True, access_list=lines)))
    route = kernel(rib)["", "10.1.0.0/16"]
    assert (route.hops, route.owners) == ((Peer(PEER),), (LineKey("mymap 10", 0),))


def test_n1_a_flow_is_no_kernel_route() -> None:
    rib = Rib(policy(entry(port_proxies=PortProxies.FLOWSPEC, remote_peer=RemotePeer())))
    up(rib, sa(1, ts("10.1.0.0/16", 6, (443, 443))))
    assert kernel(rib) == {}
    up(rib, sa(2, "10.2.0.0/16", peer="203.0.113.3"))
    assert set(kernel(rib)) == {("", "10.2.0.0/16"), ("", "203.0.113.3/32")}


def test_n2_remote_peer_gives_a_route_to_the_peer_over_the_interface_of_the_map() -> None:
    rib = Rib(policy(entry(remote_peer=RemotePeer(), interface="eth0", distance=10)))
    up(rib, sa(1, "10.1.0.0/16", "10.2.0.0/16"), sa(2, "10.3.0.0/16"))
    found = kernel(rib)
    assert hops(found.values()) == {
        ("", "10.1.0.0/16"): (Peer(PEER),),
        ("", "10.2.0.0/16"): (Peer(PEER),),
        ("", "10.3.0.0/16"): (Peer(PEER),),
        ("", "203.0.113.2/32"): (Interface("eth0"),),
    }
    host = found["", "203.0.113.2/32"]
    assert (host.owners, host.rules) == ((SaKey("vici", 1), SaKey("vici", 2)), ("N2", "N7"))


def test_n2_the_route_to_the_peer_goes_with_its_last_sa() -> None:
    rib = Rib(policy(entry(remote_peer=RemotePeer(), interface="eth0")))
    one, other = sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16")
    up(rib, one, other)
    down(rib, one)
    assert kernel(rib)["", "203.0.113.2/32"].owners == (other.key,)
    down(rib, other)
    assert kernel(rib) == {}


def test_n2_the_entry_that_is_tried_first_says_where_a_peer_is() -> None:
    first = entry(10, connection="a", remote_peer=RemotePeer(), interface="eth1")
    rib = Rib(policy(first, entry(20, remote_peer=RemotePeer(), interface="eth2")))
    up(rib, sa(1, "10.2.0.0/16"), sa(2, "10.1.0.0/16", connection="a"))
    assert kernel(rib)["", "203.0.113.2/32"].hops == (Interface("eth1"),)


def test_n3_remote_peer_with_an_address_is_one_route_to_that_address() -> None:
    rib = Rib(policy(entry(remote_peer=RemotePeer(ELSEWHERE))))
    up(rib, sa(1, "10.1.0.0/16", if_id=5))
    assert hops(intended(rib)) == {("", "10.1.0.0/16"): (Gateway(ELSEWHERE),)}
    assert kernel(rib)["", "10.1.0.0/16"].rules == ("N3", "N7")


def test_n4_remote_peer_with_a_gateway_is_a_route_to_the_peer_over_that_gateway() -> None:
    rib = Rib(policy(entry(remote_peer=RemotePeer(ELSEWHERE, gateway=True))))
    up(rib, sa(1, "10.1.0.0/16"))
    assert hops(intended(rib)) == {
        ("", "10.1.0.0/16"): (Peer(PEER),),
        ("", "203.0.113.2/32"): (Gateway(ELSEWHERE),),
    }
    assert kernel(rib)["", "203.0.113.2/32"].rules == ("N4", "N7")


def test_n5_an_sa_with_an_interface_id_leads_into_that_interface() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.0.0/16", if_id=5))
    assert hops(intended(rib)) == {("", "10.1.0.0/16"): (IfId(5),)}


def test_n5_equal_owners_share_a_kernel_route_where_the_entry_says_ecmp() -> None:
    rib = Rib(policy(entry(overlap=Overlap.ECMP)))
    up(rib, sa(1, "10.1.0.0/16"), sa(2, "10.1.0.0/16", peer="203.0.113.3"), sa(3, "10.1.0.0/16"))
    assert kernel(rib)["", "10.1.0.0/16"].hops == (Peer(PEER), Peer(ip_address("203.0.113.3")))


def test_n5_a_route_to_the_peer_is_never_into_its_own_tunnel() -> None:
    guard = entry().guard
    rib = Rib(policy(entry(remote_peer=RemotePeer(), interface="eth0", guard=guard)))
    up(rib, sa(1, "10.1.0.0/16"), sa(2, "203.0.113.2/32", peer="203.0.113.3"))
    assert kernel(rib)["", "203.0.113.2/32"].hops == (Interface("eth0"),)


def test_n6_a_vrf_has_its_own_routes_and_one_prefix_may_be_in_two() -> None:
    red = entry(10, match=Match(connection="red"), vrf="red", front_vrf="outside", remote_peer=RemotePeer())
    rib = Rib(policy(red, entry(20, connection="blue", vrf="blue"), entry(30), vrfs=(RED, BLUE)))
    up(
        rib,
        sa(1, "10.1.0.0/16", connection="red"),
        sa(2, "10.1.0.0/16", connection="blue"),
        sa(3, "10.1.0.0/16"),
    )
    assert set(rib.destinations()) == {
        VrfPrefix("red", pfx("10.1.0.0/16")), VrfPrefix("blue", pfx("10.1.0.0/16")), pfx("10.1.0.0/16"),
    }  # fmt: skip
    found = kernel(rib)
    assert set(found) == {
        ("red", "10.1.0.0/16"), ("blue", "10.1.0.0/16"), ("", "10.1.0.0/16"), ("outside", "203.0.113.2/32"),
    }  # fmt: skip
    assert found["red", "10.1.0.0/16"].rules == ("N2", "N6", "N7")
    assert found["outside", "203.0.113.2/32"].rules == ("N2", "N6", "N7")


def test_n7_the_distance_is_the_metric_of_both_routes() -> None:
    rib = Rib(policy(entry(remote_peer=RemotePeer(), distance=30)))
    up(rib, sa(1, "10.1.0.0/16"))
    assert {route.distance for route in intended(rib)} == {30}


def test_n8_tags_become_communities() -> None:
    assert tag_attributes(65000, 100, {}) == Attributes(((65000, 100),), ((65000, 1, 100),))
    assert tag_attributes(65000, 0, {}) == Attributes(((65000, 0),), ((65000, 1, 0),))
    assert tag_attributes(65000, None, {}) == Attributes()


def test_n8_what_does_not_fit_16_bits_goes_as_a_large_community_alone() -> None:
    assert tag_attributes(65000, 65536, {}) == Attributes((), ((65000, 1, 65536),))
    assert tag_attributes(65000, 4294967295, {}) == Attributes((), ((65000, 1, 4294967295),))
    assert tag_attributes(4200000000, 100, {}) == Attributes((), ((4200000000, 1, 100),))


def test_n8_the_table_adds_to_what_a_tag_gives() -> None:
    row = Attributes(((65000, 7), (65000, 100)), ((65000, 2, 9),), med=5, local_preference=200)
    assert tag_attributes(65000, 100, {100: row}) == Attributes(
        ((65000, 100), (65000, 7)), ((65000, 1, 100), (65000, 2, 9)), med=5, local_preference=200
    )


def test_n8_tag_0_is_not_no_tag() -> None:
    zero, none = entry(10, tag=0), entry(10)
    assert (zero.tag, none.tag, entry(reverse_route=False).tag) == (0, None, None)
    rib = Rib(policy(zero))
    up(rib, sa(1, "10.1.0.0/16"))
    assert text(rib.take_policy(policy(none))) == {"10.1.0.0/16"}


def test_n8_another_entry_with_the_same_path_is_a_change_where_neighbours_are_given_some_of_them() -> None:
    hub = NeighborPolicy(ELSEWHERE, entries=frozenset((0,)))
    for neighbors, changed in (((), set()), ((hub,), {"10.1.0.0/16"})):
        rib = Rib(policy(entry(10, connection="a"), entry(20), neighbors=neighbors))
        up(rib, sa(1, "10.1.0.0/16"))
        assert up(rib, sa(2, "10.1.0.0/16", connection="a")) == changed
        assert up(rib, sa(3, "10.1.0.0/16", connection="a")) == set()


def test_n8_another_entry_counts_where_either_policy_gives_neighbours_some_of_them() -> None:
    hub = NeighborPolicy(ELSEWHERE, entries=frozenset((0,)))
    for before, after in (((), (hub,)), ((hub,), ()), ((hub,), (hub,))):
        rib = Rib(policy(entry(10), neighbors=before))
        up(rib, sa(1, "10.1.0.0/16"))
        assert rib.take_policy(policy(entry(10), neighbors=after)) == set()
        assert text(rib.take_policy(policy(entry(20), neighbors=before))) == {"10.1.0.0/16"}


def test_n9_a_family_without_a_next_hop_is_refused_and_said() -> None:
    rib = Rib(policy(entry(versions=(4,))))
    up(rib, sa(1, "10.1.0.0/16", "2001:db8:1::/48"))
    assert table(rib) == {"10.1.0.0/16"}
    assert reasons(rib) == [("N9", "entry mymap 10 (hub.yaml:10) has no IPv6 next hop")]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (entry(), str(HUB4)),
        (entry(next_hops={4: ELSEWHERE}), "192.0.2.9"),
        (entry(next_hops=None), "203.0.113.2"),
    ],
    ids=["self", "fixed", "peer"],
)
def test_n9_the_next_hop_is_self_or_fixed_or_the_peer(one: MapEntry, expected: str) -> None:
    rib = Rib(policy(one))
    up(rib, sa(1, "10.1.0.0/16"))
    assert next_hop(rib, pfx("10.1.0.0/16")) == expected


def test_n9_a_peer_of_the_other_family_is_no_next_hop() -> None:
    rib = Rib(policy(entry(next_hops=None)))
    up(rib, sa(1, "2001:db8:1::/48", "10.1.0.0/16"))
    assert table(rib) == {"10.1.0.0/16"}
    assert reasons(rib) == [
        ("N9", "the peer 203.0.113.2 is no next hop for 2001:db8:1::/48: it is of the other family")
    ]


def test_n10_the_route_targets_of_the_vrf_are_extended_communities() -> None:
    extra = Attributes(extended_communities=(0x0002FDE800000009, *RED.route_targets))
    rib = Rib(policy(entry(vrf="red", attributes=extra), vrfs=(RED,)))
    up(rib, sa(1, "10.1.0.0/16"))
    path = rib.path(VrfPrefix("red", pfx("10.1.0.0/16")))
    assert path is not None
    assert path.attributes.extended_communities == (0x0002FDE800000009, 0x0002FDE800000001)
    assert text(rib.take_policy(policy(entry(vrf="red", attributes=extra), vrfs=(Vrf("red", 10, "65000:1"),)))) == set()
    assert text(rib.take_policy(policy(entry(vrf="red"), vrfs=(RED,)))) == {"10.1.0.0/16 vrf red"}
