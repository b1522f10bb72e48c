"""``rri-bgp plan``, ``reload`` and ``confirm``: what is foretold is what then happens, exactly."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rri_bgp.controller import Controller
from rri_bgp.policy import load
from rri_bgp.rri import Policy
from rri_bgp.rri.surroundings import Surroundings
from tests.unit.cli.support import Call, Done
from tests.unit.control.small import Quiet, served
from tests.values import sa

OLD = """\
version: 1
local: {as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}
sources: [vici: {}, xfrm]
sinks: {exabgp: {}}
access-lists:
  hq: [permit ip 192.168.1.0/24 10.7.0.0/16]
crypto-maps:
  internet:
    entries:
      - {seq: 10, type: static, set-peer: 203.0.113.1, match-address: hq, reverse-route: {static: true, tag: 7}}
      - {seq: 20, type: dynamic, match: {connection: branch1}, reverse-route: {tag: 100}}
      - {seq: 30, type: dynamic, match: {connection: "branch*"}, reverse-route: {tag: 200}}
"""
SAS = (
    sa(1, "10.1.0.0/16", "2001:db8:1::/48", peer="203.0.113.2", not_in_kernel=("2001:db8:1::/48",)),
    sa(2, "10.2.0.0/16", "0.0.0.0/0", connection="branch2", peer="203.0.113.3"),
    sa(3, "10.3.0.0/16", connection="branch3", peer="203.0.113.4"),
    replace(sa(4, "10.3.0.0/16", connection="branch4", peer="203.0.113.5"), since=5),
)
CHANGES = {
    "nothing": ("# nothing\n", "", 0),
    "a tag": ("tag: 200", "tag: 201", 1),
    "no tag": ("reverse-route: {tag: 200}", "reverse-route: {}", 1),
    "an entry less": ("      - {seq: 20", "      # - {seq: 20", 1),
    "an entry that takes over with the same attributes": ("match: {connection: branch1}", "match: {child: nobody}", 1),
    "no reverse-route": (", reverse-route: {tag: 200}", "", 1),
    "another access list": ("10.7.0.0/16]", "10.7.0.0/17]", 1),
    "no static": ("static: true, ", "", 1),
    "a default route": ("reverse-route: {tag: 200}", "allow-default: halves, reverse-route: {tag: 200}", 1),
    "several paths": ("reverse-route: {tag: 200}", "overlap: ecmp, next-hop: peer, reverse-route: {tag: 200}", 1),
    "a guard": ("reverse-route: {tag: 200}", "guard: {allow: [10.3.0.0/16]}, reverse-route: {tag: 200}", 1),
    "a next hop": ("next-hop: [198.51.100.1, ", "next-hop: [198.51.100.9, ", 1),
    "a limit": ("sinks: ", "guard: {max-routes: 3}\nsinks: ", 1),
    "a neighbor": ("sinks: ", "neighbors: {198.51.100.2: {tags: [100]}}\nsinks: ", 1),
    "what the kernel does not carry": ("vici: {}", "vici: {kernel: withdraw}", 1),
    "a VRF": ("- {seq: 20, ", "- {seq: 20, vrf: red, ", 1),
}
VRFS = 'vrfs: {red: {table: 10, rd: "65000:1", export: ["65000:1"], label: 100}}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What the controller was started with."""
    file = tmp_path / "hub.yaml"
    file.write_text(OLD + "# nothing\n")
    return file


@pytest.fixture
def controller(file: Path) -> Controller:
    controller = Controller(load(file).policy, [Quiet()])
    controller.snapshot("vici", SAS)
    return controller


@pytest.fixture
def live(controller: Controller, file: Path, path: Path) -> Iterator[Path]:
    with served(controller, path, load(file)):
        yield path


def changed(file: Path, old: str, new: str) -> Path:
    """Another policy beside the one that runs."""
    text = file.read_text()
    assert old in text
    other = file.with_name("new.yaml")
    other.write_text(text.replace(old, new).replace("# nothing", VRFS if "vrf: red" in new else ""))
    return other


@pytest.mark.parametrize("what", CHANGES)
def test_e4_plan_says_exactly_what_the_reload_then_does(live: Path, file: Path, call: Call, what: str) -> None:
    old, new, code = CHANGES[what]
    other = changed(file, old, new)
    plan = call("plan", other, "--json", "--socket", live)
    reload = call("reload", other, "--json", "--socket", live)
    foretold, done = json.loads(plan.out), json.loads(reload.out)
    assert (plan.code, plan.err, reload.code, reload.err) == (code, "", 0, "")
    same = ("schema", "announced", "withdrawn", "changed", "routes", "warnings", "later", "changes")
    assert {name: foretold[name] for name in same} == {name: done[name] for name in same}
    assert (len(done["changes"]) > 0) == (code == 1)
    after = call("plan", other, "--json", "--socket", live)
    assert (after.code, json.loads(after.out)["changes"]) == (0, [])


def test_e4_plan_groups_by_entry_and_shows_old_and_new(live: Path, file: Path, call: Call) -> None:
    text = (
        file.read_text().replace("tag: 100", "tag: 101").replace('match: {connection: "branch*"}', "match: {child: no}")
    )
    other = file.with_name("new.yaml")
    other.write_text(text.replace("10.7.0.0/16]", "10.7.0.0/16, permit ip 192.168.1.0/24 10.8.0.0/16]"))
    assert call("plan", other, "--socket", live) == Done(
        1,
        "entry internet 10\n"
        "  + 10.8.0.0/16           next hop 198.51.100.1, 65000:7 65000:1:7\n"
        "\n"
        "entry internet 20\n"
        "  ~ 10.1.0.0/16           communities 65000:100 -> 65000:101\n"
        "                          large communities 65000:1:100 -> 65000:1:101\n"
        "  ~ 2001:db8:1::/48       communities 65000:100 -> 65000:101\n"
        "                          large communities 65000:1:100 -> 65000:1:101\n"
        "\n"
        "entry internet 30\n"
        "  - 10.2.0.0/16           next hop 198.51.100.1, 65000:200 65000:1:200\n"
        "  - 10.3.0.0/16           next hop 198.51.100.1, 65000:200 65000:1:200\n"
        "\n"
        f"{other} would announce 1, change 2 and withdraw 2; 1 route as they are, against the controller at {live}\n",
        "",
    )


def test_plan_of_what_changes_nothing_says_so(live: Path, file: Path, call: Call) -> None:
    done = call("plan", file, "--socket", live)
    assert done == Done(0, f"{file} would change nothing: 5 routes as they are, against the controller at {live}\n", "")


def test_plan_changes_nothing(live: Path, file: Path, call: Call, controller: Controller) -> None:
    before = controller.rib.policy
    call("plan", changed(file, "tag: 200", "tag: 201"), "--socket", live)
    assert controller.rib.policy is before


def test_plan_of_a_policy_with_a_mistake_is_exit_code_2(live: Path, file: Path, call: Call) -> None:
    done = call("plan", changed(file, "tag: 200", "tag: minus"), "--socket", live)
    assert (done.code, done.out) == (2, "")
    assert "tag" in done.err


def test_plan_without_a_controller_is_exit_code_2(path: Path, file: Path, call: Call) -> None:
    done = call("plan", file, "--socket", path)
    assert (done.code, done.out, done.err.splitlines()[0]) == (2, "", f"rri-bgp: {path}: no such file or directory")


def test_g1_plan_knows_what_the_controller_knows_of_this_machine(
    live: Path, file: Path, call: Call, controller: Controller
) -> None:
    networks = frozenset({sa(1, "10.3.0.0/24").remote_ts[0].prefixes()[0]})
    controller.rib.take_surroundings(Surroundings(networks=networks))
    other = changed(file, "reverse-route: {tag: 200}", "guard: {allow-special: [local]}, reverse-route: {tag: 200}")
    (change,) = json.loads(call("plan", other, "--json", "--socket", live).out)["changes"]
    assert (change["action"], change["prefix"]) == ("announce", "10.3.0.0/16")


# Against a recording


def recording(folder: Path) -> Path:
    file = folder / "sas.jsonl"
    moments = [
        {"at": 0.0, "snapshot": [recorded(1, "branch1", "10.1.0.0"), recorded(2, "branch2", "10.2.0.0")]},
        {"at": 1.0, "update": [recorded(3, "branch3", "10.3.0.0")], "gone": [2]},
    ]
    lines = [{"format": "rri-bgp sa history", "version": 1}, *moments]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def recorded(uniqueid: int, connection: str, network: str) -> dict[str, object]:
    return {
        "uniqueid": uniqueid, "connection": connection, "child": "net", "peer": "203.0.113.2", "local": "203.0.113.1",
        "remote_ts": [{"start": network, "end": network}], "local_ts": [], "identity": "", "ike_id": 1, "reqid": 1,
        "mode": "tunnel", "state": "INSTALLED",
    }  # fmt: skip


def test_plan_with_a_recording_goes_by_its_last_state(file: Path, call: Call) -> None:
    done = call("plan", file, "--recording", recording(file.parent), "--json")
    report = json.loads(done.out)
    assert (done.code, report["announced"]) == (1, 3)
    assert [change["prefix"] for change in report["changes"]] == ["10.1.0.0/32", "10.3.0.0/32", "10.7.0.0/16"]


def test_plan_with_a_recording_and_the_policy_before(file: Path, call: Call) -> None:
    other = changed(file, "tag: 200", "tag: 201")
    done = call("plan", other, "--recording", recording(file.parent), "--from", file, "--json")
    (change,) = json.loads(done.out)["changes"]
    assert (change["action"], change["prefix"], change["entry"]) == ("change", "10.3.0.0/32", "internet 30")
    assert (change["before"]["tag"], change["after"]["tag"]) == (200, 201)


# reload, confirm


def test_reload_says_what_changed(live: Path, file: Path, call: Call) -> None:
    file.write_text(file.read_text().replace("tag: 200", "tag: 201"))
    expected = f"{file} is taken: 0 announced, 2 changed, 0 withdrawn, 3 as they were\n"
    assert call("reload", "--socket", live) == Done(0, expected, "")


def test_reload_with_a_mistake_is_exit_code_2_and_status_says_why(live: Path, file: Path, call: Call) -> None:
    file.write_text(file.read_text().replace("tag: 200", "tag: minus"))
    done = call("reload", "--socket", live)
    assert (done.code, done.out) == (2, "")
    assert f"{file}:" in done.err
    assert "NOT TAKEN" in call("show", "status", "--socket", live).out


def test_reload_of_another_file_shows_its_mistakes_here(
    live: Path, file: Path, call: Call, controller: Controller
) -> None:
    other = changed(file, "tag: 200", "tag: minus")
    done = call("reload", other, "--socket", live)
    assert (done.code, done.out, controller.policy_error) == (2, "", "")
    assert f"{other}:" in done.err


def test_reload_names_what_is_taken_at_the_next_start_only(live: Path, file: Path, call: Call) -> None:
    file.write_text(file.read_text().replace("vici: {}", "vici: {resync: 5}"))
    done = call("reload", "--socket", live)
    assert done.out.splitlines()[1:] == ["taken at the next start only: sources"]


def test_a_reload_is_confirmed(live: Path, file: Path, call: Call) -> None:
    file.write_text(file.read_text().replace("tag: 200", "tag: 201"))
    done = call("reload", "--confirm", "1000", "--socket", live)
    assert done.out.splitlines()[1:] == ["the policy before it comes back in 1000 s unless you say: rri-bgp confirm"]
    status = call("show", "status", "--socket", live)
    assert f"the policy {file} is NOT CONFIRMED: the one before it comes back in" in status.out
    assert call("reload", "--socket", live).err.startswith("rri-bgp: a policy waits for its confirmation, for ")
    assert call("confirm", "--socket", live) == Done(0, f"{file} is confirmed\n", "")
    assert "NOT CONFIRMED" not in call("show", "status", "--socket", live).out
    assert call("confirm", "--socket", live) == Done(2, "", "rri-bgp: no policy waits for a confirmation\n")


def test_a_reload_that_nobody_confirms_goes_back(live: Path, file: Path, call: Call) -> None:
    file.write_text(file.read_text().replace("tag: 200", "tag: 201"))
    call("reload", "--confirm", "0.1", "--socket", live)
    end = time.monotonic() + 20
    while "NOT TAKEN" not in (out := call("show", "status", "--socket", live).out):
        assert time.monotonic() < end
    assert f"the policy on disk is NOT TAKEN: {file} was not confirmed in time" in out
    assert [route["tag"] for route in json.loads(call("show", "routes", "--json", "--socket", live).out)["routes"]] == [
        100, 200, 200, 7, 100,
    ]  # fmt: skip


def test_a_controller_that_takes_no_policies_says_so(path: Path, call: Call) -> None:
    with served(Controller(Policy(), [Quiet()]), path):
        done = call("reload", "--socket", path)
    assert done == Done(2, "", "rri-bgp: this controller takes no other policy while it runs\n")
