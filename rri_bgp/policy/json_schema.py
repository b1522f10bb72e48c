"""The JSON Schema of policy files, from the same types that read them: for editors (yaml-language-server) and for CI.

It refuses nothing that a policy may hold. It does not refuse all that is wrong: names that do not exist and the texts
of access lists are beyond it, and `rri-bgp check` sees to them. Draft 7, which every editor's extension knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from rri_bgp.policy.schema import PolicyModel

__all__ = ["schema", "schema_text"]

_DRAFT = "http://json-schema.org/draft-07/schema#"
_INTERNAL = ("x-allowed", "x-default", "x-rules", "title")


@cache
def schema() -> dict[str, Any]:
    """The schema, as data."""
    made = PolicyModel.model_json_schema(by_alias=True)
    cleaned: dict[str, Any] = _cleaned(made)
    return {"$schema": _DRAFT, "title": "The policy file of rri-bgp", **cleaned}


def schema_text() -> str:
    """The schema as it stands in docs/reference/policy.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _cleaned(part: Any) -> Any:  # noqa: ANN401  # JSON
    if isinstance(part, list):
        return [_cleaned(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {name: _cleaned(value) for name, value in part.items() if name not in _INTERNAL or not _is_schema(part)}
    if _is_schema(part):
        if "x-allowed" in part:
            found["description"] = _description(part)
        if isinstance(part.get("default"), dict | list | None):
            found.pop("default", None)  # nothing that anybody could write
        if "patternProperties" in part:
            found["additionalProperties"] = False
    return found


def _is_schema(part: Mapping[str, Any]) -> bool:
    """Whether it is a schema, and not a mapping of keys to schemas: a key of a policy may be called `title`."""
    return not all(isinstance(value, dict) for value in part.values())


def _description(part: Mapping[str, Any]) -> str:
    """What an editor shows at a key."""
    lines = [f"{part['description']}.", f"Allowed: {part['x-allowed']}."]
    if "x-default" in part:
        lines.append(f"Default: {part['x-default']}.")
    if "x-rules" in part:
        lines.append(f"Rules: {part['x-rules']}.")
    return "\n".join(lines)
