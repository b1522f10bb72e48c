"""The counting router on a real connection, with a speaker of a few lines."""

from __future__ import annotations

import asyncio
import struct

import pytest

from bench import BenchError
from bench.bgp import MARKER, Kind, Splitter, keepalive, open_message
from bench.upstream import listening
from rri_bgp.demo.daemon import LISTENER
from tests.values import pfx


def update(withdrawn: bytes = b"", nlri: bytes = b"") -> bytes:
    body = struct.pack("!H", len(withdrawn)) + withdrawn + b"\x00\x00" + nlri
    return MARKER + struct.pack("!HB", 19 + len(body), Kind.UPDATE) + body


async def test_it_takes_a_session_and_counts() -> None:
    async with listening() as (upstream, port):
        reader, writer = await asyncio.open_connection(LISTENER, port)
        writer.write(open_message(65000, "127.0.0.1", 180) + keepalive())
        await upstream.until(lambda: upstream.is_up, "the session", 10)
        writer.write(update() + update(nlri=b"\x08\x0a\x08\x0b") + update(withdrawn=b"\x08\x0a"))
        await upstream.until(lambda: upstream.updates == 2, "two UPDATEs", 10)
        assert upstream.table == {pfx("11.0.0.0/8")}
        assert [prefix for _, prefix in upstream.withdrawals] == [pfx("10.0.0.0/8")]
        assert [count for _, count in upstream.growth] == [2, 1]
        kinds = [kind for kind, _ in Splitter().feed(await reader.read(4096))]
        assert kinds == [Kind.OPEN, Kind.KEEPALIVE, Kind.KEEPALIVE]
        writer.close()


async def test_a_wait_says_why_it_is_in_vain() -> None:
    async with listening() as (upstream, port):
        with pytest.raises(BenchError, match=r"waited for routes: not within 0\.01 s; 0 routes"):
            await upstream.until(lambda: False, "routes", 0.01)
        with pytest.raises(BenchError, match="ExaBGP ended"):
            await upstream.until(lambda: False, "routes", 10, lambda: "ExaBGP ended")
        _, writer = await asyncio.open_connection(LISTENER, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(BenchError, match="no BGP"):
            await upstream.until(lambda: False, "routes", 10)
        writer.close()
