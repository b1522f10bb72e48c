"""The notify FIFO: who makes it, who reads it first, who goes and comes back; and what is no FIFO."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from rri_bgp.surroundings import fifo as module
from rri_bgp.surroundings.fifo import Fifo

DEADLINE = 10.0


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.02)


class Reader:
    """A FIFO that is read, and what came."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = b""
        self.fifo = Fifo(path, self._take)

    def _take(self, data: bytes) -> None:
        self.data += data

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110  # of several kinds
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def reading(path: Path) -> AsyncIterator[Reader]:
    reader = Reader(path)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(reader.fifo.run())
        await asyncio.wait_for(reader.fifo.was_read.wait(), DEADLINE)
        yield reader
        task.cancel()


@contextlib.contextmanager
def keepalived(path: Path) -> Iterator[int]:
    """As keepalived opens it: for both, so that it is never without a reader."""
    opened = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield opened
    finally:
        os.close(opened)


async def test_g2_it_is_made_where_it_is_missing_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    async with reading(path) as reader:
        assert path.is_fifo()
        assert path.stat().st_mode & 0o777 == 0o600
        with keepalived(path) as writer:
            os.write(writer, b"one\n")
            await reader.until(lambda: reader.data == b"one\n")
        assert reader.fifo.problem == ""


async def test_g2_what_was_written_before_is_read_first(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    with keepalived(path) as writer:
        os.write(writer, b"one\n")
        async with reading(path) as reader:
            assert reader.data == b"one\n"


async def test_g2_a_writer_that_goes_and_comes_back_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    async with reading(path) as reader:
        for number in range(1, 6):
            with keepalived(path) as writer:
                os.write(writer, b"x")
                await reader.until(lambda wanted=number: len(reader.data) == wanted)  # type: ignore[misc]


async def test_g2_a_fifo_that_takes_the_place_of_another_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    async with reading(path) as reader:
        with keepalived(path):
            path.unlink()
            other = tmp_path / "other"
            os.mkfifo(other, 0o600)
            with keepalived(other) as writer:
                os.write(writer, b"of the new one\n")
                other.rename(path)
                await reader.until(lambda: reader.data == b"of the new one\n")


async def test_g2_a_file_that_is_no_fifo_is_named_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    path.touch()
    async with reading(path) as reader:
        assert reader.fifo.problem == "it is no FIFO"
        path.unlink()
        await reader.until(lambda: reader.fifo.problem == "")
        with keepalived(path) as writer:
            os.write(writer, b"one\n")
            await reader.until(lambda: reader.data == b"one\n")


async def test_g2_a_fifo_that_everybody_may_write_to_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    path.chmod(0o602)
    async with reading(path) as reader:
        assert reader.fifo.problem == "everybody may write to it"
        path.chmod(0o600)
        await reader.until(lambda: reader.fifo.problem == "")


async def test_g2_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    async with reading(tmp_path / "missing" / "fifo") as reader:
        assert reader.fifo.problem == "No such file or directory"


async def test_g2_a_link_is_not_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "real", 0o600)
    (tmp_path / "fifo").symlink_to(tmp_path / "real")
    async with reading(tmp_path / "fifo") as reader:
        assert reader.fifo.problem != ""


async def test_g2_an_error_while_reading_is_named_and_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, path = os.read, tmp_path / "fifo"

    def broken(descriptor: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    async with reading(path) as reader:
        with keepalived(path) as writer:
            monkeypatch.setattr(os, "read", broken)
            os.write(writer, b"one\n")
            await reader.until(lambda: reader.fifo.problem == "Input/output error")
            monkeypatch.setattr(os, "read", real)
            await reader.until(lambda: reader.data == b"one\n")
            assert reader.fifo.problem == ""
