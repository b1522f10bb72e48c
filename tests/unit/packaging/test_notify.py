"""The controller as a service of Type=notify, with real ExaBGPs: what systemd is told, and when."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from rri_bgp.demo.daemon import LISTENER, SPEAKER, Daemon, accepting, free_port, running
from rri_bgp.demo.updates import Upstream
from rri_bgp.sinks.exabgp.streams import Streams

DEADLINE = 60.0
"""Seconds that any one condition may take."""

RRI_BGP = (sys.executable, "-c", "from rri_bgp.cli import main; main()")
FIRST_TABLE = ["10.1.0.0/16", "10.2.0.0/16", "2001:db8:2::/48"]
WATCHDOG = 1.0
"""Seconds, as WatchdogSec= would be."""


@dataclass
class Service:
    """A running `rri-bgp run`, and what it has told the manager: one text for each message."""

    process: Process
    folder: Path
    told: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for a condition over what is seen here."""
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110  # it may depend on anything
                await asyncio.sleep(0.01)

    async def status(self) -> dict[str, Any]:
        """What `rri-bgp show status --json` prints."""
        asking = await asyncio.create_subprocess_exec(
            *RRI_BGP, "show", "status", "--json", "--socket", str(self.folder / "control.sock"), stdout=PIPE
        )
        printed, _ = await asyncio.wait_for(asking.communicate(), DEADLINE)
        found: dict[str, Any] = json.loads(printed)
        return found

    def is_ready(self) -> bool:
        """Whether it has said so."""
        return any("READY=1" in message.splitlines() for message in self.told)

    async def follow_log(self) -> None:
        """Reads stderr to its end."""
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.log.append(line.decode())


class Manager(asyncio.DatagramProtocol):
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """One message."""
        self._told.append(data.decode())


def _recording(folder: Path) -> Path:
    """One snapshot, and nothing after it."""
    common = {
        "child": "net", "local": "203.0.113.1", "local_ts": [_range("10.0.1.0/24")], "identity": "branch.example.org",
        "reqid": 1, "mode": "tunnel", "state": "INSTALLED",
    }  # fmt: skip
    sas = [
        {
            "uniqueid": number, "ike_id": number, "connection": f"branch{number}", "peer": f"192.0.2.{number}",
            "remote_ts": [_range(prefix)], **common,
        }
        for number, prefix in enumerate(FIRST_TABLE, 1)
    ]  # fmt: skip
    file = folder / "sas.jsonl"
    lines = [{"format": "rri-bgp sa history", "version": 1}, {"at": 0.0, "snapshot": sas}]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return file


def _range(prefix: str) -> dict[str, Any]:
    network = ip_network(prefix)
    return {"start": str(network[0]), "end": str(network[-1])}


@contextlib.asynccontextmanager
async def service(folder: Path) -> AsyncIterator[Service]:
    """Starts the controller as systemd would, without an ExaBGP; ends it whatever happens."""
    policy = folder / "policy.yaml"
    policy.write_text(f"""version: 1
local: {{as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}}
sources: [replay: {{file: {_recording(folder)}}}]
sinks: {{exabgp: {{listen: {folder}/exabgp.sock}}}}
control: {{socket: {folder}/control.sock}}
crypto-maps: {{m: {{entries: [{{seq: 1, type: dynamic, reverse-route: true}}]}}}}
""")
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify.sock"))
        manager.setblocking(False)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Manager(told), sock=manager)
        environment = {"NOTIFY_SOCKET": str(folder / "notify.sock"), "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}
        process = await asyncio.create_subprocess_exec(
            *RRI_BGP, "run", "--config", str(policy),
            stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env={**os.environ, **environment}, cwd=folder,
        )  # fmt: skip
        this = Service(process, folder, told)
        try:
            async with asyncio.TaskGroup() as group:
                following = group.create_task(this.follow_log())
                yield this
                following.cancel()
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            transport.close()


@contextlib.asynccontextmanager
async def speaker(folder: Path, helper: tuple[str, ...]) -> AsyncIterator[Upstream]:
    """A real ExaBGP with this helper, and a real one upstream of it."""
    port, upstream = free_port(), Upstream()
    listening = (sys.executable, "-m", "rri_bgp.demo.listener", str(folder / "up.sock"))
    api = ("neighbor-changes;", "receive { parsed; update; }")
    async with (
        accepting(folder / "up.sock") as listeners,
        running(Daemon("listener", LISTENER, SPEAKER, port, listening, listen=True, api=api), folder),
        running(Daemon("speaker", SPEAKER, LISTENER, port, helper), folder),
        asyncio.TaskGroup() as group,
    ):
        reader, _ = await asyncio.wait_for(listeners.get(), DEADLINE)

        async def follow() -> None:
            while line := await reader.readline():
                upstream.feed(line.decode())

        following = group.create_task(follow())
        yield upstream
        following.cancel()


class HeldRelay:
    """A relay that the test holds: it passes ExaBGP's answers on only up to the first announcement, until let go."""

    def __init__(self) -> None:
        self.holds = asyncio.Event()
        self.go_on = asyncio.Event()

    async def run(self, exabgp: Streams, controller: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Joins the two until cancelled."""
        controller[1].write(b"attach exabgp\n")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._commands(controller[0], exabgp[1]))
            group.create_task(self._answers(exabgp[0], controller[1]))

    async def _commands(self, controller: asyncio.StreamReader, exabgp: asyncio.StreamWriter) -> None:
        while line := await controller.readline():
            if b"announce" in line:
                self.holds.set()
            exabgp.write(line)

    async def _answers(self, exabgp: asyncio.StreamReader, controller: asyncio.StreamWriter) -> None:
        while line := await exabgp.readline():
            if self.holds.is_set():
                await self.go_on.wait()
            controller.write(line)


async def test_ready_comes_after_the_first_table(tmp_path: Path) -> None:
    helper = (sys.executable, "-m", "rri_bgp.demo.listener", str(tmp_path / "helper.sock"))
    relay = HeldRelay()
    async with service(tmp_path) as this, accepting(tmp_path / "helper.sock") as helpers:
        await this.until(lambda: any("all sources complete" in line for line in this.log))
        assert (await this.status())["routes"] == len(FIRST_TABLE)
        assert not this.told  # the table is known, and nobody has it
        async with speaker(tmp_path, helper), asyncio.TaskGroup() as group:
            exabgp = await asyncio.wait_for(helpers.get(), DEADLINE)
            controller = await asyncio.open_unix_connection(tmp_path / "exabgp.sock")
            relaying = group.create_task(relay.run(exabgp, controller))
            await asyncio.wait_for(relay.holds.wait(), DEADLINE)
            [sink] = (await this.status())["sinks"]
            assert sink["ready"]
            assert sink["pending"]
            assert not this.told  # the table is being told, and not all of it is confirmed
            relay.go_on.set()
            await this.until(lambda: bool(this.told))
            assert this.told[0] == f"READY=1\nSTATUS=first table out: {len(FIRST_TABLE)} routes"
            [sink] = (await this.status())["sinks"]
            assert (sink["confirmed"], sink["pending"]) == (len(FIRST_TABLE), 0)
            relaying.cancel()
            controller[1].close()


async def test_watchdog_and_end_with_the_real_relay(tmp_path: Path) -> None:
    attach = tmp_path / "attach"
    attach.write_text(f"#!{sys.executable}\nfrom rri_bgp.cli import main\nmain()\n")
    attach.chmod(0o755)
    helper = (str(attach), "attach", "--socket", str(tmp_path / "exabgp.sock"))
    async with speaker(tmp_path, helper) as upstream, service(tmp_path) as this:
        await this.until(this.is_ready)
        await this.until(lambda: this.told.count("WATCHDOG=1") >= 3)
        await this.until(lambda: len(upstream.routes) == len(FIRST_TABLE))
        this.process.send_signal(signal.SIGHUP)  # ExecReload=
        await this.until(lambda: any("policy taken" in line for line in this.log))
        this.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(this.process.wait(), DEADLINE) == 0
        await this.until(lambda: this.told[-1] == "STOPPING=1")
        order = [message.splitlines()[0] for message in dict.fromkeys(this.told)]
        assert order == ["READY=1", "WATCHDOG=1", "STOPPING=1"]
        assert len(upstream.routes) == len(FIRST_TABLE)  # on-exit: keep
        assert upstream.is_up
