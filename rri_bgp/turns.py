"""Turns: how work that is done in pieces lets everybody else go on between two of them."""

from __future__ import annotations

import asyncio

__all__ = ["turn"]


async def turn() -> None:
    """Lets everybody else have a turn, those included whose answer has come meanwhile.

    After one ``sleep(0)`` the loop has seen what is on the sockets, and not done it yet: a sink whose ExaBGP has
    answered would wait for a second piece.
    """
    await asyncio.sleep(0)
    await asyncio.sleep(0)
