"""What upstream has, for each kind of tunnel: prefix, next hop, communities, best, in the FIB."""

from __future__ import annotations

import pytest

from lab.harness import Lab, wait_until

HUB4, HUB6 = "198.51.100.1", "2001:db8:100::1"


def settle(lab: Lab, *prefixes: str) -> None:
    """Waits until upstream has exactly these prefixes, and each of them in its FIB."""
    wait_until(lambda: lab.prefixes() == set(prefixes), f"upstream has exactly {prefixes}")
    for prefix in prefixes:
        wait_until(lambda wanted=prefix: lab.fib(wanted), f"{prefix} is in upstream's FIB")  # type: ignore[misc]


def path(lab: Lab, prefix: str) -> tuple[str, str, str, bool]:
    """Next hop, communities, large communities, whether best: upstream's only path for a prefix."""
    family = "ipv6" if ":" in prefix else "ipv4"
    (found,) = lab.vtysh(f"show bgp {family} unicast {prefix} json")["paths"]
    hop = next(hop["ip"] for hop in found["nexthops"] if hop.get("scope") != "link-local")
    community = found.get("community", {}).get("string", "")
    large = found.get("largeCommunity", {}).get("string", "")
    return hop, community, large, bool(found.get("bestpath", {}).get("overall"))


def test_e2_n8_n9_a_static_entry_and_its_tag(lab: Lab) -> None:
    lab.up("branch1", "net")
    settle(lab, "10.1.0.0/16")
    assert path(lab, "10.1.0.0/16") == (HUB4, "65000:100", "65000:1:100", True)


def test_e1_e14_ipv6_selectors_behind_an_ipv4_peer(lab: Lab) -> None:
    lab.up("branch2", "net6")
    settle(lab, "2001:db8:2::/48")
    assert path(lab, "2001:db8:2::/48") == (HUB6, "65000:200", "65000:1:200", True)


def test_e1_the_route_goes_with_the_tunnel(lab: Lab) -> None:
    lab.up("branch1", "net")
    lab.up("branch1", "net6")
    settle(lab, "10.1.0.0/16", "2001:db8:1::/48")
    lab.down("hub", child="net")
    settle(lab, "2001:db8:1::/48")
    lab.down("branch1", ike="hub")
    settle(lab)


def test_two_selectors_in_one_child_sa(lab: Lab) -> None:
    lab.up("branch1", "two")
    settle(lab, "10.21.0.0/16", "10.22.0.0/16")
    lab.down("branch1", child="two")
    settle(lab)


def test_a_range_selector_is_the_exact_set_of_prefixes(lab: Lab) -> None:
    lab.up("branch1", "range")
    settle(lab, "10.23.0.17/32", "10.23.0.18/31", "10.23.0.20/32")


def test_a_road_warriors_virtual_ip(lab: Lab) -> None:
    lab.up("rw", "home")
    settle(lab, "10.9.0.1/32")
    assert path(lab, "10.9.0.1/32") == (HUB4, "", "65000:1:70000", True)


def test_traffic_flows_only_because_of_the_injected_route(lab: Lab) -> None:
    assert not lab.ping("server", "10.1.0.10")
    lab.up("branch1", "net")
    settle(lab, "10.1.0.0/16")
    wait_until(lambda: lab.ping("server", "10.1.0.10"), "a ping from server to branch 1 is answered")
    lab.down("branch1", child="net")
    settle(lab)
    assert not lab.ping("server", "10.1.0.10")


@pytest.mark.parametrize("side", ["branch1", "hub"])
def test_e6_a_child_rekey_is_silent(lab: Lab, side: str) -> None:
    lab.up("branch1", "net")
    settle(lab, "10.1.0.0/16")
    updates, old = lab.updates_received(), lab.children()
    lab.rekey(side, child="net")
    wait_until(lambda: len(now := lab.children()) == 1 and now != old, "the new CHILD_SA has replaced the old")
    after_the_next_snapshot(lab)
    assert lab.updates_received() == updates
    settle(lab, "10.1.0.0/16")


@pytest.mark.parametrize("side", ["branch1", "hub"])
@pytest.mark.parametrize("reauth", [False, True], ids=["rekey", "reauthentication"])
def test_e6_an_ike_sa_rekey_or_reauthentication_is_silent(lab: Lab, side: str, reauth: bool) -> None:
    lab.up("branch1", "net")
    lab.up("branch1", "net6")
    settle(lab, "10.1.0.0/16", "2001:db8:1::/48")
    updates, old = lab.updates_received(), ike_ids(lab)
    lab.rekey(side, ike="hub" if side == "branch1" else "branch1", reauth=reauth)
    wait_until(lambda: len(now := ike_ids(lab)) == 1 and now != old, "the new IKE SA has replaced the old")
    after_the_next_snapshot(lab)
    assert lab.updates_received() == updates
    settle(lab, "10.1.0.0/16", "2001:db8:1::/48")


def test_a_killed_peer_is_withdrawn_after_dead_peer_detection(lab: Lab) -> None:
    lab.up("branch1", "net")
    lab.up("branch2", "net")
    settle(lab, "10.1.0.0/16", "10.2.0.0/16")
    lab.kill("branch1", "charon-systemd")
    try:
        settle(lab, "10.2.0.0/16")
    finally:
        lab.start_charon("branch1")


def test_charon_on_the_hub_killed_and_restarted(lab: Lab) -> None:
    lab.up("branch1", "net")
    settle(lab, "10.1.0.0/16")
    lab.kill("hub", "charon-systemd")
    code, said = lab.rri("show", "status")
    assert code == 1, said
    assert lab.prefixes() == {"10.1.0.0/16"}, "what was true last stays while charon is away"
    lab.start_charon("hub")
    settle(lab)
    lab.exec("branch1", "swanctl", "--terminate", "--ike", "hub", "--force")
    lab.up("branch1", "net")
    settle(lab, "10.1.0.0/16")


def ike_ids(lab: Lab) -> list[str]:
    """The unique ids of the hub's IKE SAs."""
    lines = lab.exec("hub", "swanctl", "--list-sas").splitlines()
    return [line.split(",")[0] for line in lines if ": #" in line and "IKEv" in line]


def after_the_next_snapshot(lab: Lab) -> None:
    """Waits until the controller has taken a full snapshot that began after now."""
    before = snapshots(lab)
    wait_until(lambda: snapshots(lab) >= before + 2, "the controller has taken two more snapshots", 30)


def snapshots(lab: Lab) -> int:
    """How many full snapshots the controller has taken of charon's SAs."""
    return int(lab.status()["sources"][0]["snapshots"])
