"""The real ``rri-bgp attach`` between pipes and a socket, both held by the test: it reads whatever else is down."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DEADLINE = 60.0
MIB = 1024 * 1024


@dataclass
class Attach:
    """The process, as ExaBGP sees it: what it reads are answers, what it writes are commands."""

    process: subprocess.Popen[bytes]
    path: Path
    log: Path
    _rest: bytes = b""

    @property
    def answers(self) -> int:
        assert self.process.stdin is not None
        return self.process.stdin.fileno()

    @property
    def commands(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def line(self) -> bytes:
        """The next command."""
        until = time.monotonic() + DEADLINE
        while b"\n" not in self._rest:
            data = os.read(self.commands, 65536) if can_read(self.commands, until) else b""
            assert data, "no command came"
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def answer(self, data: bytes) -> None:
        """Writes all of it; fails where the pipe stays full: ExaBGP would be stuck then."""
        os.set_blocking(self.answers, False)
        until = time.monotonic() + DEADLINE
        while data:
            _, ready, _ = select.select([], [self.answers], [], max(until - time.monotonic(), 0))
            assert ready, f"the relay does not read; {len(data)} bytes left"
            data = data[os.write(self.answers, data[:65536]) :]

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(DEADLINE)


class Controller:
    """Listens; one relay at a time."""

    def __init__(self, path: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.settimeout(DEADLINE)
        self.listener.bind(str(path))
        self.listener.listen()
        self.path = path
        self.connection: socket.socket | None = None
        self._rest = b""

    def accept(self) -> socket.socket:
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(DEADLINE)
        self._rest = b""
        return self.connection

    def line(self) -> bytes:
        """The next line that the relay brought."""
        assert self.connection is not None
        while b"\n" not in self._rest:
            data = self.connection.recv(65536)
            assert data, "the relay hung up"
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def die(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.listener.close()
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def attaching(folder: Path, *arguments: str) -> Iterator[Attach]:
    path, log = folder / "exabgp.sock", folder / "attach.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "rri_bgp", "attach", "--socket", str(path), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
    try:
        yield Attach(process, path, log)
    finally:
        process.kill()
        process.wait(DEADLINE)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def controlling(path: Path) -> Iterator[Controller]:
    controller = Controller(path)
    try:
        yield controller
    finally:
        controller.die()


def can_read(descriptor: int, until: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        return bool(selector.select(max(until - time.monotonic(), 0)))


def until_logged(attach: Attach, text: str) -> None:
    until = time.monotonic() + DEADLINE
    while text not in attach.log.read_text():
        assert time.monotonic() < until, attach.log.read_text()
        assert attach.process.poll() is None, attach.log.read_text()
        select.select([], [], [], 0.01)


def test_it_waits_for_a_controller_that_is_not_there_yet(tmp_path: Path) -> None:
    with attaching(tmp_path, "--name", "edge-1") as attach:
        until_logged(attach, "no controller at")
        attach.answer(b"nobody\nwants\nthis\n")
        with controlling(attach.path) as controller:
            controller.accept().sendall(b"version\n")
            assert controller.line() == b"attach edge-1"
            assert attach.line() == b"version"
            attach.answer(b"exabgp 5.0.15\ndone\n")
            assert [controller.line(), controller.line()] == [b"exabgp 5.0.15", b"done"]
            assert attach.end() == 0
            assert controller.connection is not None
            assert controller.connection.recv(1) == b""
        assert attach.log.read_text().count("no controller at") == 1, "it says so once, and goes on trying"


def test_e7_a_controller_that_dies_in_a_line_leaves_no_half_of_it(tmp_path: Path) -> None:
    with attaching(tmp_path) as attach:
        with controlling(attach.path) as controller:
            controller.accept()
            assert controller.line() == b"attach exabgp"
            assert controller.connection is not None
            controller.connection.sendall(b"announce route 10.1.0.0/16 next-hop 198.51.100.1\nwithdraw route 10.")
            assert attach.line() == b"announce route 10.1.0.0/16 next-hop 198.51.100.1"
        until_logged(attach, "the controller is let go")
        with controlling(attach.path) as controller:
            controller.accept().sendall(b"2.0.0/16\nversion\n")
            assert controller.line() == b"attach exabgp"
            assert [attach.line(), attach.line()] == [b"2.0.0/16", b"version"]
            assert attach.end() == 0


@pytest.mark.parametrize(
    "bad",
    [
        b"announce caf\xc3\xa9",
        b"\x00",
        b"a\tb",
        b"version\r",
        b"\x1b[31m",
        b"x" * 65537,
        b"x" * (3 * MIB),
    ],
    ids=["utf-8", "nul", "tab", "carriage return", "escape", "one too long", "3 MiB"],
)
def test_what_is_no_printable_ascii_line_is_dropped(tmp_path: Path, bad: bytes) -> None:
    with attaching(tmp_path) as attach, controlling(attach.path) as controller:
        controller.accept().sendall(b"before\n" + bad + b"\nafter\n")
        assert [attach.line(), attach.line()] == [b"before", b"after"]
        assert attach.end() == 0


def test_answers_are_read_while_no_controller_is_there(tmp_path: Path) -> None:
    with attaching(tmp_path) as attach:
        attach.answer(b"done\n" * (10 * MIB // 5))
        with controlling(attach.path) as controller:
            controller.accept()
            assert controller.line() == b"attach exabgp"
            assert attach.end() == 0


def test_a_controller_that_never_reads_is_let_go_and_exabgp_is_read_on(tmp_path: Path) -> None:
    with attaching(tmp_path) as attach:
        with controlling(attach.path) as controller:
            controller.accept()
            attach.answer(b"done\n" * (10 * MIB // 5))
            until_logged(attach, "the controller is let go: it does not read")
            attach.answer(b"done\n" * (10 * MIB // 5))
            assert memory(attach.process.pid) < 100 * MIB
        with controlling(attach.path) as controller:
            controller.accept().sendall(b"version\n")
            assert controller.line() == b"attach exabgp"
            assert attach.line() == b"version"
            assert attach.end() == 0


def test_an_exabgp_that_does_not_read_stops_the_controller_and_not_the_relay(tmp_path: Path) -> None:
    with attaching(tmp_path) as attach, controlling(attach.path) as controller:
        connection = controller.accept()
        connection.settimeout(2.0)
        with pytest.raises(TimeoutError):
            connection.sendall(b"version\n" * (8 * MIB // 8))
        attach.answer(b"done\n" * 1000)
        assert controller.line() == b"attach exabgp"
        assert [controller.line() for _ in range(1000)] == [b"done"] * 1000
        assert memory(attach.process.pid) < 100 * MIB
        assert [attach.line() for _ in range(50_000)] == [b"version"] * 50_000
        assert attach.end() == 0


def test_a_name_that_is_taken_is_tried_again(tmp_path: Path) -> None:
    with attaching(tmp_path) as attach, controlling(attach.path) as controller:
        for _ in range(3):
            controller.accept()
            assert controller.line() == b"attach exabgp"
            assert controller.connection is not None
            controller.connection.close()
        assert attach.process.poll() is None
        assert attach.end() == 0


def test_it_ends_well_when_exabgp_no_longer_reads(tmp_path: Path) -> None:
    with attaching(tmp_path) as attach, controlling(attach.path) as controller:
        connection = controller.accept()
        assert attach.process.stdout is not None
        attach.process.stdout.close()
        connection.sendall(b"version\n")
        assert attach.process.wait(DEADLINE) == 0
        assert "Traceback" not in attach.log.read_text()


def run_attach(*arguments: str, stdin: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rri_bgp", "attach", *arguments],
        stdin=stdin, capture_output=True, text=True, check=False, timeout=DEADLINE,
    )  # fmt: skip


def test_a_stdin_that_is_no_pipe_is_exit_code_2_and_one_line() -> None:
    done = run_attach(stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (2, "")
    said, hint = done.stderr.splitlines()
    assert said == ("rri-bgp: stdin is no pipe: this verb speaks ExaBGP's process API and is started by ExaBGP")
    assert hint.startswith("  hint: ")


@pytest.mark.parametrize("name", ["", "a b", "caf\xe9", "a" * 65, "a\n"])
def test_a_name_that_is_none_is_exit_code_2_and_one_line(name: str) -> None:
    done = run_attach("--name", name, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "rri-bgp: --name: up to 64 letters, digits, `.`, `-` and `_` are allowed\n"


def memory(pid: int) -> int:
    """Bytes resident."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
