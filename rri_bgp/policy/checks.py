"""What two places of a policy file have to agree on: errors over the node tree, warnings over the finished policy.

Rules of this file: ``conflicts`` runs also while single fields are wrong, so it trusts no type and passes over what
the schema refuses anyway. A warning is a complete line, and is only given for what can hardly be meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rri_bgp.policy.report import position
from rri_bgp.policy.schema import PolicyModel
from rri_bgp.policy.yaml_text import Key, Node, Place, Problem
from rri_bgp.rri.entries import EntryKind, MapEntry, Policy

__all__ = ["conflicts", "ranked", "warnings_of"]


def conflicts(root: Node) -> list[Problem]:
    """Doubled sequence numbers and source names, static entries without peers, dynamic ones with."""
    problems = list(_source_names(root))
    for crypto_map in _below(root, "crypto-maps").values():
        entries = _below(crypto_map, "entries")
        problems.extend(_sequence_numbers(entries))
        for entry in entries.values():
            problems.extend(_peers(entry))
    return problems


def ranked(policy: PolicyModel) -> Iterator[tuple[str, int]]:
    """Map name and index in the file of every entry, in rank order: maps as written, entries by ``seq``."""
    for name, crypto_map in policy.crypto_maps.items():
        entries = crypto_map.entries
        for index in sorted(range(len(entries)), key=lambda index: entries[index].seq):
            yield name, index


def warnings_of(file: Path, root: Node, model: PolicyModel, policy: Policy) -> tuple[str, ...]:
    """The warnings, in file order."""
    found = [*_missing_family(root, model, policy), *_never_reached(root, model, policy), *_unused_tags(root, policy)]
    return tuple(f"{position(file, place)}: {text}" for place, text in sorted(found))


def _below(node: Node, key: Key) -> Mapping[Key, Node]:
    child = node.children.get(key)
    return child.children if child is not None else {}


def _source_names(root: Node) -> Iterator[Problem]:
    seen: dict[object, Node] = {}
    for source in _below(root, "sources").values():
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


def _missing_family(root: Node, model: PolicyModel, policy: Policy) -> Iterator[tuple[Place, str]]:
    """One warning for all entries: on a gateway with one family, one per entry would bury the rest."""
    entries = [
        entry
        for entry, (name, index) in zip(policy.entries, ranked(model), strict=True)
        if entry.reverse_route and model.crypto_maps[name].entries[index].next_hop is None
    ]
    if not entries:
        return
    more = f" and {len(entries) - 1} more" if len(entries) > 1 else ""
    for version in {4, 6} - {hop.version for hop in model.local.next_hop}:
        no_route = f"IPv{version} selectors of {entries[0].name}{more} make no route"
        yield (
            root.children["local"].children["next-hop"].place,
            f"{no_route}: local.next-hop has no IPv{version} address",
        )


def _never_reached(root: Node, model: PolicyModel, policy: Policy) -> Iterator[tuple[Place, str]]:
    takes_all: MapEntry | None = None
    for entry, (name, index) in zip(policy.entries, ranked(model), strict=True):
        if takes_all is not None:
            node = _below(root.children["crypto-maps"].children[name], "entries")[index]
            yield node.place, f"{entry.name} is never reached: {takes_all.name} ({takes_all.where}) takes every SA"
        elif entry.kind is EntryKind.DYNAMIC and set(entry.connection) == set(entry.child) == {"*"}:
            takes_all = entry


def _unused_tags(root: Node, policy: Policy) -> Iterator[tuple[Place, str]]:
    tags = root.children.get("tags")
    if tags is None:
        return
    used = {entry.tag for entry in policy.entries}
    for tag, place in tags.keys.items():
        if tag not in used:
            yield place, f"tag {tag} is used by no entry"
