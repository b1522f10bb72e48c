"""What all tests start from."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Makes Ctrl-C end what a test starts: a shell has all that it starts in the background ignore it, for good."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
