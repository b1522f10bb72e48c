"""Following a kernel that does not do as it should; a real one is in tests/integration/test_surroundings.py."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from rri_bgp.errors import NetlinkError
from rri_bgp.surroundings import kernel as module
from rri_bgp.surroundings import look
from rri_bgp.surroundings.kernel import KernelWatch
from rri_bgp.surroundings.links import Table
from rri_bgp.surroundings.look import Answer, look_at_kernel
from tests.unit.surroundings.messages import deladdr, done, failed, newaddr

DEADLINE = 10.0


class Kernel:
    """Answers each question with ``answers`` (the last one from then on), and says what it is told to ``say``."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.events: list[socket.socket] = []
        self.asked = 0

    @contextlib.contextmanager
    def open(self, groups: int = 0) -> Iterator[socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs:
            ours.setblocking(False)
            if groups:
                self.events.append(theirs)
            else:
                self.asked += 1
                theirs.send(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            yield ours

    def say(self, datagram: bytes) -> None:
        self.events[-1].send(datagram)


class Watched:
    def __init__(self, *, resync: float = 600.0) -> None:
        self.addresses: list[set[str]] = []
        self.losses: list[str] = []
        self.watch = KernelWatch(self._take, self.losses.append, resync=resync)

    def _take(self, table: Table) -> None:
        self.addresses.append({str(address) for address in table.links({}).addresses})

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110  # of several kinds
                await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def watching(*, resync: float = 600.0) -> AsyncIterator[Watched]:
    watched = Watched(resync=resync)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watched.watch.run())
        yield watched
        task.cancel()


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Kernel], Kernel]:
    def with_kernel(kernel: Kernel) -> Kernel:
        monkeypatch.setattr(module, "netlink_socket", kernel.open)
        monkeypatch.setattr(look, "netlink_socket", kernel.open)
        monkeypatch.setattr(module, "_BACKOFF", (0.001, 0.002))
        return kernel

    return with_kernel


async def test_events_are_told_and_what_is_no_news_is_not(use: Callable[[Kernel], Kernel]) -> None:
    kernel = use(Kernel(newaddr("192.0.2.1/24") + done()))
    async with watching() as watched:
        await watched.until(lambda: watched.addresses == [{"192.0.2.1"}])
        kernel.say(newaddr("192.0.2.1/24"))
        kernel.say(newaddr("192.0.2.2/24"))
        await watched.until(lambda: watched.addresses[1:] == [{"192.0.2.1", "192.0.2.2"}])
        kernel.say(deladdr("192.0.2.1/24"))
        await watched.until(lambda: watched.addresses[2:] == [{"192.0.2.2"}])


@pytest.mark.parametrize("junk", [b"\0", failed(errno.EPERM)], ids=["cut short", "refused"])
async def test_what_cannot_be_read_leads_to_another_look(use: Callable[[Kernel], Kernel], junk: bytes) -> None:
    kernel = use(Kernel(newaddr("192.0.2.1/24") + done()))
    async with watching() as watched:
        await watched.until(lambda: len(watched.addresses) == 1)
        kernel.say(junk)
        await watched.until(lambda: len(watched.addresses) == 2)
        assert len(watched.losses) == 1
        assert watched.watch.resyncs == 2


async def test_it_looks_again_after_a_time_whatever_was_heard(use: Callable[[Kernel], Kernel]) -> None:
    use(Kernel(done(), newaddr("192.0.2.1/24") + done(), done()))
    async with watching(resync=0.01) as watched:
        await watched.until(lambda: watched.watch.resyncs > 3)
        assert watched.addresses[:2] == [{"192.0.2.1"}, set()]
        assert not watched.losses


async def test_a_kernel_that_refuses_is_asked_again(use: Callable[[Kernel], Kernel]) -> None:
    kernel = use(Kernel(failed(errno.EPERM), failed(errno.EPERM), done()))
    async with watching() as watched:
        await watched.until(lambda: watched.addresses == [set()])
        assert watched.losses == [f"the kernel refuses the request: {os.strerror(errno.EPERM)}"] * 2
        assert kernel.asked >= 4


async def test_a_process_that_may_not_ask_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> object:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(module, "netlink_socket", refuse)
    monkeypatch.setattr(module, "_BACKOFF", (0.001, 0.002))
    async with watching() as watched:
        await watched.until(lambda: len(watched.losses) > 3)
        assert set(watched.losses) == {"Address family not supported by protocol"}


async def test_a_kernel_that_does_not_answer_is_asked_again(
    use: Callable[[Kernel], Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.02)
    use(Kernel(newaddr("192.0.2.1/24"), done()))
    async with watching() as watched:
        await watched.until(lambda: bool(watched.addresses))
        assert watched.losses == ["no answer"]


async def test_a_look_that_a_change_interrupted_is_done_again(use: Callable[[Kernel], Kernel]) -> None:
    broken = newaddr("192.0.2.1/24", message_flags=0x10) + done()
    kernel = use(Kernel(done(), broken, done(), newaddr("192.0.2.2/24") + done()))
    async with watching() as watched:
        await watched.until(lambda: bool(watched.addresses))
        assert watched.addresses == [{"192.0.2.2"}]
        assert kernel.asked == 4
        assert not watched.losses


async def test_looks_that_are_interrupted_for_ever_are_given_up(use: Callable[[Kernel], Kernel]) -> None:
    use(Kernel(newaddr("192.0.2.1/24", message_flags=0x10) + done()))
    async with watching() as watched:
        await watched.until(lambda: bool(watched.losses))
        assert watched.losses[0] == "10 looks were interrupted"
        assert not watched.addresses
    with pytest.raises(NetlinkError, match="10 looks"):
        look_at_kernel()


def test_one_look_that_a_change_interrupted_is_done_again(use: Callable[[Kernel], Kernel]) -> None:
    broken = newaddr("192.0.2.1/24", message_flags=0x10) + done()
    use(Kernel(done(), broken, done(), newaddr("192.0.2.2/24") + done()))
    assert {str(address) for address in look_at_kernel().links({}).addresses} == {"192.0.2.2"}


def test_an_answer_in_several_datagrams_is_put_together() -> None:
    table, answer = Table(), Answer(b"")
    answer.take(newaddr("192.0.2.1/24"), table)
    assert not answer.is_over
    answer.take(newaddr("192.0.2.2/24") + done(), table)
    assert (answer.is_over, answer.is_whole, len(table)) == (True, True, 2)
