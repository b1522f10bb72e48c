"""A whole gateway but for charon: ``rri-bgp run`` in a network namespace, with CAP_NET_ADMIN and nothing else.

The test speaks for charon (over VICI) and for everybody else who changes routes (with ip(8)); a real ExaBGP announces
to another one, both outside the namespace. What is asserted is what ip(8) shows and what the other ExaBGP has learnt.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rri_bgp.demo.daemon import LISTENER, SPEAKER, free_port, running
from tests.integration.netns import DEADLINE, ENTER, Namespace, namespace
from tests.integration.pair import Pair, Speaker, upstream
from tests.unit.sources.charon import Charon, serving
from tests.unit.sources.test_vici_sas import child, ike

__all__ = ["FAR", "GATEWAY", "NEAR", "Hub", "announcing", "hub", "tapped"]

ROOT = Path(__file__).resolve().parents[2]
NEAR, FAR, GATEWAY = "192.0.2.7", "203.0.113.9", "192.0.2.254"
"""Peers: a neighbour, and one behind the gateway."""

POLICY = """\
version: 1
local: {{as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}}
sources:
  - vici: {{socket: {folder}/vici}}
sinks:
  kernel: {kernel}
  {exabgp}
control: {{socket: {folder}/run/control.sock}}
crypto-maps:
  branches:
    interface: eth1
    entries: [{{seq: 10, type: dynamic, reverse-route: {reverse_route}}}]
"""


@dataclass
class Hub:
    """See the head of this file. ``rights``: the capability that the program has."""

    folder: Path
    made: Namespace
    charon: Charon
    kernel: str = "{}"
    reverse_route: str = "true"
    rights: str = "net_admin"
    exabgp: str = ""
    process: Process | None = None
    starts: int = 0

    # -- the program -------------------------------------------------------------------------------------------------

    def write_policy(self) -> None:
        """As the fields are now."""
        text = POLICY.format(
            folder=self.folder, kernel=self.kernel, exabgp=self.exabgp, reverse_route=self.reverse_route
        )
        (self.folder / "hub.yaml").write_text(text)

    async def start(self) -> None:
        """Runs it, until its first table is out."""
        await self.launch()
        self.starts += 1
        await self.until(lambda: self.said("the first table is out") == self.starts, "the first table is out")

    async def launch(self) -> Process:
        """Runs it."""
        self.write_policy()
        with (self.folder / "hub.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                "nsenter", f"--target={self.made.process.pid}", "--net", *ENTER,
                "setpriv", f"--bounding-set=-all,+{self.rights}", "--inh-caps=-all", "--no-new-privs",
                sys.executable, "-m", "rri_bgp", "run", "--config", str(self.folder / "hub.yaml"),
                stdin=DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        return self.process

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends it; its exit code."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), DEADLINE)

    async def reload(self) -> None:
        """Takes the policy that the fields make now."""
        taken = self.said("policy taken")
        self.write_policy()
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        await self.until(lambda: self.said("policy taken") > taken, "the policy is taken")

    def said(self, text: str) -> int:
        """How often it has said that."""
        return self.log.count(text)

    @property
    def log(self) -> str:
        """All that it has said."""
        file = self.folder / "hub.log"
        return file.read_text(errors="replace") if file.exists() else ""

    async def show(self, *words: str) -> Any:
        """What a verb of ``rri-bgp`` says with ``--json``."""
        socket = f"{self.folder}/run/control.sock"
        asked = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rri_bgp", *words, "--json", "--socket", socket, stdout=-1, stderr=-1
        )
        out, error = await asyncio.wait_for(asked.communicate(), DEADLINE)
        assert out, error
        return json.loads(out)

    # -- what is around it -------------------------------------------------------------------------------------------

    def has(self, *tunnels: tuple[int, str, Sequence[str]]) -> None:
        """These are charon's IKE SAs from now on, by number, peer and proxies. It says which came, changed, went."""
        before = self.charon.sas
        self.charon.sas = now = {
            number: ike(number, child(number, **{"remote-ts": list(proxies)}), **{"remote-host": peer})
            for number, peer, proxies in tunnels
        }
        for number in before.keys() | now.keys():
            if number not in now:
                self.charon.say("child-updown", before[number])
            elif number not in before:
                self.charon.say("child-updown", {"up": "yes"} | now[number])
            elif now[number] != before[number]:
                self.charon.say("ike-update", {"remote-host": now[number]["branch1"]["remote-host"]} | now[number])

    async def routes(self, *words: str) -> dict[str, str]:
        """Routes by prefix, as ip(8) has them; ours where ``words`` do not say which."""
        return await self.made.routes(*(words or ("-4", "route", "show", "proto", "82")))

    async def until_routes(self, wanted: Mapping[str, str], *words: str) -> None:
        """Waits until the kernel has exactly these."""
        found: dict[str, str] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                while (found := await self.routes(*words)) != wanted:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.02)
        assert found == wanted, (found, wanted, self.log[-4000:])

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until something is so."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                while not condition():  # noqa: ASYNC110  # it may be any condition
                    await asyncio.sleep(0.02)
        assert condition(), f"waited in vain until {what}: {self.log[-4000:]}"

    @contextlib.asynccontextmanager
    async def monitored(self) -> AsyncIterator[list[str]]:
        """What ``ip monitor route`` says of our routes meanwhile, whoever changes them."""
        file = self.folder / "monitor"
        with file.open("wb") as out:
            monitor = await asyncio.create_subprocess_exec(
                "nsenter", f"--target={self.made.process.pid}", "--net", *ENTER, "ip", "monitor", "route", stdout=out
            )
        heard: list[str] = []

        async def until_heard(mark: str) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DEADLINE):
                    while mark not in file.read_text():
                        await self.made.ip(f"route replace {mark} dev lo proto static")
                        await asyncio.sleep(0.02)

        try:
            await until_heard("198.18.0.1")
            yield heard
            await until_heard("198.18.0.2")
            heard += [line for line in file.read_text().splitlines() if " proto 82 " in line]
        finally:
            monitor.kill()
            await monitor.wait()


@contextlib.asynccontextmanager
async def hub(folder: Path, *, reverse_route: str = "true", rights: str = "net_admin") -> AsyncIterator[Hub]:
    """Everything but the program, and ExaBGP: see ``Hub.start`` and ``announcing``."""
    (folder / "run").mkdir(mode=0o750)
    charon = Charon(folder / "vici")
    async with serving(charon), namespace("tests.integration.idle", speaks=False) as made:
        await made.ip(
            "addr add 192.0.2.1/24 dev eth0",
            "addr add 2001:db8:2::1/64 dev eth0 nodad",
            f"route add default via {GATEWAY}",
        )
        this = Hub(folder, made, charon, reverse_route=reverse_route, rights=rights)
        try:
            yield this
        finally:
            if this.process is not None and this.process.returncode is None:
                await this.end(signal.SIGKILL)


@contextlib.asynccontextmanager
async def announcing(this: Hub, *, on_exit: str = "keep") -> AsyncIterator[Pair]:
    """An ExaBGP that this hub's program speaks with, through ``tap``, and upstream another one that learns."""
    port, taken = free_port(), this.folder / "run" / "exabgp.sock"
    this.exabgp = f"exabgp: {{listen: {taken}, ack-timeout: 60, on-exit: {on_exit}}}"
    attach = (sys.executable, "-m", "rri_bgp", "attach", "--socket", str(taken))
    helper = (
        sys.executable, "-m", "tests.integration.tap", str(this.folder / "tapped"), str(this.made.process.pid), *attach
    )  # fmt: skip
    speaker = Speaker("speaker", SPEAKER, LISTENER, port, helper, environment={"PYTHONPATH": str(ROOT)})
    async with upstream(this.folder, port) as both, running(speaker, this.folder):
        await both.until(lambda: both.upstream.is_up)
        yield both


def tapped(this: Hub) -> list[tuple[str, str, bool]]:
    """What the program has told ExaBGP of each destination, and whether the kernel had the route then."""
    file = this.folder / "tapped"
    return [tuple(json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
