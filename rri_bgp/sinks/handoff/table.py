"""The hand-off table in the kernel: changed, read, and listened to.

Rules of this file: what the kernel says of other tables, and of other people's routes, is passed over. The sockets are
those of ``sinks.kernel``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Mapping, Sequence

from rri_bgp.errors import NetlinkError
from rri_bgp.model import Prefix
from rri_bgp.netlink import why
from rri_bgp.policy.config import HandOffSettings
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.handoff.ledger import Change
from rri_bgp.sinks.handoff.marks import Mark
from rri_bgp.sinks.kernel import requests
from rri_bgp.sinks.kernel.kernel import Change as KernelChange
from rri_bgp.sinks.kernel.kernel import Refusal, Verb
from rri_bgp.sinks.kernel.sockets import Answers, Requests, dump, events_socket, receive
from rri_bgp.sinks.kernel.wire import LinkNews, RouteNews, read

__all__ = ["BATCH", "LostError", "Table", "opened"]

BATCH = requests.AT_ONCE // 2
"""Prefixes whose routes are changed at once; one of another tag takes two requests."""

_AT_ONCE = 200
"""Events that are read between two turns of everybody else: a millisecond."""


class LostError(Exception):
    """What is known of the table is not to be relied on any more; reading it tells."""


class Table:
    """See the head of this file. ``events`` is for an event loop to wait on.

    Each of its functions raises OSError or NetlinkError where the kernel cannot be spoken with: what it was asked for
    may or may not have been done.
    """

    def __init__(self, settings: HandOffSettings, asked: Requests, events: socket.socket) -> None:
        self._number = settings.table
        self._protocol = settings.protocol
        self._requests = asked
        self.events = events

    def change(self, changes: Sequence[Change]) -> Mapping[int, str]:
        """Carries out these, in order. Those that could not be by their number, and why not."""
        refused = self._requests.change([self._change(change) for change in changes])
        # A route that is not there any more needs no deletion.
        return {number: _reason(refusal) for number, refusal in refused.items() if refusal.errno != errno.ESRCH}

    def _change(self, change: Change) -> KernelChange:
        prefix, (kind, metric), gone, replaces = change
        verb = Verb.DELETE if gone else Verb.REPLACE if replaces else Verb.ADD
        return KernelChange(verb, Place(self._number, prefix, metric), nowhere=kind)

    async def read(self) -> dict[Prefix, tuple[Mark, ...]]:
        """Our routes that are there now.

        Raises:
            LostError: the table changed meanwhile, and some may be missing.
        """
        found: dict[Prefix, tuple[Mark, ...]] = {}
        answers = Answers()
        for version in (4, 6):
            for piece in dump(requests.dump_routes(version, self._number, self._protocol, version), answers):
                for prefix, mark, _ in self._ours(piece):
                    found[prefix] = (*found.get(prefix, ()), mark)
                await asyncio.sleep(0)
        if not answers.is_whole:
            raise LostError("it changed while it was read")
        return found

    def heard(self) -> Iterator[tuple[Prefix, Mark, bool]]:
        """What others have done to our routes since: each with whether it is gone now."""
        for _ in range(_AT_ONCE):
            datagram = receive(self.events)
            if datagram is None:
                return
            yield from self._ours(news for news in read(datagram) if isinstance(news, RouteNews))

    def _ours(self, told: Iterator[RouteNews] | list[RouteNews | LinkNews]) -> Iterator[tuple[Prefix, Mark, bool]]:
        for news in told:
            if isinstance(news, RouteNews) and news.place.table == self._number and news.protocol == self._protocol:
                yield news.place.prefix, Mark(news.kind, news.place.metric), news.gone


def _reason(refusal: Refusal) -> str:
    if refusal.errno == errno.EEXIST:
        return "a route of somebody else's is in its place"
    return refusal.text or os.strerror(refusal.errno)


@contextlib.contextmanager
def opened(settings: HandOffSettings) -> Iterator[Table]:
    """The table, as long as it is needed.

    Raises:
        EnvironmentProblem: this process may not change it.
        LostError: the kernel cannot be spoken with any more; so for what is done with the table.
    """
    try:
        with contextlib.closing(Requests(settings.protocol, "hand-off")) as asked, events_socket(asked.port) as events:
            yield Table(settings, asked, events)
    except (OSError, NetlinkError) as error:
        raise LostError(why(error)) from error
