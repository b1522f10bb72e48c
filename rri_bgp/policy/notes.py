"""Warnings that come with every reading: what is allowed and can hardly be meant, and costs no time to see.

Rules of this file: a warning is a complete line, and names the rule where there is one. What takes a comparison of
entries with each other is in ``lint``, for `rri-bgp check`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rri_bgp.policy.build import ranked
from rri_bgp.policy.names import below, unused_names
from rri_bgp.policy.report import position
from rri_bgp.policy.schema import PolicyModel
from rri_bgp.policy.yaml_text import Node, Place
from rri_bgp.rri.entries import EntryKind, MapEntry, Policy

__all__ = ["takes_every_sa", "warnings_of"]


def warnings_of(file: Path, root: Node, model: PolicyModel, policy: Policy) -> tuple[str, ...]:
    """The warnings, in file order."""
    nodes = [
        root.children["crypto-maps"].children[name].children["entries"].children[index] for name, index in ranked(model)
    ]
    found = [
        *_missing_family(root, model, policy),
        *_never_reached(policy, nodes),
        *_static_on_dynamic(policy, nodes),
        *(_vrfs(root, policy) if model.sinks.exabgp is not None else ()),
        *_neighbor_tags(root, policy),
        *unused_names(root, policy),
    ]
    return tuple(f"{position(file, place)}: {text}" for place, text in sorted(found))


def _missing_family(root: Node, model: PolicyModel, policy: Policy) -> Iterator[tuple[Place, str]]:
    """One warning for all entries: on a gateway with one family, one per entry would bury the rest."""
    for version in {4, 6} - {hop.version for hop in model.local.next_hop}:
        entries = [entry for entry in policy.entries if _lacks_hop(entry, policy, version)]
        if entries:
            more = f" and {len(entries) - 1} more" if len(entries) > 1 else ""
            no_route = f"IPv{version} selectors of {entries[0].name}{more} make no route"
            place = root.children["local"].children["next-hop"].place
            yield place, f"{no_route}: local.next-hop has no IPv{version} address"


def _lacks_hop(entry: MapEntry, policy: Policy, version: int) -> bool:
    if entry.reverse_route is None or not entry.next_hop_self:
        return False
    group = policy.groups.get(entry.redundancy)
    return group is None or version not in {address.version for address in group.addresses}


def _never_reached(policy: Policy, nodes: list[Node]) -> Iterator[tuple[Place, str]]:
    takes_all: MapEntry | None = None
    for entry, node in zip(policy.entries, nodes, strict=True):
        if takes_all is not None:
            yield node.place, f"{entry.name} is never reached: {takes_all.name} ({takes_all.where}) takes every SA"
        elif takes_every_sa(entry):
            takes_all = entry


def takes_every_sa(entry: MapEntry) -> bool:
    """Whether no SA passes an entry by."""
    match = entry.match
    names = match.connection + match.child + match.identity
    rest = (match.if_id, match.mark, match.vrf)
    return (
        entry.kind is EntryKind.DYNAMIC
        and entry.access_list is None
        and set(names) == {"*"}
        and rest == (None, None, None)
    )


def _static_on_dynamic(policy: Policy, nodes: list[Node]) -> Iterator[tuple[Place, str]]:
    for entry, node in zip(policy.entries, nodes, strict=True):
        if entry.kind is EntryKind.DYNAMIC and entry.reverse_route is not None and entry.reverse_route.static:
            what = f"`static` changes nothing on the dynamic entry {entry.name}"
            why = "what its peers will ask for is not known before they do (rule E5)"
            yield node.children["reverse-route"].children["static"].place, f"{what}: {why}"


def _vrfs(root: Node, policy: Policy) -> Iterator[tuple[Place, str]]:
    """VRFs whose routes nobody gets, or takes."""
    given = {neighbor.vrf for neighbor in policy.neighbors}
    used = {entry.vrf for entry in policy.entries}
    keys = root.children["vrfs"].keys if "vrfs" in root.children else {}
    for name, place in keys.items():
        vrf = policy.vrfs[str(name)]
        if name in used and not vrf.rd and name not in given:
            yield place, f"the VRF {name} has no `rd`, and no neighbor has it: its routes go to nobody (rule N10)"
        elif vrf.rd and not vrf.route_targets:
            yield place, f"the VRF {name} has no route target in `export`: no router imports its routes (rule N10)"


def _neighbor_tags(root: Node, policy: Policy) -> Iterator[tuple[Place, str]]:
    there = {entry.tag for entry in policy.entries if entry.reverse_route is not None}
    for node in below(root, "neighbors").values():
        for tag in below(node, "tags").values():
            value = None if tag.value == "none" else tag.value
            if value not in there:
                yield tag.place, f"no entry has the tag {tag.value}: the neighbor gets no route for it"
