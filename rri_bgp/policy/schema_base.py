"""What all models of a policy file share, and how a key is described: once, for errors, help, reference and editors.

``Info`` is what a field carries beside its type: ``about`` for people, ``allowed`` as errors give it, and the rule ids.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from rri_bgp.policy.fields import wrong
from rri_bgp.policy.yaml_text import show

__all__ = [
    "MAX_AS",
    "SECONDS",
    "Model",
    "allowed_of",
    "key",
    "or_defaults",
    "or_mapping",
    "rules_of",
    "written_default",
]

MAX_AS = 4294967295
SECONDS: dict[str, Any] = {"ge": 0, "le": 86400, "allow_inf_nan": False}
"""Bounds of a delay."""


class Model(BaseModel):
    """What all mappings of a policy file share."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, defer_build=True, alias_generator=lambda name: name.replace("_", "-")
    )

    @classmethod
    def allowed(cls) -> list[str]:
        """The keys that the mapping may have."""
        return [field.alias or name for name, field in cls.model_fields.items()]


def key(
    about: str,
    allowed: str,
    *,
    default: object = ...,
    rules: str = "",
    shown: str = "",
    alias: str | None = None,
    schema: dict[str, Any] | None = None,
    **limits: Any,  # noqa: ANN401  # pydantic's
) -> Any:  # noqa: ANN401  # a field's type is that of its annotation, as with pydantic's own Field
    """A key of a mapping, required where it has no default; ``shown`` is the default in words.

    ``schema`` is what JSON Schema says of it beside what pydantic sees.
    """
    extra: dict[str, Any] = {"x-allowed": allowed, **(schema or {})}
    if rules:
        extra["x-rules"] = rules
    if shown:
        extra["x-default"] = shown
    if alias:
        limits["alias"] = alias
    return Field(default, description=about, json_schema_extra=extra, **limits)


def allowed_of(field: FieldInfo) -> str:
    """What is allowed at a key, as errors give it."""
    return _extra(field, "x-allowed")


def rules_of(field: FieldInfo) -> str:
    """The rule ids that a key carries out."""
    return _extra(field, "x-rules")


def written_default(field: FieldInfo) -> str:
    """The default of a key, in words."""
    return "required" if field.is_required() else _extra(field, "x-default") or "none"


def _extra(field: FieldInfo, name: str) -> str:
    extra = field.json_schema_extra
    return str(extra.get(name, "")) if isinstance(extra, dict) else ""


def or_defaults(value: object) -> object:
    """``vici:`` with nothing after it means all defaults."""
    return {} if value is None else value


def or_mapping(value: object, allowed: str) -> object:
    """``true`` is a mapping without keys, ``false`` is None."""
    if isinstance(value, bool):
        return {} if value else None
    if isinstance(value, dict):
        return value
    hint = "YAML 1.2 knows only true and false" if value in ("yes", "no", "on", "off") else ""
    raise wrong(f"{show(value)} is not allowed here; allowed: {allowed}", hint)
