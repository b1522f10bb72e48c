"""The asking end: an answer without its end is no answer, and nobody there is one clear line."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rri_bgp.control.client import ask, ask_one
from rri_bgp.control.protocol import Ask, Request
from rri_bgp.errors import UnreachableError
from tests.unit.control.small import (
    DEADLINE,
    STATUS,
    Table,
    served,
    small,
)


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
