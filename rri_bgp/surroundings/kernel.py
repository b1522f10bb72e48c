"""Follows the kernel's addresses and links over rtnetlink. An unprivileged user may.

Rules of this file: first listen, then ask for everything, then take what was heard meanwhile, then tell; so nothing
falls between and nothing old is told. What fails (an overrun: ENOBUFS, a socket that breaks, a message that cannot be
read) ends the session; the next one begins from nothing, and until then what was told last holds. A session also ends
after ``resync`` seconds, a cheap net under everything.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from rri_bgp.errors import NetlinkError
from rri_bgp.netlink import why
from rri_bgp.surroundings.links import Table
from rri_bgp.surroundings.look import DATAGRAM, PATIENCE, TRIES, netlink_socket, questions
from rri_bgp.surroundings.netlink import GROUPS, read

__all__ = ["KernelWatch"]

_RESYNC = 60.0
_BACKOFF = (0.05, 5.0)
"""Seconds before the first and at most before any other try after a failure."""

_AT_ONCE = 1024
"""Datagrams that are taken before everybody else has a turn: more than fit into the buffer."""


class KernelWatch:
    """Tells ``take`` of the table after each dump and each change, and ``lost`` why it cannot see for now."""

    def __init__(self, take: Callable[[Table], None], lost: Callable[[str], None], *, resync: float = _RESYNC) -> None:
        self._take = take
        self._lost = lost
        self._resync = resync
        self.resyncs = 0
        """Dumps; only grows."""

    async def run(self) -> None:
        """Runs until cancelled. Nothing that the kernel says or does not say ends it."""
        wait, longest = _BACKOFF
        while True:
            try:
                await self._session()
                wait = _BACKOFF[0]
            except (OSError, NetlinkError) as error:
                self._lost(why(error))
                await asyncio.sleep(wait)
                wait = min(2 * wait, longest)

    async def _session(self) -> None:
        """From one dump to the time for the next."""
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()
        with netlink_socket(GROUPS) as events:
            table = await _look()
            self.resyncs += 1
            _drain(events, table)
            self._take(table)

            def heard() -> None:
                try:
                    changed = _drain(events, table)
                except (OSError, NetlinkError) as error:
                    loop.remove_reader(events)
                    if not failed.done():
                        failed.set_exception(error)
                else:
                    if changed:
                        self._take(table)

            loop.add_reader(events, heard)
            try:
                async with asyncio.timeout(self._resync):
                    await failed
            except TimeoutError:
                return
            finally:
                loop.remove_reader(events)


def _drain(events: socket.socket, table: Table) -> bool:
    """Takes what is there; whether any of it was news."""
    changed = False
    for _ in range(_AT_ONCE):
        try:
            datagram = events.recv(DATAGRAM)
        except BlockingIOError:
            break
        for news in read(datagram):
            changed |= table.take(news)
    return changed


async def _look() -> Table:
    loop = asyncio.get_running_loop()
    for _ in range(TRIES):
        table, answers = Table(), questions()
        for answer in answers:
            with netlink_socket() as asked:
                asked.send(answer.question)
                async with asyncio.timeout(PATIENCE):
                    while not answer.is_over:
                        answer.take(await loop.sock_recv(asked, DATAGRAM), table)
        if all(answer.is_whole for answer in answers):
            return table
    raise NetlinkError(f"{TRIES} looks were interrupted")
