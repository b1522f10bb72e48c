"""The latency in the lab, its pure parts: VICI packets, shares, ratios by rounds, aims, the table and the document."""

from __future__ import annotations

import io
import json
import socket
import struct

import pytest
from rich.console import Console

from bench import lab_latency
from bench.lab_latency import OURS, TABLE_220, Sample, Series, aims, document, figures, read_events, shares, table


def _packet(body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + body


def _rounds(*medians: float) -> list[list[Sample]]:
    return [[Sample(median / 2, median)] * 3 for median in medians]


MEASURED = {
    Series("BIRD", "up", OURS): _rounds(2.0, 4.0),
    Series("BIRD", "up", TABLE_220): _rounds(60.0, 72.0),
    Series("FRR", "up", OURS): _rounds(60.0, 60.0),
    Series("FRR", "up", TABLE_220): _rounds(90.0, 96.0),
}


@pytest.mark.parametrize(
    ("body", "seen"),
    [(b"\x07\x0cchild-updown\x01\x02", "child-updown"), (b"\x05", "other"), (b"\x07\x0aike-updown", "other")],
)
def test_a_vici_packet_is_the_event_or_another_thing(body: bytes, seen: str) -> None:
    ours, charons = socket.socketpair()
    with ours, charons:
        charons.sendall(_packet(body))
        assert [what for _, what in read_events(ours)] == [seen]


def test_a_closed_vici_socket_is_an_error() -> None:
    ours, charons = socket.socketpair()
    charons.close()
    with ours, pytest.raises(ConnectionError):
        next(read_events(ours))


@pytest.mark.parametrize(("samples", "found"), [(200, [50, 50, 50, 50]), (10, [3, 3, 2, 2]), (2, [1, 1]), (1, [1])])
def test_the_rounds_share_the_samples(samples: int, found: list[int]) -> None:
    assert shares(samples, 4) == found


def test_ratios_pair_the_rounds() -> None:
    found = {(one.series, one.end): one for one in figures(MEASURED)}
    peer = found[Series("BIRD", "up", TABLE_220), "FIB"]
    assert (peer.rounds, peer.samples, peer.ratio) == ((60.0, 72.0), 6, 24.0)  # of 30 and 18
    assert (peer.p50, peer.p99) == (60.0, 72.0)
    assert found[Series("BIRD", "up", OURS), "wire"].ratio == 1.0


def test_there_is_no_ratio_without_ours_of_each_round() -> None:
    series = Series("BIRD", "up", TABLE_220)
    assert {one.ratio for one in figures({series: _rounds(60.0)})} == {None}
    assert figures({series: _rounds(60.0), Series("BIRD", "up", OURS): _rounds(1.0, 1.0)})[0].ratio is None


def test_the_aims() -> None:
    assert aims(figures(MEASURED)) == [
        "met    ours to the FIB of BIRD, up: p50 2.00 ms (aim: at most 3)",
        "met    table 220 + FRR to the FIB of BIRD, up: 24.0 x ours (aim: at least 15)",
        "MISSED table 220 + FRR to the FIB of FRR, up: 1.6 x ours (aim: at least 1.7)",
    ]


def test_the_table_and_the_document_hold_all_lines() -> None:
    lines = figures(MEASURED)
    out = io.StringIO()
    Console(file=out, width=110).print(table(lines))
    assert out.getvalue().count("table 220 + FRR") == 4
    rows = json.loads(json.dumps(document(lines)))["rows"]
    assert [row["ratio"] for row in rows[:4]] == [1.0, 24.0, 1.0, 24.0]


@pytest.mark.parametrize("arguments", [["x"], ["0"], ["-1"], ["1", "2"]])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert lab_latency.main(arguments) == 2
    assert "usage" in capsys.readouterr().err
