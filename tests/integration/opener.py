"""Opens netlink sockets in its network namespace, and hands them to whoever listens at PATH. Run by ``routing``.

A socket stays in the namespace that it was made in, wherever it is used.
"""

from __future__ import annotations

import signal
import socket
import sys

_GROUPS = sum(1 << group - 1 for group in (1, 5, 7, 8, 9, 11, 19))
"""RTNLGRP_LINK, and of IPv4 and IPv6 IFADDR, ROUTE, RULE."""
_SOL_NETLINK, _CAP_ACK, _EXT_ACK, _STRICT = 270, 10, 11, 12


def main(path: str) -> None:
    """One for requests, one that hears of everything."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        opened = [_opened(0), _opened(_GROUPS)]
        socket.send_fds(client, [b"\0"], [one.fileno() for one in opened])
        signal.pause()


def _opened(groups: int) -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    for option in (_CAP_ACK, _EXT_ACK, _STRICT):
        made.setsockopt(_SOL_NETLINK, option, 1)
    made.bind((0, groups))
    return made


if __name__ == "__main__":
    main(sys.argv[1])
