"""What a service manager is told: sd_notify(3), the protocol of systemd's Type=notify."""

from __future__ import annotations

import contextlib
import os
import socket

__all__ = ["notify", "watchdog_interval"]


def notify(*states: str) -> None:
    """Tells the service manager, where there is one: ``READY=1``, ``STATUS=…``, ``WATCHDOG=1``, ``STOPPING=1``."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setblocking(False)
        manager.connect(address)
        manager.send("\n".join(states).encode())


def watchdog_interval() -> float | None:
    """Seconds between two ``WATCHDOG=1``, None where nobody watches (sd_watchdog_enabled(3))."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2e6 if microseconds.isdecimal() and int(microseconds) else None
