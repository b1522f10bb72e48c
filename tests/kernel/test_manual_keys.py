"""Keys set by hand, with no IKE daemon: the source alone with the kernel, one tunnel and thousands."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice

import pytest

from rri_bgp.model import SaPair
from rri_bgp.policy.config import XfrmSettings
from rri_bgp.sources.xfrm import XfrmSource
from tests.kernel.gateways import HUB, Watched, run, wait_for
from tests.unit.sources.netlink import aead, as_request, attribute, message, template, userpolicy, usersa, usersa_id

_LOCAL = "10.0.0.0/24"
_NEWSA, _DELSA, _NEWPOLICY, _TMPL = 0x10, 0x11, 0x13, 5
_KEYS = aead(bytes(20))
_MANY = 5000
"""Tunnels: two SAs each."""

_SMALL_BUFFER = 200 * 1024


def _peer(number: int) -> str:
    return f"198.18.{number >> 8}.{number & 255}"


def _net(number: int) -> str:
    return f"10.{1 + (number >> 8)}.{number & 255}.0/24"


def by_hand(number: int) -> list[str]:
    """The words after `ip xfrm` that make a tunnel, in the order of docs/howto/kernel-sas.md."""
    peer, net = _peer(number), _net(number)
    out, back = f"src {HUB} dst {peer} proto esp", f"src {peer} dst {HUB} proto esp"
    keys = f"reqid 7 mode tunnel aead rfc4106(gcm(aes)) 0x{'00' * 20} 128"
    return [
        f"state add {out} spi {_spi(number):#x} {keys}",
        f"state add {back} spi {_spi(number) + 1:#x} {keys}",
        f"policy add src {_LOCAL} dst {net} dir out tmpl {out} reqid 7 mode tunnel",
        f"policy add src {net} dst {_LOCAL} dir in tmpl {back} reqid 7 mode tunnel",
        f"policy add src {net} dst {_LOCAL} dir fwd tmpl {back} reqid 7 mode tunnel",
    ]


def tunnel(number: int) -> list[bytes]:
    """The same in the kernel's own words."""
    peer, net = _peer(number), _net(number)
    inward = template(peer, HUB)
    return [
        outbound(number),
        message(_NEWSA, usersa(peer, HUB, _spi(number) + 1), _KEYS),
        message(_NEWPOLICY, userpolicy(1, _LOCAL, net), attribute(_TMPL, template(HUB, peer))),
        message(_NEWPOLICY, userpolicy(0, net, _LOCAL), attribute(_TMPL, inward)),
        message(_NEWPOLICY, userpolicy(2, net, _LOCAL), attribute(_TMPL, inward)),
    ]


def outbound(number: int) -> bytes:
    """Its outbound SA comes."""
    return message(_NEWSA, usersa(HUB, _peer(number), _spi(number)), _KEYS)


def no_outbound(number: int) -> bytes:
    """Its outbound SA goes."""
    return message(_DELSA, usersa_id(_peer(number), _spi(number)))


def _spi(number: int) -> int:
    return 0x10000 + 2 * number


def have(messages: Iterable[bytes]) -> None:
    """Has the kernel do all that, a hundred at a time; `ip -batch` takes many times as long."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 6) as kernel:
        kernel.setblocking(False)
        requests = (as_request(one) for one in messages)
        while some := b"".join(islice(requests, 100)):
            kernel.send(some)
            with contextlib.suppress(BlockingIOError):
                raise AssertionError(f"the kernel refuses: {kernel.recv(1 << 16)[16:20].hex()}")


def routes(*numbers: int) -> set[tuple[str, str]]:
    """Which prefixes are wanted behind which peer."""
    return {(_net(number), _peer(number)) for number in numbers}


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    """No SA and no policy, before and after."""
    _flush()
    yield
    _flush()


def _flush() -> None:
    for what in ("state", "policy"):
        run("ip", "xfrm", what, "flush")


@contextlib.asynccontextmanager
async def watching(buffer: int = 32 << 20) -> AsyncIterator[Watched]:
    """The source over this kernel, complete."""
    seen = Watched()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(XfrmSource(XfrmSettings(resync=3600.0), buffer=buffer).run(seen))
        await wait_for(lambda: seen.complete, "the source is complete")
        yield seen
        task.cancel()


async def test_e1_a_tunnel_with_keys_set_by_hand() -> None:
    """Each of its parts counts; the forwarding policy, which only some daemons set, does not."""
    async with watching() as seen:
        for words in by_hand(1)[:3]:
            run("ip", "xfrm", *words.split())
        await asyncio.sleep(0.2)
        assert seen.routes() == set()
        run("ip", "xfrm", *by_hand(1)[3].split())
        await wait_for(lambda: seen.routes() == routes(1), "the tunnel has a route")
        have([no_outbound(1)])
        await wait_for(lambda: seen.routes() == set(), "the route is gone")


async def test_e8_a_lifetime_that_ends() -> None:
    """The kernel takes the SA away, and says only that it has expired: no message of a deletion follows."""
    async with watching() as seen:
        have(tunnel(1))
        await wait_for(lambda: seen.routes() == routes(1), "the tunnel has a route")
        limited = by_hand(1)[0].replace("state add", "state update")
        run("ip", "xfrm", *limited.split(), "limit", "time-hard", "1")
        await wait_for(lambda: seen.routes() == set(), "the route is gone")


async def test_e8_a_burst_that_the_buffer_does_not_hold_ends_exact(caplog: pytest.LogCaptureFixture) -> None:
    """20,000 events while nobody reads, against 200 KiB: what is lost is made up for by a dump."""
    caplog.set_level(logging.INFO)
    there = range(1000)
    have(one for number in there for one in tunnel(number))
    async with watching(_SMALL_BUFFER) as seen:
        assert seen.routes() == routes(*there)
        for _ in range(10):
            have(no_outbound(number) for number in there)
            have(outbound(number) for number in there)
        have(no_outbound(number) for number in there[::2])
        await wait_for(lambda: seen.routes() == routes(*there[1::2]), "the routes are those that are left", 60)
        assert "the kernel's buffer was full" in caplog.text


class Timed(Watched):
    """When it first knew everything."""

    def __init__(self) -> None:
        super().__init__()
        self.at = asyncio.get_running_loop().create_future()

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> None:
        """See ``SaObserver``."""
        super().snapshot(source, sas)
        self.at.set_result(time.monotonic())


async def _ours() -> float:
    """Seconds from nothing to complete."""
    started = time.monotonic()
    seen = Timed()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(XfrmSource(XfrmSettings(resync=3600.0)).run(seen))
        took = await seen.at - started
        task.cancel()
    assert len(seen.sas) == _MANY
    return float(took)


def _theirs() -> float:
    """Seconds that it takes to print all of it to nowhere."""
    started = time.monotonic()
    for words in (("ip", "-s", "xfrm", "state"), ("ip", "xfrm", "policy")):
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


async def test_reading_all_of_10000_sas_beside_ip(capsys: pytest.CaptureFixture[str]) -> None:
    """SAs and policies, beside `ip -s xfrm state` and `ip xfrm policy`: the better of two each, in turn."""
    have(one for number in range(_MANY) for one in tunnel(number))
    pairs = [(await _ours(), await asyncio.to_thread(_theirs)) for _ in range(2)]
    ours, theirs = (min(one) for one in zip(*pairs, strict=True))
    with capsys.disabled():
        sys.stdout.write(f"\n10,000 SAs: {ours:.3f} s; `ip` {theirs:.3f} s; ratio {ours / theirs:.2f}\n")
    assert ours < 3 * theirs
