"""What is around, in ``show status``: what is well in a few words, and what is not, with the reason."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from rri_bgp.cli.status import status_lines
from rri_bgp.control.views.status import status
from rri_bgp.controller import Controller
from rri_bgp.policy import Config
from rri_bgp.reload import Reloader
from rri_bgp.rri.entries import Group
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.surroundings.lookout import LookoutStatus, NotifyStatus
from rri_bgp.surroundings.names import NameState
from rri_bgp.surroundings.redundancy import GroupState, Role
from tests.values import entry, policy

VIRTUAL = ip_address("192.168.0.3")
PEER = ip_address("203.0.113.2")
FIFO = Path("/run/rri-bgp-vrrp.fifo")
POLICY = policy(
    entry(10, peers=("berlin.example.org",)),
    entry(20, peers=("oslo.example.org",)),
    groups=[Group("group1", (VIRTUAL,)), Group("group2", (VIRTUAL,))],
)


class Around:
    """Has been told what it sees."""

    def __init__(self, seen: LookoutStatus) -> None:
        self._seen = seen

    async def prepare(self, config: Config) -> None:
        """See ``reload.Around``."""

    def take_config(self, config: Config) -> None:
        """See ``reload.Around``."""

    def status(self) -> LookoutStatus:
        """See ``reload.Around``."""
        return self._seen


def seen(*, kernel: str = "", problem: str = "", reason: str = "") -> LookoutStatus:
    return LookoutStatus(
        is_complete=True,
        kernel=kernel,
        surroundings=Surroundings(),
        groups=(GroupState("group1", Role.UNCONFIRMED, VIRTUAL, "VI_1"), GroupState("group2", Role.HOLDER, VIRTUAL)),
        names=(
            NameState("berlin.example.org", (PEER,), 1_764_000_000.5, reason),
            NameState("oslo.example.org", reason=reason),
        ),
        fifos=(NotifyStatus(FIFO, problem, 3),),
        resyncs=1,
    )


def shown(around: LookoutStatus | None) -> list[str]:
    controller = Controller(POLICY, [])
    controller.take_surroundings(
        Surroundings(held=frozenset({"group2"}), names={"berlin.example.org": (PEER,)})
    )  # fmt: skip
    config = Config(file=Path("hub.yaml"), asn=65000, policy=POLICY, sources=())
    item = status(controller, Reloader(controller, config, None if around is None else Around(around)))
    return [line for line in status_lines(item) if line.startswith(("group", "name", "notify", "this machine"))]


def test_g2_what_is_around_is_shown() -> None:
    assert shown(seen()) == [
        (
            "group group1 (192.168.0.3): elsewhere, silent; "
            "192.168.0.3 is here, but keepalived does not say that VI_1 is MASTER"
        ),
        "group group2 (192.168.0.3): held here",
        "name berlin.example.org: 203.0.113.2",
        "name oslo.example.org: DOES NOT RESOLVE, so nobody is mymap 20's peer by it",
    ]


def test_what_cannot_be_seen_says_why() -> None:
    why = "Temporary failure in name resolution"
    lines = shown(seen(kernel="Operation not permitted", problem="Permission denied", reason=why))
    assert lines[:2] == [
        "this machine's addresses: NOT SEEN: Operation not permitted",
        "notify FIFO /run/rri-bgp-vrrp.fifo: NOT READ: Permission denied",
    ]
    assert lines[-2:] == [
        f"name berlin.example.org: 203.0.113.2; last asked: {why}",
        f"name oslo.example.org: DOES NOT RESOLVE, so nobody is mymap 20's peer by it; last asked: {why}",
    ]


def test_where_nobody_looks_around_nothing_is_said_of_it() -> None:
    assert shown(None)[0] == "group group1 (192.168.0.3): elsewhere, silent"


def test_fields_for_programs() -> None:
    controller = Controller(POLICY, [])
    config = Config(file=Path("hub.yaml"), asn=65000, policy=POLICY, sources=())
    item = status(controller, Reloader(controller, config, Around(seen(kernel="why", reason="no"))))
    assert item["kernel"] == "why"
    assert item["fifos"] == [{"path": str(FIFO), "problem": "", "junk": 3}]
    names = item["names"]
    assert isinstance(names, list)
    assert [(one["reason"], one["answered"]) for one in names] == [("no", 1_764_000_000.5), ("no", None)]
