"""A whole configuration, checked: what the controller is built from."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rri_bgp.paths import CONTROL_SOCKET, VICI_SOCKET
from rri_bgp.rri.entries import Policy

__all__ = [
    "Config",
    "ControlSettings",
    "ExabgpSettings",
    "HandOffSettings",
    "KernelSettings",
    "NotifySettings",
    "OnExit",
    "ReplaySettings",
    "ResolveSettings",
    "SourceSettings",
    "Unresolved",
    "ViciSettings",
    "XfrmSettings",
]


@dataclass(frozen=True, slots=True)
class ViciSettings:
    """strongSwan's VICI socket; ``resync`` is the time between full snapshots, in seconds (rule E8).

    ``is_witnessed``: where there is an xfrm source it shows which of these SAs carry traffic. Whether those that do not
    have routes is in ``Policy.believe_kernel``.
    """

    name: str = "vici"
    socket: Path = VICI_SOCKET
    resync: float = 30.0
    is_witnessed: bool = True


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """A recorded SA history; ``file`` None is the one shipped with the package, ``speed`` 2.0 plays twice as fast."""

    name: str = "replay"
    file: Path | None = None
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class XfrmSettings:
    """The kernel's SAs; ``resync`` as for VICI. ``netns`` is the network namespace that they are in: its name,
    or its path; empty is ours."""

    name: str = "xfrm"
    netns: str = ""
    resync: float = 30.0


SourceSettings = ViciSettings | ReplaySettings | XfrmSettings


class OnExit(enum.Enum):
    """What happens to the routes when the controller is told to end. A crash keeps them in any case (rule G7)."""

    KEEP = "keep"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class ExabgpSettings:
    """ExaBGP as a sink, over its process API.

    ``ack_timeout`` in seconds. ``listen`` is the socket at which ``rri-bgp attach`` finds the controller; None where
    ExaBGP runs the controller itself, which then speaks on stdin and stdout.
    """

    ack_timeout: float = 10.0
    on_exit: OnExit = OnExit.KEEP
    listen: Path | None = None


class Unresolved(enum.Enum):
    """What stands for a kernel route while nothing leads to its peer (rule N5)."""

    SKIP = "skip"
    BLACKHOLE = "blackhole"


@dataclass(frozen=True, slots=True)
class KernelSettings:
    """This machine's kernel as a sink.

    ``table`` is that of the default VRF's routes: 254 (main), or any that is no VRF's and not the kernel's own.
    ``protocol``, 1..255, tells our routes from everybody else's (rtnetlink(7), ``rtm_protocol``; rule G6).
    """

    table: int = 254
    protocol: int = 82
    unresolved: Unresolved = Unresolved.SKIP
    on_exit: OnExit = OnExit.KEEP


@dataclass(frozen=True, slots=True)
class HandOffSettings:
    """A kernel table from which BIRD or FRR announces the routes of the default VRF, as a sink.

    ``table`` is nobody else's; ``protocol`` as for the kernel.
    """

    table: int
    protocol: int = 82
    on_exit: OnExit = OnExit.KEEP


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """The local control socket."""

    socket: Path = CONTROL_SOCKET


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """keepalived's notify FIFO (``vrrp_notify_fifo`` of keepalived.conf(5)), for one redundancy group (rule G2).

    ``instance`` is the name of the ``vrrp_instance`` that holds the group's virtual address.
    """

    fifo: Path
    instance: str


@dataclass(frozen=True, slots=True)
class ResolveSettings:
    """How the host names in ``set-peer`` are resolved, in seconds: ``interval`` between two questions for a name.

    ``keep``: how long its last addresses hold after its last good answer, when it stops resolving.
    """

    interval: float = 60.0
    keep: float = 3600.0


@dataclass(frozen=True, slots=True)
class Config:
    """All that one policy file says. ``asn`` is the local AS number, 32 bits.

    ``exabgp``, ``kernel`` and ``hand_off`` are the sinks, None where there is no such one; a file names at least one.
    ``names`` are the host names in ``set-peer``, to be resolved. ``groups`` has the notify FIFO of each redundancy
    group that has one; the groups themselves are in ``policy.groups``.
    ``text`` is what it was read from.
    ``warnings`` are complete ``file:line:col: text`` lines: what is allowed, and is hardly meant.
    """

    file: Path
    asn: int
    policy: Policy
    sources: tuple[SourceSettings, ...]
    exabgp: ExabgpSettings | None = None
    kernel: KernelSettings | None = None
    hand_off: HandOffSettings | None = None
    control: ControlSettings = ControlSettings()
    names: frozenset[str] = frozenset()
    resolve: ResolveSettings = ResolveSettings()
    groups: Mapping[str, NotifySettings] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    text: str = field(default="", repr=False, compare=False)

    @property
    def sinks(self) -> tuple[ExabgpSettings | None, KernelSettings | None, HandOffSettings | None]:
        """All of them."""
        return self.exabgp, self.kernel, self.hand_off
