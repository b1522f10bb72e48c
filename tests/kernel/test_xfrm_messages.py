"""NETLINK_XFRM as this kernel speaks it: states and policies by hand, read back as values."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import pytest

from rri_bgp.sources.xfrm import wire
from rri_bgp.sources.xfrm.table import DOWN_AFTER, XfrmTable

_KEY = "0x" + "00" * 20
_GROUPS = (2, 3, 4, 7)


def xfrm(*words: str) -> None:
    """``ip xfrm``."""
    subprocess.run(["ip", "xfrm", *words], check=True)


def add_state(source: str, destination: str, spi: int) -> None:
    """An ESP tunnel SA."""
    ends = ("src", source, "dst", destination, "proto", "esp", "spi", hex(spi), "reqid", "7", "mode", "tunnel")
    xfrm("state", "add", *ends, "aead", "rfc4106(gcm(aes))", _KEY, "128")


def add_policy(direction: str, source: str, destination: str, outer: tuple[str, str]) -> None:
    """A policy with a template for reqid 7."""
    ends = ("src", outer[0], "dst", outer[1])
    xfrm("policy", "add", "src", source, "dst", destination, "dir", direction, "tmpl", *ends, "proto", "esp", "reqid", "7", "mode", "tunnel")  # fmt: skip  # noqa: E501


@pytest.fixture
def events() -> Iterator[socket.socket]:
    """A subscribed socket; states and policies are flushed before and after."""
    for what in ("state", "policy"):
        xfrm(what, "flush")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 6) as opened:
        opened.bind((0, sum(1 << (group - 1) for group in _GROUPS)))
        opened.setblocking(False)
        yield opened
    for what in ("state", "policy"):
        xfrm(what, "flush")


def read(events: socket.socket, table: XfrmTable) -> list[str]:
    """Feeds the table all that is queued; why it wants a resync."""
    reasons: list[str] = []
    while True:
        try:
            datagram = events.recv(1 << 17)
        except BlockingIOError:
            return [why for why in reasons if why]
        reasons.extend(table.take(message) for message in wire.parse(datagram))


def test_a_pair_is_up_with_its_second_half_and_down_after_a_while(events: socket.socket) -> None:
    """Both SAs and both policies make a pair; a deleted SA ends it, once it has not come back."""
    table = XfrmTable("xfrm")
    add_state("192.0.2.1", "192.0.2.2", 0x1000)
    add_policy("out", "10.0.0.0/16", "10.1.0.0/16", ("192.0.2.1", "192.0.2.2"))
    add_policy("in", "10.1.0.0/16", "10.0.0.0/16", ("192.0.2.2", "192.0.2.1"))
    assert read(events, table) == []
    assert table.changes(0.0) == {}
    add_state("192.0.2.2", "192.0.2.1", 0x1001)
    assert read(events, table) == []
    ((key, pair),) = table.changes(0.0).items()
    assert pair is not None
    assert (str(pair.peer), [str(one) for one in pair.remote_ts]) == ("192.0.2.2", ["10.1.0.0/16"])
    xfrm("state", "delete", "src", "192.0.2.2", "dst", "192.0.2.1", "proto", "esp", "spi", "0x1001")
    assert read(events, table) == []
    assert table.changes(1.0) == {}
    assert table.changes(1.0 + DOWN_AFTER) == {key: None}


def test_a_flush_asks_for_a_resync(events: socket.socket) -> None:
    """The kernel names no SA in a flush."""
    add_state("192.0.2.1", "192.0.2.2", 0x1000)
    xfrm("state", "flush")
    assert read(events, XfrmTable("xfrm")) == ["the SAs were flushed"]
