"""Turns: how work that is done in pieces lets everybody else go on between two of them."""

from __future__ import annotations

import asyncio

__all__ = ["turn"]

_AT_ONCE = 1e-9
"""Seconds: due as soon as the loop looks at its timers."""


async def turn() -> None:
    """Lets everybody else have a turn, those included whose answer has come meanwhile.

    After ``asyncio.sleep(0)`` one goes on before what has come on a socket is taken, and a sink whose ExaBGP has
    answered would wait for a second piece. Timers come after the sockets.
    """
    await asyncio.sleep(_AT_ONCE)
