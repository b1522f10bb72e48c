"""Ears in a node's network namespace: when a BGP UPDATE is on the wire, when a route is in the kernel's FIB.

Both give wall-clock times of this host's one kernel, which all nodes share, so times from several nodes compare.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from pyroute2 import netns
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from bench.bgp import Kind, Splitter, parse_update

__all__ = ["FibTap", "RouteTap", "Tap", "UpdateTap"]

ETH_P_ALL = 3
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the socket module has no name for it
SO_RCVBUFFORCE = 33  # the same
FIB_BUFFER = 64 * 1024 * 1024  # bytes; a table of 10,000 routes comes and goes in one burst
BGP_PORT = 179
BGP_UPDATE = 2  # RFC 4271 §4.1
BGP_MARKER = b"\xff" * 16
RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE = 0x40, 0x400  # linux/rtnetlink.h


class Tap:
    """A thread that reads a socket of another network namespace and keeps (time in ns, what was seen)."""

    def __init__(self, sock: socket.socket, read: Callable[[socket.socket], Iterator[tuple[int, str]]]) -> None:
        self._socket = sock
        self._read = read
        self._seen: list[tuple[int, str]] = []
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def wait_for(self, what: str, since: int, deadline: float) -> int:
        """The time (ns) at which ``what`` was first seen after ``since`` (ns).

        Raises:
            TimeoutError: not seen within ``deadline`` seconds.
        """
        end = time.monotonic() + deadline
        with self._news:
            while True:
                for at, seen in self._seen:
                    if at >= since and what in seen:
                        return at
                if not self._news.wait(end - time.monotonic()):
                    raise TimeoutError(f"{what} was not seen within {deadline} s")

    def count(self, since: int) -> int:
        """How many things were seen after ``since`` (ns)."""
        with self._news:
            return sum(at >= since for at, _ in self._seen)

    def seen(self, since: int) -> list[tuple[int, str]]:
        """What was seen after ``since`` (ns), with its time (ns), in order."""
        with self._news:
            return [(at, what) for at, what in self._seen if at >= since]

    def _run(self) -> None:
        while not self._stop.is_set():
            if select.select([self._socket], [], [], 0.1)[0]:
                found = list(self._read(self._socket))
                with self._news:
                    self._seen += found
                    self._news.notify_all()


class UpdateTap(Tap):
    """BGP UPDATEs that arrive at ``interface`` of the namespace of process ``pid``; each is seen as ``UPDATE``."""

    def __init__(self, pid: int, interface: str) -> None:
        super().__init__(_packets(pid, interface), _read_updates)


class RouteTap(Tap):
    """What BGP UPDATEs say that arrive at ``interface`` of the namespace of process ``pid``.

    Each UPDATE is seen as its unicast prefixes in its order, ``+10.1.0.0/16 -10.2.0.0/16``; one of another family, or
    an end-of-RIB marker, as nothing but its time. The tap must begin while the one session there is idle, between two
    messages.
    """

    def __init__(self, pid: int, interface: str) -> None:
        self._splitter = Splitter()
        super().__init__(_packets(pid, interface), self._read_routes)

    def updates(self) -> list[str]:
        """All that was seen, without the times."""
        return [what for _, what in self.seen(0)]

    def _read_routes(self, sock: socket.socket) -> Iterator[tuple[int, str]]:
        packet, at = _arrived(sock)
        for kind, body in self._splitter.feed(_tcp_payload(packet)):
            if kind is Kind.UPDATE:
                update = parse_update(body)
                gone = (f"-{prefix}" for prefix in update.withdrawn)
                yield at, " ".join((*gone, *(f"+{prefix}" for prefix in update.announced)))


class FibTap(Tap):
    """Route changes in the namespace of process ``pid``; seen as ``add PREFIX`` or ``del PREFIX``."""

    def __init__(self, pid: int) -> None:
        sock = netns.create_socket(f"/proc/{pid}/ns/net", socket.AF_NETLINK, socket.SOCK_RAW, 0)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, FIB_BUFFER)
        sock.bind((0, RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE))
        super().__init__(sock, _read_routes)


def _packets(pid: int, interface: str) -> socket.socket:
    namespace = f"/proc/{pid}/ns/net"
    sock: socket.socket = netns.create_socket(namespace, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sock.bind((interface, ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return sock


def _arrived(sock: socket.socket) -> tuple[bytes, int]:
    """A packet and its time; nothing where it was on its way out."""
    packet, ancillary, _, address = sock.recvmsg(65535, 64)
    return (b"" if address[2] == socket.PACKET_OUTGOING else packet), _timestamp(ancillary)


def _read_updates(sock: socket.socket) -> Iterator[tuple[int, str]]:
    packet, at = _arrived(sock)
    for _ in range(_updates_in(_tcp_payload(packet))):
        yield at, "UPDATE"


def _timestamp(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return time.time_ns()


def _tcp_payload(packet: bytes) -> bytes:
    """The payload of an IPv4 packet from or to the BGP port, else nothing (the lab's session is IPv4)."""
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
        return b""
    segment = packet[(packet[0] & 15) * 4 : int.from_bytes(packet[2:4], "big")]
    if BGP_PORT not in struct.unpack_from("!HH", segment):
        return b""
    return segment[(segment[12] >> 4) * 4 :]


def _updates_in(stream: bytes) -> int:
    """How many UPDATEs start in this segment."""
    count = 0
    at = stream.find(BGP_MARKER)
    while 0 <= at <= len(stream) - 19:
        length, kind = struct.unpack_from("!HB", stream, at + 16)
        count += kind == BGP_UPDATE
        at = stream.find(BGP_MARKER, at + max(length, 19))
    return count


def _read_routes(sock: socket.socket) -> Iterator[tuple[int, str]]:
    data = sock.recv(65535)
    at = time.time_ns()
    for message in MarshalRtnl().parse(data):
        event = message["event"]
        if event in ("RTM_NEWROUTE", "RTM_DELROUTE"):
            yield at, f"{'add' if event == 'RTM_NEWROUTE' else 'del'} {message.get('dst')}/{message['dst_len']}"
