"""Cuts a process's connection to a unix socket, as a dying other end would, without touching either process.

Needs root: it borrows the file descriptor (pidfd_getfd(2)) and shuts the socket down.
"""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

__all__ = ["cut"]

_PIDFD_GETFD = 438  # asm-generic/unistd.h


def cut(pid: int, name: str) -> int:
    """Shuts down all connections of process ``pid`` to the unix socket of that file name; returns how many."""
    count = 0
    process = os.pidfd_open(pid)
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            if descriptor.readlink().name.startswith("socket:"):
                with _borrow(process, int(descriptor.name)) as borrowed:
                    if borrowed.family == socket.AF_UNIX and _peer(borrowed) == name:
                        borrowed.shutdown(socket.SHUT_RDWR)
                        count += 1
    finally:
        os.close(process)
    return count


def _borrow(process: int, descriptor: int) -> socket.socket:
    found = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, descriptor, 0)
    if found < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return socket.socket(fileno=found)


def _peer(sock: socket.socket) -> str:
    """The file name that the other end is bound to; its folder may be told by another path than ours."""
    try:
        return Path(str(sock.getpeername())).name
    except OSError:
        return ""
