"""Nothing that ExaBGP could write makes the reader raise, and cutting the bytes elsewhere changes nothing."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.sinks.exabgp import answers
from rri_bgp.sinks.exabgp.held import held_route

PIECES = st.sampled_from((
    "done", "error", "shutdown", " 1", "exabgp ", "5.0.15", "{", "}", "[", "]", '"type": "state"', '"neighbor":', ", ",
    '"address": {"local": "a", "peer": 3}', "null", "192.0.2.2 ", "ipv4 ", "unicast ", "10.0.0.0/8", "/33", "\x00",
))  # fmt: skip
TEXT = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join))


@given(TEXT)
def test_no_line_raises(line: str) -> None:
    assert answers.parse(line) is not None
    answers.version(line)
    held_route(line)
    answers.neighbors(line)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_lines_do_not_depend_on_how_the_bytes_came(data: bytes, cuts: list[int]) -> None:
    whole = list(answers.Lines().feed(data))
    lines, edges = answers.Lines(), [0, *sorted(cuts), len(data)]
    assert [line for start, end in itertools.pairwise(edges) for line in lines.feed(data[start:end])] == whole
