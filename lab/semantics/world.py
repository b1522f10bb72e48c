"""The topology of the rules, as the tests speak of it: policies that are switched, and what each router then has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.harness import ROOT, STATE, Lab, LabError, wait_until
from lab.taps import RouteTap

__all__ = ["POLICIES", "Seen", "World", "policy"]

POLICIES = ROOT / "lab" / "semantics" / "policies"
RUN = STATE / "run" / "hub"
PLACE = "/run/rri-bgp/rri-bgp.yaml"
"""Where the hub's controller reads its policy; ``RUN`` is that folder on this machine."""

ROUTERS = {"upstream": "198.51.100.1", "edge": "198.51.101.1"}
"""Each with the hub's address in its usual session; edge has a second one, for a VRF (``from_neighbor``)."""

PEERS = ("branch1", "branch2", "hostile")
FAMILIES = ("ipv4 unicast", "ipv6 unicast")


@dataclass(frozen=True, slots=True)
class Seen:
    """A path as FRR shows it; communities as FRR writes them, ``med`` None where none came."""

    next_hop: str
    communities: str = ""
    large: str = ""
    med: int | None = None
    extended: str = ""


def policy(name: str, *changes: tuple[str, str]) -> str:
    """The text of a policy of ``policies``, with pieces of it replaced.

    Raises:
        LabError: a piece is not in it.
    """
    text = (POLICIES / f"{name}.yaml").read_text()
    for old, new in changes:
        if old not in text:
            raise LabError(f"{name}.yaml has no {old!r}")
        text = text.replace(old, new)
    return text


def describe(name: str, *changes: tuple[str, str]) -> str:
    """A policy as docs/results/semantics.md names it."""
    text = f"Policy [{name}.yaml](../../lab/semantics/policies/{name}.yaml)"
    for old, new in changes:
        text += f", with `{new.strip()}`" if new.strip() else f", without `{old.strip(' ,')}`"
    return f"{text}."


class World:
    """The deployed lab. The default router is ``upstream``."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.policy = ""
        """Which policy was taken last, and what is different in it, for people."""

    # -- the hub -----------------------------------------------------------------------------------------------------

    def take(self, name: str, *changes: tuple[str, str]) -> None:
        """Another policy, by ``reload``, and what it has the hub send has arrived."""
        self.policy = describe(name, *changes)
        self.write(policy(name, *changes))
        self.rri("reload")
        self.arrived()

    def write(self, text: str, place: str = PLACE) -> None:
        """Puts a policy where the hub can read it."""
        (RUN / Path(place).name).write_text(text)

    def rri(self, *arguments: str, node: str = "hub", code: int = 0) -> str:
        """What an ``rri-bgp`` command prints.

        Raises:
            LabError: its exit code is another.
        """
        found, said = self.lab.rri(*arguments, node=node)
        if found != code:
            raise LabError(f"rri-bgp {' '.join(arguments)} on {node} ended with {found}, not {code}: {said[-3000:]}")
        return said

    def json(self, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401  # docs/reference/json.md has its shape
        """The document that a command prints with ``--json``."""
        return json.loads(self.rri(*arguments, "--json", code=code))

    def arrived(self) -> None:
        """Waits until nothing is on its way to a router."""

        def is_settled() -> bool:
            return all(sink["ready"] and not sink["pending"] for sink in self.lab.status()["sinks"])

        wait_until(is_settled, "all that the hub has to send is sent")

    def is_well(self) -> None:
        """Waits until the controller answers, and the hub's three BGP sessions are there."""
        wait_until(lambda: self.lab.rri("show", "sas")[0] == 0, "the controller answers", 40)

        def count() -> bool:
            summaries = [self.lab.vtysh("show bgp ipv4 unicast summary json", node) for node in ROUTERS]
            states = [peer["state"] for summary in summaries for peer in summary["peers"].values()]
            return states == ["Established"] * 3

        wait_until(count, "the three BGP sessions are there", 40)

    def rekey(self, child: str, *peers: str) -> None:
        """Rekeys a CHILD_SA of each peer from its side, and waits until the hub has the new ones alone."""
        old = set(self.lab.children(state=""))
        for peer in peers:
            self.lab.rekey(peer, child=child)

        def is_replaced() -> bool:
            new = set(self.lab.children(state=""))
            return len(new) == len(old) and len(new - old) == len(peers)

        wait_until(is_replaced, f"{child} of {peers} is rekeyed")

    def next_snapshot(self) -> None:
        """Waits until the controller has taken a snapshot of charon's SAs that began after now, and told of it."""

        def snapshots() -> int:
            return int(self.lab.status()["sources"][0]["snapshots"])

        before = snapshots()
        wait_until(lambda: snapshots() >= before + 2, "the controller has taken two more snapshots", 30)
        self.arrived()

    def rest(self) -> None:
        """Ends all tunnels, whatever state they are in."""
        for peer in PEERS:
            self.lab.try_exec(peer, "pkill", "-CONT", "-x", "charon-systemd")
            self.lab.try_exec(peer, "swanctl", "--terminate", "--ike", "hub", "--timeout", "5", "--force")
            self.lab.try_exec("hub", "swanctl", "--terminate", "--ike", peer, "--timeout", "5", "--force")
        wait_until(lambda: not self.lab.children(state=""), "the hub has no CHILD_SA", 30)

    # -- the routers -------------------------------------------------------------------------------------------------

    def prefixes(self, node: str = "upstream") -> set[str]:
        """The unicast prefixes that a router has from the hub in its usual session."""
        tables = (self.lab.vtysh(f"show bgp {family} json", node).get("routes", {}) for family in FAMILIES)
        return {
            prefix
            for table in tables
            for prefix, paths in table.items()
            if any(path["peerId"] == ROUTERS[node] for path in paths)
        }

    def settle(self, *prefixes: str, node: str = "upstream", deadline: float = 20) -> None:
        """Waits until a router has exactly these unicast prefixes."""
        wait_until(lambda: self.prefixes(node) == set(prefixes), f"{node} has exactly {prefixes}", deadline)

    def paths(self, prefix: str, node: str = "upstream") -> tuple[Seen, ...]:
        """A router's paths to a unicast prefix from its usual session, by next hop."""
        family = "ipv6" if ":" in prefix else "ipv4"
        found = self.lab.vtysh(f"show bgp {family} unicast {prefix} json", node).get("paths", [])
        ours = (seen(path) for path in found if path["peer"]["peerId"] == ROUTERS[node])
        return tuple(sorted(ours, key=lambda path: path.next_hop))

    def path(self, prefix: str, node: str = "upstream") -> Seen:
        """A router's only path to a unicast prefix."""
        (found,) = self.paths(prefix, node)
        return found

    def becomes(self, prefix: str, *wanted: Seen, node: str = "upstream", deadline: float = 20) -> None:
        """Waits until a router's paths to a prefix are exactly these."""
        wait_until(lambda: self.paths(prefix, node) == wanted, f"{node} has {prefix} by {wanted}", deadline)

    def from_neighbor(self, address: str) -> set[str]:
        """The IPv4 prefixes that edge has from one of its two neighbours."""
        routes = self.lab.vtysh(f"show bgp ipv4 unicast neighbors {address} routes json", "edge")
        return set(routes.get("routes", {}))

    def vpn(self, version: str) -> dict[tuple[str, str], Seen]:
        """Upstream's VPN routes of a family (``ipv4``, ``ipv6``), by route distinguisher and prefix."""
        table = self.lab.vtysh(f"show bgp {version} vpn detail json").get("routes", {})
        distinguishers = table.get("routeDistinguishers", {})
        return {
            (distinguisher, prefix): seen(path)
            for distinguisher, prefixes in distinguishers.items()
            for prefix, paths in prefixes.items()
            for path in paths
        }

    def show(self, command: str, node: str = "upstream") -> str:
        """What FRR prints for people."""
        return self.lab.exec(node, "vtysh", "-c", command)

    @contextmanager
    def wire(self) -> Iterator[RouteTap]:
        """Hears what the hub tells upstream."""
        with RouteTap(self.lab.pid("upstream"), "eth1") as tap:
            yield tap


def seen(path: dict[str, Any]) -> Seen:
    """One path of FRR's JSON."""
    hop = next(hop["ip"] for hop in path["nexthops"] if hop.get("scope") != "link-local")
    communities, large, extended = (
        path.get(key, {}).get("string", "") for key in ("community", "largeCommunity", "extendedCommunity")
    )
    return Seen(hop, communities, large, path.get("metric"), extended)
