"""From a hop of the policy's to gateway and device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import pytest

from rri_bgp.model import Address
from rri_bgp.rri.kernel import Gateway, Hop, IfId, Interface, Mark, Peer
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel.devices import Devices
from rri_bgp.sinks.kernel.kernel import MAIN, Question, Refusal, Spot
from rri_bgp.sinks.kernel.mirror import Mirror
from rri_bgp.sinks.kernel.resolve import Resolver, Target, Way, via_for
from rri_bgp.sinks.kernel.wire import UNICAST, LinkNews, Nexthop, RouteNews, Via
from tests.kernels import ETH0, ETH1, OURS, STATIC, ModelKernel, link, via
from tests.values import pfx

PEER, FAR = ip_address("192.0.2.7"), ip_address("203.0.113.9")
SIX = ip_address("2001:db8::7")
SPOT = Spot(MAIN, pfx("10.1.0.0/16"))
VRF, XFRM, VTI = 7, 8, 9
LINKS = [
    link(ETH0, "eth0"), link(ETH1, "eth1"), link(VRF, "outside", table=20), link(XFRM, "ipsec42", if_id=42),
    link(VTI, "vti7", mark=7),
]  # fmt: skip


def answer(way: Via, *, prefix: str = "0.0.0.0/0", protocol: int = STATIC, kind: int = UNICAST) -> RouteNews:
    return RouteNews(Place(MAIN, pfx(prefix), 0), protocol, way, kind, gone=False, sequence=1, port=0)


class Scripted:
    """A kernel that answers as the test says."""

    def __init__(self, answers: Mapping[Question, RouteNews]) -> None:
        self.answers = answers
        self.asked: list[Question] = []

    def change(self, changes: object) -> Mapping[int, Refusal]:
        raise NotImplementedError

    def ask(self, questions: Sequence[Question]) -> Sequence[RouteNews | Refusal]:
        self.asked += questions
        return [self.answers.get(one, Refusal(101, "Network is unreachable")) for one in questions]


class Stage:
    def __init__(
        self,
        answers: Mapping[Question, RouteNews] | None = None,
        *,
        links: list[LinkNews] | None = None,
        pointed: Mapping[Address, Hop] | None = None,
    ) -> None:
        self.kernel = Scripted(answers or {})
        self.mirror = Mirror(OURS, {MAIN})
        devices = Devices()
        devices.take_all(LINKS if links is None else links)
        redirected = pointed or {}
        self.resolver = Resolver(self.kernel, devices, self.mirror, lambda _vrf, address: redirected.get(address))
        self.resolver.tables = {"": MAIN, "outside": 20}

    def way(self, hop: Hop, vrf: str = "", peer: Address | None = None) -> Way:
        leads = self.resolver.use(SPOT, [Target(hop, vrf, peer)])
        self.resolver.resolve(leads)
        assert leads[0].way is not None
        return leads[0].way


def test_n5_a_far_peer_is_reached_over_its_gateway_and_a_near_one_is_the_gateway() -> None:
    stage = Stage({Question(FAR): answer(via("192.0.2.254")), Question(PEER): answer(via(""), prefix="192.0.2.0/24")})
    assert stage.way(Peer(FAR)) == Way(via("192.0.2.254"))
    assert stage.way(Peer(PEER)) == Way(via(str(PEER)))


def test_n5_the_kernel_is_asked_once_for_each_peer() -> None:
    stage = Stage({Question(FAR): answer(via("192.0.2.254"))})
    stage.way(Peer(FAR))
    stage.resolver.resolve(stage.resolver.use(Spot(MAIN, pfx("10.2.0.0/16")), [Target(Peer(FAR), "")]))
    assert stage.kernel.asked == [Question(FAR)]


def test_n5_what_nobody_uses_is_forgotten() -> None:
    stage = Stage({Question(FAR): answer(via("192.0.2.254"))})
    stage.way(Peer(FAR))
    assert stage.resolver.concerns(pfx("203.0.113.0/24"))
    assert stage.resolver.use(SPOT, ()) == ()
    assert not stage.resolver.concerns(pfx("203.0.113.0/24"))
    assert list(stage.resolver.again()) == []


@pytest.mark.parametrize(
    ("prefix", "concerns"),
    [
        ("0.0.0.0/0", True),
        ("203.0.0.0/8", True),
        ("203.0.113.128/25", True),
        ("198.51.100.0/24", False),
        ("::/0", True),
    ],
)
def test_n5_a_change_far_from_every_peer_is_no_reason_to_ask_again(prefix: str, concerns: bool) -> None:
    stage = Stage({Question(FAR): answer(via("192.0.2.254"))})
    stage.way(Peer(FAR))
    assert stage.resolver.concerns(pfx("203.0.0.0/8" if prefix == "203.0.0.0/8" else prefix)) is concerns


def test_n5_asked_again_only_what_leads_elsewhere_is_told() -> None:
    answers = {Question(FAR): answer(via("192.0.2.254")), Question(PEER): answer(via(""))}
    stage = Stage(answers)
    stage.way(Peer(FAR))
    other = Spot(MAIN, pfx("10.2.0.0/16"))
    stage.resolver.resolve(stage.resolver.use(other, [Target(Peer(PEER), "")]))
    answers[Question(FAR)] = answer(via("192.0.2.253"))
    assert list(stage.resolver.again()) == [[SPOT]]
    assert stage.way(Peer(FAR)) == Way(via("192.0.2.253"))


def test_n5_our_own_route_is_no_answer_and_the_longest_of_others_is_taken() -> None:
    stage = Stage({Question(FAR): answer(via("", XFRM), prefix="128.0.0.0/1", protocol=OURS)})
    assert stage.way(Peer(FAR)).why == "no route leads to 203.0.113.9 but ours"
    stage.mirror.take(ModelKernel.news(Spot(MAIN, pfx("0.0.0.0/0")), (0, STATIC, via("192.0.2.254"))))
    assert list(stage.resolver.again()) == [[SPOT]]
    assert stage.way(Peer(FAR)) == Way(via("192.0.2.254"))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "no route leads to 203.0.113.9: Network is unreachable"),
        (answer((), kind=6), "no route leads to 203.0.113.9: it is a blackhole"),
        (answer(via(""), kind=2), "203.0.113.9 is an address of this machine"),
        (answer(via("192.0.2.254", 77)), "device 77 is down, and 203.0.113.9 is behind it"),
    ],
)
def test_n5_what_leads_nowhere_says_why(found: RouteNews | None, why: str) -> None:
    stage = Stage({Question(FAR): found} if found is not None else {})
    assert stage.way(Peer(FAR)) == Way((), why)


def test_n5_a_device_without_a_carrier_leads_nowhere() -> None:
    stage = Stage({Question(FAR): answer(via("192.0.2.254"))}, links=[link(ETH0, "eth0", is_up=False)])
    assert stage.way(Peer(FAR)).why == "eth0 is down, and 203.0.113.9 is behind it"


def test_n5_an_xfrm_interface_by_its_if_id() -> None:
    stage = Stage()
    assert stage.way(IfId(42)) == Way(via("", XFRM))
    assert stage.way(IfId(43)).why == "there is no xfrm interface of if_id 43"
    down = Stage(links=[link(XFRM, "ipsec42", if_id=42, is_up=False)])
    assert down.way(IfId(42)).why == "the interface ipsec42 is down"
    assert stage.kernel.asked == []


def test_n5_a_vti_device_by_its_mark_or_else_the_peer() -> None:
    stage = Stage({Question(FAR): answer(via("192.0.2.254"))})
    assert stage.way(Mark(7, FAR)) == Way(via("", VTI))
    assert stage.way(Mark(8, FAR)) == Way(via("192.0.2.254"))


def test_n6_a_peer_is_looked_up_in_its_vrf() -> None:
    stage = Stage({Question(FAR, VRF): answer(via("198.51.100.9", ETH1))})
    assert stage.way(Peer(FAR), "outside") == Way(via("198.51.100.9", ETH1))
    assert Stage().way(Peer(FAR), "outside").why.startswith("no route leads to 203.0.113.9 in VRF outside")
    nowhere = Stage(links=[])
    assert nowhere.way(Peer(FAR), "outside").why == "there is no VRF device for table 20, the one of outside"


def test_n2_the_peer_leaves_by_the_maps_interface() -> None:
    stage = Stage({Question(FAR, ETH1): answer(via("198.51.100.9", ETH1))})
    assert stage.way(Interface("eth1"), "", FAR) == Way(via("198.51.100.9", ETH1))
    assert Stage().way(Interface("eth1"), "", FAR) == Way(via(str(FAR), ETH1)), "without a route: it is on the link"
    assert stage.way(Interface("eth9"), "", FAR).why == "there is no interface eth9"
    down = Stage(links=[link(ETH1, "eth1", is_up=False)])
    assert down.way(Interface("eth1"), "", FAR).why == "the interface eth1 is down"
    plain = Stage({Question(FAR): answer(via("192.0.2.254"))})
    assert plain.way(Interface(""), "", FAR) == Way(via("192.0.2.254")), "no interface named: as N1"


def test_n4_a_network_leads_over_the_policys_own_route_to_its_peer() -> None:
    gateway = ip_address("192.0.2.5")
    stage = Stage(
        {Question(gateway): answer(via("")), Question(FAR): answer(via("192.0.2.254"))}, pointed={FAR: Gateway(gateway)}
    )
    assert stage.way(Peer(FAR)) == Way(via("192.0.2.5"))


def test_n2_a_peers_route_that_moves_takes_its_networks_with_it() -> None:
    pointed: dict[Address, Hop] = {}
    stage = Stage({Question(FAR): answer(via("192.0.2.254"))}, pointed=pointed)
    stage.resolver = Resolver(stage.kernel, _devices(), stage.mirror, lambda _vrf, address: pointed.get(address))
    stage.way(Peer(FAR))
    assert stage.resolver.peer_moved("", FAR) == []
    pointed[FAR] = Interface("eth1")
    assert stage.resolver.peer_moved("", FAR) == [SPOT]
    assert stage.resolver.peer_moved("", PEER) == []


def _devices() -> Devices:
    devices = Devices()
    devices.take_all(LINKS)
    return devices


@pytest.mark.parametrize(
    ("prefix", "way", "crosses", "wanted"),
    [
        ("10.1.0.0/16", via("192.0.2.254"), False, via("192.0.2.254")),
        ("10.1.0.0/16", via("192.0.2.254"), True, via("192.0.2.254", onlink=True)),
        ("10.1.0.0/16", via("2001:db8::1"), False, via("2001:db8::1")),
        ("10.1.0.0/16", via("", XFRM), True, via("", XFRM)),
        ("2001:db8:5::/48", via("192.0.2.254"), False, via("")),
        ("2001:db8:5::/48", via("2001:db8::1"), True, via("2001:db8::1", onlink=True)),
        ("192.0.2.7/32", via("192.0.2.7"), False, via("")),
        ("192.0.2.7/32", via("192.0.2.254"), False, via("192.0.2.254")),
    ],
)
def test_e14_n6_what_a_route_of_either_family_has(prefix: str, way: Via, crosses: bool, wanted: Via) -> None:
    assert via_for(pfx(prefix), [Way(way)], crosses=crosses) == wanted


def test_e13_several_ways_and_those_of_ipv6_that_may_stand_together() -> None:
    two = [Way(via("192.0.2.254")), Way(via("192.0.2.253"))]
    assert len(via_for(pfx("10.1.0.0/16"), two, crosses=False)) == 2
    assert via_for(pfx("2001:db8:5::/48"), two, crosses=False) == via("")
    mixed = [Way(via("192.0.2.254")), Way(via("2001:db8::1"))]
    assert via_for(pfx("2001:db8:5::/48"), mixed, crosses=False) == via("2001:db8::1")
    assert via_for(pfx("10.1.0.0/16"), mixed, crosses=False) == (
        Nexthop(ip_address("192.0.2.254"), ETH0), Nexthop(ip_address("2001:db8::1"), ETH0)
    )  # fmt: skip
