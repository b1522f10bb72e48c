"""Does nothing, until it is ended: it holds a network namespace. Run by ``netns``."""

from __future__ import annotations

import signal

if __name__ == "__main__":
    signal.pause()
