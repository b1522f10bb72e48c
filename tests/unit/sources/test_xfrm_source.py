"""The XFRM source over a kernel that can do what a real one seldom does: lose messages, refuse, talk nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Self

import pytest

from rri_bgp.errors import UnreachableError
from rri_bgp.policy.config import XfrmSettings
from rri_bgp.sources.xfrm import XfrmSource, sockets, table
from tests.unit.sources.netlink import ALGORITHM, attribute, datagram, message, template, userpolicy, usersa, usersa_id
from tests.unit.sources.test_vici_source import Observer

HUB = "192.0.2.1"
NEWSA, DELSA, GETSA, NEWPOLICY, FLUSHSA = 0x10, 0x11, 0x12, 0x13, 0x1C
ERROR, DONE = 2, 3
FOREIGN = 4711
"""The port of a process that sends us what it likes."""


def states(number: int) -> list[bytes]:
    """Both SAs of a tunnel to 192.0.2.NUMBER."""
    peer, keys = f"192.0.2.{number}", attribute(ALGORITHM, bytes(72))
    return [
        message(NEWSA, usersa(HUB, peer, 0x1000 + number), keys),
        message(NEWSA, usersa(peer, HUB, 0x2000 + number), keys),
    ]


def policies(number: int) -> list[bytes]:
    """Both policies of a tunnel to 10.NUMBER.0.0/16."""
    peer, net = f"192.0.2.{number}", f"10.{number}.0.0/16"
    return [
        message(NEWPOLICY, userpolicy(1, "10.0.0.0/16", net), attribute(5, template(HUB, peer))),
        message(NEWPOLICY, userpolicy(0, net, "10.0.0.0/16"), attribute(5, template(peer, HUB))),
    ]


def gone(number: int) -> bytes:
    """The outbound SA is deleted."""
    return message(DELSA, usersa_id(f"192.0.2.{number}", 0x1000 + number))


class Socket:
    """A netlink socket: what is put into it comes out of it, errors too."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._queue: deque[tuple[bytes, int, int] | OSError] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)
        self.groups = 0

    def put(self, *datagrams: bytes, sender: int = 0, flags: int = 0) -> None:
        """Queues datagrams."""
        for one in datagrams:
            self.put_item((one, flags, sender))

    def put_item(self, item: tuple[bytes, int, int] | OSError) -> None:
        """Queues anything."""
        self._queue.append(item)
        os.eventfd_write(self._bell, 1)

    def fileno(self) -> int:
        """Readable whenever something is queued."""
        return self._bell

    def setsockopt(self, _level: int, _option: int, _value: int) -> None:
        """As SO_RCVBUFFORCE."""
        if self._kernel.refuses:
            raise OSError(self._kernel.refuses, os.strerror(self._kernel.refuses))

    def bind(self, address: tuple[int, int]) -> None:
        """Which groups."""
        self.groups = address[1]

    def setblocking(self, _wanted: bool) -> None:
        """It never blocks."""

    def send(self, request: bytes) -> None:
        """A dump is asked for."""
        self._kernel.answer(self, struct.unpack_from("=H", request, 4)[0])

    def recvmsg(self, _size: int) -> tuple[bytes, list[object], int, tuple[int, int]]:
        """The next one."""
        if not self._queue:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._bell)
            raise BlockingIOError
        item = self._queue.popleft()
        if isinstance(item, OSError):
            raise item
        return item[0], [], item[1], (item[2], 0)

    def __enter__(self) -> Self:
        self._kernel.sockets.append(self)
        return self

    def __exit__(self, *_why: object) -> None:
        self._kernel.sockets.remove(self)
        os.close(self._bell)


class Kernel:
    """What it has, and the sockets that are open."""

    def __init__(self) -> None:
        self.sockets: list[Socket] = []
        self.states: list[bytes] = []
        self.policies: list[bytes] = []
        self.refuses = 0
        self.dumps = 0
        self.meanwhile: Callable[[], None] = lambda: None
        """Called when a dump of the policies is asked for: the SAs have been dumped."""

    def has(self, *numbers: int) -> None:
        """These tunnels and no others, without an event."""
        self.states = [one for number in numbers for one in states(number)]
        self.policies = [one for number in numbers for one in policies(number)]

    @property
    def events(self) -> Socket:
        """The socket that is subscribed."""
        return next(one for one in self.sockets if one.groups)

    def answer(self, asking: Socket, kind: int) -> None:
        """A dump, one datagram for each message."""
        is_states = kind == GETSA
        found = list(self.states if is_states else self.policies)
        self.dumps += is_states
        if not is_states:
            self.meanwhile()
        asking.put(*found, message(DONE, bytes(4)))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """One that has the tunnel 2; what falls, falls soon."""
    found = Kernel()
    found.has(2)
    monkeypatch.setattr(sockets, "_socket", lambda: Socket(found))
    monkeypatch.setattr(table, "DOWN_AFTER", 0.05)
    return found


@contextlib.asynccontextmanager
async def following(*, resync: float = 600.0) -> AsyncIterator[Observer]:
    """A source that follows, and what it tells."""
    observer = Observer()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(XfrmSource(XfrmSettings(resync=resync), retry=0.01).run(observer))
        try:
            yield observer
        finally:
            task.cancel()


def nets(observer: Observer) -> set[str]:
    """What lies behind peers."""
    return {str(selector) for sa in observer.sas.values() for selector in sa.remote_ts}


async def shows(observer: Observer, *numbers: int) -> None:
    """Waits until these tunnels are told, and no others."""
    wanted = {f"10.{number}.0.0/16" for number in numbers}
    await observer.until(lambda: nets(observer) == wanted)


async def test_first_a_dump_then_what_happens(kernel: Kernel) -> None:
    async with following() as observer:
        await shows(observer, 2)
        assert kernel.events.groups == 0b1001110
        kernel.events.put(*states(3), *policies(3))
        await shows(observer, 2, 3)
        kernel.events.put(gone(2))
        await shows(observer, 3)
        assert observer.history[0] == "snapshot"
        assert kernel.dumps == 1
    assert kernel.sockets == []


async def test_e7_what_happens_during_the_dump_is_replayed_before_anything_is_told(kernel: Kernel) -> None:
    """So much of it that it takes several turns; the last of it takes away what the dump has shown."""

    def meanwhile() -> None:
        kernel.events.put(*states(3), *policies(3))
        kernel.events.put(*(states(3)[0] for _ in range(1000)))
        kernel.events.put(gone(2))

    kernel.meanwhile = meanwhile
    async with following() as observer:
        await shows(observer, 3)
        assert observer.history == ["snapshot"]


async def test_e8_lost_messages_are_made_up_for_by_a_dump(kernel: Kernel) -> None:
    """What was left in the buffer is older than the dump, and is not believed."""
    async with following() as observer:
        await shows(observer, 2)
        kernel.has(2, 3)
        kernel.events.put_item(OSError(errno.ENOBUFS, "No buffer space available"))
        kernel.events.put(*states(9), *policies(9))
        await shows(observer, 2, 3)
        assert observer.history == ["snapshot", "snapshot"]
        assert kernel.dumps == 2


async def test_lost_messages_during_a_dump(kernel: Kernel) -> None:
    def meanwhile() -> None:
        kernel.meanwhile = lambda: None
        kernel.has(3)
        kernel.sockets[-1].put_item(OSError(errno.ENOBUFS, "No buffer space available"))

    kernel.meanwhile = meanwhile
    async with following() as observer:
        await shows(observer, 3)
        assert kernel.dumps == 2


async def test_a_flush_is_followed_by_a_dump(kernel: Kernel) -> None:
    async with following() as observer:
        await shows(observer, 2)
        kernel.has()
        kernel.events.put(message(FLUSHSA, bytes(8)))
        await shows(observer)
        assert kernel.dumps == 2


async def test_e8_what_went_without_an_event_is_gone_with_the_next_resync(kernel: Kernel) -> None:
    async with following(resync=0.05) as observer:
        await shows(observer, 2)
        kernel.has(3)
        await shows(observer, 3)


@pytest.mark.parametrize(
    ("nonsense", "flags", "why"),
    [
        (b"\xff" * 20, 0, "a netlink message of 4294967295 bytes in the 20 that are left"),
        (states(3)[0][:100], 0, "a netlink message of 316 bytes in the 100 that are left"),
        (states(3)[0], socket.MSG_TRUNC, "a netlink datagram that is larger than any should be"),
    ],
)
async def test_nonsense_ends_the_session_and_the_next_begins_from_nothing(
    kernel: Kernel, nonsense: bytes, flags: int, why: str
) -> None:
    async with following() as observer:
        await shows(observer, 2)
        kernel.has(2, 4)
        kernel.events.put(nonsense, flags=flags)
        await shows(observer, 2, 4)
        assert observer.history == ["snapshot", f"lost: {why}", "snapshot"]


async def test_what_is_not_the_kernels_is_passed_over(kernel: Kernel) -> None:
    async with following() as observer:
        await shows(observer, 2)
        kernel.events.put(gone(2), b"\xff" * 20, sender=FOREIGN)
        kernel.events.put(*states(3), *policies(3))
        await shows(observer, 2, 3)
        await asyncio.sleep(0.1)
        assert nets(observer) == {"10.2.0.0/16", "10.3.0.0/16"}
        assert kernel.dumps == 1


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EPERM, "cannot read the kernel's SAs: Operation not permitted; it takes CAP_NET_ADMIN"),
        (errno.EPROTONOSUPPORT, "cannot read the kernel's SAs: Protocol not supported; this kernel has no xfrm_user"),
        (errno.EMFILE, "cannot read the kernel's SAs: Too many open files"),
    ],
)
async def test_a_kernel_that_refuses_is_asked_again(kernel: Kernel, number: int, why: str) -> None:
    kernel.refuses = number
    async with following() as observer:
        await observer.until(lambda: len(observer.history) > 1)
        assert set(observer.history) == {f"lost: xfrm: {why}"}
        kernel.refuses = 0
        await shows(observer, 2)


async def test_a_dump_that_is_refused(kernel: Kernel) -> None:
    kernel.states = [message(ERROR, struct.pack("=i", -errno.EPERM) + bytes(16))]
    async with following() as observer:
        await observer.until(lambda: bool(observer.history))
        assert observer.history[0].endswith("Operation not permitted; it takes CAP_NET_ADMIN")
        kernel.has(2)
        await shows(observer, 2)


async def test_a_dump_of_many_leaves_turns_to_everybody_else(kernel: Kernel) -> None:
    """No more than a few milliseconds at a time, however much there is."""
    kernel.has(*range(2, 250))
    turns = 0

    async def everybody_else() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(everybody_else())
        async with following() as observer:
            await observer.until(lambda: len(observer.sas) == 248)
        task.cancel()
    assert turns > 900


async def test_several_messages_in_a_datagram(kernel: Kernel) -> None:
    kernel.has()
    async with following() as observer:
        await observer.until(lambda: bool(observer.history))
        kernel.events.put(datagram(*states(5), *policies(5)))
        await shows(observer, 5)


def test_a_namespace_that_is_not_there() -> None:
    with (
        pytest.raises(UnreachableError, match="there is no network namespace no-such-one; `ip netns` lists them"),
        sockets.opened("no-such-one"),
    ):
        pass
