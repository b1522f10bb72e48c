"""The control socket end to end: exact answers, and nobody at it harms anybody else or the file system."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rri_bgp.control import server
from rri_bgp.control.client import ask, ask_one
from rri_bgp.control.protocol import Ask, Request
from rri_bgp.control.server import serving
from rri_bgp.controller import Controller
from rri_bgp.errors import EnvironmentProblem, UnreachableError, UsageError
from rri_bgp.sinks import NeighborState, RouteState, SinkRoute
from tests.unit.control.small import (
    DEADLINE,
    DEFAULT_REFUSED,
    NOT_TAKEN,
    ROUTES,
    SA_FIELDS,
    SAS,
    STATUS,
    Quiet,
    Table,
    many_routes,
    served,
    small,
    until,
)
from tests.values import pfx, policy, sa

FIRST, SECOND, THIRD = SA_FIELDS
RULES = ["E2", "N1", "N8", "N9"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


async def answers(path: Path, what: Ask, prefix: str = "") -> list[dict[str, Any]]:
    return await asyncio.to_thread(lambda: list(ask(path, Request(what, prefix))))


async def explained(controller: Controller, path: Path, prefix: str) -> dict[str, Any]:
    async with serving(controller, path):
        return await asyncio.to_thread(ask_one, path, Request(Ask.EXPLAIN, prefix))


async def is_answered(path: Path) -> bool:
    return await answers(path, Ask.STATUS) != []


def current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def alone() -> None:
    """Until the server has let go of its clients."""
    await until(lambda: len(asyncio.all_tasks()) == 1)


def kind_and_mode(path: Path) -> tuple[bool, int]:
    """Whether it is a socket, and its rights."""
    mode = path.stat().st_mode
    return stat.S_ISSOCK(mode), stat.S_IMODE(mode)


@contextlib.contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(str(path))
        yield connection


def exchange(path: Path, data: bytes) -> bytes:
    """All that comes back for some bytes; a reset connection is an end."""
    received = b""
    with connected(path) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(data)
        while piece := connection.recv(65536):
            received += piece
    return received


# What is answered


async def test_status(path: Path) -> None:
    controller, _ = small()
    async with serving(controller, path):
        assert await answers(path, Ask.STATUS) == [STATUS]


async def test_status_is_not_well_while_a_source_is_lost(path: Path) -> None:
    controller, _ = small()
    controller.lost("vici", "connection refused")
    async with serving(controller, path):
        (status,) = await answers(path, Ask.STATUS)
    (source,) = status["sources"]
    assert (status["well"], source["connected"], source["losses"]) == (False, False, 1)
    assert source["why"] == "connection refused"


@pytest.mark.parametrize("trouble", ["not ready", "a neighbor down", "a route refused"])
async def test_status_is_not_well_with_a_sink_that_is_not(path: Path, trouble: str) -> None:
    controller, sink = small()
    if trouble == "not ready":
        sink.ready = False
    elif trouble == "a neighbor down":
        sink.neighbors = (*sink.neighbors, NeighborState("192.0.2.1", "192.0.2.3", "down", "hold timer expired"))
    else:
        sink.has[pfx("10.1.0.0/16")] = SinkRoute(RouteState.REFUSED, reason="ExaBGP said error")
    async with serving(controller, path):
        (status,) = await answers(path, Ask.STATUS)
    assert not status["well"]


async def test_status_before_the_first_snapshot(path: Path) -> None:
    controller = Controller(policy(), [Quiet()])
    async with serving(controller, path):
        (status,) = await answers(path, Ask.STATUS)
    assert (status["complete"], status["well"], status["sas"], status["routes"]) == (False, False, 0, 0)


async def test_routes(path: Path) -> None:
    controller, _ = small()
    async with serving(controller, path):
        assert await answers(path, Ask.ROUTES) == ROUTES


async def test_sas_with_their_refusals_g8(path: Path) -> None:
    controller, _ = small()
    async with serving(controller, path):
        assert await answers(path, Ask.SAS) == SAS


async def test_nothing_is_an_answer_too(path: Path) -> None:
    controller = Controller(policy(), [Quiet()])
    async with serving(controller, path):
        assert await answers(path, Ask.ROUTES) == []
        assert await answers(path, Ask.SAS) == []


async def test_explain_a_route_with_two_owners_g8(path: Path) -> None:
    controller, _ = small()
    second = {"entry": "mymap 20", "where": "hub.yaml:20", "rules": ["E1", "N1", "N9"], "selector": "10.1.0.0/16"}
    assert await explained(controller, path, "10.1.0.0/16") == {
        "prefix": "10.1.0.0/16",
        "route": ROUTES[0],
        "claims": [
            {"entry": "mymap 10", "where": "hub.yaml:10", "rules": RULES, "selector": "10.1.0.0/16", "sa": FIRST},
            second | {"sa": SECOND},
        ],
        "covering": [],
        "covered": ["10.1.5.0/24"],
        "refusals": [DEFAULT_REFUSED | {"sa": SECOND}],
        "leftovers": [],
    }


async def test_explain_an_address_that_two_routes_cover_e12(path: Path) -> None:
    controller, _ = small()
    assert await explained(controller, path, "10.1.5.7") == {
        "prefix": "10.1.5.7/32",
        "route": None,
        "claims": [],
        "covering": [ROUTES[1], ROUTES[0]],
        "covered": [],
        "refusals": [DEFAULT_REFUSED | {"sa": SECOND}],
        "leftovers": [],
    }


async def test_explain_a_prefix_of_an_sa_that_no_entry_takes_g8(path: Path) -> None:
    controller, _ = small()
    story = await explained(controller, path, "10.9.0.0/16")
    assert story["route"] is None
    assert story["refusals"] == [DEFAULT_REFUSED | {"sa": SECOND}, NOT_TAKEN | {"sa": THIRD}]


async def test_explain_a_prefix_that_nobody_wants_and_a_sink_still_holds(path: Path) -> None:
    controller, _ = small()
    assert (await explained(controller, path, "10.8.0.0/16"))["leftovers"] == ["exabgp"]


async def test_explain_names_the_rule_of_ipv6_e14(path: Path) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, "2001:db8:1::/48")])
    (claim,) = (await explained(controller, path, "2001:db8:1::/48"))["claims"]
    assert claim["rules"] == ["E1", "E14", "N1", "N9"]


@pytest.mark.parametrize(
    ("prefix", "what"),
    [
        ("10.1.0.0/33", "'10.1.0.0/33' does not appear to be an IPv4 or IPv6 network"),
        ("10.1.2.3/16", "10.1.2.3/16 has host bits set"),
        ("", "'' does not appear to be an IPv4 or IPv6 network"),
    ],
)
async def test_explain_with_a_prefix_that_is_none_is_a_usage_error(path: Path, prefix: str, what: str) -> None:
    controller, _ = small()
    with pytest.raises(UsageError) as caught:
        await explained(controller, path, prefix)
    assert str(caught.value) == f"{what}; allowed: a prefix as 10.1.0.0/16, or an address"


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


# The file


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


# Clients


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"garbage\n", "not a line of JSON"),
        (b"\n", "not a line of JSON"),
        (b'{"schema":9,"ask":"status"}\n', "schema 9; this controller speaks 1"),
        (b'{"schema":1,"ask":"reboot"}\n', "nobody can ask for 'reboot'; allowed: status, routes, sas, explain"),
    ],
)
async def test_a_line_that_is_no_request_is_told_so_and_harms_nobody(path: Path, line: bytes, what: str) -> None:
    async with serving(small()[0], path):
        received = await asyncio.to_thread(exchange, path, line)
        assert [json.loads(part) for part in received.splitlines()] == [{"schema": 1}, {"error": what}]
        assert await is_answered(path)


@pytest.mark.parametrize("data", [b"x" * 100_000, b"x" * 5000 + b"\n"])
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
            await asyncio.wait(asyncio.all_tasks() - {current_task()}, timeout=5)
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


# The asking end


@contextlib.contextmanager
def answering(path: Path, data: bytes) -> Iterator[None]:
    """A server that answers its only client with these bytes."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(data)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.settimeout(DEADLINE)
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join(DEADLINE)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b'{"schema":1}\n{"prefix":"10.1.0.0/16"}\n', "the answer ended early"),
        (b'{"schema":1}\n', "the answer ended early"),
        (b'{"schema":1}\n{"prefix":"10.1', "not a line of JSON"),
        (b"HTTP/1.0 400 Bad Request\r\n", "not a line of JSON"),
        (b'{"schema":2}\n{"end":true}\n', "the controller speaks schema 2, this program 1"),
        (b'{"schema":1}\n[]\n{"end":true}\n', "not a JSON object"),
    ],
)
def test_an_answer_without_its_end_is_no_answer(path: Path, data: bytes, what: str) -> None:
    with answering(path, data), pytest.raises(UnreachableError) as caught:
        list(ask(path, Request(Ask.ROUTES)))
    assert str(caught.value) == f"{path}: {what}"


def test_a_server_that_says_nothing_at_all_is_not_blamed_for_its_json(path: Path) -> None:
    with answering(path, b""), pytest.raises(UnreachableError) as caught:
        list(ask(path, Request(Ask.ROUTES)))
    assert "JSON" not in str(caught.value)


@pytest.mark.parametrize("count", [0, 2])
def test_one_answer_is_neither_none_nor_two(path: Path, count: int) -> None:
    data = b'{"schema":1}\n' + b'{"well":true}\n' * count + b'{"end":true}\n'
    with answering(path, data), pytest.raises(UnreachableError) as caught:
        ask_one(path, Request(Ask.STATUS))
    assert str(caught.value) == f"{path}: {count} answers to one question"


def not_there(path: Path) -> None:
    """Nothing is at the path."""


def dead(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as gone:
        gone.bind(str(path))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (
            not_there,
            "no such file or directory\n  hint: is the controller running? `--socket` names another control socket",
        ),
        (
            dead,
            "connection refused\n  hint: the controller that made this socket is gone; is ExaBGP running?",
        ),
    ],
)
def test_nobody_there_is_one_clear_line_with_a_hint(path: Path, make: Callable[[Path], None], what: str) -> None:
    make(path)
    with pytest.raises(UnreachableError) as caught:
        ask_one(path, Request(Ask.STATUS))
    assert str(caught.value) == f"{path}: {what}"


def test_no_permission_is_one_clear_line_with_a_hint(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(connection: socket.socket, address: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", forbidden)  # root may connect to everything
    with pytest.raises(UnreachableError) as caught:
        ask_one(path, Request(Ask.STATUS))
    assert str(caught.value) == f"{path}: permission denied\n  hint: be in the group that owns it, or root"


def test_a_controller_that_hangs_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rri_bgp.control.client._PATIENCE", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(UnreachableError) as caught:
            ask_one(path, Request(Ask.STATUS))
    assert str(caught.value) == f"{path}: no answer in time"


def test_a_path_too_long_for_a_socket_is_no_success(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120)
    with pytest.raises(UnreachableError) as caught:
        ask_one(path, Request(Ask.STATUS))
    assert str(caught.value).lower() == f"{path}: af_unix path too long".lower()


def test_a_server_in_another_thread_answers(path: Path) -> None:
    with served(small()[0], path):
        assert ask_one(path, Request(Ask.STATUS)) == STATUS


def test_the_sink_of_these_tests_is_not_well_by_accident() -> None:
    assert Table().status().ready
