"""Netlink datagrams that are nearly right: random bytes, and real ones that are cut, changed in places, or nested."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence

__all__ = ["datagrams"]

_LENGTHS = (0, 1, 3, 4, 15, 16, 17, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def datagrams(seed: int, real: Sequence[bytes], nested: Callable[[random.Random, bytes], bytes]) -> Iterator[bytes]:
    """Without end, the same ones for the same seed. ``nested`` puts a datagram into an attribute of a message."""
    dice = random.Random(seed)  # noqa: S311  # nobody's secret
    while True:
        kind = dice.random()
        datagram = b"".join(dice.choice(real) for _ in range(dice.randrange(1, 4)))
        if kind < 0.1:
            yield dice.randbytes(dice.randrange(400))
        elif kind < 0.3:
            yield datagram[: dice.randrange(len(datagram) + 1)]
        elif kind < 0.4:
            yield nested(dice, datagram)
        else:
            yield _mutated(dice, datagram)


def _mutated(dice: random.Random, datagram: bytes) -> bytes:
    found = bytearray(datagram)
    for _ in range(dice.randrange(1, 5)):
        at = dice.randrange(len(found) - 3)
        match dice.randrange(4):
            case 0:
                found[at] = dice.randrange(256)
            case 1:
                struct.pack_into("=I", found, at & ~3, dice.choice(_LENGTHS))
            case 2:
                struct.pack_into("=H", found, at & ~1, dice.choice(_LENGTHS) & 0xFFFF)
            case _:
                found[at:at] = found[at : at + dice.randrange(1, 64)]
    return bytes(found)
