"""The socket as a file: who may, and what is in its place."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from rri_bgp.control.protocol import Ask
from rri_bgp.control.server import serving
from rri_bgp.errors import EnvironmentProblem
from tests.unit.control.small import (
    DEADLINE,
    STATUS,
    small,
)
from tests.unit.control.talk import (
    answers,
    kind_and_mode,
)


async def test_the_socket_is_for_its_owner_and_group(path: Path) -> None:
    async with serving(small()[0], path):
        assert kind_and_mode(path) == (True, 0o660)


async def test_its_directory_is_made_and_not_open_to_others(tmp_path: Path) -> None:
    async with serving(small()[0], tmp_path / "run" / "control.sock"):
        assert stat.S_IMODE((tmp_path / "run").stat().st_mode) & 0o027 == 0


async def refused(path: Path) -> str:
    with pytest.raises(EnvironmentProblem) as caught:
        async with serving(small()[0], path):
            pass
    return str(caught.value)


async def test_a_directory_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    assert await refused(shared / "control.sock") == (
        f"{shared}: everybody may write to this directory, so anybody could take the control socket's place\n"
        "  hint: give the socket a directory of its own: `control: {socket: /run/rri-bgp/control.sock}`"
    )
    assert list(shared.iterdir()) == []


async def test_a_directory_that_cannot_be_made_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    directory = tmp_path / "not" / "there"
    assert await refused(directory / "control.sock") == (
        f"{directory}: no directory for the control socket: No such file or directory\n"
        f"  hint: make it, for the user that the controller runs as: install -d -m 0750 -o USER {directory}"
    )


async def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120)
    assert await refused(path) == f"{path}: cannot listen: AF_UNIX path too long"


async def test_the_socket_of_a_controller_that_died_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    async with serving(small()[0], path):
        assert await answers(path, Ask.STATUS) == [STATUS]


async def test_the_socket_of_a_controller_that_lives_is_refused(path: Path) -> None:
    async with serving(small()[0], path):
        assert await refused(path) == (
            f"{path}: another controller answers here\n  hint: stop it, or name another path"
        )
        assert await answers(path, Ask.STATUS) == [STATUS]


async def test_the_socket_of_a_controller_that_is_stuck_is_refused_and_does_not_hang(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        stuck = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        stuck.bind(str(path))
        stuck.listen(0)
        while True:  # until its backlog is full: then connect waits for as long as nobody accepts
            waiting = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            waiting.setblocking(False)
            if waiting.connect_ex(str(path)):
                break
        outcome: list[str] = []

        def start() -> None:
            try:
                asyncio.run(refused(path))
                outcome.append("refused")
            except BaseException as error:  # noqa: BLE001  # of a thread; seen below
                outcome.append(repr(error))

        thread = threading.Thread(target=start)
        thread.start()
        await asyncio.to_thread(thread.join, 2)
        in_time = list(outcome)
        stuck.close()  # lets the other one go
        await asyncio.to_thread(thread.join, DEADLINE)
    assert in_time == ["refused"]


async def test_a_regular_file_in_its_place_is_refused_and_left_alone(path: Path) -> None:
    await asyncio.to_thread(path.write_text, "precious")
    assert await refused(path) == f"{path}: is there and is no socket\n  hint: remove it, or name another path"
    assert await asyncio.to_thread(path.read_text) == "precious"


async def test_a_link_in_its_place_is_refused_and_left_alone(path: Path, tmp_path: Path) -> None:
    await asyncio.to_thread(path.symlink_to, tmp_path / "elsewhere")
    assert await refused(path) == f"{path}: is there and is no socket\n  hint: remove it, or name another path"
    assert await asyncio.to_thread(path.is_symlink)


async def test_the_socket_is_gone_at_the_end(path: Path) -> None:
    async with serving(small()[0], path):
        pass
    assert not await asyncio.to_thread(path.exists)


async def test_the_socket_of_a_successor_is_left_alone_at_the_end(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        async with serving(small()[0], path):
            await asyncio.to_thread(path.unlink)
            other.bind(str(path))
        assert kind_and_mode(path)[0]


async def test_the_umask_is_what_it_was(path: Path) -> None:
    before = os.umask(0o027)
    try:
        async with serving(small()[0], path):
            assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
