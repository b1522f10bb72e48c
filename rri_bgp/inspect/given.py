"""What the controller gives each session of a router: its answers on the control socket, as ``compare`` wants them.

Rules of this file: pure; the fields are those of docs/reference/json.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from rri_bgp.inspect.compare import Given, WantedPath
from rri_bgp.inspect.frr import Key, UpstreamTable, VpnPrefix
from rri_bgp.model import Address, FlowRule, Prefix

__all__ = ["Session", "given", "sessions_of", "sessions_with"]

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Session:
    """A BGP session of ours: ``local`` is our address in it, ``peer`` the neighbour's, empty where nobody knows.

    ``vrf``: it is given that VRF's routes as plain ones, and no others; None: those of the default VRF, and VPN routes.
    """

    local: Address
    peer: str = ""
    vrf: str | None = None


def sessions_of(status: Item) -> tuple[Session, ...]:
    """All sessions that ``show status`` names."""
    return tuple(
        Session(ip_address(one["local"]), one["peer"], one["vrf"])
        for sink in status["sinks"]
        for one in sink["neighbors"]
    )


def sessions_with(known: Iterable[Session], table: UpstreamTable) -> tuple[Session, ...]:
    """Those that this router has; all of them where it has none, as then all is missing."""
    every = tuple(known)
    return tuple(session for session in every if session.local in table.sessions.every) or every


def given(routes: Iterable[Item], sessions: Collection[Session], table: UpstreamTable) -> Given:
    """What each session is given. VPN routes and flow rules go to sessions that take them alone (rules N10, E11);
    flow rules of a VRF only to a session of that VRF: those that go out as VPN flows are not compared.
    """
    found: dict[Address, dict[Key, tuple[WantedPath, ...]]] = {session.local: {} for session in sessions}
    for item in routes:
        for session in sessions:
            key = _key(item, session, table)
            if key is not None:
                found[session.local][key] = _paths(item, isinstance(key, VpnPrefix))
    return found


def _key(item: Item, session: Session, table: UpstreamTable) -> Key | None:
    """As what a session is given a route, None where it is not."""
    if session.peer in item["withheld"] or not item["announced"]:
        return None
    prefix, is_plain = Prefix.parse(item["prefix"]), item["vrf"] == (session.vrf or "")
    if item["flow"] is not None:
        low, high = item["flow"]["ports"]
        takes = is_plain and session.local in table.sessions.flows
        return FlowRule(prefix, item["flow"]["protocol"], (low, high)) if takes else None
    if is_plain:
        return prefix
    takes = session.vrf is None and item["vpn"] is not None and session.local in table.sessions.vpn
    return VpnPrefix(item["vpn"]["rd"], prefix) if takes else None


def _paths(item: Item, is_vpn: bool) -> tuple[WantedPath, ...]:
    targets = item["vpn"]["route_targets"] if is_vpn else []
    return tuple(_path(one, targets) for one in (item, *item["alternates"]))


def _path(item: Item, targets: list[str]) -> WantedPath:
    communities = (text.split(":") for text in item["communities"])
    large = (text.split(":") for text in item["large_communities"])
    return WantedPath(
        next_hop=ip_address(item["next_hop"]),
        communities=tuple((int(high), int(low)) for high, low in communities),
        large_communities=tuple((int(a), int(b), int(c)) for a, b, c in large),
        med=item["med"],
        extended=tuple(
            f"RT:{text.removeprefix('target:')}"
            for text in (*item["extended_communities"], *targets)
            if text.startswith("target:")
        ),
    )
