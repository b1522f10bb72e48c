"""What ExaBGP 5.0.15 writes (lines copied from it), and what it never should."""

from __future__ import annotations

import json

import pytest

from rri_bgp.sinks import NeighborState
from rri_bgp.sinks.exabgp import answers
from rri_bgp.sinks.exabgp.answers import (
    Answer,
    Done,
    Error,
    Lines,
    NeighborEvent,
    NeighborFamilies,
    Other,
    Shutdown,
)

STATE = (
    '{ "exabgp": "5.0.0", "time": 1795425384.8, "host" : "hub", "pid" : 21, "ppid" : 2, "counter": 3, "type": "state", '
    '"neighbor": { "address": { "local": "192.0.2.1", "peer": "192.0.2.2" }, "asn": { "local": 65000, "peer": 65000 }, '
    '"router-id": "192.0.2.1" , "state": "down", "reason": "closing connection" } }'
)
JSON_SHUTDOWN = '{ "exabgp": "5.0.0", "time": 1.5, "type": "notification", "notification": "shutdown" }'


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("done", Done()),
        ("error", Error()),
        ("shutdown 6584 6579", Shutdown()),
        (JSON_SHUTDOWN, Shutdown()),
        (STATE, NeighborEvent(NeighborState("192.0.2.1", "192.0.2.2", "down", "closing connection"))),
        ("exabgp 5.0.15", Other("exabgp 5.0.15")),
        ("shutdown in progress", Other("shutdown in progress")),
        ("done done", Other("done done")),
        ("", Other("")),
        ("{", Other("{")),
        ("[" * 100_000, Other("[" * 100_000)),
        ('{"a":' * 100_000, Other('{"a":' * 100_000)),
        ('{"type": "state", "neighbor": 1}', Other('{"type": "state", "neighbor": 1}')),
        ('{"type": "state", "neighbor": {"address": []}}', Other('{"type": "state", "neighbor": {"address": []}}')),
    ],
)
def test_what_a_line_means(line: str, answer: Answer) -> None:
    assert answers.parse(line) == answer


def test_a_reason_cannot_reach_a_terminal_raw() -> None:
    found = answers.parse(STATE.replace("closing connection", r"\u001b[2J\nfake"))
    assert found == NeighborEvent(NeighborState("192.0.2.1", "192.0.2.2", "down", "?[2J?fake"))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("exabgp 5.0.15", (5, 0, 15)),
        ("exabgp 4.2.21-abc", (4, 2, 21)),
        ("exabgp unknown", None),
        ("done", None),
    ],
)
def test_the_version(line: str, found: tuple[int, int, int] | None) -> None:
    assert answers.version(line) == found


@pytest.mark.parametrize(
    ("fsm", "negotiated", "state", "families"),
    [
        ("ESTABLISHED", ["ipv4 unicast", "ipv6 unicast"], "up", {"ipv4 unicast", "ipv6 unicast"}),
        ("IDLE", [], "idle", {"ipv4 unicast"}),
    ],
)
def test_the_neighbors(fsm: str, negotiated: list[str], state: str, families: set[str]) -> None:
    configured = {"address": "192.0.2.1", "families": {"ipv4 unicast": True}}
    entry = {"state": "down", "fsm": fsm, "local": configured, "peer": {"address": "192.0.2.2"}, "families": negotiated}
    expected = NeighborFamilies(NeighborState("192.0.2.1", "192.0.2.2", state), frozenset(families))
    assert answers.neighbors(json.dumps([entry])) == (expected,)


@pytest.mark.parametrize("line", ["done", "{}", "[", "null", "192.0.2.2 ipv4 unicast 10.1.0.0/16"])
def test_what_is_no_list_of_neighbors(line: str) -> None:
    assert answers.neighbors(line) is None


def test_neighbors_that_make_no_sense_are_left_out() -> None:
    assert answers.neighbors('[1, {}, {"fsm": "IDLE", "local": {}, "peer": {}, "families": []}]') == ()


def test_lines_come_whole_however_the_bytes_come() -> None:
    lines = Lines()
    assert [line for byte in b"done\r\nerr\xffor\nrest" for line in lines.feed(bytes([byte]))] == [
        "done",
        "err\ufffdor",
    ]


def test_a_line_without_end_is_dropped_and_the_next_one_is_read() -> None:
    lines = Lines()
    found = [line for _ in range(answers.MAX_LINE // 65536 + 2) for line in lines.feed(b"x" * 65536)]
    assert found == []
    assert list(lines.feed(b"tail\ndone\n")) == ["done"]
