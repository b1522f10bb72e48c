"""Any number of inputs for the reader of the kernel's XFRM messages: ``python -m tests.fuzz.xfrm COUNT [SEED]``.

What holds for every input is in ``check``. An input that breaks it is printed and ends the run with exit code 1.
"""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable, Iterator
from itertools import count

from rri_bgp.errors import NetlinkError
from rri_bgp.sources.xfrm import wire
from rri_bgp.sources.xfrm.table import XfrmTable
from tests.fuzz.datagrams import datagrams
from tests.fuzz.run import run
from tests.unit.sources.netlink import ALGORITHM, attribute, message, template, userpolicy, usersa, usersa_id

__all__ = ["REAL", "check", "inputs", "main", "target"]

_HUB, _PEER = "192.0.2.1", "192.0.2.2"
_SA = usersa(_HUB, _PEER, 0x1000)
_OUT = userpolicy(1, "10.0.0.0/16", "10.1.0.0/16", protocol=6, port=443)
_KEYS, _MARK, _IF_ID = attribute(ALGORITHM, b"\xaa" * 72), attribute(21, bytes(8)), attribute(31, bytes(4))

REAL: tuple[bytes, ...] = (
    message(0x10, _SA, _KEYS, _MARK, _IF_ID),
    message(0x1A, usersa("2001:db8::2", "2001:db8::1", 0x1001), _KEYS),
    message(0x11, usersa_id(_PEER, 0x1000), attribute(6, _SA), _MARK),
    message(0x18, _SA + bytes([1]) + bytes(7)),
    message(0x13, _OUT, attribute(5, template(_HUB, _PEER, spi=0x1000)), _MARK, _IF_ID, attribute(16, bytes(6))),
    message(0x19, userpolicy(0, "10.1.0.0/16", "10.0.0.0/16"), attribute(5, template(_PEER, _HUB) * 6)),
    message(0x13, userpolicy(1, "fd00::/64", "fd01::/64"), attribute(5, template(_HUB, _PEER))),
    message(0x14, bytes(64), attribute(7, _OUT), _MARK),
    message(0x1B, _OUT + bytes([1]) + bytes(7)),
    message(0x1C, bytes(8)),
    message(0x21, bytes(64)),
    message(2, struct.pack("=i", -1) + bytes(16)),
    message(3, bytes(4)),
)
"""Messages as the kernel writes them."""

_LIVES = 1000
"""Inputs that one table lives through."""


def inputs(seed: int) -> Iterator[bytes]:
    """Without end, see ``datagrams``."""
    return datagrams(seed, REAL, _nested)


def _nested(dice: random.Random, real: bytes) -> bytes:
    return message(dice.choice((0x10, 0x13, 0x14)), _OUT, attribute(dice.randrange(34), real))


def check(table: XfrmTable, data: bytes, now: float = 0.0) -> int:
    """Gives an input to a table; returns how many messages it had. Raises where something is not as it must be."""
    messages = 0
    for found in _parsed(data):
        messages += 1
        assert table.take(found).isprintable()
        if isinstance(found, wire.Policy):
            assert all(str(one) for one in wire.selectors(found.key.selector))
            assert wire.mirrored(wire.mirrored(found.key.selector)) == found.key.selector
    assert messages <= len(data) // 16
    for pair in table.changes(now).values():
        assert pair is None or pair.remote_ts
    return messages


def _parsed(data: bytes) -> Iterator[wire.Message]:
    messages = wire.parse(data)
    while True:
        try:
            yield next(messages)
        except StopIteration:
            return
        except NetlinkError as error:
            what = error.what
            break
    assert what.isprintable()
    assert len(what) < 200


def target() -> Callable[[bytes], object]:
    """What is given one input after another. A table lives through ``_LIVES`` of them."""
    tables, numbers = [XfrmTable("xfrm")], count()

    def one(data: bytes) -> None:
        number = next(numbers)
        if number % _LIVES == 0:
            tables[0] = XfrmTable("xfrm")
        check(tables[0], data, number / 10)

    return one


def main(arguments: list[str]) -> int:
    """Runs COUNT inputs; the exit code."""
    return run(arguments, inputs, target())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
