"""The names that entries, access lists and neighbours use: whether they exist, and what nobody uses.

Rules of this file: ``unknown_names`` runs also while single fields are wrong, so it trusts no type and passes over what
the schema refuses anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from rri_bgp.policy.fields import did_you_mean
from rri_bgp.policy.yaml_text import Key, Node, Place, Problem, show
from rri_bgp.rri.entries import Policy

__all__ = ["below", "entries_of", "unknown_names", "unused_names"]

_GROUP_WORD = re.compile(r"(?<!\S)object-group\s+(\S+)")
_MAX_SUGGESTIONS = 20
"""Looking for a close name among a thousand takes milliseconds; beyond this many errors nobody reads the hints."""
_ENTRY_KEYS = {
    "match-address": ("access-lists", "access list"),
    "redundancy": ("redundancy", "redundancy group"),
    "vrf": ("vrfs", "VRF"),
    "front-vrf": ("vrfs", "VRF"),
}


def below(node: Node, *keys: Key) -> Mapping[Key, Node]:
    """The nodes below a node, some keys down; none where there is no such key."""
    found: Node | None = node
    for key in keys:
        found = None if found is None else found.children.get(key)
    return {} if found is None else found.children


def entries_of(root: Node) -> Iterator[tuple[Key, Node]]:
    """Every entry with its map's name, in file order."""
    for name, crypto_map in below(root, "crypto-maps").items():
        for entry in below(crypto_map, "entries").values():
            yield name, entry


def unknown_names(root: Node) -> Iterator[Problem]:
    """Names that are used and do not exist."""
    missing = [*_of_maps(root), *_of_lists(root), *_of_neighbors(root)]
    for number, (node, offset, kind, known) in enumerate(missing):
        name = str(node.value)[offset:].split()[0] if offset else str(node.value)
        hint = did_you_mean(name, known) if number < _MAX_SUGGESTIONS else ""
        what = f"there is no {kind} {show(name)}; allowed: {_some(known)}"
        yield Problem(node.place, node.path, what, hint, offset)


_Missing = tuple[Node, int | None, str, list[str]]
"""Where, the offset of the name in the text, what it would be the name of, and the names there are."""


def _of_maps(root: Node) -> Iterator[_Missing]:
    known = {place: [str(name) for name in below(root, place)] for place, _ in _ENTRY_KEYS.values()}
    sets = {place: set(names) for place, names in known.items()}
    users = [*below(root, "crypto-maps").values(), *(entry for _, entry in entries_of(root))]
    for user in users:
        named = [(user.children.get(key), *of) for key, of in _ENTRY_KEYS.items()]
        named.append((below(user, "match").get("vrf"), *_ENTRY_KEYS["vrf"]))
        for node, place, kind in named:
            if node is not None and isinstance(node.value, str) and node.value not in sets[place]:
                yield node, None, kind, known[place]


def _of_lists(root: Node) -> Iterator[_Missing]:
    known = [str(name) for name in below(root, "object-groups")]
    names = set(known)
    for lines in below(root, "access-lists").values():
        for node in lines.children.values():
            if isinstance(node.value, str) and "object-group" in node.value:
                for found in _GROUP_WORD.finditer(node.value):
                    if found[1] not in names:
                        yield node, found.start(1), "object group", known


def _of_neighbors(root: Node) -> Iterator[_Missing]:
    vrfs = [str(name) for name in below(root, "vrfs")]
    entries = [f"{name} {entry.children['seq'].value}" for name, entry in entries_of(root) if "seq" in entry.children]
    names = set(entries)
    for neighbor in below(root, "neighbors").values():
        vrf = neighbor.children.get("vrf")
        if vrf is not None and isinstance(vrf.value, str) and vrf.value not in vrfs:
            yield vrf, None, "VRF", vrfs
        for node in below(neighbor, "entries").values():
            if isinstance(node.value, str) and re.fullmatch(r"\S+ [1-9][0-9]*", node.value) and node.value not in names:
                yield node, None, "entry", entries


def _some(names: list[str]) -> str:
    if not names:
        return "none, for the policy has none"
    return ", ".join(show(name).strip('"') for name in names[:6]) + (", ..." if len(names) > 6 else "")


def unused_names(root: Node, policy: Policy) -> Iterator[tuple[Place, str]]:
    """What is there and nobody uses."""
    entries = policy.entries
    vrfs = {name for entry in entries for name in (entry.vrf, entry.front_vrf, entry.match.vrf)}
    groups = {
        found[1]
        for lines in below(root, "access-lists").values()
        for node in lines.children.values()
        for found in _GROUP_WORD.finditer(str(node.value))
    }
    yield from _unused(root, "tags", {entry.tag for entry in entries}, "tag {} is used by no entry")
    lists = {entry.access_list.name for entry in entries if entry.access_list is not None}
    yield from _unused(root, "access-lists", lists, "the access list {} is used by no entry")
    yield from _unused(root, "object-groups", groups, "the object group {} is used by no access list")
    yield from _unused(root, "redundancy", {entry.redundancy for entry in entries}, "the group {} is used by no entry")
    yield from _unused(root, "vrfs", vrfs, "the VRF {} is used by no entry")


def _unused(root: Node, place: str, used: Iterable[object], text: str) -> Iterator[tuple[Place, str]]:
    node = root.children.get(place)
    if node is not None:
        taken = set(used)
        for name, where in node.keys.items():
            if name not in taken:
                yield where, text.format(name)
