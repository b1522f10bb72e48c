"""Whatever bytes the kernel's XFRM socket gives, reading them ends well.

What holds for every input, truncated, oversized, of a wrong length or nested: no exception but ``NetlinkError``, which
is short and shows no bytes; no more messages than there is room for; no key in any value; the table takes what is read.
More inputs than here: ``python -m tests.fuzz.xfrm COUNT``.
"""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rri_bgp.sources.xfrm.table import XfrmTable
from tests.fuzz.xfrm import REAL, check, inputs, main

COUNT = 20_000


def test_inputs_of_every_kind_are_read() -> None:
    table = XfrmTable("xfrm")
    assert sum(check(table, data, number / 10) for number, data in enumerate(islice(inputs(1), COUNT))) >= COUNT / 2


def test_real_messages_are_what_they_are() -> None:
    assert [check(XfrmTable("xfrm"), data) for data in REAL] == [1] * len(REAL)


@settings(deadline=None)
@given(st.binary(max_size=1000))
def test_bytes(data: bytes) -> None:
    check(XfrmTable("xfrm"), data)


@settings(deadline=None)
@given(st.lists(st.sampled_from(REAL), max_size=4), st.data())
def test_a_real_datagram_with_a_word_changed(messages: list[bytes], data: st.DataObject) -> None:
    datagram = bytearray(b"".join(messages))
    for _ in range(data.draw(st.integers(0, 3)) if datagram else 0):
        datagram[data.draw(st.integers(0, len(datagram) - 1))] = data.draw(st.integers(0, 255))
    check(XfrmTable("xfrm"), bytes(datagram))


def test_the_program_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["500", "7"]) == 0
    assert capsys.readouterr().out.startswith("500 inputs in ")
