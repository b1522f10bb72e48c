"""Our plugin inside the demo's speaker, held back until the session is up, so that the play is seen from its start.

``python -m rri_bgp.demo.plugin SOCKET ARGUMENT…``: waits until the demo closes its side of the socket, then is
``rri-bgp ARGUMENT…``.
"""

from __future__ import annotations

import socket
import sys

from rri_bgp.cli import main as program

__all__ = ["main"]


def main() -> None:
    """Waits, then runs the program."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as gate:
        gate.connect(sys.argv[1])
        gate.recv(1)
    sys.argv = ["rri-bgp", *sys.argv[2:]]
    program()


if __name__ == "__main__":
    main()
