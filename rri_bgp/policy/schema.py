"""The shape of a policy file: one pydantic model per mapping. This is the whole file; the parts are in ``schema_*``.

Rules of these files: every key says what it is about and what is allowed, which is what an error gives, and what help,
reference and JSON Schema are made of. What two places of the file have to agree on is checked elsewhere (``checks``,
``names``), because pydantic skips such checks while a field is wrong.
"""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import Field

from rri_bgp.policy.fields import Name, SchemaOf, Tag
from rri_bgp.policy.fields_bgp import Neighbor
from rri_bgp.policy.fields_lists import ListLine, Network
from rri_bgp.policy.schema_base import Model, allowed_of, key
from rri_bgp.policy.schema_io import (
    ControlModel,
    ExabgpModel,
    HandOffModel,
    KernelModel,
    LocalModel,
    ReplayModel,
    ResolveModel,
    SinksModel,
    SourceModel,
    ViciModel,
    XfrmModel,
)
from rri_bgp.policy.schema_maps import EntryModel, GuardModel, MapModel, ReverseRouteModel
from rri_bgp.policy.schema_tables import GroupModel, NeighborModel, TagModel, TotalGuardModel, VrfModel

__all__ = [
    "EntryModel",
    "ExabgpModel",
    "GroupModel",
    "GuardModel",
    "HandOffModel",
    "KernelModel",
    "MapModel",
    "Model",
    "NeighborModel",
    "PolicyModel",
    "ReplayModel",
    "ReverseRouteModel",
    "SourceModel",
    "TagModel",
    "ViciModel",
    "VrfModel",
    "XfrmModel",
    "bare",
    "describe",
    "models_in",
]


class PolicyModel(Model):
    """The whole file."""

    version: int = key("the version of this format", "1", ge=1, le=1)
    local: LocalModel = key("this gateway", "a mapping with the keys as, next-hop", rules="N8, N9")
    sources: list[Annotated[SourceModel, SchemaOf({"enum": ["vici", "xfrm", "replay"]}, own=True)]] = key(
        "where SAs are read", "a list of at least one source: vici, xfrm, replay", rules="E8", min_length=1
    )
    sinks: Annotated[SinksModel, SchemaOf({"enum": ["exabgp", "kernel"]}, own=True)] = key(
        "where routes go", "a mapping with the keys exabgp, kernel, hand-off, at least one"
    )
    control: ControlModel = key("the control socket", "a mapping with the key socket", default=ControlModel())
    resolve: ResolveModel = key(
        "how host names in `set-peer` are resolved", "a mapping with the keys interval, keep", default=ResolveModel()
    )
    guard: TotalGuardModel = key(
        "what holds for all entries together",
        "a mapping with the key max-routes",
        default=TotalGuardModel(),
        rules="G1",
    )
    neighbors: dict[Neighbor, NeighborModel] = key(
        "what each BGP neighbor is given",
        "a mapping of neighbors' addresses to what they are given",
        default={},
        shown="everything, to all",
        rules="N8, N10",
    )
    object_groups: dict[Name, Annotated[list[Network], Field(min_length=1)]] = key(
        "sets of networks that access lists name",
        "a mapping of names to lists of networks",
        default={},
        rules="E9",
    )
    access_lists: dict[Name, Annotated[list[ListLine], Field(min_length=1)]] = key(
        "which traffic is a tunnel's, as a crypto map's access lists say it: the source is this gateway's side",
        "a mapping of names to lists of lines",
        default={},
        rules="E3, E9",
    )
    crypto_maps: dict[Name, MapModel] = key(
        "which SAs make routes: map by map as written, within a map by `seq`",
        "a mapping of at least one map's name to it",
        rules="E1, E2",
        min_length=1,
    )
    tags: dict[Tag, TagModel] = key(
        "what a tag adds upstream",
        "a mapping of tags to what they add upstream",
        default={},
        rules="N8",
        schema={"propertyNames": {"pattern": "^(0|[1-9][0-9]{0,9})$"}},
    )
    redundancy: dict[Name, GroupModel] = key(
        "redundancy groups", "a mapping of names to redundancy groups", default={}, rules="G2"
    )
    vrfs: dict[Name, VrfModel] = key("VRFs", "a mapping of names to VRFs", default={}, rules="N6, N10")


def describe(loc: tuple[str | int, ...]) -> tuple[type[Model], str]:
    """The innermost model on the way to a place that pydantic names, and what is allowed at that place."""
    model: type[Model] = PolicyModel
    kind: object = PolicyModel
    allowed = "a mapping"
    for part in loc:
        kind = bare(kind)
        if isinstance(kind, type) and issubclass(kind, Model):
            model = kind
            field = next((info for info in kind.model_fields.values() if info.alias == part), None)
            if field is None:
                return model, allowed
            kind, allowed = field.annotation, allowed_of(field)
        elif get_args(kind):
            kind = bare(get_args(kind)[-1])
            allowed = _item(kind) or allowed
    return model, allowed


def bare(kind: object) -> object:
    """A type without ``Annotated`` and ``| None``."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType) and type(None) in get_args(kind):
            kind = next(arg for arg in get_args(kind) if arg is not type(None))
        else:
            return kind


def models_in(kind: object) -> type[Model] | None:
    """The model that a key's value, or each of its values, is; None where it is none."""
    kind = bare(kind)
    if isinstance(kind, type) and issubclass(kind, Model):
        return kind
    return models_in(get_args(kind)[-1]) if get_origin(kind) in (list, dict) else None


def _item(kind: object) -> str:
    """What is allowed as one of several: a mapping, a word or a list; empty where the value's own error says it."""
    if isinstance(kind, type) and issubclass(kind, Model):
        return f"a mapping with the keys {', '.join(kind.allowed())}"
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    return "a list of at least one" if get_origin(kind) is list else ""
