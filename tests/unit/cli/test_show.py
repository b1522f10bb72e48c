"""``rri-bgp show``: tables for people, JSON for programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rri_bgp.controller import Controller
from rri_bgp.sinks import NeighborState, RouteState, SinkRoute
from tests.unit.cli.support import Call, Done, rows
from tests.unit.control.small import ROUTES, SAS, STATUS, Quiet, grounded, served, small
from tests.values import pfx, policy, sa


def test_show_routes(live: Path, call: Call) -> None:
    done = call("show", "routes", "--socket", live)
    assert (done.code, done.err) == (0, "")
    assert rows(done.out) == [
        ["PREFIX", "NEXT HOP", "COMMUNITIES", "ENTRY", "OWNERS", "STATE"],
        ["10.1.0.0/16", "198.51.100.1", "65000:100 65000:1:100", "mymap 10", "vici:1 vici:2", "exabgp confirmed"],
        ["10.1.5.0/24", "198.51.100.1", "-", "mymap 20", "vici:2", "exabgp pending"],
    ]


def test_show_routes_says_why_a_sink_refused(path: Path, call: Call) -> None:
    controller, sink = small()
    sink.has[pfx("10.1.0.0/16")] = SinkRoute(RouteState.REFUSED, reason="ExaBGP said error")
    with served(controller, path):
        done = call("show", "routes", "--socket", path)
    assert [row[-1] for row in rows(done.out)] == ["STATE", "exabgp refused: ExaBGP said error", "exabgp pending"]


def test_show_sas_with_their_refusals_g8(live: Path, call: Call) -> None:
    done = call("show", "sas", "--socket", live)
    assert (done.code, done.err) == (0, "")
    assert rows(done.out) == [
        ["SA", "CONNECTION", "CHILD", "PEER", "IDENTITY", "REMOTE SELECTORS", "ENTRY", "REFUSED"],
        ["vici:1", "branch1", "net", "203.0.113.2", "branch1.example", "10.1.0.0/16", "mymap 10", "-"],
        [
            "vici:2", "branch2", "net", "203.0.113.3", "-", "10.1.0.0/16 10.1.5.0/24 0.0.0.0/0", "mymap 20",
            "E10: 0.0.0.0/0 would be a default route",
        ],
        [
            "vici:3", "guest", "net", "203.0.113.9", "-", "10.9.0.0/16", "none",
            "E1: no map entry takes this SA",
        ],
    ]  # fmt: skip


def test_show_what_the_kernel_has_and_what_it_cannot_have_n5(path: Path, call: Call) -> None:
    with served(grounded()[0], path):
        found = rows(call("show", "kernel", "--socket", path).out)
        items = json.loads(call("show", "kernel", "--json", "--socket", path).out)["kernel"]
        status = call("show", "status", "--socket", path)
        announced = json.loads(call("show", "routes", "--json", "--socket", path).out)["routes"]
    assert [row[-1] for row in found[1:]] == [
        "via 192.0.2.254 dev eth0 table main metric 1",
        "nothing, refused: no route leads to 203.0.113.2",
    ]
    assert items[0]["installed"] == {
        "state": "confirmed", "reason": "", "table": 254, "metric": 1, "blackhole": False,
        "hops": [{"gateway": "192.0.2.254", "device": "eth0", "onlink": False}],
    }  # fmt: skip
    assert [one["announced"] for one in announced] == [True, False]
    assert (status.code, status.out.splitlines()[0]) == (1, "rri-bgp 0.1.0: NOT well")


def test_show_what_the_kernel_does_not_carry_e8(path: Path, call: Call) -> None:
    """It is not well, whatever the policy makes of it; and then it is."""
    controller, _ = small()
    lost = sa(3, "10.9.0.0/16", peer="203.0.113.9", connection="guest", not_in_kernel=("10.9.0.0/16",))
    controller.update("vici", {lost.key: lost})
    with served(controller, path):
        status = call("show", "status", "--socket", path)
        assert rows(call("show", "sas", "--socket", path).out)[-1][-1] == (
            "E8: not in the kernel: 10.9.0.0/16; E1: no map entry takes this SA"
        )
    assert (status.code, status.out.splitlines()[0]) == (1, "rri-bgp 0.1.0: NOT well")
    assert "1 SA pair is NOT IN THE KERNEL, though installed as the IKE daemon says (E8; show sas)\n" in status.out
    controller.update("vici", {lost.key: None})
    with served(controller, path):
        assert call("show", "status", "--socket", path).code == 0
        item = json.loads(call("show", "status", "--json", "--socket", path).out)
    assert (item["not_in_kernel"], item["not_in_kernel_so_far"]) == (0, 1)


def test_show_status(live: Path, call: Call) -> None:
    assert call("show", "status", "--socket", live) == Done(
        0,
        "rri-bgp 0.1.0: all is well\n"
        "3 SA pairs, 2 routes, 2 refused by the policy (show refusals), 2 changes so far\n"
        "source vici: followed (1 snapshots, 0 updates, 0 losses)\n"
        "sink exabgp: ready, 2 confirmed, 1 pending, 0 refused\n"
        "  neighbor 192.0.2.2 (from 192.0.2.1): up\n"
        "  4 announced, 1 sessions up\n",
        "",
    )


def test_show_status_marks_what_is_not_well_and_exits_1(path: Path, call: Call) -> None:
    controller, sink = small()
    controller.lost("vici", "connection refused")
    sink.ready = False
    sink.neighbors = (NeighborState("192.0.2.1", "192.0.2.2", "down", "hold timer expired"),)
    with served(controller, path):
        done = call("show", "status", "--socket", path)
    assert (done.code, done.err) == (1, "")
    assert [line for line in done.out.splitlines() if re.search(r"[A-Z]{4,}|NOT", line)] == [
        "rri-bgp 0.1.0: NOT well",
        "source vici: LOST: connection refused (1 snapshots, 0 updates, 1 losses)",
        "sink exabgp: NOT READY, 2 confirmed, 1 pending, 0 refused",
        "  neighbor 192.0.2.2 (from 192.0.2.1): DOWN hold timer expired",
    ]


def test_show_status_before_the_source_has_spoken_exits_1(path: Path, call: Call) -> None:
    with served(Controller(policy(), [Quiet()]), path):
        done = call("show", "status", "--socket", path)
    assert (done.code, done.out.splitlines()[2]) == (
        1,
        "source vici: CONNECTING (0 snapshots, 0 updates, 0 losses)",
    )


@pytest.mark.parametrize(
    ("what", "words"),
    [("routes", "no routes: no SA pair is up that the policy takes\n"), ("sas", "no SA pairs are up\n")],
)
def test_show_of_nothing_says_so(path: Path, call: Call, what: str, words: str) -> None:
    with served(Controller(policy(), [Quiet()]), path):
        assert call("show", what, "--socket", path) == Done(0, words, "")


def test_a_long_row_is_one_line_in_a_pipe(path: Path, call: Call) -> None:
    selectors = [f"2001:db8:1234:{number:x}::/64" for number in range(0x1000, 0x1000 + 200)]
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, *selectors)])
    with served(controller, path):
        done = call("show", "sas", "--socket", path)
    assert len(done.out.splitlines()) == 2
    assert " ".join(selectors) in done.out


def test_json_documents(live: Path, call: Call) -> None:
    documents = {what: json.loads(call("show", what, "--json", "--socket", live).out) for what in ("routes", "sas")}
    assert documents == {"routes": {"schema": 1, "routes": ROUTES}, "sas": {"schema": 1, "sas": SAS}}
    assert json.loads(call("show", "status", "--json", "--socket", live).out) == {"schema": 1, **STATUS}


def test_json_and_exit_code_of_a_status_that_is_not_well(path: Path, call: Call) -> None:
    controller, _ = small()
    controller.lost("vici", "connection refused")
    with served(controller, path):
        done = call("show", "status", "--json", "--socket", path)
    assert (done.code, json.loads(done.out)["well"]) == (1, False)
