"""``rri-bgp attach``: joins ExaBGP's pipes to a controller that runs by itself.

ExaBGP stops its whole daemon when its helper does not read, and ends itself when its helper dies a few times. So the
rules of this file: it ends only when ExaBGP does; it reads always, whatever else is down, and drops what nobody can
take; what it keeps is bounded. ExaBGP is given whole lines of printable ASCII and nothing else, whoever is at the other
end.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import time
from pathlib import Path

__all__ = ["LineFilter", "Relay"]

log = logging.getLogger(__name__)

_CHUNK = 65536
_MAX_LINE = 65536
"""Bytes in a command; the longest honest one has 49 IPv6 prefixes and the attributes of a whole UPDATE."""

_MAX_UNREAD = 8 * 1024 * 1024
"""Bytes that wait for the controller, at most; one that reads so little is let go, and asks for all anew."""

_MAX_UNSENT = 1024 * 1024
"""Bytes that wait for ExaBGP; until it takes some the controller is not read."""

_BACKOFF = (0.05, 2.0)
"""Seconds between two tries to find the controller, at first and at most."""

_PRINTABLE = bytes(range(0x20, 0x7F))


class LineFilter:
    """Whole lines of printable ASCII; what is anything else is dropped and counted. Pure."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_skipping = False
        self.dropped = 0

    def feed(self, data: bytes) -> bytes:
        """The good lines that these bytes complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        good = b"".join(line + b"\n" for line in lines if self._is_good(line))
        if len(self._rest) > _MAX_LINE:
            self._rest, self._is_skipping = b"", True
        return good

    def reset(self) -> None:
        """The other end is gone, perhaps in the middle of a line."""
        self._rest, self._is_skipping = b"", False

    def _is_good(self, line: bytes) -> bool:
        if self._is_skipping or len(line) > _MAX_LINE or line.translate(None, _PRINTABLE):
            self._is_skipping = False
            self.dropped += 1
            return False
        return True


class Relay:
    """Between two file descriptors of ExaBGP's (its answers, its commands) and the controller's socket."""

    def __init__(self, path: Path, name: str, answers: int, commands: int) -> None:
        self._path = path
        self._hello = f"attach {name}\n".encode("ascii")
        self._answers = answers
        self._commands = commands
        self._selector = selectors.DefaultSelector()
        self._controller: socket.socket | None = None
        self._to_controller = bytearray()
        self._to_exabgp = bytearray()
        self._filter = LineFilter()
        self._wait = _BACKOFF[0]
        self._next_try = 0.0
        for descriptor in (answers, commands):
            os.set_blocking(descriptor, False)

    def run(self) -> None:
        """Until ExaBGP closes its end."""
        self._selector.register(self._answers, selectors.EVENT_READ)
        try:
            while self._turn():
                pass
        finally:
            self._let_go("")
            self._selector.close()

    def _turn(self) -> bool:
        if self._controller is None and time.monotonic() >= self._next_try:
            self._connect()
        self._watch()
        timeout = None if self._controller is not None else max(self._next_try - time.monotonic(), 0)
        for key, events in self._selector.select(timeout):
            if key.fd == self._answers:
                if not self._read_answers():
                    return False
            elif key.fd == self._commands:
                self._write_commands()
            elif self._controller is not None:
                self._serve_controller(events)
        return True

    # -- ExaBGP ------------------------------------------------------------------------------------------------------

    def _read_answers(self) -> bool:
        data = _read(self._answers)
        if not data:
            return data is None
        if self._controller is not None:
            self._to_controller += data
            if len(self._to_controller) > _MAX_UNREAD:
                self._let_go("it does not read")
        return True

    def _write_commands(self) -> None:
        with contextlib.suppress(BlockingIOError):
            del self._to_exabgp[: os.write(self._commands, self._to_exabgp[:_CHUNK])]

    # -- the controller ----------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        controller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            controller.setblocking(False)
            controller.connect(str(self._path))
        except OSError as error:
            controller.close()
            if self._wait == _BACKOFF[0]:
                log.warning("no controller at %s (%s): trying again until there is one", self._path, error.strerror)
            self._later()
            return
        log.info("attached to the controller at %s", self._path)
        self._controller = controller
        self._to_controller[:] = self._hello
        self._filter.reset()

    def _serve_controller(self, events: int) -> None:
        controller = self._controller
        assert controller is not None  # noqa: S101  # the caller looked
        try:
            if events & selectors.EVENT_WRITE:
                del self._to_controller[: controller.send(self._to_controller[:_CHUNK])]
            if events & selectors.EVENT_READ:
                data = controller.recv(_CHUNK)
                if not data:
                    self._let_go("it hung up")
                    return
                self._wait = _BACKOFF[0]
                self._to_exabgp += self._filter.feed(data)
        except BlockingIOError:
            return
        except OSError as error:
            self._let_go(error.strerror or "it is gone")

    def _let_go(self, why: str) -> None:
        if self._controller is None:
            return
        if why:
            log.warning("the controller is let go: %s", why)
        with contextlib.suppress(KeyError):
            self._selector.unregister(self._controller)
        self._controller.close()
        self._controller = None
        self._to_controller.clear()
        self._later()

    def _later(self) -> None:
        self._next_try = time.monotonic() + self._wait
        self._wait = min(2 * self._wait, _BACKOFF[1])

    def _watch(self) -> None:
        """Tells the selector what we wait for now."""
        _watch(self._selector, self._commands, selectors.EVENT_WRITE if self._to_exabgp else 0)
        if self._controller is not None:
            reading = selectors.EVENT_READ if len(self._to_exabgp) < _MAX_UNSENT else 0
            writing = selectors.EVENT_WRITE if self._to_controller else 0
            _watch(self._selector, self._controller, reading | writing)


def _watch(selector: selectors.BaseSelector, what: int | socket.socket, events: int) -> None:
    known = selector.get_map().get(what)
    if known is None:
        if events:
            selector.register(what, events)
    elif not events:
        selector.unregister(what)
    elif known.events != events:
        selector.modify(what, events)


def _read(descriptor: int) -> bytes | None:
    """What can be read now; empty at the end, None where there was nothing after all."""
    try:
        return os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
