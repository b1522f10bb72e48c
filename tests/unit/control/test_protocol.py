"""The control socket's wire format: what is written is read again, and no line makes the reader fall over."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rri_bgp.control.protocol import MAX_REQUEST, SCHEMA, Ask, Request, decode, encode, read_request
from rri_bgp.errors import ProtocolError

TEXT = st.text(st.characters(), max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PIECES = st.sampled_from((
    b'{"schema":1', b'"ask":', b'"routes"', b'"prefix":', b"{", b"}", b"[", b"]", b",", b"1", b"1e999", b"\xff", b"\\u",
    b"NaN", b'"', b"9" * 4000, b"[" * 2000,
))  # fmt: skip


@given(st.sampled_from(Ask), TEXT)
def test_a_request_is_read_as_it_was_written(ask: Ask, prefix: str) -> None:
    request = Request(ask, prefix)
    assert read_request(request.line()) == request


@given(st.dictionaries(TEXT, TEXT | st.integers() | st.none(), max_size=4))
def test_a_message_is_one_line_of_ascii_and_is_read_as_it_was_written(message: dict[str, object]) -> None:
    line = encode(message)
    assert (line.count(b"\n"), line[-1:], line.isascii()) == (1, b"\n", True)
    assert decode(line) == message


def test_a_request_on_the_wire() -> None:
    assert Request(Ask.ROUTES).line() == b'{"schema":1,"ask":"routes"}\n'
    assert Request(Ask.EXPLAIN, "10.1.0.0/16").line() == b'{"schema":1,"ask":"explain","prefix":"10.1.0.0/16"}\n'


def test_the_longest_prefix_fits_a_request() -> None:
    longest = Request(Ask.EXPLAIN, "2001:0db8:0000:0000:0000:0000:203.0.113.255/128")
    assert len(longest.line()) < MAX_REQUEST


def is_request_or_protocol_error(line: bytes) -> bool:
    with contextlib.suppress(ProtocolError):
        return isinstance(read_request(line), Request)
    return True


@given(st.binary(max_size=200) | st.lists(PIECES, max_size=8).map(b"".join))
@example(b"")
@example(b"\n")
@example(b"[" * 100_000)
@example(b"9" * 10_000)
def test_any_bytes_are_a_request_or_a_protocol_error(line: bytes) -> None:
    assert is_request_or_protocol_error(line)


@given(JSON, JSON, JSON)
def test_any_values_in_the_fields_are_a_request_or_a_protocol_error(ask: object, prefix: object, more: object) -> None:
    assert is_request_or_protocol_error(encode({"schema": SCHEMA, "ask": ask, "prefix": prefix, "more": more}))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"routes\n", "not a line of JSON"),
        (b"", "not a line of JSON"),
        (b"\xff\xfe\n", "not a line of JSON"),
        (b'["schema", 1]\n', "not a JSON object"),
        (b'{"ask": "routes"}\n', "schema None; this controller speaks 1"),
        (b'{"schema": 2, "ask": "routes"}\n', "schema 2; this controller speaks 1"),
        (b'{"schema": 1}\n', "nobody can ask for None; allowed: status, routes, sas, explain"),
        (b'{"schema": 1, "ask": "reload"}\n', "nobody can ask for 'reload'; allowed: status, routes, sas, explain"),
        (b'{"schema": 1, "ask": ["sas"]}\n', "nobody can ask for ['sas']; allowed: status, routes, sas, explain"),
        (b'{"schema": 1, "ask": "explain", "prefix": 10}\n', "the prefix must be text"),
    ],
)
def test_a_line_that_is_no_request_is_refused_in_words(line: bytes, what: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_request(line)
    assert str(caught.value) == what


def test_a_field_that_is_not_known_yet_is_passed_over() -> None:
    assert read_request(b'{"schema": 1, "ask": "sas", "colour": "red"}\n') == Request(Ask.SAS)
