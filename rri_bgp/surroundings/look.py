"""One look at the kernel's addresses and links, for who has no loop; and the questions that every look asks.

Rules of this file: it may block, for seconds at most.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator

from rri_bgp.errors import NetlinkError
from rri_bgp.netlink import why
from rri_bgp.rri.entries import Policy
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.surroundings.links import Table
from rri_bgp.surroundings.netlink import ADDRESSES, LINKS, Dump, read

__all__ = [
    "DATAGRAM",
    "PATIENCE",
    "TRIES",
    "Answer",
    "look_at_kernel",
    "look_now",
    "netlink_socket",
    "questions",
]

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds for the kernel to answer. It answers at once."""

TRIES = 10
"""Looks that a change interrupted, before it is given up."""

DATAGRAM = 65536
"""Bytes: the kernel sends 32 KiB at most."""

_RECEIVE_BUFFER = 1 << 20
"""Bytes. The kernel may give less (net.core.rmem_max); too little costs another look, nothing else."""


def look_now(policy: Policy | None = None) -> Surroundings:
    """What can be seen without waiting for anybody: this machine's addresses and networks, and the groups held.

    ``policy`` names the VRFs and groups. keepalived, name servers and BGP neighbours are not asked. Nothing is known
    where this process may not speak with the kernel, which is logged.
    """
    policy = policy or Policy()
    try:
        table = look_at_kernel()
    except (OSError, NetlinkError) as error:
        log.warning("the kernel's addresses cannot be seen: %s", why(error))
        return Surroundings()
    links = table.links({vrf.table: vrf.name for vrf in policy.vrfs.values()})
    held = frozenset(name for name, group in policy.groups.items() if group.addresses[0] in links.here)
    return Surroundings(addresses=links.addresses, networks=links.networks, held=held)


def look_at_kernel() -> Table:
    """All links and addresses.

    Raises:
        OSError: this process may not speak with the kernel, or it does not answer.
        NetlinkError: the kernel said what cannot be read.
    """
    for _ in range(TRIES):
        table, answers = Table(), questions()
        for answer in answers:
            with netlink_socket() as asked:
                asked.settimeout(PATIENCE)
                asked.send(answer.question)
                while not answer.is_over:
                    answer.take(asked.recv(DATAGRAM), table)
        if all(answer.is_whole for answer in answers):
            return table
    raise NetlinkError(f"{TRIES} looks were interrupted")


class Answer:
    """What comes back for one question. ``is_whole``: nothing changed meanwhile, so nothing was left out."""

    def __init__(self, question: bytes) -> None:
        self.question = question
        self.is_over = False
        self.is_whole = True

    def take(self, datagram: bytes, table: Table) -> None:
        """Puts what a datagram says into the table."""
        for news in read(datagram):
            table.take(news)
            self.is_over |= news is Dump.DONE
            self.is_whole &= news is not Dump.INTERRUPTED


def questions() -> tuple[Answer, Answer]:
    """What a look asks."""
    return Answer(LINKS), Answer(ADDRESSES)


@contextlib.contextmanager
def netlink_socket(groups: int = 0) -> Iterator[socket.socket]:
    """A socket to rtnetlink that does not block, and hears these groups.

    Raises:
        OSError: this process may not have one.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as opened:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        opened.bind((0, groups))
        yield opened
