"""The kernel's view of Libreswan's SAs: no VICI to compare with, so what is wanted is written out.

It differs from charon: no template names an SPI, every policy arrives as an update, a trap is an outbound policy
between no ends, a moving peer is a migration.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rri_bgp.sources.xfrm.table import DOWN_AFTER
from tests.kernel.gateways import BRANCH, Gateways, Watched, run, wait_for, xfrm_source
from tests.kernel.libreswan import Pluto

_NETS = {"net": ("10.0.0.0/16", "10.1.0.0/16"), "six": ("fd00::/64", "fd01::/64")}
_BRANCH = {name: (remote, local, "") for name, (local, remote) in _NETS.items()}
NET, SIX = ("10.1.0.0/16", BRANCH), ("fd01::/64", BRANCH)


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

    async def shows(self, *routes: tuple[str, str]) -> None:
        """Waits until these are the routes."""
        try:
            await wait_for(lambda: self.xfrm.routes() == set(routes), f"the kernel source says {routes}")
        except AssertionError as error:
            error.add_note(self.pluto.log())
            error.add_note(run("ip", "-n", "hub", "xfrm", "policy"))
            raise


@pytest.fixture
async def stage(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """No tunnel, the source complete. A parameter is what pluto knows of the branch's address."""
    gateways = Gateways(tmp_path)
    pluto = Pluto(tmp_path / "pluto", _NETS, getattr(request, "param", BRANCH))
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


async def test_e1_e6_up_rekeys_and_down(stage: Stage) -> None:
    """IPv6 in IPv4 too; whoever rekeys, nothing changes."""
    await stage.up("net")
    await stage.up("six")
    await stage.shows(NET, SIX)
    before = len(stage.xfrm.changes)
    await stage.charon("--rekey", "--child", "net")
    await asyncio.to_thread(stage.pluto.whack, "--rekey-child", "--name", "net")
    await asyncio.to_thread(stage.pluto.whack, "--rekey-ike", "--name", "net")
    await asyncio.sleep(1.3 + DOWN_AFTER)
    assert stage.xfrm.routes() == {NET, SIX}
    assert stage.xfrm.changes[before:] == []
    await stage.charon("--terminate", "--child", "net")
    await stage.shows(SIX)
    await stage.charon("--terminate", "--ike", "tunnel")
    await stage.shows()


async def test_e1_a_trap_is_no_route(stage: Stage) -> None:
    """Nor is it in the way of the tunnel."""
    await asyncio.to_thread(stage.pluto.whack, "--route", "--name", "net")
    await wait_for(lambda: "10.1.0.0/16" in run("ip", "-n", "hub", "xfrm", "policy"), "the trap is there")
    await asyncio.sleep(0.2)
    assert stage.xfrm.routes() == set()
    await stage.up("net")
    await stage.shows(NET)


async def test_g7_pluto_is_killed_and_comes_back(stage: Stage) -> None:
    """What it leaves carries traffic; the next one begins with a flush."""
    await stage.up("net")
    await stage.shows(NET)
    stage.pluto.stop(signal.SIGKILL)
    await asyncio.sleep(0.3 + DOWN_AFTER)
    assert stage.xfrm.routes() == {NET}
    await asyncio.to_thread(stage.pluto.start)
    await stage.shows()
    await stage.charon("--terminate", "--ike", "tunnel", "--force", check=False)  # it may have found out by itself
    await stage.up("net")
    await stage.shows(NET)


@pytest.mark.parametrize("stage", ["%any"], indirect=True)
async def test_n1_a_peer_that_moves(stage: Stage) -> None:
    """MOBIKE by migration: the kernel names no SA, so all are read again."""
    await stage.up("net")
    await stage.shows(NET)
    run("ip", "-n", "branch", "address", "add", "192.0.2.3/24", "dev", "wan")
    run("ip", "-n", "branch", "address", "delete", f"{BRANCH}/24", "dev", "wan")
    run("ip", "-n", "branch", "address", "add", "192.0.2.3/24", "dev", "wan", check=False)
    await stage.shows(("10.1.0.0/16", "192.0.2.3"))
