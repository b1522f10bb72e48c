"""``rri-bgp explain``: the story of a prefix, a peer, an SA pair."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rri_bgp.controller import Controller
from rri_bgp.rri.entries import PortProxies
from tests.unit.cli.support import Call, Done
from tests.unit.control.small import DEFAULT_REFUSED, OWNERS, SA_FIELDS, Quiet, grounded, served
from tests.values import entry, policy, sa, ts


def without_history(done: Done) -> Done:
    """What is told of the past has another time each time."""
    lines = done.out.splitlines(keepends=True)
    return replace(done, out="".join(line for line in lines if not line.startswith("history: ")))


def test_explain_a_route_with_two_owners_g8(live: Path, call: Call) -> None:
    assert without_history(call("explain", "10.1.0.0/16", "--socket", live)) == Done(
        0,
        "10.1.0.0/16 is announced: next hop 198.51.100.1, 65000:100 65000:1:100\n"
        "because: SA vici:1 (branch1/net, peer 203.0.113.2, branch1.example) has the remote selector 10.1.0.0/16\n"
        "  taken by entry mymap 10 (hub.yaml:10), rules E2, N1, N8, N9\n"
        "also wanted: SA vici:2 (branch2/net, peer 203.0.113.3) has the remote selector 10.1.0.0/16\n"
        "  taken by entry mymap 20 (hub.yaml:20), rules E1, N1, N9\n"
        "  an entry that is tried earlier has it\n"
        "sink exabgp: confirmed\n"
        "refused (E10): 0.0.0.0/0 of SA vici:2 (branch2/net, peer 203.0.113.3): 0.0.0.0/0 would be a default route\n"
        "more specific routes within it (E12): 10.1.5.0/24\n"
        "kernel route that is meant (N1, N7): 10.1.0.0/16 to peer 203.0.113.2 metric 1\n",
        "",
    )


def test_explain_what_the_kernel_has_g3(path: Path, call: Call) -> None:
    with served(grounded()[0], path):
        here = call("explain", "10.1.0.0/16", "--socket", path).out.splitlines()
        lost = call("explain", "10.2.0.0/16", "--socket", path).out.splitlines()
    assert here[0] == "10.1.0.0/16 is announced: next hop 198.51.100.1, no communities"
    assert "  in the kernel: via 192.0.2.254 dev eth0 table main metric 1" in here
    assert lost[0].startswith("10.2.0.0/16 is NOT announced, the kernel does not have it as it should (G3, N7)")
    assert "sink kernel: refused: no route leads to 203.0.113.2" in lost
    assert "  in the kernel: nothing, refused: no route leads to 203.0.113.2" in lost


def test_explain_a_route_within_another_e12(path: Path, call: Call) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16", "10.1.5.0/24", "10.0.0.0/8")])
    with served(controller, path):
        done = call("explain", "10.1.5.0/24", "--socket", path)
    assert done.out.splitlines()[3] == "it lies within (E12): 10.1.0.0/16, 10.0.0.0/8"


def test_explain_what_a_port_limited_selector_has_become_e11(path: Path, call: Call) -> None:
    controller = Controller(policy(entry(port_proxies=PortProxies.FLOWSPEC)), [Quiet()])
    controller.snapshot("vici", [sa(1, ts("10.1.0.0/16", 6, (443, 443)))])
    with served(controller, path):
        assert call("explain", "10.1.0.0/16", "--socket", path) == Done(
            0,
            "10.1.0.0/16 is no route of its own\n"
            "10.1.0.0/16[6/443] is made of it: "
            "SA vici:1 (branch1/net, peer 203.0.113.2) has the remote selector 10.1.0.0/16[6/443]\n"
            "  taken by entry mymap 10 (hub.yaml:10), rules E1, E11, N1, N9\n"
            "more specific routes within it (E12): 10.1.0.0/16[6/443]\n",
            "",
        )


def test_explain_a_suspected_peer_g5(path: Path, call: Call) -> None:
    controller = Controller(policy(entry(degrade_med=0)), [Quiet()])
    controller.snapshot("vici", [replace(sa(1, "10.1.0.0/16"), is_suspect=True)])
    with served(controller, path):
        done = call("explain", "10.1.0.0/16", "--socket", path)
    assert done.out.splitlines()[0].endswith(", MED 0")
    assert done.out.splitlines()[3] == "  its peer does not answer a dead-peer check (G5)"


def test_explain_what_the_kernel_does_not_carry_e8(path: Path, call: Call) -> None:
    lost = sa(1, "10.1.0.0/16", "10.2.0.0/16", not_in_kernel=("10.2.0.0/16",))
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [lost])
    with served(controller, path):
        kept = call("explain", "10.2.0.0/16", "--socket", path).out.splitlines()
        pair = call("explain", "vici:1", "--socket", path).out.splitlines()
    assert kept[3] == "  the kernel does not carry it, though the IKE daemon calls the SA installed (E8)"
    assert pair[1] == "  not in the kernel (E8), though the IKE daemon calls it installed: 10.2.0.0/16"
    controller.take_policy(policy(believe_kernel=("vici",)))
    with served(controller, path):
        gone = call("explain", "10.2.0.0/16", "--socket", path)
        other = call("explain", "10.1.0.0/16", "--socket", path).out
    name = "SA vici:1 (branch1/net, peer 203.0.113.2)"
    assert (gone.code, gone.out.splitlines()[:2]) == (
        1,
        [
            "10.2.0.0/16 is no route of its own",
            f"refused (E8): 10.2.0.0/16 of {name}: the kernel does not carry 10.2.0.0/16: its SA or policy is lost",
        ],
    )
    assert "E8" not in other


def test_explain_an_address_that_a_route_covers_e12(path: Path, call: Call) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    with served(controller, path):
        assert call("explain", "10.1.5.7", "--socket", path) == Done(
            0,
            "10.1.5.7/32 is no route of its own\n"
            "its traffic follows 10.1.0.0/16: next hop 198.51.100.1, entry mymap 10\n",
            "",
        )


def test_explain_what_nobody_wants_exits_1(path: Path, call: Call) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    with served(controller, path):
        assert call("explain", "192.0.2.0/24", "--socket", path) == Done(
            1,
            "192.0.2.0/24 is no route of its own\n"
            "no SA pair that is up has it in its remote selectors (`rri-bgp show sas` lists them)\n",
            "",
        )


def test_explain_a_refused_default_route_exits_1_e10(live: Path, call: Call) -> None:
    assert call("explain", "0.0.0.0/0", "--socket", live) == Done(
        1,
        "0.0.0.0/0 is no route of its own\n"
        "refused (E10): 0.0.0.0/0 of SA vici:2 (branch2/net, peer 203.0.113.3): 0.0.0.0/0 would be a default route\n"
        "refused (E1): all of SA vici:3 (guest/net, peer 203.0.113.9): no map entry takes this SA\n"
        "more specific routes within it (E12): 10.1.0.0/16, 10.1.5.0/24\n",
        "",
    )


def test_explain_what_a_sink_still_holds(live: Path, call: Call) -> None:
    done = call("explain", "10.8.0.0/16", "--socket", live)
    assert (done.code, done.out.splitlines()[1]) == (1, "sink exabgp still holds it, and is to withdraw it")


@pytest.mark.parametrize(
    ("prefix", "what"),
    [
        ("10.1.2.3/16", "10.1.2.3/16 has host bits set"),
        ("branch1", "'branch1' does not appear to be an IPv4 or IPv6 network"),
        ("", "'' does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_explain_with_a_prefix_that_is_none(live: Path, call: Call, prefix: str, what: str) -> None:
    error = f"rri-bgp: {what}; allowed: a prefix as 10.1.0.0/16, an address, or an SA pair as vici:17\n"
    assert call("explain", prefix, "--socket", live) == Done(2, "", error)


def test_json_of_explain(live: Path, call: Call) -> None:
    done = call("explain", "0.0.0.0/0", "--json", "--socket", live)
    story = json.loads(done.out)
    assert (done.code, story["schema"], story["route"], story["leftovers"]) == (1, 1, None, [])
    assert story["refusals"][0] == DEFAULT_REFUSED | {"owner": OWNERS[1], "entry": "mymap 20", "sa": SA_FIELDS[1]}


def test_explain_an_sa_g8(live: Path, call: Call) -> None:
    assert call("explain", "vici:2", "--socket", live) == Done(
        0,
        "SA vici:2 (branch2/net, peer 203.0.113.3): INSTALLED, remote selectors 10.1.0.0/16, 10.1.5.0/24, 0.0.0.0/0\n"
        "  not by entry mymap 10 (hub.yaml:10): peer 203.0.113.3 is none of 203.0.113.2\n"
        "  taken by entry mymap 20 (hub.yaml:20): connection branch2 is branch*\n"
        "  claims 10.1.0.0/16: an entry that is tried earlier has it\n"
        "  claims 10.1.5.0/24: its path is announced\n"
        "  refused (E10): 0.0.0.0/0: 0.0.0.0/0 would be a default route\n",
        "",
    )


def test_explain_an_sa_that_gets_nothing_exits_1_g8(live: Path, call: Call) -> None:
    done = call("explain", "vici:3", "--socket", live)
    assert (done.code, done.out.splitlines()[3:]) == (
        1,
        ["  no entry takes it", "  refused (E1): all: no map entry takes this SA"],
    )


def test_explain_a_peer_shows_it_and_then_the_address_g8(live: Path, call: Call) -> None:
    done = call("explain", "203.0.113.2", "--socket", live)
    lines = done.out.splitlines()
    assert (done.code, lines[0]) == (
        0,
        "203.0.113.2 is a peer: named by entry mymap 10 (hub.yaml:10); 1 SA pair",
    )
    assert lines[1].startswith("SA vici:1 (branch1/net, peer 203.0.113.2, branch1.example): INSTALLED")
    assert lines[lines.index("") + 1] == "203.0.113.2/32 is no route of its own"


def test_explain_an_sa_that_is_not_there_is_exit_code_2(live: Path, call: Call) -> None:
    error = "rri-bgp: there is no SA pair vici:9\n  hint: `rri-bgp show sas` lists those that are up\n"
    assert call("explain", "vici:9", "--socket", live) == Done(2, "", error)


def test_explain_a_vrf_that_is_not_there_is_exit_code_2_n6(live: Path, call: Call) -> None:
    error = "rri-bgp: there is no VRF red; allowed: none, the policy has no VRFs\n"
    assert call("explain", "10.1.0.0/16", "--vrf", "red", "--socket", live) == Done(2, "", error)


def test_a_list_without_end_is_cut_g8(path: Path, call: Call) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, *(f"10.{number}.0.0/16" for number in range(30)))])
    with served(controller, path):
        out = call("explain", "vici:1", "--socket", path).out
    assert (out.count("\n"), out.splitlines()[-1]) == (23, "and 10 more (--json has all)")


def test_explain_tells_the_past_of_a_route_g8(path: Path, call: Call) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    controller.snapshot("vici", [])
    with served(controller, path):
        lines = call("explain", "10.1.0.0/16", "--socket", path).out.splitlines()[-2:]
    assert [re.sub(r"^history: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "", line) for line in lines] == [
        "next hop 198.51.100.1, no communities",
        "withdrawn",
    ]
