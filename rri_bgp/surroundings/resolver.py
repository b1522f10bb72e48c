"""Asks the system's resolver for the host names of peers, again and again.

Rules of this file: the loop never waits for a name server. ``getaddrinfo`` blocks and cannot be stopped, so each
question has a thread of its own that nobody waits for at the end, and only few of them run at a time. Who waits, waits
for a bounded time; an answer that comes later is taken all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Iterable

from rri_bgp.model import Address
from rri_bgp.surroundings.names import NameTable

__all__ = ["Resolver", "resolve"]

log = logging.getLogger(__name__)

_AT_ONCE = 4
"""Questions at a time."""

_PATIENCE = 5.0
"""Seconds for one answer, after which the name counts as one that does not resolve."""

_ROUND = 10.0
"""Seconds that anybody waits for all of them together."""

_Lookup = Callable[[str], tuple[Address, ...]]


def resolve(name: str) -> tuple[Address, ...]:
    """The addresses of a host name, as the system resolves it. Blocks.

    Raises:
        OSError: it does not resolve; says why.
    """
    found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    texts = {str(answer[4][0]) for answer in found}
    # A link-local address with its zone (`fe80::1%eth0`) names no peer that an SA could have.
    return tuple(ipaddress.ip_address(text) for text in sorted(texts) if "%" not in text)


class Resolver:
    """Keeps a ``NameTable`` up to date, and tells ``changed`` after each answer."""

    def __init__(
        self, table: NameTable, changed: Callable[[], None], interval: float, *, lookup: _Lookup = resolve
    ) -> None:
        self._table = table
        self._changed = changed
        self._interval = interval
        self._lookup = lookup
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._asked: dict[str, asyncio.Future[None]] = {}
        """Names that are being asked for: nobody asks twice."""

    async def run(self) -> None:
        """Asks for every name, every ``interval`` seconds, until cancelled."""
        while True:
            await self.ask(state.name for state in self._table.states())
            await asyncio.sleep(self._interval)
            self._table.advance(self._now())
            self._changed()

    async def ask(self, names: Iterable[str]) -> None:
        """Asks for these names, and waits a bounded time for the answers."""
        wanted = list(names)
        if not wanted:
            return
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(name)) for name in wanted]
            _, late = await asyncio.wait(tasks, timeout=_ROUND)
            for task in late:
                task.cancel()

    async def _ask(self, name: str) -> None:
        if name not in self._asked:
            await self._slots.acquire()
            if name in self._asked:  # somebody else was first
                self._slots.release()
            else:
                self._begin(name)
        answer = self._asked[name]
        done, _ = await asyncio.wait((answer,), timeout=_PATIENCE)
        if not done:
            self._table.failed(name, f"no answer within {_PATIENCE:g} s", self._now())
            self._changed()

    def _begin(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        self._asked[name] = loop.create_future()

        def work() -> None:
            try:
                found, why = self._lookup(name), ""
            except (OSError, ValueError) as error:  # ValueError: a name that IDNA does not allow
                found, why = (), getattr(error, "strerror", None) or str(error)
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._came, name, found, why)

        threading.Thread(target=work, name=f"resolve {name}", daemon=True).start()

    def _came(self, name: str, found: tuple[Address, ...], why: str) -> None:
        self._slots.release()
        if why:
            self._table.failed(name, why, self._now())
        else:
            self._table.answered(name, found, self._now())
        self._asked.pop(name).set_result(None)
        self._changed()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
