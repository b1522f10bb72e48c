"""The shape of a policy file: one pydantic model per mapping.

Rules of this file: every field has a description, which is what an error gives as "allowed"; what two places of the
file have to agree on is checked elsewhere (``checks``), because pydantic skips such checks while a field is wrong.
A key of a rule that is not built yet stands in ``NOT_YET`` of its model and is refused by name.
"""

from __future__ import annotations

from types import UnionType
from typing import Annotated, ClassVar, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rri_bgp.paths import CONTROL_SOCKET, VICI_SOCKET
from rri_bgp.policy.fields import (
    Community,
    EntryNextHop,
    Glob,
    LargeCommunity,
    LocalNextHop,
    Name,
    OptionalPath,
    OptionalSocketPath,
    OptionalWhole32,
    Peers,
    SocketPath,
    Tag,
    wrong,
)
from rri_bgp.policy.yaml_text import show

__all__ = ["EntryModel", "ExabgpModel", "Model", "PolicyModel", "ReplayModel", "TagModel", "ViciModel", "describe"]

_AS_TRANS = 23456
_MAX_AS = 4294967295


class Model(BaseModel):
    """What all mappings of a policy file share."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=lambda name: name.replace("_", "-")
    )
    NOT_YET: ClassVar[dict[str, str]] = {}
    """Key -> what it belongs to."""

    @classmethod
    def allowed(cls) -> list[str]:
        """The keys that the mapping may have."""
        return [field.alias or name for name, field in cls.model_fields.items()]


def _or_defaults(value: object) -> object:
    """``vici:`` with nothing after it means all defaults."""
    return {} if value is None else value


def _as_number(value: object) -> object:
    if isinstance(value, int) and value == _AS_TRANS:
        raise wrong(f"{_AS_TRANS} is AS_TRANS (RFC 6793), no AS of its own; allowed: your AS number, 1..{_MAX_AS}")
    return value


def _reverse_route(value: object) -> object:
    """``true`` is a mapping without keys, ``false`` is None."""
    if isinstance(value, bool):
        return {} if value else None
    if isinstance(value, dict):
        return value
    hint = "YAML 1.2 knows only true and false" if value in ("yes", "no", "on", "off") else ""
    raise wrong(f"{show(value)} is not allowed here; allowed: true, false, or a mapping with the key tag", hint)


class LocalModel(Model):
    """This gateway."""

    asn: Annotated[int, BeforeValidator(_as_number)] = Field(
        alias="as", ge=1, le=_MAX_AS, description=f"an AS number, 1..{_MAX_AS}"
    )
    next_hop: LocalNextHop = Field(description="an IP address, or a list of at most one per family")


class ViciModel(Model):
    """strongSwan's VICI socket."""

    name: Name = Field(default="vici", description="a name")
    socket: SocketPath = Field(default=VICI_SOCKET, description="an absolute path")
    resync: float = Field(default=30.0, ge=1, le=3600, allow_inf_nan=False, description="seconds, 1..3600")


class ReplayModel(Model):
    """A recorded SA history."""

    file: OptionalPath = Field(default=None, description="a path")
    speed: float = Field(default=1.0, gt=0, le=1000, allow_inf_nan=False, description="a number over 0, at most 1000")


class SourceModel(Model):
    """One source of SAs, named by its only key."""

    NOT_YET = {"xfrm": "reading SAs from the kernel"}
    vici: Annotated[ViciModel | None, BeforeValidator(_or_defaults)] = Field(default=None, description="vici settings")
    replay: Annotated[ReplayModel | None, BeforeValidator(_or_defaults)] = Field(
        default=None, description="replay settings"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_key(cls, value: object) -> object:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, dict):
            if not value:
                raise wrong("an empty source; allowed: vici or replay")
            if len([key for key in value if key in cls.allowed()]) > 1:
                raise wrong("two sources in one list item; allowed: one per item", "start the second one with `-`")
        return value

    @property
    def chosen(self) -> ViciModel | ReplayModel:
        """The source that the item names."""
        source = self.vici or self.replay
        assert source is not None, "a source has one key"  # noqa: S101  # _one_key and extra=forbid see to it
        return source


class ExabgpModel(Model):
    """ExaBGP over its process API."""

    ack_timeout: float = Field(default=10.0, ge=1, le=300, allow_inf_nan=False, description="seconds, 1..300")
    on_exit: Literal["keep", "withdraw"] = Field(default="keep", description="keep or withdraw")
    listen: OptionalSocketPath = Field(default=None, description="an absolute path")


class SinksModel(Model):
    """Where routes go."""

    NOT_YET = {"kernel": "routes in the kernel (rules N5, N7, G3, G6)"}
    exabgp: Annotated[ExabgpModel, BeforeValidator(_or_defaults)] = Field(
        description="a mapping with the keys ack-timeout, on-exit, listen, or nothing"
    )


class ControlModel(Model):
    """The local control socket."""

    socket: SocketPath = Field(default=CONTROL_SOCKET, description="an absolute path")


class MatchModel(Model):
    """Shell globs over the names that the IKE daemon gives."""

    connection: Glob = Field(default="*", description="a glob over connection names")
    child: Glob = Field(default="*", description="a glob over child names")


class ReverseRouteModel(Model):
    """What an entry injects."""

    NOT_YET = {
        "static": "routes without an SA (rules E3, E5)",
        "remote-peer": "routes to the peer (rules N2, N3, N4)",
        "distance": "kernel metrics (rule N7)",
    }
    tag: OptionalWhole32 = Field(default=None, description="a whole number, 0..4294967295")


class EntryModel(Model):
    """One numbered entry of a crypto map."""

    NOT_YET = {
        "match-address": "access lists (rule E9)",
        "guard": "limits on what a peer may propose (rule G1)",
        "allow-default": "default routes (rule E10)",
        "port-proxies": "selectors with a port or protocol (rule E11)",
        "overlap": "the same prefix through two peers (rule E13)",
        "vrf": "VRFs (rules N6, N10)",
        "redundancy": "redundancy groups (rule G2)",
        "withdraw-delay": "hold-down (rule G4)",
        "announce-delay": "hold-down (rule G4)",
        "degrade": "degrading before withdrawing (rule G5)",
    }
    seq: int = Field(ge=1, le=65535, description="a whole number, 1..65535")
    type: Literal["static", "dynamic"] = Field(description="static or dynamic")
    set_peer: Peers = Field(default=None, description="an address, or a list of at least one")
    match: MatchModel = Field(default_factory=MatchModel, description="a mapping with the keys connection, child")
    reverse_route: Annotated[ReverseRouteModel | None, BeforeValidator(_reverse_route)] = Field(
        default=None, description="true, false, or a mapping with the key tag"
    )
    next_hop: EntryNextHop = Field(default=None, description="`self`, an address, or a list of at most one per family")


class MapModel(Model):
    """A crypto map."""

    NOT_YET = {
        "interface": "routes to the peer (rule N2)",
        "redundancy": "redundancy groups (rule G2)",
        "vrf": "VRFs (rules N6, N10)",
    }
    entries: list[EntryModel] = Field(min_length=1, description="a list of at least one entry")


class TagModel(Model):
    """What a tag adds upstream."""

    NOT_YET = {
        "extended-communities": "VRFs (rule N10)",
        "as-path-prepend": "more path attributes upstream",
    }
    communities: list[Community] = Field(default=[], description='a list of communities, as ["65000:100"]')
    large_communities: list[LargeCommunity] = Field(
        default=[], description='a list of large communities, as ["65000:1:100"]'
    )
    local_preference: OptionalWhole32 = Field(default=None, description="a whole number, 0..4294967295")
    med: OptionalWhole32 = Field(default=None, description="a whole number, 0..4294967295")


class PolicyModel(Model):
    """The whole file."""

    NOT_YET = {
        "access-lists": "access lists (rule E9)",
        "redundancy": "redundancy groups (rule G2)",
        "vrfs": "VRFs (rules N6, N10)",
    }
    version: int = Field(ge=1, le=1, description="1")
    local: LocalModel = Field(description="a mapping with the keys as, next-hop")
    sources: list[SourceModel] = Field(min_length=1, description="a list of at least one source: vici, replay")
    sinks: SinksModel = Field(description="a mapping with the key exabgp")
    control: ControlModel = Field(default_factory=ControlModel, description="a mapping with the key socket")
    crypto_maps: dict[Name, MapModel] = Field(min_length=1, description="a mapping of at least one map's name to it")
    tags: dict[Tag, TagModel] = Field(default={}, description="a mapping of tags to what they add upstream")


def describe(loc: tuple[str | int, ...]) -> tuple[type[Model], str]:
    """The innermost model on the way to a place that pydantic names, and what is allowed at that place."""
    model: type[Model] = PolicyModel
    kind: object = PolicyModel
    allowed = "a mapping"
    for part in loc:
        kind = _bare(kind)
        if isinstance(kind, type) and issubclass(kind, Model):
            model = kind
            field = next((info for info in kind.model_fields.values() if info.alias == part), None)
            if field is None:
                return model, allowed
            kind, allowed = field.annotation, field.description or ""
        elif get_args(kind):
            kind = _bare(get_args(kind)[-1])
            if isinstance(kind, type) and issubclass(kind, Model):
                allowed = f"a mapping with the keys {', '.join(kind.allowed())}"
    return model, allowed


def _bare(kind: object) -> object:
    """A type without ``Annotated`` and ``| None``."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType) and type(None) in get_args(kind):
            kind = next(arg for arg in get_args(kind) if arg is not type(None))
        else:
            return kind
