"""The kernel's SAs, in this process, with no socket: reading a dump's datagrams, and the table of pairs.

The messages have the sizes and attributes of those that Linux 7.2 gave for charon's SAs. A tunnel is five of them: two
SAs, three policies. Sizes are in tunnels.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from struct import Struct

from bench.cases import Runs
from bench.figures import Figure, Ratio, Result
from rri_bgp.sources.xfrm.table import XfrmTable
from rri_bgp.sources.xfrm.wire import parse

__all__ = ["measure"]

TUNNELS = 10_000
MOST_PARSE_MICROSECONDS = 3.0

_MESSAGES = 5
_DATAGRAM = 32_000
"""Bytes; the kernel fills up to 32 KiB."""

_NEWSA, _NEWPOLICY = 0x10, 0x13
_AEAD, _TMPL, _LASTUSED, _POLICY_TYPE, _SA_DIR = 18, 5, 15, 16, 33
_HEADER, _ATTRIBUTE = Struct("=IHHII"), Struct("=HH")
_USERSA = Struct("=56x16sI4s16s112xIHB9x")
_POLICY = Struct("=16s16s8xHBB116xBB6x")
_TEMPLATE = Struct("=16sI4sH2x16sIB15x")
_HUB = IPv4Address("192.0.2.1").packed.ljust(16, b"\0")
_LOCAL = IPv4Address("10.255.0.0").packed.ljust(16, b"\0")
_ESP = b"\x32\0\0\0"


async def measure(runs: Runs) -> Result:
    """Runs it ``runs.rounds`` times."""
    count = runs.sized(TUNNELS)
    datagrams = list(_datagrams(count))
    found: list[tuple[float, float, float]] = []
    for number in range(runs.rounds):
        found.append(_run(datagrams, count))
        runs.tell(f"xfrm {number + 1}/{runs.rounds}: {found[-1][0]:.2f} µs a message")
    parsing, taking, telling = zip(*found, strict=True)
    parse_figure = Figure("reading a message", "µs", parsing)
    return Result(
        name="xfrm",
        title=f"xfrm: the dump of {count:,} tunnels, no I/O",
        figures=(
            parse_figure,
            Figure("reading it and taking it into the table", "µs", taking),
            Figure("finding out that a tunnel is up", "µs", telling),
        ),
        ratios=(Ratio("reading a message", parse_figure.runs, MOST_PARSE_MICROSECONDS, "µs"),),
        notes=("a tunnel is five messages: two SAs of 352 bytes, three policies of 264",),
    )


def _run(datagrams: Sequence[bytes], count: int) -> tuple[float, float, float]:
    """Microseconds: a message read; read and taken; a tunnel told."""
    gc.collect()
    started = time.perf_counter()
    for datagram in datagrams:
        for _ in parse(datagram):
            pass
    read = time.perf_counter()
    table = XfrmTable("xfrm")
    for datagram in datagrams:
        for message in parse(datagram):
            table.take(message)
    taken = time.perf_counter()
    told = table.changes(0.0)
    end = time.perf_counter()
    assert len(told) == count  # noqa: S101  # all are up
    messages = count * _MESSAGES
    return (read - started) / messages * 1e6, (taken - read) / messages * 1e6, (end - taken) / count * 1e6


def _datagrams(count: int) -> Iterator[bytes]:
    """As the kernel dumps: all SAs, then all policies."""
    for kind in (_sas, _policies):
        queued: list[bytes] = []
        for number in range(count):
            queued.extend(kind(number))
            if sum(map(len, queued)) > _DATAGRAM:
                yield b"".join(queued)
                queued = []
        if queued:
            yield b"".join(queued)


def _sas(number: int) -> Iterator[bytes]:
    peer = _address(0xC6120000 + number)
    for spi, source, destination in ((number + 1, _HUB, peer), (1 << 24 | number, peer, _HUB)):
        body = _USERSA.pack(destination, spi, _ESP, source, 7, 2, 1)
        yield _message(_NEWSA, body, (_AEAD, 88), (_LASTUSED, 8), (_SA_DIR, 4))


def _policies(number: int) -> Iterator[bytes]:
    peer, net = _address(0xC6120000 + number), _address(0x0A000000 + (number << 8))
    for direction, ends in ((1, (_HUB, peer)), (0, (peer, _HUB)), (2, (peer, _HUB))):
        destination, source = (net, _LOCAL) if direction == 1 else (_LOCAL, net)
        body = _POLICY.pack(destination, source, 2, *((24, 16) if direction == 1 else (16, 24)), direction, 0)
        spi = number + 1 if direction == 1 else 0
        template = _TEMPLATE.pack(ends[1], spi, _ESP, 2, ends[0], 7, 1)
        head = _ATTRIBUTE.pack(4 + len(template), _TMPL) + template
        yield _message(_NEWPOLICY, body + head, (_POLICY_TYPE, 8))


def _message(kind: int, body: bytes, *attributes: tuple[int, int]) -> bytes:
    more = b"".join(_ATTRIBUTE.pack(4 + size, number) + bytes(size) for number, size in attributes)
    return _HEADER.pack(_HEADER.size + len(body) + len(more), kind, 2, 1, 0) + body + more


def _address(number: int) -> bytes:
    return number.to_bytes(4, "big").ljust(16, b"\0")
