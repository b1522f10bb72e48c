"""Which places of the kernel to look at again when something has changed, and what should be there (N1-N7, E6, E13)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from rri_bgp.model import FlowRule, LineKey, SaKey, SaPair, VrfPrefix
from rri_bgp.rri import Policy, Rib, Surroundings
from rri_bgp.rri.entries import Group, Guard, Match, Overlap, PortProxies, RemotePeer, Vrf
from rri_bgp.rri.kernel import (
    Gateway,
    Hop,
    IfId,
    Interface,
    KernelKey,
    KernelRoute,
    KernelTable,
    Mark,
    Peer,
    destination_of,
    key_of,
)
from tests.unit.rri.tables import down, text, up
from tests.values import acl, entry, pfx, policy, sa, ts

NET = KernelKey("", pfx("10.1.0.0/16"))
PEER, OTHER = ip_address("203.0.113.2"), ip_address("203.0.113.3")
TO_PEER, TO_OTHER = (KernelKey("", pfx(f"{address}/32")) for address in (PEER, OTHER))
VIA = ip_address("192.0.2.9")


class Watched:
    """A table that is followed as a sink does it."""

    def __init__(self, rules: Policy, *pairs: SaPair, around: Surroundings | None = None) -> None:
        self.rib = Rib(rules, around)
        self.rib.track()
        up(self.rib, *pairs)
        self.rib.take_touched()
        self.table = KernelTable(self.rib)
        assert self.table.changed(self.rib.destinations()) == set(self.table.keys())

    def told(self) -> set[KernelKey]:
        return self.table.changed(self.rib.take_touched())

    def take_policy(self, rules: Policy) -> set[KernelKey]:
        self.rib.take_policy(rules)
        self.table.take_policy()
        return self.table.changed(self.rib.destinations()) | self.told()

    def up(self, *pairs: SaPair) -> set[KernelKey]:
        up(self.rib, *pairs)
        return self.told()

    def down(self, *pairs: SaPair) -> set[KernelKey]:
        down(self.rib, *pairs)
        return self.told()

    def hops(self, key: KernelKey) -> tuple[Hop, ...]:
        route = self.table.route(key)
        return () if route is None else route.hops

    def all_hops(self) -> dict[KernelKey, tuple[Hop, ...]]:
        return {key: self.hops(key) for key in list(self.table.keys())}


def test_n6_the_place_of_a_destination() -> None:
    red = VrfPrefix("red", pfx("10.1.0.0/16"))
    assert (key_of(pfx("10.1.0.0/16")), key_of(red)) == (NET, KernelKey("red", pfx("10.1.0.0/16")))
    assert key_of(FlowRule(pfx("10.1.0.0/16"), 6, (443, 443))) is None
    assert (destination_of(NET), destination_of(KernelKey(*red))) == (pfx("10.1.0.0/16"), red)
    assert isinstance(destination_of(KernelKey(*red)), VrfPrefix)


def test_n1_a_table_knows_of_nothing_until_it_is_told() -> None:
    rib = Rib(policy(entry(remote_peer=RemotePeer())))
    rib.track()
    table = KernelTable(rib)
    assert table.changed(rib.take_touched()) == set()
    up(rib, sa(1, "10.1.0.0/16"))
    assert table.route(TO_PEER) is None
    assert table.changed(rib.take_touched()) == {NET, TO_PEER}
    assert table.route(TO_PEER) is not None


def test_n1_nothing_is_kept_before_somebody_follows() -> None:
    rib = Rib(policy())
    up(rib, sa(1, "10.1.0.0/16"))
    assert rib.take_touched() == set()
    rib.track()
    assert rib.take_touched() == set()
    up(rib, sa(2, "10.2.0.0/16"))
    rib.track()
    assert text(rib.take_touched()) == {"10.2.0.0/16"}
    assert rib.take_touched() == set()


def test_n1_a_route_comes_and_goes_with_its_owner() -> None:
    one = sa(1, "10.1.0.0/16")
    watched = Watched(policy())
    assert watched.up(one) == {NET}
    assert watched.table.route(NET) == KernelRoute("", NET.prefix, (Peer(PEER),), 1, (one.key,), ("N1", "N7"))
    assert watched.down(one) == {NET}
    assert (watched.table.route(NET), list(watched.table.keys())) == (None, [])


def test_n1_a_peer_that_moves_is_no_news_upstream_and_is_in_the_kernel() -> None:
    watched = Watched(policy(), sa(1, "10.1.0.0/16", "10.2.0.0/16"))
    moved = sa(1, "10.1.0.0/16", "10.2.0.0/16", peer="203.0.113.3")
    assert up(watched.rib, moved) == set()
    assert watched.told() == {NET, KernelKey("", pfx("10.2.0.0/16"))}
    assert watched.hops(NET) == (Peer(OTHER),)
    assert watched.up(sa(2, "10.1.0.0/16", peer="203.0.113.3")) == set()


def test_n1_a_line_whose_peer_resolves_otherwise() -> None:
    lines = acl("permit any 10.1.0.0/16")
    rules = policy(entry(peers=("hub.example.org",), static=True, access_list=lines))
    watched = Watched(rules, around=Surroundings(names={"hub.example.org": (PEER,)}))
    assert watched.rib.take_surroundings(Surroundings(names={"hub.example.org": (OTHER,)})) == set()
    assert watched.told() == {NET}
    route = watched.table.route(NET)
    assert route is not None
    assert (route.hops, route.owners) == ((Peer(OTHER),), (LineKey("mymap 10", 0),))
    assert watched.rib.take_surroundings(Surroundings(names={"hub.example.org": (OTHER, PEER)})) == set()
    assert watched.told() == set()


def test_n1_a_flow_has_no_place_and_wants_no_route_to_its_peer() -> None:
    watched = Watched(policy(entry(port_proxies=PortProxies.FLOWSPEC, remote_peer=RemotePeer())))
    assert watched.up(sa(1, ts("10.1.0.0/16", 6, (443, 443)))) == set()
    assert list(watched.table.keys()) == []


def test_n2_the_route_to_a_peer_stays_with_the_last_that_wants_it() -> None:
    one, other = sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16")
    watched = Watched(policy(entry(remote_peer=RemotePeer(), interface="eth0")))
    assert watched.up(one) == {NET, TO_PEER}
    assert watched.up(other) == {KernelKey("", pfx("10.2.0.0/16"))}
    route = watched.table.route(TO_PEER)
    assert route is not None
    assert (route.hops, route.owners) == ((Interface("eth0"),), (one.key, other.key))
    assert watched.down(one) == {NET}
    assert watched.down(other) == {KernelKey("", pfx("10.2.0.0/16")), TO_PEER}
    assert watched.table.route(TO_PEER) is None


def test_n2_a_route_to_a_peer_is_its_owners_alone() -> None:
    rules = policy(entry(10, connection="a", remote_peer=RemotePeer()), entry(20))
    one, other, plain = (
        sa(1, "10.1.0.0/16", connection="a"),
        sa(2, "10.1.0.0/16", peer="203.0.113.3"),
        sa(3, "10.1.0.0/16"),
    )
    watched = Watched(rules, one, replace(other, connection="a"), plain)
    assert [route and route.owners for route in map(watched.table.route, (TO_PEER, TO_OTHER))] == [
        (one.key,),
        (other.key,),
    ]
    assert watched.up(replace(other, peer=PEER)) == {NET, TO_OTHER}


def test_n2_a_peer_that_moves_takes_its_route_along() -> None:
    watched = Watched(policy(entry(remote_peer=RemotePeer())), sa(1, "10.1.0.0/16"))
    assert watched.up(sa(1, "10.1.0.0/16", peer="203.0.113.3")) == {NET, TO_PEER, TO_OTHER}
    assert set(watched.table.keys()) == {NET, TO_OTHER}


def test_n2_n5_where_a_peers_address_is_a_proxy_too_the_route_to_the_peer_counts() -> None:
    watched = Watched(policy(entry(remote_peer=RemotePeer(), interface="eth0")))
    hidden, one = sa(1, "203.0.113.2/32", peer="203.0.113.3"), sa(2, "10.1.0.0/16")
    assert watched.up(hidden) == {TO_PEER, TO_OTHER}
    assert watched.hops(TO_PEER) == (Peer(OTHER),)
    assert watched.up(one) == {NET, TO_PEER}
    assert watched.hops(TO_PEER) == (Interface("eth0"),)
    assert set(watched.table.keys()) == {NET, TO_PEER, TO_OTHER}
    assert watched.down(one) == {NET, TO_PEER}
    assert watched.hops(TO_PEER) == (Peer(OTHER),)


def test_n2_the_entry_that_is_tried_first_says_where_a_peer_is_as_long_as_it_wants_a_route() -> None:
    first = entry(10, connection="a", remote_peer=RemotePeer(), interface="eth1")
    watched = Watched(policy(first, entry(20, remote_peer=RemotePeer(), interface="eth2")), sa(1, "10.1.0.0/16"))
    assert watched.hops(TO_PEER) == (Interface("eth2"),)
    one = sa(2, "10.2.0.0/16", connection="a")
    assert watched.up(one) == {KernelKey("", pfx("10.2.0.0/16")), TO_PEER}
    assert watched.hops(TO_PEER) == (Interface("eth1"),)
    assert watched.down(one) == {KernelKey("", pfx("10.2.0.0/16")), TO_PEER}
    assert watched.hops(TO_PEER) == (Interface("eth2"),)
    same = sa(3, "10.1.0.0/16", connection="a")
    assert watched.up(same) == {NET, TO_PEER}
    assert watched.hops(TO_PEER) == (Interface("eth1"),)


def test_n3_n4_what_the_policy_says_of_a_peer() -> None:
    to_address = Watched(policy(entry(remote_peer=RemotePeer(VIA))), sa(1, "10.1.0.0/16", mark=7))
    assert to_address.all_hops() == {NET: (Gateway(VIA),)}
    by_gateway = Watched(policy(entry(remote_peer=RemotePeer(VIA, gateway=True))), sa(1, "10.1.0.0/16"))
    assert by_gateway.all_hops() == {NET: (Peer(PEER),), TO_PEER: (Gateway(VIA),)}


def test_n5_an_sa_with_another_device() -> None:
    watched = Watched(policy(), sa(1, "10.1.0.0/16"))
    assert watched.up(sa(1, "10.1.0.0/16", mark=7)) == {NET}
    assert watched.hops(NET) == (Mark(7, PEER),)
    assert watched.up(sa(1, "10.1.0.0/16", mark=8)) == {NET}
    assert watched.hops(NET) == (Mark(8, PEER),)
    assert watched.up(sa(1, "10.1.0.0/16", mark=8, if_id=5)) == {NET}
    assert watched.hops(NET) == (IfId(5),)
    assert watched.up(sa(1, "10.1.0.0/16", mark=8, if_id=5, state="REKEYING")) == set()


def test_n6_one_prefix_in_two_vrfs_is_two_places() -> None:
    red = entry(10, match=Match(connection="red"), vrf="red", front_vrf="outside", remote_peer=RemotePeer())
    rules = policy(red, entry(20), vrfs=(Vrf("red", 10), Vrf("outside", 20)))
    watched = Watched(rules, sa(1, "10.1.0.0/16", connection="red"))
    in_red, outside = KernelKey("red", NET.prefix), KernelKey("outside", TO_PEER.prefix)
    assert set(watched.table.keys()) == {in_red, outside}
    assert watched.up(sa(2, "10.1.0.0/16", peer="203.0.113.3")) == {NET}
    assert (watched.hops(NET), watched.hops(in_red)) == ((Peer(OTHER),), (Peer(PEER),))


def test_n7_another_distance_is_another_policy() -> None:
    watched = Watched(policy(entry(remote_peer=RemotePeer())), sa(1, "10.1.0.0/16"))
    assert watched.take_policy(policy(entry(remote_peer=RemotePeer(), distance=20))) == {NET, TO_PEER}
    assert [route and route.distance for route in map(watched.table.route, (NET, TO_PEER))] == [20, 20]
    assert watched.told() == set()


def test_e4_another_policy_has_other_places() -> None:
    watched = Watched(policy(entry(remote_peer=RemotePeer())), sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16"))
    told = watched.take_policy(policy(entry(vrf="red"), vrfs=(Vrf("red", 10),)))
    here = {KernelKey("red", pfx("10.1.0.0/16")), KernelKey("red", pfx("10.2.0.0/16"))}
    assert told == {NET, KernelKey("", pfx("10.2.0.0/16")), TO_PEER, *here}
    assert set(watched.table.keys()) == here
    watched.down(sa(1))
    assert set(watched.table.keys()) == {KernelKey("red", pfx("10.2.0.0/16"))}


def test_e6_a_rekey_touches_nothing() -> None:
    old = sa(1, "10.1.0.0/16", since=5)
    watched = Watched(policy(entry(remote_peer=RemotePeer())), old)
    new = replace(old, key=SaKey("vici", 2), first=1)
    assert watched.up(new) == set()
    assert watched.down(old) == set()
    route = watched.table.route(NET)
    assert route is not None
    assert route.owners == (new.key,)


def test_e6_a_new_pair_in_the_place_of_the_old_one_in_one_change() -> None:
    old = sa(1, "10.1.0.0/16", since=5)
    watched = Watched(policy(), old)
    new = replace(old, key=SaKey("vici", 2), first=1)
    for peer, told in ((PEER, set()), (OTHER, {NET})):
        watched.rib.update({old.key: None, new.key: replace(new, peer=peer)})
        assert watched.told() == told
        watched.rib.update({old.key: old, new.key: None})
        watched.told()


def test_n9_all_that_is_news_upstream_is_looked_at() -> None:
    group = Group("pair", (ip_address("198.51.100.9"),), standby_med=200)
    watched = Watched(policy(entry(redundancy="pair"), groups=(group,)), sa(1, "10.1.0.0/16"))
    assert text(watched.rib.take_surroundings(Surroundings(held=frozenset(("pair",))))) == {"10.1.0.0/16"}
    assert watched.told() == {NET}


def test_e13_an_equal_path_through_another_peer_is_news_for_the_kernel_alone() -> None:
    watched = Watched(policy(), sa(1, "10.1.0.0/16"))
    other = sa(2, "10.1.0.0/16", peer="203.0.113.3")
    assert up(watched.rib, other) == set()
    assert watched.told() == {NET}
    assert watched.hops(NET) == (Peer(OTHER),)
    assert watched.down(other) == {NET}
    assert watched.hops(NET) == (Peer(PEER),)


def test_e13_all_that_share_a_route_are_its_hops() -> None:
    watched = Watched(policy(entry(overlap=Overlap.ECMP)), sa(1, "10.1.0.0/16"))
    other = sa(2, "10.1.0.0/16", peer="203.0.113.3")
    assert watched.up(other) == {NET}
    assert watched.hops(NET) == (Peer(OTHER), Peer(PEER))
    assert watched.up(sa(1, "10.1.0.0/16", is_held=True)) == {NET}
    assert watched.hops(NET) == (Peer(OTHER),)
    assert watched.up(sa(1, "10.1.0.0/16"), replace(other, is_held=True)) == {NET}
    assert watched.hops(NET) == (Peer(PEER),)


def test_g1_a_limit_that_changes_the_owner_is_news_for_the_kernel() -> None:
    first = entry(10, connection="a", guard=Guard(max_routes=1))
    watched = Watched(policy(first, entry(20)), sa(9, "10.1.0.0/16", peer="203.0.113.3"))
    one, two = sa(1, "10.0.0.0/16", connection="a"), sa(2, "10.1.0.0/16", connection="a")
    watched.up(one, two)
    assert watched.hops(NET) == (Peer(OTHER),)
    assert watched.down(one) == {KernelKey("", pfx("10.0.0.0/16")), NET}
    assert watched.hops(NET) == (Peer(PEER),)


def test_g1_what_comes_and_is_displaced_within_one_change_is_no_news() -> None:
    first = entry(10, connection="a", guard=Guard(max_routes=1))
    watched = Watched(policy(first, entry(20)), sa(8, "10.3.0.0/16"))
    young, old = sa(2, "10.2.0.0/16", connection="a"), sa(1, "10.1.0.0/16", connection="a")
    taking_over, there = sa(9, "10.3.0.0/16", peer="203.0.113.3"), KernelKey("", pfx("10.3.0.0/16"))
    assert watched.up(young, old, taking_over) == {NET, there}
    assert set(watched.table.keys()) == {NET, there}
