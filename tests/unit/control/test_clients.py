"""Nobody at the control socket harms anybody else: slow, silent, malformed, many."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from rri_bgp.control import server
from rri_bgp.control.client import ask_one
from rri_bgp.control.protocol import Ask, Request
from rri_bgp.control.server import serving
from rri_bgp.controller import Controller
from rri_bgp.errors import UnreachableError, UsageError
from tests.unit.control.small import (
    DEADLINE,
    STATUS,
    Quiet,
    many_routes,
    small,
    until,
)
from tests.unit.control.talk import (
    alone,
    answers,
    connected,
    current_task,
    exchange,
    is_answered,
)
from tests.values import policy, sa


async def test_5000_routes_arrive_complete_and_in_order(path: Path) -> None:
    controller, prefixes = many_routes(5000)
    mishaps: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: mishaps.append(context))
    async with serving(controller, path):
        assert [item["prefix"] for item in await answers(path, Ask.ROUTES)] == prefixes
    gc.collect()  # an exception that nobody asked for is told when its task goes
    assert mishaps == []


async def test_a_route_that_goes_while_it_is_answered_is_left_out(path: Path) -> None:
    controller, prefixes = many_routes(5000)
    async with serving(controller, path):
        with connected(path) as connection:
            connection.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(connection, Request(Ask.ROUTES).line())
            received = await loop.sock_recv(connection, 1)
            controller.snapshot("vici", [])
            while piece := await loop.sock_recv(connection, 65536):
                received += piece
        assert await answers(path, Ask.ROUTES) == []
    header, *items, end = (json.loads(line) for line in received.splitlines())
    assert (header, end) == ({"schema": 1}, {"end": True})
    assert [item["prefix"] for item in items] == prefixes[: len(items)]
    assert len(items) < len(prefixes)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"garbage\n", "not a line of JSON"),
        (b"\n", "not a line of JSON"),
        (b'{"schema":9,"ask":"status"}\n', "schema 9; this controller speaks 1"),
        (
            b'{"schema":1,"ask":"reboot"}\n',
            f"nobody can ask for 'reboot'; allowed: {', '.join(one.value for one in Ask)}",
        ),
    ],
)
async def test_a_line_that_is_no_request_is_told_so_and_harms_nobody(path: Path, line: bytes, what: str) -> None:
    async with serving(small()[0], path):
        received = await asyncio.to_thread(exchange, path, line)
        assert [json.loads(part) for part in received.splitlines()] == [{"schema": 1}, {"error": what}]
        assert await is_answered(path)


@pytest.mark.parametrize("data", [b"x" * 100_000, b"x" * 20_000 + b"\n"])
async def test_a_line_that_is_too_long_harms_nobody(path: Path, data: bytes) -> None:
    async with serving(small()[0], path):
        received = await asyncio.to_thread(exchange, path, data)
        assert b"end" not in received
        assert await is_answered(path)


async def test_a_client_that_leaves_at_once_harms_nobody(path: Path) -> None:
    async with serving(small()[0], path):
        for _ in range(40):
            with connected(path):
                pass
            assert await is_answered(path)


async def test_a_client_that_leaves_in_the_middle_of_its_answer_harms_nobody(path: Path) -> None:
    controller, prefixes = many_routes(5000)
    async with serving(controller, path):
        for _ in range(5):
            with connected(path) as connection:
                connection.sendall(Request(Ask.ROUTES).line())
                assert await asyncio.to_thread(connection.recv, 1) == b"{"
        await alone()
        assert len(await answers(path, Ask.ROUTES)) == len(prefixes)


async def test_a_silent_client_harms_nobody_and_is_sent_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_PATIENCE", 0.05)
    async with serving(small()[0], path):
        with connected(path) as silent:
            assert await is_answered(path)
            assert await asyncio.to_thread(silent.recv, 1) == b""
        await alone()


async def test_a_silent_client_does_not_keep_the_controller_from_ending(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        async with asyncio.timeout(5), serving(small()[0], path):
            stack.enter_context(connected(path))
            assert await is_answered(path)
    await alone()
    assert not await asyncio.to_thread(path.exists)


async def test_40_clients_at_once_are_answered_or_sent_away_and_harm_nobody(path: Path) -> None:
    def outcome(_: int) -> str:
        try:
            return "answered" if ask_one(path, Request(Ask.STATUS)) == STATUS else "something else"
        except (UnreachableError, UsageError):
            return "sent away"

    def all_outcomes() -> list[str]:
        with ThreadPoolExecutor(40) as pool:
            return list(pool.map(outcome, range(40)))

    async with serving(small()[0], path):
        outcomes = await asyncio.to_thread(all_outcomes)
        assert outcomes.count("answered") + outcomes.count("sent away") == 40
        assert outcomes.count("answered") >= 32
        assert await is_answered(path)


async def test_40_silent_clients_harm_nobody_once_they_are_gone(path: Path) -> None:
    controller, _ = small()
    async with serving(controller, path):
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(connected(path))
            await until(lambda: len(asyncio.all_tasks()) == 1 + 32)
            controller.update("vici", {})
        await alone()
        assert await is_answered(path)


async def test_a_client_that_is_one_too_many_is_told_why(path: Path) -> None:
    async with serving(small()[0], path):
        with contextlib.ExitStack() as stack:
            for _ in range(32):
                stack.enter_context(connected(path))
            await until(lambda: len(asyncio.all_tasks()) == 1 + 32)
            with pytest.raises((UnreachableError, UsageError)) as caught:
                await answers(path, Ask.STATUS)
        await alone()
    assert "clients" in str(caught.value)


async def test_a_slow_reader_gets_all_of_its_answer_and_blocks_nobody(path: Path) -> None:
    controller, prefixes = many_routes(5000)
    async with serving(controller, path):
        with connected(path) as slow:
            slow.sendall(Request(Ask.ROUTES).line())
            assert await asyncio.to_thread(slow.recv, 1) == b"{"
            assert len(await answers(path, Ask.ROUTES)) == len(prefixes)
            rest = await asyncio.to_thread(lambda: slow.makefile("rb").read())
    lines = rest.splitlines()
    assert (len(lines), lines[-1]) == (len(prefixes) + 2, b'{"end":true}')


async def test_clients_that_never_read_do_not_keep_their_places(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_PATIENCE", 0.5)
    monkeypatch.setattr(server, "_CLIENTS", 2)
    controller = Controller(policy(), [Quiet()])
    wordy = [replace(sa(number, "10.1.0.0/16"), identity="x" * 20_000) for number in range(1, 91)]
    controller.snapshot("vici", wordy)  # fewer items than a piece, more bytes than the buffers
    async with serving(controller, path):
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                deaf = stack.enter_context(connected(path))
                deaf.sendall(Request(Ask.SAS).line())
            await until(lambda: len(asyncio.all_tasks()) == 1 + 2)
            await asyncio.wait(asyncio.all_tasks() - {current_task()}, timeout=DEADLINE)
            assert await is_answered(path)


async def test_events_are_taken_while_a_long_answer_is_on_its_way(path: Path) -> None:
    controller, prefixes = many_routes(5000)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with serving(controller, path), asyncio.TaskGroup() as group:
        counting = group.create_task(count())
        with connected(path) as connection:
            connection.sendall(Request(Ask.ROUTES).line())
            await until(lambda: len(asyncio.all_tasks()) == 3)
            before = turns
            received = await asyncio.to_thread(lambda: connection.makefile("rb").read())
        counting.cancel()
    assert received.count(b"\n") == len(prefixes) + 2
    assert turns - before > len(prefixes) // 100
