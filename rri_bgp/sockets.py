"""Unix sockets that a controller listens at: for its owner and group, never where everybody may write."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from rri_bgp.errors import EnvironmentProblem

__all__ = ["hang_up", "listening"]

_MODE = 0o660
_BACKLOG = 32


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A listening socket at ``path`` with mode 0660; gone again at the end, unless another has taken its place.

    Raises:
        EnvironmentProblem: the socket cannot be: its directory is missing or open to all, or somebody else answers
            there.
    """
    _check_directory(path.parent)
    _remove_stale(path)
    listener = _listen(path)
    inode = _inode(path)
    try:
        with listener:
            yield listener
    finally:
        if _inode(path) == inode:
            path.unlink(missing_ok=True)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _listen(path: Path) -> socket.socket:
    _check_directory(path.parent)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Bound without any right for others, so that there is no moment at which they could connect.
        before = os.umask(0o777 & ~_MODE)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise EnvironmentProblem(f"cannot listen: {error.strerror or error}", where=str(path)) from None
    return listener


def _check_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o750, exist_ok=True)
        mode = directory.stat().st_mode
    except OSError as error:
        hint = f"make it, for the user that the controller runs as: install -d -m 0750 -o USER {directory}"
        raise EnvironmentProblem(
            f"no directory for the control socket: {error.strerror or error}", where=str(directory), hint=hint
        ) from None
    if mode & stat.S_IWOTH:
        raise EnvironmentProblem(
            "everybody may write to this directory, so anybody could take the control socket's place",
            where=str(directory),
            hint="give the socket a directory of its own: `control: {socket: /run/rri-bgp/control.sock}`",
        )


def _remove_stale(path: Path) -> None:
    """Makes way where an earlier controller died; never where one lives."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise EnvironmentProblem(
                "is there and is no socket", where=str(path), hint="remove it, or name another path"
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)  # a controller that is stuck has a full backlog: no reason to wait for it
            probe.connect(str(path))
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        path.unlink()
    except BlockingIOError:
        raise EnvironmentProblem(
            "another controller holds this, and does not answer", where=str(path), hint="stop it, or name another path"
        ) from None
    except OSError as error:
        raise EnvironmentProblem(f"cannot look at what is there: {error.strerror or error}", where=str(path)) from None
    else:
        raise EnvironmentProblem(
            "another controller answers here", where=str(path), hint="stop it, or name another path"
        )


def hang_up(writer: asyncio.StreamWriter) -> None:
    """Ends a connection at once, whatever is unsent. ``abort`` alone fails on one that is closed already."""
    if not writer.transport.is_closing() or writer.transport.get_write_buffer_size():
        writer.transport.abort()
