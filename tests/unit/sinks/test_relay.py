"""What leaves the relay for ExaBGP: whole lines of printable ASCII, whatever came and however it was cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.sinks.exabgp.relay import LineFilter

LONGEST = 65536

pieces = st.sampled_from((
    b"\n", b"announce route 10.0.0.0/8", b" ", b"x" * 40_000, b"y" * LONGEST, b"\r", b"\t", b"\x00", b"\x7f",
    b"\xc3\xa9", b"~", b"\n\n",
))  # fmt: skip
streams = st.one_of(st.binary(max_size=300), st.lists(pieces, max_size=12).map(b"".join))
cuts = st.lists(st.integers(0, 400_000), max_size=8)


def is_good(line: bytes) -> bool:
    return len(line) <= LONGEST and all(0x20 <= byte < 0x7F for byte in line)


def fed(data: bytes, where: list[int]) -> tuple[bytes, int]:
    one, edges = LineFilter(), [0, *sorted(min(cut, len(data)) for cut in where), len(data)]
    return b"".join(one.feed(data[start:end]) for start, end in itertools.pairwise(edges)), one.dropped


@given(streams, cuts)
def test_only_whole_printable_lines_leave_and_the_others_are_counted(data: bytes, where: list[int]) -> None:
    *lines, _rest = data.split(b"\n")
    out, dropped = fed(data, where)
    assert out == b"".join(line + b"\n" for line in lines if is_good(line))
    assert dropped == sum(not is_good(line) for line in lines)


@given(streams, streams, cuts)
def test_e7_after_a_reset_nothing_of_the_half_line_is_left(before: bytes, after: bytes, where: list[int]) -> None:
    one = LineFilter()
    one.feed(before)
    one.reset()
    edges = [0, *sorted(min(cut, len(after)) for cut in where), len(after)]
    out = b"".join(one.feed(after[start:end]) for start, end in itertools.pairwise(edges))
    assert out == fed(after, [])[0]


@pytest.mark.parametrize(("length", "passes"), [(LONGEST - 1, True), (LONGEST, True), (LONGEST + 1, False)])
def test_the_longest_line(length: int, passes: bool) -> None:
    line = b"x" * length + b"\n"
    for where in ([], [length - 1], [length], [1, 2, 3]):
        assert fed(line, where) == ((line, 0) if passes else (b"", 1))


def test_a_line_without_end_costs_bounded_memory() -> None:
    one = LineFilter()
    for _ in range(1000):
        assert one.feed(b"x" * 65536) == b""
        assert len(one._rest) <= LONGEST
    assert one.feed(b"tail\nversion\n") == b"version\n"
    assert one.dropped == 1
