"""Both sources of a real charon: the kernel shows what charon has lost without noticing, and whose a pair is."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rri_bgp.controller import Controller
from rri_bgp.rri.witness import GRACE
from rri_bgp.sources.witness import witnessed
from rri_bgp.sources.xfrm.table import DOWN_AFTER
from tests.kernel.gateways import (
    BRANCH,
    HUB,
    MOVED,
    Gateways,
    generation,
    move_branch,
    run,
    vici_source,
    wait_for,
    xfrm_source,
)
from tests.values import policy

_CHILDREN = {"net": ("10.0.0.0/16", "10.1.0.0/16", "")}
_ANSWERS = {"net": ("10.1.0.0/16", "10.0.0.0/16", "")}
NET, BY_HAND = "10.1.0.0/16", "10.9.0.0/16"
_ELSEWHERE = "192.0.2.99"


class Stage:
    """Two charons, and a controller that follows the hub's by both sources."""

    def __init__(self, gateways: Gateways) -> None:
        self.gateways = gateways
        sources = witnessed([vici_source(gateways), xfrm_source()], {"vici"}, {"xfrm"})
        self.controller = Controller(policy(), sources)

    @property
    def routes(self) -> set[str]:
        """The prefixes that upstream should have."""
        return {str(destination) for destination in self.controller.rib.destinations()}

    @property
    def owners(self) -> set[str]:
        """The sources whose pairs there are."""
        return {sa.key.source for sa in self.controller.rib.sas()}

    async def shows(self, *routes: str) -> None:
        """Waits until these are the routes."""
        await wait_for(lambda: self.routes == set(routes), f"the routes are {routes}")

    async def misses(self, count: int) -> None:
        """Waits until so many pairs are not in the kernel."""
        await wait_for(lambda: len(self.controller.missing.now) == count, f"{count} pairs are missing")

    async def up(self) -> None:
        """Brings the tunnel up."""
        await asyncio.to_thread(self.gateways.up, "net")
        await self.shows(NET)

    async def rekey(self, *words: str) -> None:
        """The hub rekeys, until all that was there before has gone, from the kernel too."""
        known = generation(self.controller.rib.sas())
        await asyncio.to_thread(self.gateways.swanctl, "hub", "--rekey", *words)
        await wait_for(lambda: not known & generation(self.controller.rib.sas()), f"--rekey {words} is over")
        await self.gateways.has_pairs("hub", 1)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """No tunnel, both sources complete."""
    gateways = Gateways(tmp_path)
    gateways.build()
    try:
        gateways.start_both(_CHILDREN, _ANSWERS)
        this = Stage(gateways)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(this.controller.run(asyncio.Event().wait()))  # type: ignore[arg-type]
            await wait_for(lambda: this.controller.complete, "both sources are complete")
            yield this
            task.cancel()
    finally:
        gateways.clean()


def keys_by_hand() -> None:
    """A tunnel that no daemon knows of."""
    out, back = f"src {HUB} dst {_ELSEWHERE} proto esp", f"src {_ELSEWHERE} dst {HUB} proto esp"
    keys = f"reqid 99 mode tunnel aead rfc4106(gcm(aes)) 0x{'00' * 20} 128"
    for words in (
        f"state add {out} spi 0x1000 {keys}",
        f"state add {back} spi 0x1001 {keys}",
        f"policy add src 10.0.0.0/16 dst {BY_HAND} dir out tmpl {out} reqid 99 mode tunnel",
        f"policy add src {BY_HAND} dst 10.0.0.0/16 dir in tmpl {back} reqid 99 mode tunnel",
    ):
        run("ip", "-n", "hub", "xfrm", *words.split())


def delete_one_sa() -> None:
    """The outbound SA goes, and nobody tells charon."""
    found = re.search(rf"src {HUB} dst {BRANCH}\s+proto esp spi (0x[0-9a-f]+)", run("ip", "-n", "hub", "xfrm", "state"))
    assert found is not None
    ends = ("src", HUB, "dst", BRANCH, "proto", "esp", "spi", found[1])
    run("ip", "-n", "hub", "xfrm", "state", "delete", *ends)


async def test_e8_what_charon_has_lost_without_noticing_is_reported_and_withdrawn_as_the_policy_says(
    stage: Stage,
) -> None:
    """A flush, and one SA deleted by hand; what is rekeyed is back. Keys set by hand are a pair of their own."""
    await stage.up()
    keys_by_hand()
    await stage.shows(NET, BY_HAND)
    assert stage.owners == {"vici", "xfrm"}
    run("ip", "-n", "hub", "xfrm", "state", "flush")
    await stage.misses(1)
    await stage.shows(NET)
    stage.controller.take_policy(policy(believe_kernel=("vici",)))
    assert stage.routes == set()
    assert [one.why.label for one in stage.controller.rib.refusals()] == ["not-in-kernel"]
    await stage.rekey("--child", "net")
    await stage.shows(NET)
    await stage.misses(0)
    delete_one_sa()
    await stage.misses(1)
    assert stage.routes == set()
    stage.controller.take_policy(policy())
    assert stage.routes == {NET}
    assert (stage.owners, stage.controller.missing.so_far) == ({"vici"}, 2)


async def test_e6_rekeys_reauthentication_and_a_peer_that_moves_are_no_loss(stage: Stage) -> None:
    """One route that comes, and no other change."""
    stage.controller.take_policy(policy(believe_kernel=("vici",)))
    await stage.up()
    for words in (("--child", "net"), ("--ike", "tunnel"), ("--ike", "tunnel", "--reauth")):
        await stage.rekey(*words)
    move_branch()
    await wait_for(lambda: {str(sa.peer) for sa in stage.controller.rib.sas()} == {MOVED}, "the peer has moved")
    await asyncio.sleep(0.3 + DOWN_AFTER + GRACE)
    assert (stage.controller.changes, stage.controller.missing.so_far, stage.owners) == (1, 0, {"vici"})


async def test_g7_what_a_killed_charon_has_left_keeps_its_route(stage: Stage) -> None:
    """It is VICI's as long as charon is away, then the kernel's, then the new tunnel's: one route all the time."""
    await stage.up()
    stage.gateways.stop("hub", signal.SIGKILL)
    await wait_for(lambda: any(one.losses for one in stage.controller.sources()), "the VICI source has noticed")
    assert stage.owners == {"vici"}
    await asyncio.to_thread(stage.gateways.start, "hub")
    await wait_for(lambda: stage.owners == {"xfrm"}, "the kernel's pair takes over")
    await asyncio.to_thread(stage.gateways.swanctl, "branch", "--terminate", "--ike", "tunnel", "--force")
    await stage.up()
    await wait_for(lambda: stage.owners == {"vici"}, "the new tunnel takes over")
    assert (stage.controller.changes, stage.controller.missing.so_far) == (1, 0)
    stage.gateways.stop("hub", signal.SIGKILL)
    run("ip", "-n", "hub", "xfrm", "state", "flush")
    await stage.misses(1)
    assert (stage.routes, stage.owners) == ({NET}, {"vici"})
