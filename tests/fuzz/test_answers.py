"""Whatever bytes ExaBGP writes, reading them ends well.

What holds for every input, of any length, cut anywhere: no exception; no line with a newline in it; what will be shown
to people is printable and short; a version has three small numbers; memory is bounded by ``MAX_LINE``, not by what
came. More inputs than here: ``python -m tests.fuzz.answers COUNT``.
"""

from __future__ import annotations

import tracemalloc
from itertools import islice

import pytest

from rri_bgp.sinks.exabgp import answers
from rri_bgp.sinks.exabgp.held import held_route
from tests.fuzz.answers import REAL, check, inputs, main

COUNT = 20_000
MIB = 1024 * 1024


def test_inputs_of_every_kind_are_read() -> None:
    lines = answers.Lines()
    assert sum(check(lines, data) for data in islice(inputs(1), COUNT)) >= COUNT


def test_real_lines_are_what_they_are() -> None:
    lines = answers.Lines()
    assert [check(lines, line) for line in REAL] == [1] * len(REAL)
    assert isinstance(answers.parse(REAL[9].decode()), answers.NeighborEvent)
    assert held_route(REAL[7].decode()) is not None


@pytest.mark.parametrize(
    "line",
    [
        b"neighbor 127.0.0.2 local-ip 127.0.0.1 ipv4 unicast 10.1.0.0/24 [ 65000:1 ]",
        b"neighbor 127.0.0.2 ipv4 unicast 10.1.0.0/24 next-hop",
        b"neighbor 127.0.0.2 ipv4 unicast 10.1.0.0/24 next-hop 198.51.100.1 community ] [",
        b"Neighbor 127.0.0\x1b[31m.2",
        b"Neighbor 127.0.0.\xff",
    ],
)
def test_inputs_that_once_broke_it_or_nearly(line: bytes) -> None:
    assert check(answers.Lines(), line) == 1


def test_bytes_without_a_newline_cost_bounded_memory() -> None:
    lines = answers.Lines()
    tracemalloc.start()
    try:
        for _ in range(1024):
            assert not list(lines.feed(b"x" * 65536))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * answers.MAX_LINE, f"{peak / MIB:.0f} MiB"
    assert list(lines.feed(b"end\ndone\n")) == ["done"], "the long line is dropped to its end, and nothing after it"


def test_many_short_lines_leave_nothing_behind() -> None:
    lines = answers.Lines()
    chunk = b"\n".join(REAL) + b"\n"
    tracemalloc.start()
    try:
        for _ in range(200):
            for line in lines.feed(chunk):
                answers.parse(line)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < MIB


def test_the_program_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["500", "7"]) == 0
    assert capsys.readouterr().out.startswith("500 inputs in ")
