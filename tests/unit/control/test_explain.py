"""What the control socket says of a prefix, a peer and an SA pair (rule G8)."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from rri_bgp.cli.explain import tell
from rri_bgp.controller import Controller
from rri_bgp.errors import UsageError
from rri_bgp.rri.entries import RemotePeer, Vrf
from rri_bgp.rri.surroundings import Surroundings
from tests.unit.control.small import (
    DEFAULT_REFUSED,
    NOT_TAKEN,
    OWNERS,
    ROUTES,
    SA_FIELDS,
    Quiet,
    small,
)
from tests.unit.control.talk import (
    explained,
)
from tests.values import acl, entry, policy, sa

FIRST, SECOND, THIRD = SA_FIELDS
OF_SECOND = {"owner": OWNERS[1], "entry": "mymap 20", "sa": SECOND}
RULES = ["E2", "N1", "N8", "N9"]


async def test_explain_a_route_with_two_owners_g8(path: Path) -> None:
    controller, _ = small()
    story = await explained(controller, path, "10.1.0.0/16")
    route = ROUTES[0] | {"sinks": {"exabgp": {"state": "confirmed", "reason": "", "neighbors": []}}}
    claim = {"selector": "10.1.0.0/16", "line": None, "waiting": ""}
    first = claim | {"entry": "mymap 10", "where": "hub.yaml:10", "rules": RULES, "owner": OWNERS[0], "sa": FIRST}
    second = claim | {"entry": "mymap 20", "where": "hub.yaml:20", "owner": OWNERS[1], "sa": SECOND}
    kernel = {
        "vrf": "",
        "hops": [{"kind": "peer", "to": "203.0.113.2"}],
        "distance": 1,
        "rules": ["N1", "N7"],
        "installed": None,
    }
    assert {name: value for name, value in story.items() if name != "history"} == {
        "asked": "10.1.0.0/16",
        "vrf": "",
        "prefix": "10.1.0.0/16",
        "route": route,
        "claims": [
            first | {"fate": "wins", "reason": "its path is announced"},
            second | {"rules": ["E1", "N1", "N9"], "fate": "entry", "reason": "an entry that is tried earlier has it"},
        ],
        "waiting": [],
        "elsewhere": [],
        "covering": [],
        "covered": [{"prefix": "10.1.5.0/24", "vrf": "", "flow": None}],
        "made": [],
        "refusals": [DEFAULT_REFUSED | OF_SECOND],
        "denials": [],
        "untold": 0,
        "leftovers": [],
        "kernel": [kernel | {"prefix": "10.1.0.0/16", "owners": OWNERS}],
        "peer": None,
        "sa": None,
    }


async def test_explain_an_address_that_two_routes_cover_e12(path: Path) -> None:
    controller, _ = small()
    story = await explained(controller, path, "10.1.5.7")
    assert (story["prefix"], story["route"], story["claims"], story["peer"]) == ("10.1.5.7/32", None, [], None)
    assert (story["covering"], story["covered"], story["kernel"]) == ([ROUTES[1], ROUTES[0]], [], [])
    assert (story["refusals"], story["leftovers"]) == ([DEFAULT_REFUSED | OF_SECOND], [])


async def test_explain_a_prefix_of_an_sa_that_no_entry_takes_g8(path: Path) -> None:
    controller, _ = small()
    story = await explained(controller, path, "10.9.0.0/16")
    third = {"owner": OWNERS[0] | {"uniqueid": 3}, "entry": None, "sa": THIRD}
    assert story["route"] is None
    assert story["refusals"] == [DEFAULT_REFUSED | OF_SECOND, NOT_TAKEN | third]


async def test_explain_a_prefix_that_nobody_wants_and_a_sink_still_holds(path: Path) -> None:
    controller, _ = small()
    assert (await explained(controller, path, "10.8.0.0/16"))["leftovers"] == ["exabgp"]


async def test_explain_names_the_rule_of_ipv6_e14(path: Path) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, "2001:db8:1::/48")])
    (claim,) = (await explained(controller, path, "2001:db8:1::/48"))["claims"]
    assert claim["rules"] == ["E1", "E14", "N1", "N9"]


@pytest.mark.parametrize(
    ("prefix", "what"),
    [
        ("10.1.0.0/33", "'10.1.0.0/33' does not appear to be an IPv4 or IPv6 network"),
        ("10.1.2.3/16", "10.1.2.3/16 has host bits set"),
        ("", "'' does not appear to be an IPv4 or IPv6 network"),
    ],
)
async def test_explain_with_a_prefix_that_is_none_is_a_usage_error(path: Path, prefix: str, what: str) -> None:
    controller, _ = small()
    with pytest.raises(UsageError) as caught:
        await explained(controller, path, prefix)
    assert str(caught.value) == f"{what}; allowed: a prefix as 10.1.0.0/16, an address, or an SA pair as vici:17"


async def test_explain_an_sa_says_who_took_it_after_whom_and_what_it_claims_g8(path: Path) -> None:
    controller, _ = small()
    story = await explained(controller, path, "vici:2")
    assert (story["prefix"], story["route"], story["peer"]) == (None, None, None)
    assert story["sa"] == {
        "sa": SECOND,
        "entry": "mymap 20",
        "where": "hub.yaml:20",
        "verdicts": [
            {
                "entry": "mymap 10",
                "where": "hub.yaml:10",
                "taken": False,
                "reason": "peer 203.0.113.3 is none of 203.0.113.2",
            },
            {"entry": "mymap 20", "where": "hub.yaml:20", "taken": True, "reason": "connection branch2 is branch*"},
        ],
        "claims": [
            {
                "prefix": "10.1.0.0/16",
                "vrf": "",
                "flow": None,
                "fate": "entry",
                "reason": "an entry that is tried earlier has it",
            },
            {"prefix": "10.1.5.0/24", "vrf": "", "flow": None, "fate": "wins", "reason": "its path is announced"},
        ],
        "refusals": [DEFAULT_REFUSED],
        "waiting": "",
    }


async def test_explain_an_sa_that_no_entry_takes_g8(path: Path) -> None:
    controller, _ = small()
    story = (await explained(controller, path, "vici:3"))["sa"]
    assert (story["entry"], story["claims"], story["refusals"]) == (None, [], [NOT_TAKEN])
    assert [verdict["taken"] for verdict in story["verdicts"]] == [False, False]


async def test_explain_an_sa_that_is_not_there_is_a_usage_error(path: Path) -> None:
    controller, _ = small()
    with pytest.raises(UsageError) as caught:
        await explained(controller, path, "vici:4")
    assert str(caught.value) == "there is no SA pair vici:4\n  hint: `rri-bgp show sas` lists those that are up"


async def test_explain_an_address_that_is_a_peer_shows_both_g8(path: Path) -> None:
    controller, _ = small()
    story = await explained(controller, path, "203.0.113.2")
    assert (story["prefix"], story["route"]) == ("203.0.113.2/32", None)
    assert story["peer"]["entries"] == [{"entry": "mymap 10", "where": "hub.yaml:10"}]
    assert [sa["sa"]["uniqueid"] for sa in story["peer"]["sas"]] == [1]


async def test_explain_a_peer_by_its_name_g8(path: Path) -> None:
    names = {"hub.example.org": (ip_address("203.0.113.9"),)}
    controller = Controller(policy(entry(10, peers=("hub.example.org",))), [Quiet()])
    controller.rib.take_surroundings(Surroundings(names=names))
    story = await explained(controller, path, "203.0.113.9")
    assert story["peer"] == {
        "address": "203.0.113.9",
        "entries": [{"entry": "mymap 10", "where": "hub.yaml:10"}],
        "sas": [],
    }


async def test_explain_a_prefix_in_a_vrf_n6(path: Path) -> None:
    red = Vrf("red", 10, rd="65000:1", route_targets=(0x0002FDE800000001,), label=100)
    controller = Controller(policy(entry(10, vrf="red"), vrfs=[red]), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    story = await explained(controller, path, "10.1.0.0/16", "red")
    vpn = {"rd": "65000:1", "label": 100, "route_targets": ["target:65000:1"]}
    assert (story["route"]["vrf"], story["route"]["vpn"], story["elsewhere"]) == ("red", vpn, [])
    assert story["kernel"][0]["vrf"] == "red"
    assert {"N6", "N10"} <= set(story["claims"][0]["rules"])
    story = await explained(controller, path, "10.1.0.0/16")
    assert (story["route"], story["elsewhere"]) == (None, ["red"])


async def test_explain_in_a_vrf_that_is_none_is_a_usage_error_n6(path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        await explained(Controller(policy(), [Quiet()]), path, "10.1.0.0/16", "red")
    assert str(caught.value) == "there is no VRF red; allowed: none, the policy has no VRFs"


async def test_explain_a_static_route_names_the_line_of_its_access_list_e3(path: Path) -> None:
    lines = acl("permit 192.168.1.0/24 10.1.0.0/16")
    controller = Controller(policy(entry(10, peers=("203.0.113.2",), access_list=lines, static=True)), [Quiet()])
    (claim,) = (await explained(controller, path, "10.1.0.0/16"))["claims"]
    assert (claim["sa"], claim["selector"]) == (None, None)
    assert claim["line"] == {"text": "permit 192.168.1.0/24 10.1.0.0/16", "where": "hub.yaml:1"}
    assert claim["owner"] == {"source": None, "uniqueid": None, "entry": "mymap 10", "line": 1}
    assert claim["rules"] == ["E3", "E9", "N1", "N9"]


async def test_explain_the_two_kernel_routes_of_remote_peer_n2(path: Path) -> None:
    controller = Controller(policy(entry(10, remote_peer=RemotePeer(), interface="eth0")), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    (proxy,) = (await explained(controller, path, "10.1.0.0/16"))["kernel"]
    (peer,) = (await explained(controller, path, "203.0.113.2"))["kernel"]
    assert (proxy["hops"], proxy["rules"]) == ([{"kind": "peer", "to": "203.0.113.2"}], ["N2", "N7"])
    assert (peer["prefix"], peer["hops"]) == ("203.0.113.2/32", [{"kind": "interface", "to": "eth0"}])


async def test_explain_a_gone_sa_that_counts_for_a_while_g4(path: Path) -> None:
    controller = Controller(policy(entry(withdraw_delay=3600.0)), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    controller.snapshot("vici", [])
    story = await explained(controller, path, "10.1.0.0/16")
    assert [claim["waiting"] for claim in story["claims"]] == ["withdraw-delay: 3600 s left"]
    assert list(tell(story))[3] == "  the SA has gone, and counts for a while (G4): withdraw-delay: 3600 s left"


async def test_explain_names_the_deny_line_that_takes_an_address_g8_e9(path: Path) -> None:
    lines = acl("deny any 10.1.99.0/24", "permit any 10.1.0.0/16")
    static = entry(10, peers=("203.0.113.2",), static=True, access_list=lines)
    controller = Controller(policy(static), [Quiet()])
    story = await explained(controller, path, "10.1.99.7")
    line = {"text": "deny any 10.1.99.0/24", "where": "hub.yaml:1"}
    assert story["denials"] == [{"entry": "mymap 10", "where": "hub.yaml:10", "line": line, "whole": True}]
    assert list(tell(story)) == [
        "10.1.99.7/32 is no route of its own",
        "denied (E9): `deny any 10.1.99.0/24` (hub.yaml:1) takes it from the routes of entry mymap 10",
    ]
    story = await explained(controller, path, "10.0.0.0/8")
    assert list(tell(story))[1] == (
        "denied (E9): `deny any 10.1.99.0/24` (hub.yaml:1) takes a part of it from the routes of entry mymap 10"
    )
