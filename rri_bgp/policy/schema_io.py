"""The shape of what surrounds the rules in a policy file: this gateway, where SAs come from, where routes go.

Rules of this file: those of ``schema``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, model_validator

from rri_bgp.paths import CONTROL_SOCKET, VICI_SOCKET
from rri_bgp.policy.fields import (
    LocalNextHop,
    Name,
    OptionalName,
    OptionalPath,
    OptionalSocketPath,
    SchemaOf,
    SocketPath,
    wrong,
)
from rri_bgp.policy.fields_kernel import (
    MAIN,
    MAX_TABLE,
    OF_HAND_OFF,
    OF_PROTOCOL,
    OF_SINK,
    HandOffTable,
    RouteProtocol,
    SinkTable,
)
from rri_bgp.policy.schema_base import MAX_AS, Model, key, or_defaults

__all__ = [
    "ControlModel",
    "ExabgpModel",
    "HandOffModel",
    "KernelModel",
    "LocalModel",
    "ReplayModel",
    "ResolveModel",
    "SinksModel",
    "SourceModel",
    "ViciModel",
    "XfrmModel",
]

_AS_TRANS = 23456
_NOTHING = {"type": "null"}


def _as_number(value: object) -> object:
    if isinstance(value, int) and value == _AS_TRANS:
        raise wrong(f"{_AS_TRANS} is AS_TRANS (RFC 6793), no AS of its own; allowed: your AS number, 1..{MAX_AS}")
    return value


class LocalModel(Model):
    """This gateway."""

    asn: Annotated[int, BeforeValidator(_as_number)] = key(
        "the AS number that tags are written under",
        f"an AS number, 1..{MAX_AS}",
        rules="N8",
        alias="as",
        ge=1,
        le=MAX_AS,
    )
    next_hop: LocalNextHop = key(
        "what `next-hop: self` means upstream: the address of this gateway that upstream routers send to",
        "an IP address, or a list of at most one per family",
        rules="N9",
    )


def _source_name(default: str) -> Any:  # noqa: ANN401  # as ``key``
    return key("the source's name in output; needed for a second one", "a name", default=default, shown=f"`{default}`")


def _resync(between: str) -> Any:  # noqa: ANN401  # as ``key``
    return key(
        f"time between {between}: a lost event costs no more than this",
        "seconds, 1..3600",
        default=30.0,
        shown="`30`",
        rules="E8",
        ge=1,
        le=3600,
        allow_inf_nan=False,
    )


class ViciModel(Model):
    """strongSwan's VICI socket."""

    name: Name = _source_name("vici")
    socket: SocketPath = key("where charon listens", "an absolute path", default=VICI_SOCKET, shown=f"`{VICI_SOCKET}`")
    resync: float = _resync("full snapshots")
    kernel: Literal["ignore", "report", "withdraw"] = key(
        "what an `xfrm` source beside it means for SAs that charon calls installed and the kernel does not carry: they "
        "are reported, or lose their routes too; `ignore` does not compare the two, whose SAs are then seen twice",
        "ignore, report or withdraw",
        default="report",
        shown="`report`",
        rules="E8",
    )


class XfrmModel(Model):
    """The kernel's SAs, whoever made them: strongSwan, Libreswan, keys set by hand. Needs CAP_NET_ADMIN."""

    name: Name = _source_name("xfrm")
    netns: OptionalName = key(
        "the network namespace that the SAs are in, as `ip netns` names it or by its path; needs CAP_SYS_ADMIN too",
        "a name, or an absolute path",
        default=None,
        shown="the controller's own",
    )
    resync: float = _resync("two readings of all SAs")


class ReplayModel(Model):
    """A recorded SA history. Its source is always named `replay`, so there is at most one."""

    file: OptionalPath = key(
        "the recording, relative to the policy file", "a path", default=None, shown="the history that is shipped"
    )
    speed: float = key(
        "`2` plays twice as fast",
        "a number over 0, at most 1000",
        default=1.0,
        shown="`1`",
        gt=0,
        le=1000,
        allow_inf_nan=False,
    )


class SourceModel(Model):
    """One source of SAs, named by its only key; `vici` alone, without a colon, takes all defaults. Names are unique."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    vici: Annotated[ViciModel | None, BeforeValidator(or_defaults), SchemaOf(_NOTHING, own=True)] = key(
        "strongSwan, over its VICI socket", "vici settings", default=None
    )
    xfrm: Annotated[XfrmModel | None, BeforeValidator(or_defaults), SchemaOf(_NOTHING, own=True)] = key(
        "the kernel, over XFRM netlink", "xfrm settings", default=None
    )
    replay: Annotated[ReplayModel | None, BeforeValidator(or_defaults), SchemaOf(_NOTHING, own=True)] = key(
        "a recorded history", "replay settings", default=None
    )

    @model_validator(mode="before")
    @classmethod
    def _one_key(cls, value: object) -> object:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, dict):
            if not value:
                raise wrong("an empty source; allowed: vici, xfrm or replay")
            if len([name for name in value if name in cls.allowed()]) > 1:
                raise wrong("two sources in one list item; allowed: one per item", "start the second one with `-`")
        return value

    @property
    def chosen(self) -> ViciModel | XfrmModel | ReplayModel:
        """The source that the item names."""
        source = self.vici or self.xfrm or self.replay
        assert source is not None, "a source has one key"  # noqa: S101  # _one_key and extra=forbid see to it
        return source


def _on_exit() -> Any:  # noqa: ANN401  # as ``key``
    return key(
        "what happens to the routes when the controller is told to end (SIGTERM); after a crash they always stay",
        "keep or withdraw",
        default="keep",
        shown="`keep`",
        rules="G7",
    )


def _protocol() -> Any:  # noqa: ANN401  # as ``key``
    return key(
        "the route protocol number that tells our routes from everybody else's: all with it are ours to remove",
        OF_PROTOCOL,
        default=82,
        shown="`82`",
        rules="G6",
        ge=1,
        le=255,
    )


class ExabgpModel(Model):
    """ExaBGP over its process API."""

    ack_timeout: float = key(
        "how long ExaBGP may take to answer a command",
        "seconds, 1..300",
        default=10.0,
        shown="`10`",
        ge=1,
        le=300,
        allow_inf_nan=False,
    )
    on_exit: Literal["keep", "withdraw"] = _on_exit()
    listen: OptionalSocketPath = key(
        "where `rri-bgp attach` finds the controller",
        "an absolute path",
        default=None,
        shown="none: ExaBGP runs the controller itself",
    )


class KernelModel(Model):
    """This machine's kernel: routes by which what upstream sends here finds its tunnel. Needs CAP_NET_ADMIN."""

    table: SinkTable = key(
        "the table of the default VRF's routes; a VRF's are in its own",
        OF_SINK,
        default=MAIN,
        shown="`main`",
        rules="N6",
    )
    protocol: RouteProtocol = _protocol()
    unresolved: Literal["skip", "blackhole"] = key(
        "what stands for a route while nothing leads to its peer: none, here and upstream, or one that drops all of it",
        "skip or blackhole",
        default="skip",
        shown="`skip`",
        rules="N5",
    )
    on_exit: Literal["keep", "withdraw"] = _on_exit()


class HandOffModel(Model):
    """A kernel table of its own, from which BIRD or FRR announces the default VRF's routes with their tags."""

    table: HandOffTable = key(
        "the table; nothing else is to use it, least of all a rule of `ip rule`",
        OF_HAND_OFF,
        rules="N8",
        ge=1,
        le=MAX_TABLE,
    )
    protocol: RouteProtocol = _protocol()
    on_exit: Literal["keep", "withdraw"] = _on_exit()


class SinksModel(Model):
    """Where routes go: at least one; `kernel` alone, without a colon, takes all defaults, and so does `exabgp`."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})
    exabgp: Annotated[ExabgpModel | None, BeforeValidator(or_defaults), SchemaOf(_NOTHING, own=True)] = key(
        "ExaBGP, over its process API", "a mapping with the keys ack-timeout, on-exit, listen, or nothing", default=None
    )
    kernel: Annotated[KernelModel | None, BeforeValidator(or_defaults), SchemaOf(_NOTHING, own=True)] = key(
        "this machine's kernel, over rtnetlink; needs CAP_NET_ADMIN",
        "a mapping with the keys table, protocol, unresolved, on-exit, or nothing",
        default=None,
        rules="N5, N6, N7, G3, G6",
    )
    hand_off: HandOffModel | None = key(
        "a kernel table that BIRD or FRR announces, for very many routes; needs CAP_NET_ADMIN",
        "a mapping with the keys table, protocol, on-exit",
        default=None,
        rules="N8, G6",
    )

    @model_validator(mode="before")
    @classmethod
    def _at_least_one(cls, value: object) -> object:
        if value == {}:
            raise wrong("no sink; allowed: exabgp, kernel, hand-off, one or several")
        return {value: {}} if isinstance(value, str) else value


class ResolveModel(Model):
    """How the host names in `set-peer` are resolved."""

    interval: float = key(
        "time between two questions for a name",
        "seconds, 1..86400",
        default=60.0,
        shown="`60`",
        ge=1,
        le=86400,
        allow_inf_nan=False,
    )
    keep: float = key(
        "how long its last addresses hold after its last good answer, when it stops resolving",
        "seconds, 0..31536000",
        default=3600.0,
        shown="`3600`",
        rules="G7",
        ge=0,
        le=31536000,
        allow_inf_nan=False,
    )


class ControlModel(Model):
    """The local control socket."""

    socket: SocketPath = key(
        "where the controller listens for local commands",
        "an absolute path",
        default=CONTROL_SOCKET,
        shown=f"`{CONTROL_SOCKET}`",
    )
