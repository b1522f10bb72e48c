"""Turns: who waits on a socket is before who goes on with the next piece."""

from __future__ import annotations

import asyncio
import socket

from rri_bgp.turns import turn


async def test_what_has_come_on_a_socket_is_taken_before_the_next_piece() -> None:
    order: list[str] = []
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        loop.add_reader(ours, lambda: order.append(ours.recv(10).decode()))
        for piece in ("one", "two"):
            order.append(f"piece {piece}")
            theirs.send(f"answer {piece}".encode())
            await turn()
        loop.remove_reader(ours)
    assert order == ["piece one", "answer one", "piece two", "answer two"]


async def test_who_does_not_wait_for_a_socket_has_a_turn_too() -> None:
    order: list[str] = []
    asyncio.get_running_loop().call_soon(order.append, "somebody else")
    await turn()
    order.append("this")
    assert order == ["somebody else", "this"]
