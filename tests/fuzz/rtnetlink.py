"""Any number of inputs for both readers of rtnetlink: ``python -m tests.fuzz.rtnetlink COUNT [SEED]``.

One reads addresses and links (``surroundings``), the other routes and what leads to them (``sinks/kernel``). What holds
for every input is in ``check``. An input that breaks it is printed and ends the run with exit code 1.
"""

from __future__ import annotations

import os
import random
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import TypeVar

from rri_bgp.errors import NetlinkError
from rri_bgp.model import Prefix
from rri_bgp.sinks.kernel import wire
from rri_bgp.surroundings import netlink
from rri_bgp.surroundings.links import Table
from tests.fuzz.datagrams import datagrams
from tests.fuzz.run import run
from tests.unit.sinks.rtnetlink import GATEWAY, MULTIPATH, OIF, PRIORITY, TABLE, VIA, answer, hop, link, route, u32
from tests.unit.surroundings.messages import attribute, deladdr, message, newaddr, newlink

__all__ = ["REAL", "check", "inputs", "main", "target"]

One = TypeVar("One")

_VIA_4, _VIA_6 = attribute(GATEWAY, b"\xc0\x00\x02\x02"), attribute(GATEWAY, b"\xfe\x80" + bytes(13) + b"\x02")
_OVER_6 = attribute(VIA, struct.pack("=H", 10) + b"\xfe\x80" + bytes(13) + b"\x02")
_METRIC, _ETH0, _MAIN = u32(PRIORITY, 1), u32(OIF, 3), u32(TABLE, 254)


def _info(kind: str, *data: bytes) -> bytes:
    return attribute(18 | 0x8000, attribute(1, kind.encode() + b"\0") + attribute(2 | 0x8000, b"".join(data)))


REAL: tuple[bytes, ...] = (
    newaddr("192.0.2.1/24"),
    newaddr("2001:db8::1/128", peer="2001:db8::2", flags=0x40),
    deladdr("192.0.2.1/24"),
    newlink(7, master=9),
    newlink(9, table=10),
    link("xfrm0", 9, more=[_info("xfrm", u32(1, 3), u32(2, 42))]),
    link("vti0", 9, more=[_info("vti", u32(2, 1), u32(3, 42))]),
    link("eth0", 3, gone=True),
    route("10.1.0.0/24", _MAIN, _METRIC, _VIA_4, _ETH0),
    route("10.1.0.0/24", _MAIN, _METRIC, _OVER_6, _ETH0, gone=True),
    route("2001:db8:1::/48", _MAIN, _METRIC, _VIA_6, _ETH0),
    route("10.1.0.0/24", _METRIC, attribute(MULTIPATH, hop(3, _VIA_4) + hop(4, _OVER_6, flags=4) + hop(5))),
    route("2001:db8:1::/48", _METRIC, attribute(MULTIPATH, hop(3, _VIA_6) + hop(4, _VIA_6))),
    route("0.0.0.0/0", _METRIC, kind=6, message_flags=0x12),
    message(32, bytes(12)),
    message(3, bytes(4), 2),
    answer(0),
    answer(101, text="Nexthop has invalid gateway", request=route("10.1.0.0/24", _METRIC, _VIA_4)),
    answer(17, text="File exists", capped=True),
)
"""Messages as the kernel writes them."""

_HEADS = {16: bytes(16), 20: struct.pack("=BBBBI", 2, 24, 0, 0, 2), 24: struct.pack("=BBBBBBBBI", 2, 0, *[0] * 7)}
_LIVES = 1000
"""Inputs that one table lives through."""
_BITS = {4: 32, 6: 128}


def inputs(seed: int) -> Iterator[bytes]:
    """Without end, see ``datagrams``."""
    return datagrams(seed, REAL, _nested)


def _nested(dice: random.Random, real: bytes) -> bytes:
    kind = dice.choice(tuple(_HEADS))
    return message(kind, _HEADS[kind] + attribute(dice.randrange(32), real[: dice.choice((40, 0xFFF0))]))


def check(table: Table, data: bytes) -> int:
    """Gives an input to both readers; returns how many values they made of it. Raises where something is not as it
    must be."""
    values = 0
    for one in _all(netlink.read(data)):
        values += 1
        if isinstance(one, netlink.AddressNews):
            _check_prefix(one.network)
        if not isinstance(one, netlink.Dump):
            table.take(one)
    for said in _all(wire.read(data)):
        values += 1
        _check(said)
    messages = len(data) // 16
    assert values <= 4 * messages, "of each message: that the dump was interrupted, and what it says; by two readers"
    assert len(list(_all(wire.read(data, skip_port=4711)))) <= 2 * messages
    return values


def _check(said: wire.News) -> None:
    if isinstance(said, wire.RouteNews):
        table, prefix, metric = said.place
        _check_prefix(prefix)
        assert 0 <= table < 2**32
        assert 0 <= metric < 2**32
        assert said.via == wire.via_of(said.via), "in order, and each once"
        assert bool(said.via) == (said.kind != wire.BLACKHOLE)
        assert hash(said.place) == hash(said.place)
    if isinstance(said, wire.LinkNews):
        assert said.name.isprintable()
        assert len(said.name) <= 800
    if isinstance(said, wire.Failed):
        assert os.strerror(said.errno)
        assert said.text.isprintable()
        assert len(said.text) <= 800


def _check_prefix(prefix: Prefix) -> None:
    version, network, length = prefix
    assert 0 <= length <= _BITS[version]
    assert 0 <= network < 1 << _BITS[version]
    assert network & ((1 << (_BITS[version] - length)) - 1) == 0, "no host bits"
    assert str(prefix)


def _all(found: Iterable[One]) -> Iterator[One]:
    """What is read before the end, or before what cannot be read."""
    what = ""
    try:
        yield from found
    except NetlinkError as error:
        what = error.what
    assert what.isprintable()
    assert len(what) < 300


def target() -> Callable[[bytes], object]:
    """What is given one input after another. A table lives through ``_LIVES`` of them."""
    tables, numbers = [Table()], count()

    def one(data: bytes) -> None:
        if next(numbers) % _LIVES == 0:
            tables[0] = Table()
        check(tables[0], data)

    return one


def main(arguments: list[str]) -> int:
    """Runs COUNT inputs; the exit code."""
    return run(arguments, inputs, target())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
