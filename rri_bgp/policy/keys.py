"""Every key of a policy file, described: for `rri-bgp help config`, and for the tables of docs/reference/policy.md.

Rules of this file: it says nothing itself; all it knows it takes from the types that read the file (``schema``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_origin

from rri_bgp.errors import UsageError
from rri_bgp.policy.fields import did_you_mean
from rri_bgp.policy.json_schema import schema
from rri_bgp.policy.schema import Model, PolicyModel, bare, models_in
from rri_bgp.policy.schema_base import allowed_of, rules_of, written_default

__all__ = ["Key", "find", "keys_of", "table"]

_INDEX = re.compile(r"\[[0-9]*\]")
_TYPES = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "nothing",
    "object": "mapping",
}  # fmt: skip
_PLURALS = {"mapping": "mappings", "whole number": "whole numbers"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key. ``path`` has `NAME` where any name may stand, and `[]` where a list is; ``model`` is what it holds."""

    path: str
    name: str
    kind: str
    allowed: str
    default: str
    rules: str
    about: str
    model: type[Model] | None = None

    @property
    def children(self) -> tuple[Key, ...]:
        """The keys below it."""
        return () if self.model is None else tuple(keys_of(self.model, f"{self.path}." if self.path else ""))


_ROOT = Key("", "", "mapping", "a mapping", "", "", "The whole file.", PolicyModel)


def keys_of(model: type[Model], before: str = "") -> Iterator[Key]:
    """The keys of a mapping, in order; ``before`` is what stands before them in their paths."""
    properties = _properties(model)
    for field_name, field in model.model_fields.items():
        name = field.alias or field_name
        kind = bare(field.annotation)
        found = models_in(kind)
        step = {list: "[]", dict: ".NAME"}.get(get_origin(kind), "") if found is not None else ""  # type: ignore[arg-type]
        yield Key(
            path=f"{before}{name}{step}",
            name=name,
            kind=_words(properties[name]),
            allowed=allowed_of(field),
            default=written_default(field),
            rules=rules_of(field),
            about=field.description or "",
            model=found,
        )


def find(path: str) -> Key:
    """The key at a path, as errors write it or with the names and indices left out; empty is the whole file.

    Raises:
        UsageError: there is no such key.
    """
    found = _ROOT
    skipped = False
    parts = [part for part in _INDEX.sub("", path).split(".") if part]
    for part in parts:
        children = {child.name: child for child in found.children}
        if part in children:
            found, skipped = children[part], False
        elif found.path.endswith(".NAME") and not skipped:
            skipped = True  # the name of a map, a tag, a group
        else:
            where = f"`{found.path}` has" if found.path else "the policy file has"
            allowed = ", ".join(children) or "none"
            raise UsageError(f"{where} no key `{part}`; allowed: {allowed}", hint=did_you_mean(part, children))
    return found


def table(model: type[Model]) -> str:
    """The keys of a mapping, as a table of the reference."""
    lines = ["| key | allowed | default | meaning | rule |", "|---|---|---|---|---|"]
    for key in keys_of(model):
        cells = (f"`{key.name}`", key.allowed, key.default, key.about, key.rules)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines).replace("|  |", "| |")


def _properties(model: type[Model]) -> dict[str, Any]:
    part = schema() if model is PolicyModel else schema()["$defs"][model.__name__]
    found: dict[str, Any] = part["properties"]
    return found


def _words(part: dict[str, Any]) -> str:
    """The type of a value, in words."""
    return " or ".join(dict.fromkeys(_kinds(part)))


def _kinds(part: dict[str, Any]) -> Iterator[str]:
    if "anyOf" in part:
        for one in part["anyOf"]:
            yield from _kinds(one)
    elif "$ref" in part:
        yield "mapping"
    elif part.get("type") == "array":
        items = _words(part["items"])
        yield f"list of ({items})" if " or " in items else f"list of {_PLURALS.get(items, items)}"
    else:
        kinds = part.get("type", "string")
        yield from (_TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))
