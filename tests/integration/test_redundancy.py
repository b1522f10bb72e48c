"""Rule G2 with the real kernel, and with a real keepalived: who holds the virtual address, and how soon it is known."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.netns import DEADLINE, Namespace, namespace

VIRTUAL = "192.168.0.3"
KEEPALIVED = """\
global_defs {{
    script_user root
    vrrp_notify_fifo {folder}/vrrp.fifo
}}
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id 51
    priority 100
    advert_int 0.1
    version 3
    virtual_ipaddress {{
        192.168.0.3/24
    }}
}}
"""


POLICY = """\
version: 1
local: {{as: 65000, next-hop: 198.51.100.1}}
sources: [replay: {{file: {folder}/sas.jsonl}}]
sinks: {{exabgp: {{listen: {folder}/run/exabgp.sock}}}}
control: {{socket: {folder}/run/control.sock}}
crypto-maps:
  branches:
    redundancy: group1
    entries:
      - {{seq: 10, type: dynamic, reverse-route: {{tag: 100}}}}
redundancy:
  group1: {{virtual-address: 192.168.0.3, standby: {standby}}}
"""
SAS = (
    {"format": "rri-bgp sa history", "version": 1},
    {
        "at": 0.0,
        "snapshot": [
            {
                "uniqueid": 1, "connection": "branch1", "child": "net", "peer": "203.0.113.2", "local": "203.0.113.1",
                "mode": "tunnel", "state": "INSTALLED", "local_ts": [], "identity": "", "ike_id": 1, "reqid": 1,
                "remote_ts": [{"start": "10.1.0.0", "end": "10.1.255.255"}],
            }
        ],
    },
)  # fmt: skip


async def shown(folder: Path) -> tuple[list[str], bool] | None:
    """The next hops and MEDs of the controller's routes, and whether it holds its group; None before it answers."""
    found = []
    for what in ("routes", "status"):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rri_bgp", "show", what, "--json", "--socket", f"{folder}/run/control.sock",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        out, _ = await process.communicate()
        if not out:
            return None
        found.append(json.loads(out))
    routes, status = found
    if not status["complete"]:
        return None
    return [f"{route['next_hop']} {route['med']}" for route in routes["routes"]], status["groups"][0]["held"]


async def until_shown(folder: Path, wanted: tuple[list[str], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while await shown(folder) != wanted:  # noqa: ASYNC110  # it is asked, it does not tell
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("standby", "away"), [("silent", []), ("{med: 200}", ["198.51.100.1 200"])])
async def test_g2_the_controller_announces_while_it_holds_the_address(
    tmp_path: Path, standby: str, away: list[str]
) -> None:
    (tmp_path / "run").mkdir(mode=0o750)
    (tmp_path / "sas.jsonl").write_text("".join(json.dumps(line) + "\n" for line in SAS))
    file = tmp_path / "hub.yaml"
    file.write_text(POLICY.format(folder=tmp_path, standby=standby))
    async with namespace("rri_bgp", "run", "--config", str(file), speaks=False) as gateway:
        await until_shown(tmp_path, (away, False))
        await gateway.ip(f"addr add {VIRTUAL}/24 dev eth0")
        await until_shown(tmp_path, ([f"{VIRTUAL} None"], True))
        await gateway.ip(f"addr del {VIRTUAL}/24 dev eth0")
        await until_shown(tmp_path, (away, False))


async def test_g2_the_kernels_word_is_enough_where_nobody_else_is_asked() -> None:
    async with namespace("tests.integration.gateway", VIRTUAL) as gateway:
        await gateway.until(lambda said: said["complete"])
        assert gateway.said["held"] == []
        assert gateway.said["capabilities"] == 0
        for _ in range(3):
            await gateway.ip(f"addr add {VIRTUAL}/24 dev eth0")
            await gateway.until(lambda said: said["held"] == ["group1"])
            await gateway.ip(f"addr del {VIRTUAL}/24 dev eth0")
            await gateway.until(lambda said: said["held"] == [])


async def test_g2_an_address_that_duplicate_detection_refuses_is_not_held() -> None:
    async with namespace("tests.integration.gateway", "2001:db8::3") as gateway:
        await gateway.until(lambda said: said["complete"])
        await gateway.ip("addr add 2001:db8::3/64 dev eth1 nodad", "addr add 2001:db8::3/64 dev eth0")
        await gateway.until(lambda said: said["held"] == ["group1"])
        await gateway.ip("addr del 2001:db8::3/64 dev eth1")
        await gateway.until(lambda said: said["held"] == [])
        assert "2001:db8::3" in gateway.said["addresses"], "it is there, and carries nothing"


@contextlib.asynccontextmanager
async def keepalived(gateway: Namespace, folder: Path) -> AsyncIterator[None]:
    """Runs keepalived in the gateway's namespace until the end, and ends it as systemd does."""
    program = shutil.which("keepalived") or shutil.which("keepalived", path="/usr/sbin:/sbin")
    if program is None:
        pytest.fail("keepalived is missing: install the Debian package `keepalived` (apt-get install keepalived)")
    config = folder / "keepalived.conf"
    config.write_text(KEEPALIVED.format(folder=folder))
    files = (f"--use-file={config}", f"--pid={folder}/keepalived.pid", f"--vrrp_pid={folder}/vrrp.pid")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(gateway.run(program, "--dont-fork", "--log-console", "--vrrp", *files))
        yield
        if not task.done():
            await gateway.run("sh", "-c", f"kill $(cat {folder}/keepalived.pid)")


async def test_g2_keepalived_and_the_kernel_agree(tmp_path: Path) -> None:
    """Master; a cable that is pulled, and put back; the end of keepalived; and a keepalived that is back."""
    async with namespace("tests.integration.gateway", VIRTUAL, str(tmp_path / "vrrp.fifo"), "VI_1") as gateway:
        await gateway.ip("addr add 192.168.0.1/24 dev eth0")
        await gateway.until(lambda said: said["complete"])
        for _ in range(2):
            async with keepalived(gateway, tmp_path):
                await gateway.until(lambda said: said["held"] == ["group1"])
                assert VIRTUAL in gateway.said["addresses"]
                await gateway.ip("link set eth1 down")
                await gateway.until(lambda said: said["held"] == [])
                await gateway.ip("link set eth1 up")
                await gateway.until(lambda said: said["held"] == ["group1"])
            await gateway.until(lambda said: said["held"] == [])


async def test_g2_an_address_by_hand_is_not_enough_where_keepalived_has_a_say(tmp_path: Path) -> None:
    fifo = tmp_path / "vrrp.fifo"
    async with namespace("tests.integration.gateway", VIRTUAL, str(fifo), "VI_1") as gateway:
        await gateway.until(lambda said: said["complete"])
        await gateway.ip(f"addr add {VIRTUAL}/24 dev eth0")
        await gateway.until(lambda said: VIRTUAL in said["addresses"])
        assert gateway.said["held"] == []
        await gateway.run("sh", "-c", f"""echo 'INSTANCE "VI_1" MASTER 100' > {fifo}""")
        await gateway.until(lambda said: said["held"] == ["group1"])
