"""What two places of a policy file have to agree on, beyond names (``names``).

Rules of this file: ``conflicts`` runs also while single fields are wrong, so it trusts no type and passes over what
the schema refuses anyway. ``late_conflicts`` needs the checked shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from rri_bgp.policy.names import below, entries_of, unknown_names
from rri_bgp.policy.schema import PolicyModel
from rri_bgp.policy.yaml_text import Key, Node, Problem, show

__all__ = ["conflicts", "late_conflicts"]


def conflicts(root: Node) -> list[Problem]:
    """What is there twice, what is missing beside another key, and names that do not exist."""
    problems = [
        *_source_names(root),
        *_witnesses(root),
        *_neighbors(root),
        *_vrfs(root),
        *_sink_tables(root),
        *unknown_names(root),
    ]
    for crypto_map in below(root, "crypto-maps").values():
        problems.extend(_sequence_numbers(below(crypto_map, "entries")))
    for _, entry in entries_of(root):
        problems.extend(_peers(entry))
        problems.extend(_reverse_route(entry))
    return problems


def late_conflicts(model: PolicyModel, root: Node) -> Iterator[Problem]:
    """Lines of access lists whose sides, once object groups are looked up, have no IP version in common."""
    groups = {
        name: tuple(prefix for network in networks for prefix in network)
        for name, networks in model.object_groups.items()
    }
    for name, lines in model.access_lists.items():
        nodes = root.children["access-lists"].children[name].children
        for index, (line, _) in enumerate(lines):
            if not line.source.group and not line.destination.group:
                continue  # the parser has seen to it
            sides = [{prefix.version for prefix in side.resolved(groups)} for side in (line.source, line.destination)]
            if not sides[0] & sides[1]:
                what = "the source and the destination have no IP version in common; allowed: both of one version"
                yield Problem(nodes[index].place, nodes[index].path, what, "", line.destination.offset)


def _source_names(root: Node) -> Iterator[Problem]:
    seen: dict[object, Node] = {}
    for source in below(root, "sources").values():
        if isinstance(source.value, str):
            kind, node = source.value, source
        elif len(source.children) == 1:
            ((key, settings),) = source.children.items()
            kind, node = str(key), settings.children.get("name", source)
        else:
            continue
        name = node.value if node is not source and isinstance(node.value, str) else kind
        first = seen.setdefault(name, node)
        if first is not node:
            what = f"the source name `{name}` is taken by the source on line {first.place.line + 1}"
            hint = "set `name`" if kind == "vici" else ""
            yield Problem(node.place, node.path, f"{what}; allowed: one source per name", hint)


def _witnesses(root: Node) -> Iterator[Problem]:
    sources = below(root, "sources").values()
    if any(source.value == "xfrm" or "xfrm" in source.children for source in sources):
        return
    for source in sources:
        node = below(source, "vici").get("kernel")
        if node is not None and node.value in ("report", "withdraw"):
            what = f"`kernel: {node.value}` needs a source `xfrm`, which shows the kernel (rule E8); allowed: both"
            yield Problem(node.place, node.path, what)


def _sequence_numbers(entries: Mapping[Key, Node]) -> Iterator[Problem]:
    seen: dict[object, Node] = {}
    for entry in entries.values():
        seq = entry.children.get("seq")
        if seq is None or not isinstance(seq.value, int):
            continue
        first = seen.setdefault(seq.value, seq)
        if first is not seq:
            what = f"seq {seq.value} is taken by the entry on line {first.place.line + 1}; allowed: a number of its own"
            yield Problem(seq.place, seq.path, what)


def _peers(entry: Node) -> Iterator[Problem]:
    kind = entry.children.get("type")
    place = entry.keys.get("set-peer")
    if kind is None:
        return
    if kind.value == "static" and place is None:
        what = "a static entry needs `set-peer`; allowed: an address, or a list of at least one"
        yield Problem(kind.place, entry.path, what, "for peers whose addresses are not known use `type: dynamic`")
    if kind.value == "dynamic" and place is not None:
        what = "a dynamic entry takes no `set-peer`; allowed: `match`, or `type: static`"
        yield Problem(place, entry.children["set-peer"].path, what)


def _reverse_route(entry: Node) -> Iterator[Problem]:
    kind = entry.children.get("type")
    route = below(entry, "reverse-route")
    static = route.get("static")
    is_static = kind is not None and kind.value == "static" and static is not None and static.value is True
    if is_static and static is not None and "match-address" not in entry.children:
        what = "`static` needs `match-address`, whose permit lines are its routes (rule E3); allowed: both"
        yield Problem(static.place, static.path, what)
    peer = route.get("remote-peer")
    gateway = peer.children.get("gateway") if peer is not None else None
    if peer is not None and gateway is not None and gateway.value is True and "address" not in peer.children:
        what = "`gateway` needs `address`, by which the peer is reached (rule N4); allowed: both"
        yield Problem(gateway.place, gateway.path, what)


def _neighbors(root: Node) -> Iterator[Problem]:
    """Two ways to write one address."""
    node = root.children.get("neighbors")
    seen: dict[object, Key] = {}
    for text, place in node.keys.items() if node is not None else ():
        try:
            address = ip_address(str(text))
        except ValueError:
            continue
        first = seen.setdefault(address, text)
        if first is not text and node is not None:
            what = f"{show(text)} is the neighbor on line {node.keys[first].line + 1}; allowed: each neighbor once"
            yield Problem(place, node.children[text].path, what)


def _vrfs(root: Node) -> Iterator[Problem]:
    seen: dict[tuple[str, object], Key] = {}
    for name, vrf in below(root, "vrfs").items():
        for key in ("table", "rd"):
            node = vrf.children.get(key)
            if node is None or node.value is None or isinstance(node.value, dict | list):
                continue
            first = seen.setdefault((key, node.value), name)
            if first != name:
                what = f"{key} {show(node.value).strip(chr(34))} is that of the VRF {first}; allowed: one of its own"
                yield Problem(node.place, node.path, what)
        if "export" in vrf.children and "rd" not in vrf.children:
            node = vrf.children["export"]
            yield Problem(node.place, node.path, "`export` needs `rd` (rule N10); allowed: both, or neither")


def _sink_tables(root: Node) -> Iterator[Problem]:
    """Two VRFs in one table: a prefix of both would have one place for two routes (rule N6).

    And what is handed off leads nowhere: in a table that is looked up it would be in the way of traffic.
    """
    kernel, hand_off = (below(root, "sinks", sink).get("table") for sink in ("kernel", "hand-off"))
    others = {f"the VRF {name}": vrf.children.get("table") for name, vrf in below(root, "vrfs").items()}
    for node, taken in ((kernel, others), (hand_off, {"the sink kernel": kernel, **others})):
        if node is not None and isinstance(node.value, int):
            for owner, table in taken.items():
                if table is not None and table.value == node.value:
                    what = f"table {node.value} is that of {owner}; allowed: one of its own"
                    yield Problem(node.place, node.path, what)
