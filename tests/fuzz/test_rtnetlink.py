"""Whatever bytes a socket to rtnetlink gives, reading them ends well.

What holds for every input, truncated, oversized, of a wrong length or nested, for both readers: no exception but
``NetlinkError``, which is short and printable; no more values than there is room for; prefixes without host bits, next
hops in their order; what people are shown is printable and short. More inputs than here: ``python -m
tests.fuzz.rtnetlink COUNT``.
"""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rri_bgp.surroundings.links import Table
from tests.fuzz.rtnetlink import REAL, check, inputs, main

COUNT = 20_000


def test_inputs_of_every_kind_are_read() -> None:
    table = Table()
    assert sum(check(table, data) for data in islice(inputs(1), COUNT)) >= COUNT


def test_real_messages_are_what_they_are() -> None:
    """Both readers know links, errors and ends; each has kinds of its own."""
    counts = {data: check(Table(), data) for data in REAL}
    assert min(counts.values()) >= 1
    assert max(counts.values()) <= 3


@settings(deadline=None)
@given(st.binary(max_size=1000))
def test_bytes(data: bytes) -> None:
    check(Table(), data)


@settings(deadline=None)
@given(st.lists(st.sampled_from(REAL), max_size=4), st.data())
def test_a_real_datagram_with_a_few_bytes_changed(messages: list[bytes], data: st.DataObject) -> None:
    datagram = bytearray(b"".join(messages))
    for _ in range(data.draw(st.integers(0, 3)) if datagram else 0):
        datagram[data.draw(st.integers(0, len(datagram) - 1))] = data.draw(st.integers(0, 255))
    check(Table(), bytes(datagram))


def test_the_program_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["500", "7"]) == 0
    assert capsys.readouterr().out.startswith("500 inputs in ")
