"""What should be where, and what it leads to."""

from __future__ import annotations

from ipaddress import ip_address

from rri_bgp.model import FlowRule, Path, VrfPrefix
from rri_bgp.rri import Rib
from rri_bgp.rri.entries import Policy, RemotePeer, Vrf
from rri_bgp.rri.kernel import Gateway, Interface, Peer
from rri_bgp.sinks.kernel.gate import Gate
from rri_bgp.sinks.kernel.kernel import MAIN, Spot
from rri_bgp.sinks.kernel.resolve import Target
from rri_bgp.sinks.kernel.wishes import Wish, Wishes
from tests.values import HUB4, entry, pfx, policy, sa
from tests.wanted import Wanted

NET, PEER = pfx("10.1.0.0/16"), ip_address("203.0.113.2")
HOST = pfx("203.0.113.2/32")
VRFS = (Vrf("red", 10), Vrf("outside", 20))


def wishes(rules: Policy, table: int = MAIN) -> Wishes:
    rib = Rib(rules)
    rib.update({one.key: one for one in [sa(1, "10.1.0.0/16")]})
    made = Wishes(rib, table)
    made.take_policy(rules)
    return made


def test_n1_a_network_leads_to_its_peer() -> None:
    made = wishes(policy(entry(distance=20)))
    assert made.touched([NET]) == ([Spot(MAIN, NET)], [])
    assert made.at(Spot(MAIN, NET)) == Wish(20, (Target(Peer(PEER), ""),), crosses=False)
    assert made.at(Spot(MAIN, HOST)) is None
    assert made.redirected("", PEER) is None


def test_n6_the_default_vrf_has_the_table_of_the_sink() -> None:
    made = wishes(policy(), table=100)
    assert made.at(Spot(100, NET)) is not None
    assert made.at(Spot(MAIN, NET)) is None
    assert (made.destination(Spot(100, NET)), made.destination(Spot(MAIN, NET))) == (NET, None)


def test_n6_a_network_in_one_vrf_and_its_peer_in_another() -> None:
    made = wishes(policy(entry(vrf="red", front_vrf="outside"), vrfs=VRFS))
    assert made.at(Spot(10, NET)) == Wish(1, (Target(Peer(PEER), "outside"),), crosses=True)
    assert made.destination(Spot(10, NET)) == VrfPrefix("red", NET) is not None
    assert made.spot_of(VrfPrefix("red", NET)) == Spot(10, NET)
    assert made.spot_of(FlowRule(NET, 6, (443, 443))) is None


def test_n2_the_peers_own_route_comes_first_and_says_where_it_is() -> None:
    rules = policy(entry(remote_peer=RemotePeer(), interface="eth1", vrf="red", front_vrf="outside"), vrfs=VRFS)
    made = wishes(rules)
    assert made.touched([VrfPrefix("red", NET)]) == ([Spot(20, HOST), Spot(10, NET)], [("outside", PEER)])
    assert made.at(Spot(20, HOST)) == Wish(1, (Target(Interface("eth1"), "outside", PEER),), crosses=False)
    assert made.redirected("outside", PEER) == Interface("eth1")
    assert made.redirected("", PEER) is None


def test_n3_n4_an_address_that_the_policy_names() -> None:
    address = ip_address("192.0.2.5")
    plain = wishes(policy(entry(remote_peer=RemotePeer(address))))
    assert plain.at(Spot(MAIN, NET)) == Wish(1, (Target(Gateway(address), ""),))
    assert plain.redirected("", PEER) is None
    gateway = wishes(policy(entry(remote_peer=RemotePeer(address, gateway=True))))
    gateway.touched([NET])
    assert gateway.redirected("", PEER) == Gateway(address)
    assert gateway.at(Spot(MAIN, HOST)) == Wish(1, (Target(Gateway(address), "", PEER),))


def test_e4_vrfs_that_are_no_more_are_told_and_what_was_open_in_them_is_not() -> None:
    made = wishes(policy(entry(vrf="red"), vrfs=VRFS))
    assert set(made.take_policy(policy())) == {"red", "outside"}
    rib = Wanted({NET: Path(HUB4), VrfPrefix("red", NET): Path(HUB4)})
    gate = Gate(rib)
    for one in rib:
        gate.open(one)
    gate.forget({"red", "outside"})
    assert list(gate.destinations()) == [NET]
