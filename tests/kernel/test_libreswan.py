"""The kernel's view of Libreswan's SAs: no VICI to compare with, so what is wanted is written out.

It differs from charon: no template names an SPI, every policy arrives as an update, a trap is an outbound policy
between no ends, a moving peer is a migration. Its ``ipsec-interface`` wants xfrm interfaces, which User Mode Linux has
not; that test is one of a kernel that has them (Debian's 6.1 in QEMU is slow, and has passed it).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rri_bgp.sources.xfrm.table import DOWN_AFTER
from tests.kernel.branches import Device
from tests.kernel.gateways import (
    BRANCH,
    HIDDEN,
    MOVED,
    Gateways,
    Settings,
    Watched,
    hide_branch,
    move_branch,
    ping_from_hub,
    run,
    wait_for,
    xfrm_source,
)
from tests.kernel.libreswan import Pluto

_NETS = {"net": ("10.0.0.0/16", "10.1.0.0/16"), "six": ("fd00::/64", "fd01::/64")}
_BRANCH = {name: (remote, local, "") for name, (local, remote) in _NETS.items()}
NET, SIX = ("10.1.0.0/16", BRANCH), ("fd01::/64", BRANCH)


@dataclass(frozen=True)
class Setup:
    """What pluto knows of the branch's address, more lines of its connections, and what the branch's charon has."""

    peer: str = BRANCH
    more: str = ""
    branch: Settings | None = None


class Stage:
    """Pluto on the hub, charon on the branch, the hub's kernel watched."""

    def __init__(self, gateways: Gateways, pluto: Pluto) -> None:
        self.gateways = gateways
        self.pluto = pluto
        self.xfrm = Watched()

    async def up(self, child: str) -> None:
        """The branch brings a child up."""
        await asyncio.to_thread(self.gateways.up, child)

    async def charon(self, *words: str, check: bool = True) -> None:
        """Tells the branch something."""
        await asyncio.to_thread(self.gateways.swanctl, "branch", *words, check=check)

    async def whack(self, *words: str) -> None:
        """Tells pluto something."""
        await asyncio.to_thread(self.pluto.whack, *words)

    async def shows(self, *routes: tuple[str, str]) -> None:
        """Waits until these are the routes."""
        try:
            await wait_for(lambda: self.xfrm.routes() == set(routes), f"the kernel source says {routes}")
        except AssertionError as error:
            error.add_note(self.pluto.log())
            error.add_note(run("ip", "-n", "hub", "xfrm", "policy"))
            raise

    def spis(self) -> set[str]:
        """The SAs in the hub's kernel."""
        words = self.gateways.states("hub").split()
        return {words[place + 1] for place, word in enumerate(words) if word == "spi"}

    async def are_other(self, known: set[str]) -> None:
        """Waits until none of these SAs is there, and others are."""
        await wait_for(lambda: bool(self.spis()) and not known & self.spis(), "the SAs are others")


@pytest.fixture
async def stage(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """No tunnel, the source complete. A parameter is a ``Setup``."""
    setup = getattr(request, "param", Setup())
    gateways = Gateways(tmp_path, setup.branch)
    pluto = Pluto(tmp_path / "pluto", _NETS, setup.peer, setup.more)
    gateways.build()
    try:
        await asyncio.to_thread(pluto.start)
        await asyncio.to_thread(gateways.start, "branch", _BRANCH)
        this = Stage(gateways, pluto)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(xfrm_source().run(this.xfrm))
            await wait_for(lambda: this.xfrm.complete, "the source is complete")
            yield this
            task.cancel()
    finally:
        pluto.stop(signal.SIGKILL)
        gateways.clean()


async def test_e1_e6_up_rekeys_reauthentication_and_down(stage: Stage) -> None:
    """IPv6 in IPv4 too; whoever rekeys, nothing changes."""
    await stage.up("net")
    await stage.up("six")
    await stage.shows(NET, SIX)
    before = len(stage.xfrm.changes)
    await stage.charon("--rekey", "--child", "net")
    await stage.gateways.has_pairs("hub", 2)
    await stage.whack("--rekey-child", "--name", "net")
    await stage.gateways.has_pairs("hub", 2)
    await stage.whack("--rekey-ike", "--name", "net")
    known = stage.spis()
    await stage.charon("--rekey", "--ike", "tunnel", "--reauth")
    await stage.are_other(known)
    await asyncio.sleep(0.3 + DOWN_AFTER)
    assert stage.xfrm.routes() == {NET, SIX}
    assert stage.xfrm.changes[before:] == []
    await stage.charon("--terminate", "--child", "net")
    await stage.shows(SIX)
    await stage.charon("--terminate", "--ike", "tunnel")
    await stage.shows()


BREAK = Setup(branch=Settings(charon="make_before_break = no"))


@pytest.mark.parametrize("stage", [BREAK], ids=["pluto"], indirect=True)
async def test_e6_a_reauthentication_that_breaks_before_it_makes_is_no_news(stage: Stage) -> None:
    """The gap is short enough."""
    await stage.up("net")
    await stage.shows(NET)
    before, known = len(stage.xfrm.changes), stage.spis()
    await stage.charon("--rekey", "--ike", "tunnel", "--reauth")
    await stage.are_other(known)
    await asyncio.sleep(0.3 + DOWN_AFTER)
    assert stage.xfrm.routes() == {NET}
    assert stage.xfrm.changes[before:] == []


async def test_e1_a_trap_is_no_route_until_traffic_makes_it_a_tunnel(stage: Stage) -> None:
    """And none again when the tunnel has gone."""
    await stage.whack("--route", "--name", "net")
    await wait_for(lambda: "10.1.0.0/16" in run("ip", "-n", "hub", "xfrm", "policy"), "the trap is there")
    assert stage.xfrm.routes() == set()
    await asyncio.to_thread(ping_from_hub, "10.1.0.1")
    await stage.shows(NET)
    await stage.charon("--terminate", "--ike", "tunnel")
    await stage.shows()


async def test_g7_pluto_is_killed_and_comes_back(stage: Stage) -> None:
    """What it leaves carries traffic; the next one begins with a flush."""
    await stage.up("net")
    await stage.shows(NET)
    before = len(stage.xfrm.changes)
    stage.pluto.stop(signal.SIGKILL)
    await asyncio.sleep(0.3 + DOWN_AFTER)
    assert stage.xfrm.changes[before:] == []
    await asyncio.to_thread(stage.pluto.start)
    await stage.shows()
    await stage.charon("--terminate", "--ike", "tunnel", "--force", check=False)  # it may have found out by itself
    await stage.up("net")
    await stage.shows(NET)


async def test_e8_what_pluto_has_lost_without_noticing(stage: Stage) -> None:
    """A flush; what it rekeys is there again."""
    await stage.up("net")
    await stage.shows(NET)
    run("ip", "-n", "hub", "xfrm", "state", "flush")
    await stage.shows()
    await stage.charon("--rekey", "--child", "net")
    await stage.shows(NET)


@pytest.mark.parametrize("stage", [Setup("%any")], ids=["pluto"], indirect=True)
async def test_n1_a_peer_that_moves(stage: Stage) -> None:
    """MOBIKE by migration: the kernel names no SA, so all are read again."""
    await stage.up("net")
    await stage.shows(NET)
    move_branch()
    await stage.shows(("10.1.0.0/16", MOVED))


@pytest.mark.parametrize("stage", [Setup("%any")], ids=["pluto"], indirect=True)
async def test_e1_behind_nat(stage: Stage) -> None:
    """ESP in UDP, and the peer is where the NAT says."""
    hide_branch()
    await stage.up("net")
    await stage.shows(("10.1.0.0/16", HIDDEN))
    assert "espinudp" in stage.gateways.states("hub")


async def test_e1_a_peer_that_does_not_answer(stage: Stage) -> None:
    """Dead-peer detection: pluto gives up, and takes away what it has put into the kernel."""
    await stage.up("net")
    await stage.shows(NET)
    stage.gateways.stop("branch", signal.SIGKILL)
    await stage.shows()


@pytest.mark.parametrize("stage", [Setup(more="    ipsec-max-packets=10")], ids=["pluto"], indirect=True)
async def test_e8_a_lifetime_that_ends(stage: Stage) -> None:
    """Nobody rekeys, and after so many packets the kernel takes the SA away."""
    await stage.up("net")
    await stage.shows(NET)
    await asyncio.to_thread(ping_from_hub, "10.1.0.1", 12)
    await stage.shows()


ALONE = Setup(branch=Settings("reuse_ikesa = no", "unique = never"))


@pytest.mark.parametrize("stage", [ALONE], ids=["pluto"], indirect=True)
async def test_e1_two_children_for_one_selector(stage: Stage) -> None:
    """The second takes the place of the first, and that is no news."""
    await stage.up("net")
    await stage.shows(NET)
    before = len(stage.xfrm.changes)
    await stage.up("net")
    await asyncio.sleep(0.3 + DOWN_AFTER)
    assert stage.xfrm.routes() == {NET}
    assert stage.xfrm.changes[before:] == []
    await stage.charon("--terminate", "--ike", "tunnel")
    await stage.shows()


if Device.XFRM.is_known:

    @pytest.mark.parametrize("stage", [Setup(more="    ipsec-interface=yes")], ids=["pluto"], indirect=True)
    async def test_n5_a_tunnel_with_an_interface_of_its_own(stage: Stage) -> None:
        """Pluto makes one, whose number is in both SAs and in each policy."""
        await stage.up("net")
        await stage.shows(NET)
        assert {sa.if_id for sa in stage.xfrm.sas.values()} == {1}
        before = len(stage.xfrm.changes)
        await stage.charon("--rekey", "--child", "net")
        await stage.gateways.has_pairs("hub", 1)
        await asyncio.sleep(0.3 + DOWN_AFTER)
        assert stage.xfrm.changes[before:] == []
        await stage.charon("--terminate", "--ike", "tunnel")
        await stage.shows()
