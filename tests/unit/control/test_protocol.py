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
    b'{"schema":1', b'"ask":', b'"routes"', b'"reload"', b'"confirm":', b'"what":', b"{", b"}", b"[", b"]", b",", b"1",
    b"1e999", b"\xff", b"\\u", b"NaN", b'"', b"9" * 4000, b"[" * 2000,
))  # fmt: skip


SECONDS = st.integers(1, 1_000_000) | st.floats(0, 1_000_000, exclude_min=True)
REQUESTS = (
    st.builds(Request, st.sampled_from(Ask))
    | st.builds(lambda what, vrf: Request(Ask.EXPLAIN, {"what": what, "vrf": vrf}), TEXT, TEXT)
    | st.builds(lambda file, confirm: Request(Ask.RELOAD, {"file": file, "confirm": confirm}), TEXT, SECONDS)
)


ALL = "status, routes, sas, refusals, kernel, explain, state, events, reload, confirm"
SECONDS_ALLOWED = "must be a number of seconds, above 0 and up to 1000000"


@given(REQUESTS)
def test_a_request_is_read_as_it_was_written(request: Request) -> None:
    assert read_request(request.line()) == request


@given(st.dictionaries(TEXT, TEXT | st.integers() | st.none(), max_size=4))
def test_a_message_is_one_line_of_ascii_and_is_read_as_it_was_written(message: dict[str, object]) -> None:
    line = encode(message)
    assert (line.count(b"\n"), line[-1:], line.isascii()) == (1, b"\n", True)
    assert decode(line) == message


def test_a_request_on_the_wire() -> None:
    assert Request(Ask.ROUTES).line() == b'{"schema":1,"ask":"routes"}\n'
    explain = Request(Ask.EXPLAIN, {"what": "10.1.0.0/16", "vrf": "red"})
    assert explain.line() == b'{"schema":1,"ask":"explain","what":"10.1.0.0/16","vrf":"red"}\n'
    reload = Request(Ask.RELOAD, {"file": "/etc/hub.yaml", "confirm": 60})
    assert reload.line() == b'{"schema":1,"ask":"reload","file":"/etc/hub.yaml","confirm":60}\n'


def test_what_was_left_out_is_empty() -> None:
    assert (Request(Ask.RELOAD).text("file"), Request(Ask.RELOAD).seconds("confirm")) == ("", None)
    assert Request(Ask.RELOAD, {"confirm": 60}).seconds("confirm") == 60.0


def test_the_longest_path_fits_a_request() -> None:
    longest = Request(Ask.RELOAD, {"file": "/" + "\xe9" * 2047, "confirm": 999_999.999})
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


@given(JSON | st.sampled_from([ask.value for ask in Ask]), JSON, JSON)
def test_any_values_in_the_fields_are_a_request_or_a_protocol_error(ask: object, what: object, confirm: object) -> None:
    message = {"schema": SCHEMA, "ask": ask, "what": what, "file": what, "confirm": confirm, "more": what}
    assert is_request_or_protocol_error(encode(message))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"routes\n", "not a line of JSON"),
        (b"", "not a line of JSON"),
        (b"\xff\xfe\n", "not a line of JSON"),
        (b'["schema", 1]\n', "not a JSON object"),
        (b'{"ask": "routes"}\n', "schema None; this controller speaks 1"),
        (b'{"schema": 2, "ask": "routes"}\n', "schema 2; this controller speaks 1"),
        (b'{"schema": 1}\n', f"nobody can ask for None; allowed: {ALL}"),
        (b'{"schema": 1, "ask": "reboot"}\n', f"nobody can ask for 'reboot'; allowed: {ALL}"),
        (b'{"schema": 1, "ask": ["sas"]}\n', f"nobody can ask for ['sas']; allowed: {ALL}"),
        (b'{"schema": 1, "ask": "explain", "what": 10}\n', "`what` must be text"),
        (b'{"schema": 1, "ask": "reload", "confirm": 0}\n', f"`confirm` {SECONDS_ALLOWED}"),
        (b'{"schema": 1, "ask": "reload", "confirm": true}\n', f"`confirm` {SECONDS_ALLOWED}"),
        (b'{"schema": 1, "ask": "reload", "confirm": NaN}\n', f"`confirm` {SECONDS_ALLOWED}"),
        (b'{"schema": 1, "ask": "reload", "confirm": 1e7}\n', f"`confirm` {SECONDS_ALLOWED}"),
    ],
)
def test_a_line_that_is_no_request_is_refused_in_words(line: bytes, what: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_request(line)
    assert str(caught.value) == what


def test_a_field_that_is_not_known_yet_is_passed_over() -> None:
    assert read_request(b'{"schema": 1, "ask": "sas", "colour": "red"}\n') == Request(Ask.SAS)
