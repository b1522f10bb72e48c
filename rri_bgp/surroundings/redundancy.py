"""Who holds a redundancy group's virtual address: this machine or another (rule G2).

Rules of this file: no I/O, no clock; all that decides is in ``ROLES``.

Two witnesses. The kernel says whether the group's first virtual address is an address of this machine. keepalived says
in its notify FIFO, where the policy names one, that its instance is MASTER, or is not. A group is *held* while both say
so; one of them is enough to let it go. keepalived takes the address away before it says BACKUP or FAULT, and adds it
before it says MASTER, so the kernel is the first to know of a loss and keepalived the last to agree to a gain.

keepalived does not repeat itself. When this program starts it has often spoken long ago, to an earlier life of it. So
the first look decides alone: a restart must end in the same routes (rule G7). From then on its word is needed.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rri_bgp.model import Address
from rri_bgp.rri.entries import Group

__all__ = ["ROLES", "GroupState", "Notice", "Notices", "Redundancy", "Role", "Witness", "read_notice"]


class Role(enum.Enum):
    """What this machine is to a group."""

    UNKNOWN = "unknown"
    """Nobody has looked yet."""
    STANDBY = "standby"
    UNCONFIRMED = "unconfirmed"
    """The address is here, and keepalived does not say MASTER."""
    PROMISED = "promised"
    """keepalived says MASTER (or is not asked), and the address is not here."""
    HOLDER = "holder"


class Witness(enum.Enum):
    """What is said of a group."""

    HERE = "the address is here"
    AWAY = "the address is not here"
    MASTER = "keepalived says MASTER"
    OTHER = "keepalived says something else"


ROLES: Mapping[Role, Mapping[Witness, Role]] = {
    Role.UNKNOWN: {
        Witness.HERE: Role.HOLDER,  # rule G7: see above
        Witness.AWAY: Role.STANDBY,
        Witness.MASTER: Role.PROMISED,
        Witness.OTHER: Role.STANDBY,
    },
    Role.STANDBY: {
        Witness.HERE: Role.UNCONFIRMED,
        Witness.AWAY: Role.STANDBY,
        Witness.MASTER: Role.PROMISED,
        Witness.OTHER: Role.STANDBY,
    },
    Role.UNCONFIRMED: {
        Witness.HERE: Role.UNCONFIRMED,
        Witness.AWAY: Role.STANDBY,
        Witness.MASTER: Role.HOLDER,
        Witness.OTHER: Role.UNCONFIRMED,
    },
    Role.PROMISED: {
        Witness.HERE: Role.HOLDER,
        Witness.AWAY: Role.PROMISED,
        Witness.MASTER: Role.PROMISED,
        Witness.OTHER: Role.STANDBY,
    },
    Role.HOLDER: {
        Witness.HERE: Role.HOLDER,
        Witness.AWAY: Role.PROMISED,
        Witness.MASTER: Role.HOLDER,
        Witness.OTHER: Role.UNCONFIRMED,
    },
}


# ---- keepalived's words ---------------------------------------------------------------------------------------------

_NOTICE = re.compile(rb'(INSTANCE|GROUP) "(.*)" ([A-Z_]+)(?: \d+)?')
_MASTER = frozenset({b"MASTER", b"MASTER_RX_LOWER_PRI", b"MASTER_PRIORITY"})
_OTHER = frozenset({b"BACKUP", b"FAULT", b"STOP", b"DELETED", b"BACKUP_PRIORITY"})
_LONGEST = 1024
"""Bytes of a line. Names have at most some dozens."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What keepalived says of one VRRP instance."""

    instance: str
    witness: Witness


def read_notice(line: bytes) -> Notice | None:
    """Reads a line of the notify FIFO (keepalived.conf(5), ``vrrp_notify_fifo``): ``INSTANCE "VI_1" MASTER 100``.

    None where it is about a sync group: each of its instances is told of as well.

    Raises:
        ValueError: no such line.
    """
    match = _NOTICE.fullmatch(line)
    if match is None:
        raise ValueError("no line of keepalived")
    kind, name, state = match.groups()
    if state not in _MASTER | _OTHER:
        raise ValueError("no state of keepalived")
    if kind == b"GROUP":
        return None
    return Notice(name.decode(errors="replace"), Witness.MASTER if state in _MASTER else Witness.OTHER)


class Notices:
    """Cuts what comes from one FIFO into lines. ``junk`` counts those that are none of keepalived's; it only grows."""

    def __init__(self) -> None:
        self.junk = 0
        self._rest = b""
        self._skips = False
        """Within a line that is too long."""

    def feed(self, data: bytes) -> list[Notice]:
        """The notices that are whole with these bytes."""
        *lines, rest = (self._rest + data).split(b"\n")
        found: list[Notice] = []
        for line in lines:
            if self._skips:
                self._skips = False
            else:
                self._read(line, found)
        self._rest = b"" if self._skips else rest
        if len(self._rest) > _LONGEST:
            self.junk += 1
            self._skips, self._rest = True, b""
        return found

    def _read(self, line: bytes, found: list[Notice]) -> None:
        try:
            notice = read_notice(line)
        except ValueError:
            self.junk += 1
            return
        if notice is not None:
            found.append(notice)


# ---- the groups -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GroupState:
    """A group for people: its role, the address that decides, and the instance that has a say (empty: none)."""

    name: str
    role: Role
    address: Address
    instance: str = ""

    @property
    def text(self) -> str:
        """Why it is held or not."""
        if self.role is Role.UNCONFIRMED:
            return f"{self.address} is here, but keepalived does not say that {self.instance} is MASTER"
        if self.role is Role.PROMISED and self.instance:
            return f"keepalived says that {self.instance} is MASTER, but {self.address} is not here"
        if self.role is Role.UNKNOWN:
            return f"whether {self.address} is here is not known yet"
        return f"{self.address} is {'' if self.role is Role.HOLDER else 'not '}here"


class Redundancy:
    """The groups of a policy and their roles."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        self._instances: dict[str, str] = {}
        self._roles: dict[str, Role] = {}
        self._here: frozenset[Address] | None = None

    def take_groups(self, groups: Mapping[str, Group], instances: Mapping[str, str]) -> None:
        """Another policy: its groups, and the VRRP instance of each that has one. One that is as it was keeps its role.

        A new one begins as all do at the start: the first look decides.
        """
        known = {name for name in groups if self._is_known(name, groups[name], instances.get(name, ""))}
        self._roles = {name: self._roles[name] if name in known else _first(name in instances) for name in groups}
        self._groups, self._instances = dict(groups), dict(instances)
        if self._here is not None:
            self.take_addresses(self._here)

    def _is_known(self, name: str, group: Group, instance: str) -> bool:
        before = self._groups.get(name)
        return (
            before is not None and before.addresses[:1] == group.addresses[:1] and instance == self._instance_of(name)
        )

    def _instance_of(self, name: str) -> str:
        return self._instances.get(name, "")

    def take_addresses(self, here: frozenset[Address]) -> None:
        """The addresses of this machine. A group's first address decides for both families."""
        self._here = here
        for name, group in self._groups.items():
            self._step(name, Witness.HERE if group.addresses[0] in here else Witness.AWAY)

    def take_notices(self, names: Iterable[str], notices: Iterable[Notice]) -> None:
        """What came from the FIFO of these groups."""
        mine = {name: self._instance_of(name) for name in names}
        for notice in notices:
            for name, instance in mine.items():
                if notice.instance == instance:
                    self._step(name, notice.witness)

    def _step(self, name: str, witness: Witness) -> None:
        self._roles[name] = ROLES[self._roles[name]][witness]

    @property
    def held(self) -> frozenset[str]:
        """The groups whose virtual address this machine holds."""
        return frozenset(name for name, role in self._roles.items() if role is Role.HOLDER)

    def states(self) -> tuple[GroupState, ...]:
        """All groups, as the policy has them."""
        return tuple(
            GroupState(name, self._roles[name], group.addresses[0], self._instance_of(name))
            for name, group in self._groups.items()
        )


def _first(has_instance: bool) -> Role:
    """Where nobody but the kernel is asked, all others agree from the start."""
    return Role.UNKNOWN if has_instance else Role.PROMISED
