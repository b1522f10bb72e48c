"""How the control socket's items are put into words, the same in every verb. Nothing is printed here."""

from __future__ import annotations

from typing import Any

__all__ = [
    "communities",
    "count",
    "destination",
    "differing",
    "hop",
    "installed",
    "kernel_route",
    "missing",
    "next_hops",
    "owner",
    "path",
    "sa",
]

Item = dict[str, Any]


def count(number: int, one: str, many: str = "") -> str:
    """``1 route``, ``2 routes``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def destination(item: Item) -> str:
    """A route's destination: ``10.1.0.0/16``, ``10.1.0.0/16[6/443] vrf red``."""
    text = str(item["prefix"])
    if item["flow"] is not None:
        low, high = item["flow"]["ports"]
        ports = "" if (low, high) == (0, 65535) else f"/{low}" if low == high else f"/{low}-{high}"
        text += f"[{item['flow']['protocol']}{ports}]"
    return f"{text} vrf {item['vrf']}" if item["vrf"] else text


def owner(item: Item) -> str:
    """An owner, short: ``vici:17``, ``mymap 10 line 2``."""
    if item["source"] is None:
        return f"{item['entry']} line {item['line']}"
    return f"{item['source']}:{item['uniqueid']}"


def sa(item: Item) -> str:
    """An SA pair: what names it, and who is at its other end."""
    who = f", {item['identity']}" if item["identity"] else ""
    return f"SA {item['source']}:{item['uniqueid']} ({item['connection']}/{item['child']}, peer {item['peer']}{who})"


def missing(item: Item) -> str:
    """What of an SA pair the kernel does not carry (rule E8); empty where it carries all."""
    return f"E8: not in the kernel: {' '.join(item['not_in_kernel'])}" if item["not_in_kernel"] else ""


def communities(item: Item) -> str:
    """All communities of a path; empty where there are none."""
    return " ".join((*item["communities"], *item["large_communities"], *item["extended_communities"]))


def next_hops(item: Item) -> str:
    """The next hops of a route, the best path's first."""
    return " ".join(dict.fromkeys(one["next_hop"] for one in (item, *item["alternates"])))


def path(item: Item) -> str:
    """A path in full: next hop, communities, and what else it carries."""
    words = [f"next hop {item['next_hop']}", communities(item) or "no communities"]
    words += [f"{name} {item[field]}" for field, name in _NUMBERED if item[field] is not None and _is_sent(item, field)]
    return ", ".join(words)


def kernel_route(item: Item) -> str:
    """An intended kernel route, nearly as ``ip route`` would have it: ``10.1.0.0/16 to peer 192.0.2.1 metric 1``."""
    hops = " and ".join(map(hop, item["hops"])) or "nowhere"
    vrf = f" vrf {item['vrf']}" if item["vrf"] else ""
    return f"{item['prefix']}{vrf} {hops} metric {item['distance']}"


def installed(item: Item) -> str:
    """What the kernel has, nearly as ``ip route`` would have it: ``via 192.0.2.1 dev eth0 table 254 metric 1``."""
    ways = " and ".join(_way(one) for one in item["hops"]) or ("blackhole" if item["blackhole"] else "nothing")
    place = f" table {'main' if item['table'] == 254 else item['table']} metric {item['metric']}"
    state = "" if item["state"] == "confirmed" else f", {item['state']}"
    return f"{ways}{place if ways != 'nothing' else ''}{state}{': ' if item['reason'] else ''}{item['reason']}"


def _way(item: Item) -> str:
    gateway = f"via {item['gateway']} " if item["gateway"] else ""
    return f"{gateway}dev {item['device']}{' onlink' if item['onlink'] else ''}"


def hop(item: Item) -> str:
    """Where a kernel route leads."""
    return f"{_HOPS[item['kind']]} {item['to']}".rstrip()


def _is_sent(item: Item, field: str) -> bool:
    """MED 0 and local preference 0 are; prepended no times is nothing."""
    return bool(item[field]) or field != "as_path_prepend"


_HOPS = {"peer": "to peer", "gateway": "via", "interface": "dev", "if-id": "into if_id", "mark": "into mark"}

_NUMBERED = (("med", "MED"), ("local_preference", "local preference"), ("as_path_prepend", "AS path prepend"))
_FIELDS = (
    ("next_hop", "next hop"),
    ("communities", "communities"),
    ("large_communities", "large communities"),
    ("extended_communities", "extended communities"),
    *_NUMBERED,
)


def differing(old: Item, new: Item) -> list[str]:
    """What differs between two announcements, a line each: ``MED 10 -> 20``."""
    lines = [
        f"{name} {_value(old[field])} -> {_value(new[field])}" for field, name in _FIELDS if old[field] != new[field]
    ]
    if old["alternates"] != new["alternates"]:
        lines.append(f"other paths {_paths(old['alternates'])} -> {_paths(new['alternates'])}")
    if old["vpn"] != new["vpn"]:
        lines.append(f"VPN {_vpn(old['vpn'])} -> {_vpn(new['vpn'])}")
    lines += [f"given to neighbor {peer}" for peer in old["withheld"] if peer not in new["withheld"]]
    lines += [f"no longer given to neighbor {peer}" for peer in new["withheld"] if peer not in old["withheld"]]
    return lines


def _vpn(vpn: Item | None) -> str:
    if vpn is None:
        return "none"
    return f"RD {vpn['rd']}, label {vpn['label']}, {' '.join(vpn['route_targets']) or 'no route targets'}"


def _value(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _paths(paths: list[Item]) -> str:
    return "; ".join(path(one) for one in paths) or "none"
