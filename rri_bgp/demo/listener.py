"""What ExaBGP runs as its helper where somebody else wants its events: joins stdin and stdout to a unix socket.

``python -m rri_bgp.demo.listener SOCKET``. Knows nothing of what passes; ends when either side ends.
"""

from __future__ import annotations

import os
import select
import socket
import sys

__all__ = ["main"]

_CHUNK = 65536


def main() -> int:
    """Copies both ways until one side is done. Exit code 2 where the socket is not there."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m rri_bgp.demo.listener SOCKET\n")
        return 2
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        try:
            other.connect(sys.argv[1])
            _copy(other)
        except OSError as error:
            sys.stderr.write(f"{sys.argv[1]}: {error.strerror}\n")
            return 2
    return 0


def _copy(other: socket.socket) -> None:
    stdin, stdout = sys.stdin.fileno(), sys.stdout.fileno()
    while True:
        for ready in select.select([stdin, other], [], [])[0]:
            if ready is other:
                data = other.recv(_CHUNK)
                _write_all(stdout, data)
            else:
                data = os.read(stdin, _CHUNK)
                other.sendall(data)
            if not data:
                return


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    sys.exit(main())
