"""Rule G2 with the real kernel, and with a real keepalived: who holds the virtual address, and how soon it is known."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.netns import Namespace, namespace

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
