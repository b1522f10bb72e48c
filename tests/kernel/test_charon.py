"""What the kernel shows of a real charon's SAs makes the same routes as what charon says of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from rri_bgp.sources.xfrm.table import DOWN_AFTER
from tests.kernel.gateways import (
    BRANCH,
    HIDDEN,
    MOVED,
    Gateways,
    Settings,
    Watched,
    generation,
    hide_branch,
    move_branch,
    ping_from_hub,
    run,
    vici_source,
    wait_for,
    xfrm_source,
)

_HUB = {
    "net": ("10.0.0.0/16", "10.1.0.0/16", ""),
    "two": ("10.0.0.0/16", "10.2.0.0/16,10.3.0.0/24", ""),
    "six": ("fd00::/64", "fd01::/64", ""),
    "marked": ("10.0.0.0/16", "10.4.0.0/16", "if_id_in = 5\nif_id_out = 5"),
    "trap": ("10.0.0.0/16", "10.5.0.0/16", "start_action = trap"),
    "short": ("10.0.0.0/16", "10.6.0.0/16", "rekey_time = 0\nlife_time = 2s"),
}
_HUBS_ALONE = ("start_action", "rekey_time")
_BRANCH = {
    name: (remote, local, "" if more.startswith(_HUBS_ALONE) else more) for name, (local, remote, more) in _HUB.items()
}
N = ("10.1.0.0/16", BRANCH)


class Stage:
    """Both sources, watched side by side."""

    def __init__(self, gateways: Gateways) -> None:
        self.gateways = gateways
        self.vici = Watched()
        self.xfrm = Watched()

    async def quiet(self, *routes: tuple[str, str]) -> None:
        """Waits until both say that these routes are, and no others."""
        wanted = set(routes)
        said = f"both sources say {sorted(wanted)}"
        await wait_for(lambda: self.vici.routes() == self.xfrm.routes() == wanted, said)

    async def up(self, child: str, node: str = "branch") -> None:
        """Brings a child up."""
        await asyncio.to_thread(self.gateways.up, child, node)

    async def swanctl(self, node: str, *words: str) -> None:
        """Tells a charon something."""
        await asyncio.to_thread(self.gateways.swanctl, node, *words)

    async def rekey(self, node: str, *words: str) -> None:
        """Rekeys, until none of the SAs of before is there any more."""
        known = generation(self.vici.sas.values())
        await self.swanctl(node, "--rekey", *words)
        await wait_for(partial(self._are_gone, known), f"--rekey {words} is over")
        await self.gateways.has_pairs("hub", 1)

    def _are_gone(self, known: set[tuple[int, int]]) -> bool:
        return not known & generation(self.vici.sas.values())


@pytest.fixture
async def stage(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Two charons, no tunnel, both sources complete. A parameter is the charons' ``Settings``."""
    gateways = Gateways(tmp_path, getattr(request, "param", None))
    gateways.build()
    try:
        gateways.start_both(_HUB, _BRANCH)
        this = Stage(gateways)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(vici_source(gateways).run(this.vici)),
                group.create_task(xfrm_source().run(this.xfrm)),
            ]
            await wait_for(lambda: this.vici.complete and this.xfrm.complete, "both sources are complete")
            yield this
            for task in tasks:
                task.cancel()
    finally:
        gateways.clean()


async def test_e1_up_and_down(stage: Stage) -> None:
    """Children with one selector, two, IPv6 in IPv4, and an interface id."""
    for child in ("net", "two", "six", "marked"):
        await stage.up(child)
    everything = (N, ("10.2.0.0/16", BRANCH), ("10.3.0.0/24", BRANCH), ("fd01::/64", BRANCH), ("10.4.0.0/16", BRANCH))
    await stage.quiet(*everything)
    assert {sa.if_id for sa in stage.xfrm.sas.values()} == {0, 5}
    await stage.swanctl("branch", "--terminate", "--child", "two")
    await stage.quiet(*(one for one in everything if one[0] not in ("10.2.0.0/16", "10.3.0.0/24")))
    await stage.swanctl("branch", "--terminate", "--ike", "tunnel")
    await stage.quiet()


@pytest.mark.parametrize("node", ["hub", "branch"])
async def test_e6_rekeys_and_reauthentication_change_nothing(stage: Stage, node: str) -> None:
    """The kernel's pair stays what it was, whoever rekeys."""
    await stage.up("net")
    await stage.quiet(N)
    before = len(stage.xfrm.changes)
    for words in (("--child", "net"), ("--ike", "tunnel"), ("--ike", "tunnel", "--reauth")):
        await stage.rekey(node, *words)
    await stage.quiet(N)
    await asyncio.sleep(0.3 + DOWN_AFTER)
    assert stage.xfrm.changes[before:] == []


@pytest.mark.parametrize("stage", [Settings(charon="make_before_break = no")], ids=["charon"], indirect=True)
async def test_e6_a_reauthentication_that_breaks_before_it_makes_is_no_news_of_the_kernels(stage: Stage) -> None:
    """charon takes everything away and puts it back; VICI says so, and the kernel's source waits."""
    await stage.up("net")
    await stage.quiet(N)
    before = len(stage.vici.changes), len(stage.xfrm.changes)
    await stage.rekey("branch", "--ike", "tunnel", "--reauth")
    await asyncio.sleep(0.3 + DOWN_AFTER)
    await stage.quiet(N)
    assert any(sa is None for _, sa in stage.vici.changes[before[0] :])
    assert stage.xfrm.changes[before[1] :] == []


async def test_e8_what_charon_has_lost_without_noticing(stage: Stage) -> None:
    """After a flush charon still says INSTALLED; the kernel does not."""
    await stage.up("net")
    await stage.quiet(N)
    run("ip", "-n", "hub", "xfrm", "state", "flush")
    await wait_for(lambda: stage.xfrm.routes() == set(), "the kernel source has no route")
    assert stage.vici.routes() == {N}


async def test_g7_charon_is_killed_and_comes_back(stage: Stage) -> None:
    """The SAs of the dead charon stay in the kernel and carry traffic; those of the next one take over in silence."""
    await stage.up("net")
    await stage.quiet(N)
    before = len(stage.xfrm.changes)
    stage.gateways.stop("hub", signal.SIGKILL)
    await wait_for(lambda: not stage.vici.complete, "the VICI source has noticed")
    assert stage.xfrm.routes() == {N}
    await asyncio.to_thread(stage.gateways.start, "hub")
    await stage.swanctl("branch", "--terminate", "--ike", "tunnel", "--force")
    await stage.up("net")
    await wait_for(lambda: stage.vici.routes() == {N}, "the new tunnel is up")
    assert stage.xfrm.routes() == {N}
    assert all(sa is not None for _, sa in stage.xfrm.changes[before:])


async def test_n1_a_peer_that_moves(stage: Stage) -> None:
    """MOBIKE: the branch changes its address; no other news than that."""
    await stage.up("net")
    await stage.quiet(N)
    move_branch()
    await stage.quiet(("10.1.0.0/16", MOVED))


async def test_e1_a_trap_is_no_route_until_traffic_makes_it_a_tunnel(stage: Stage) -> None:
    """And none again when the tunnel has gone: its policies are the same, of another state."""
    assert "10.5.0.0/16" in run("ip", "-n", "hub", "xfrm", "policy")
    await stage.quiet()
    await asyncio.to_thread(ping_from_hub, "10.5.0.1")
    await stage.quiet(("10.5.0.0/16", BRANCH))
    await stage.swanctl("hub", "--terminate", "--child", "trap")
    await stage.quiet()
    assert "10.5.0.0/16" in run("ip", "-n", "hub", "xfrm", "policy")


@pytest.mark.parametrize("stage", [Settings("reuse_ikesa = no", "unique = never")], ids=["charon"], indirect=True)
async def test_e1_two_children_for_one_selector(stage: Stage) -> None:
    """Of two IKE SAs. They share their policies in the kernel: a route while one is there, whichever goes first."""
    await stage.up("net")
    await stage.quiet(N)
    before = len(stage.xfrm.changes)
    for first in (min, max):
        await stage.up("net")
        await wait_for(lambda: len(stage.vici.sas) == 2, "both are up")
        number = first(key.uniqueid for key in stage.vici.sas)
        await stage.swanctl("hub", "--terminate", "--child-id", str(number))
        await wait_for(lambda: len(stage.vici.sas) == 1, "one is gone")
    await asyncio.sleep(0.3 + DOWN_AFTER)
    assert stage.vici.routes() == stage.xfrm.routes() == {N}
    assert stage.xfrm.changes[before:] == []
    await stage.swanctl("hub", "--terminate", "--ike", "tunnel")
    await stage.quiet()


async def test_e8_a_lifetime_that_ends(stage: Stage) -> None:
    """A hard expiry, of which the kernel says no more than that; charon makes a new child, or does not."""
    await stage.up("short")
    await stage.quiet(("10.6.0.0/16", BRANCH))
    known = generation(stage.vici.sas.values())
    await wait_for(lambda: not known & generation(stage.vici.sas.values()), "the SA has expired")
    await wait_for(lambda: stage.vici.routes() == stage.xfrm.routes(), "both sources say the same")


async def test_e1_a_peer_that_does_not_answer(stage: Stage) -> None:
    """Dead-peer detection: charon gives up, and takes away what it has put into the kernel."""
    await stage.up("net")
    await stage.quiet(N)
    stage.gateways.stop("branch", signal.SIGKILL)
    await stage.quiet()


async def test_e1_behind_nat(stage: Stage) -> None:
    """ESP in UDP, and the peer is where the NAT says."""
    hide_branch()
    await stage.up("net")
    await stage.quiet(("10.1.0.0/16", HIDDEN))
    assert "espinudp" in stage.gateways.states("hub")
