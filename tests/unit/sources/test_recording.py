"""Recordings: what is written is read again, what is no recording is one error with its line, and the replay of one."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rri_bgp.errors import UsageError
from rri_bgp.model import Mode, SaKey, SaPair, TrafficSelector
from rri_bgp.policy.config import ReplaySettings
from rri_bgp.sources.recording import Moment, Part, Recorder, check_header, read, read_in_parts
from rri_bgp.sources.replay import ReplaySource
from tests.values import sa, ts

DEADLINE = 20.0
HEADER = '{"format": "rri-bgp sa history", "version": 1}'

TEXT = st.text(st.characters() | st.sampled_from('\n\r\x00\x1b\u2028"\\'), max_size=20)
NUMBERS = st.integers(0, 2**32 - 1)


def selectors_of(version: int, bits: int) -> st.SearchStrategy[TrafficSelector]:
    ends = st.tuples(st.integers(0, 2**bits - 1), st.integers(0, 2**bits - 1)).map(sorted)
    ports = st.just([0, 65535]) | st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted)
    return st.builds(
        lambda ends, protocol, ports: TrafficSelector(version, ends[0], ends[1], protocol, (ports[0], ports[1])),
        ends,
        st.just(0) | st.integers(0, 255),
        ports,
    )


SELECTORS = st.lists(selectors_of(4, 32) | selectors_of(6, 128), max_size=4).map(tuple)
ADDRESSES: st.SearchStrategy[IPv4Address | IPv6Address] = st.ip_addresses(v=4) | st.ip_addresses(v=6)
KEYS = st.builds(SaKey, st.just("vici"), NUMBERS)
SAS = st.builds(
    SaPair,
    key=KEYS,
    connection=TEXT,
    child=TEXT,
    peer=ADDRESSES,
    local=ADDRESSES,
    remote_ts=SELECTORS,
    local_ts=SELECTORS,
    identity=TEXT,
    ike_id=NUMBERS,
    reqid=NUMBERS,
    mode=st.sampled_from(Mode),
    state=TEXT,
    if_id=NUMBERS,
    mark=NUMBERS,
    vrf=TEXT,
    since=NUMBERS,
    first=NUMBERS,
    is_suspect=st.booleans(),
    not_in_kernel=SELECTORS,
)
SNAPSHOTS = st.lists(SAS, max_size=3, unique_by=lambda one: one.key).map(
    lambda sas: Moment(0.0, is_snapshot=True, changes={one.key: one for one in sas})
)
UPDATES = st.tuples(st.lists(SAS, max_size=3), st.lists(KEYS, max_size=3)).map(
    lambda both: Moment(
        0.0, is_snapshot=False, changes={one.key: one for one in both[0]} | dict.fromkeys(both[1], None)
    )
)
LOSSES = st.text(min_size=1, max_size=20).map(lambda why: Moment(0.0, is_snapshot=False, changes={}, why=why))


class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.at: list[float] = []
        self.news = asyncio.Event()

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> None:
        self._note(source, list(sas))

    def update(self, source: str, changes: Mapping[SaKey, SaPair | None]) -> None:
        self._note(source, dict(changes))

    def lost(self, source: str, why: str) -> None:
        self._note(source, why)

    def _note(self, source: str, what: object) -> None:
        self.told.append((source, what))
        self.at.append(asyncio.get_running_loop().time())
        self.news.set()

    async def has(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(self.told) < count:
                self.news.clear()
                await self.news.wait()


def clock(*times: float) -> Callable[[], float]:
    """A clock that shows these."""
    return iter(times).__next__


def recording(file: Path, *lines: str | dict[str, Any]) -> Path:
    """A file with a good header and these lines."""
    text = [HEADER, *(line if isinstance(line, str) else json.dumps(line) for line in lines)]
    file.write_text("".join(f"{line}\n" for line in text))
    return file


def fields(**changes: object) -> dict[str, Any]:
    """One SA pair as a recording has it."""
    return {
        "uniqueid": 1, "connection": "branch1", "child": "net", "peer": "203.0.113.2", "local": "203.0.113.1",
        "remote_ts": [{"start": "10.1.0.0", "end": "10.1.255.255"}], "local_ts": [], "identity": "", "ike_id": 0,
        "reqid": 0, "mode": "tunnel", "state": "INSTALLED",
    } | changes  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


# Written, and read again


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SNAPSHOTS | UPDATES | LOSSES, max_size=4))
def test_what_is_recorded_is_read_again(file: Path, moments: list[Moment]) -> None:
    with file.open("w", encoding="utf-8") as stream:
        recorder = Recorder(stream, lambda: 0.0)
        for moment in moments:
            moment.tell("vici", recorder)
    assert list(read(file, "vici")) == moments
    assert recorder.moments == len(moments)


def test_a_recording_line_by_line() -> None:
    stream = io.StringIO()
    recorder = Recorder(stream, clock(100.0, 101.52, 109.1))
    ranged = ts("10.1.0.17..10.1.0.20", protocol=6, ports=(443, 443))
    recorder.snapshot("vici", [sa(1, "10.1.0.0/16", ranged)])
    recorder.update("vici", {SaKey("vici", 2): None})
    recorder.lost("vici", "connection closed")
    header, *moments = (json.loads(line) for line in stream.getvalue().splitlines())
    limited = {"start": "10.1.0.17", "end": "10.1.0.20", "protocol": 6, "ports": [443, 443]}
    assert header == json.loads(HEADER)
    assert moments == [
        {"at": 0.0, "snapshot": [fields(remote_ts=[{"start": "10.1.0.0", "end": "10.1.255.255"}, limited])]},
        {"at": 1.52, "update": [], "gone": [2]},
        {"at": 9.1, "lost": "connection closed"},
    ]


def test_each_moment_is_in_the_file_at_once(file: Path) -> None:
    with file.open("w", encoding="utf-8") as stream:
        recorder = Recorder(stream, lambda: 0.0)
        assert len(file.read_text().splitlines()) == 1
        recorder.snapshot("vici", [])
        assert len(file.read_text().splitlines()) == 2


def test_a_loss_without_a_reason_stays_a_loss(file: Path) -> None:
    with file.open("w", encoding="utf-8") as stream:
        Recorder(stream, lambda: 0.0).lost("vici", "")
    assert list(read(file, "vici")) == [Moment(0.0, is_snapshot=False, changes={}, why="unknown")]


def test_a_recording_may_be_played_as_any_source(file: Path) -> None:
    recording(file, {"at": 0, "update": [fields()], "gone": [2]})
    (moment,) = read(file, "replay")
    assert list(moment.changes) == [SaKey("replay", 1), SaKey("replay", 2)]


@pytest.mark.parametrize("kind", ["snapshot", "update"])
def test_a_moment_of_many_pairs_is_read_in_parts_and_then_whole(file: Path, kind: str) -> None:
    recording(file, {"at": 0, "update": [fields()]}, {"at": 2, kind: [fields(uniqueid=one) for one in range(100)]})
    few, *parts, whole = read_in_parts(file, "vici")
    assert [few, whole] == list(read(file, "vici"))
    assert len(parts) > 1
    assert all(isinstance(part, Part) and part.at == 2 and 0 < len(part.changes) < 50 for part in parts)
    told = [key for part in parts if isinstance(part, Part) for key in part.changes]
    assert isinstance(whole, Moment)
    assert told == list(whole.changes)[: len(told)]


def test_a_mistake_far_down_a_line_is_one_error_after_its_first_parts(file: Path) -> None:
    recording(file, {"at": 0, "snapshot": [fields(uniqueid=one) for one in range(90)] + [fields(peer="moon")]})
    reading = read_in_parts(file, "vici")
    assert isinstance(next(reading), Part)
    with pytest.raises(UsageError) as caught:
        list(reading)
    assert str(caught.value) == f"{file}:2: not a moment of a recording: 'moon' is no IP address"


# What is no recording


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "version: 1\n",
        '{"at": 0, "snapshot": []}\n',
        '{"format": "rri-bgp sa history", "version": 2}\n',
        '{"format": "another history", "version": 1}\n',
        "[" * 100_000 + "\n",
    ],
)
@pytest.mark.parametrize("use", [check_header, lambda file: list(read(file, "vici"))])
def test_a_file_without_the_header_is_no_recording(file: Path, text: str, use: Callable[[Path], object]) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        use(file)
    assert str(caught.value) == (
        f"{file}:1: not a recording: its first line must be {HEADER}\n  hint: `rri-bgp record FILE` makes one"
    )


@pytest.mark.parametrize("use", [check_header, lambda file: list(read(file, "vici"))])
def test_a_file_that_is_missing(file: Path, use: Callable[[Path], object]) -> None:
    with pytest.raises(UsageError) as caught:
        use(file)
    assert str(caught.value) == f"{file}: cannot read the recording: No such file or directory"


def test_a_file_that_is_no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError) as caught:
        check_header(file)
    assert str(caught.value).startswith(f"{file}: cannot read the recording: 'utf-8' codec can't decode byte 0xff")


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in fields().items() if key != name}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("broken", "Expecting value: line 1 column 1 (char 0)"),
        ({"snapshot": []}, "no field 'at'"),
        ({"at": 1}, "no field 'update'"),
        *(({"at": 1, "snapshot": [without(name)]}, f"no field '{name}'") for name in fields()),
        ({"at": 1, "snapshot": [fields(peer="moon")]}, "'moon' is no IP address"),
        ({"at": 1, "snapshot": [fields(mode="magic")]}, "'magic' is not a valid Mode"),
        ({"at": 1, "snapshot": [fields(remote_ts=[{"end": "10.1.0.0"}])]}, "no field 'start'"),
        (
            {"at": 1, "snapshot": [fields(remote_ts=[{"start": "10.2.0.0", "end": "10.1.0.0"}])]},
            "10.2.0.0 to 10.1.0.0 is no range",
        ),
        (
            {"at": 1, "snapshot": [fields(remote_ts=[{"start": "10.1.0.0", "end": "2001:db8::"}])]},
            "10.1.0.0 to 2001:db8:: is no range",
        ),
    ],
)
def test_a_line_that_is_no_moment_is_one_error_with_its_line(file: Path, line: str | dict[str, Any], what: str) -> None:
    recording(file, {"at": 0, "snapshot": []}, line)
    with pytest.raises(UsageError) as caught:
        list(read(file, "vici"))
    assert str(caught.value) == f"{file}:3: not a moment of a recording: {what}"


@pytest.mark.parametrize(
    "line",
    [
        "",
        '{"at": 1, "snapsh',
        "null",
        "7",
        "[]",
        '"at"',
        '{"at": null, "snapshot": []}',
        '{"at": "soon", "snapshot": []}',
        '{"at": 1, "snapshot": 7}',
        '{"at": 1, "snapshot": ["x"]}',
        '{"at": 1, "update": {}, "gone": 7}',
        '{"at": 1, "update": [], "gone": ["x"]}',
        json.dumps({"at": 1, "snapshot": [fields(remote_ts=[{"start": "10.0.0.0", "end": "10.0.0.1", "ports": [1]}])]}),
        json.dumps({"at": 1, "snapshot": [fields(remote_ts="10.1.0.0/16")]}),
        "[" * 100_000,
        '{"at": 1, "update": [], "gone": [Infinity]}',
        '{"at": 1' + "0" * 400 + ', "lost": "x"}',
    ],
)
def test_no_line_is_anything_but_a_moment_or_a_usage_error(file: Path, line: str) -> None:
    recording(file, line)
    with pytest.raises(UsageError) as caught:
        list(read(file, "vici"))
    assert caught.value.where == f"{file}:2"


# The replay


@contextlib.asynccontextmanager
async def playing(file: Path, speed: float) -> AsyncIterator[tuple[Observer, asyncio.Task[None]]]:
    observer = Observer()
    source = ReplaySource(ReplaySettings(file=file, speed=speed))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(source.run(observer))
        try:
            yield observer, task
        finally:
            task.cancel()


async def test_a_replay_plays_in_order_and_then_stays(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="rri_bgp.sources.replay")
    recording(
        file,
        {"at": 0, "snapshot": [fields()]},
        {"at": 30, "update": [fields(uniqueid=2)], "gone": [1]},
        {"at": 60, "lost": "connection closed"},
    )
    async with playing(file, speed=1000) as (observer, task):
        await observer.has(3)
        await asyncio.sleep(0)  # after its last moment it runs on without waiting
        assert "is over" in caplog.text
        is_over = task.done()
    one, two = (sa(uniqueid, "10.1.0.0/16", source="replay") for uniqueid in (1, 2))
    assert observer.told == [
        ("replay", [one]),
        ("replay", {two.key: two, one.key: None}),
        ("replay", "connection closed"),
    ]
    assert not is_over


@pytest.mark.parametrize(("speed", "seconds"), [(10.0, 0.2), (20.0, 0.1)])
async def test_a_replay_takes_its_time_by_its_speed(file: Path, speed: float, seconds: float) -> None:
    recording(file, {"at": 0, "lost": "a"}, {"at": 1, "lost": "b"}, {"at": 2, "lost": "c"})
    start = asyncio.get_running_loop().time()
    async with playing(file, speed) as (observer, _):
        await observer.has(3)
    took = [at - start for at in observer.at]
    assert took[1] >= seconds / 2
    assert took[2] >= seconds
    assert took[2] < seconds + DEADLINE / 2


async def test_a_long_snapshot_is_told_while_it_is_read(file: Path) -> None:
    recording(file, {"at": 0, "snapshot": [fields(uniqueid=one) for one in range(100)]})
    async with playing(file, speed=1) as (observer, _):
        await observer.has(1)
        told_at_first = len(observer.told)
        await observer.has(4)
    *parts, (_, whole) = observer.told
    assert told_at_first == 1
    assert isinstance(whole, list)
    assert [one.key.uniqueid for one in whole] == list(range(100))
    assert all(isinstance(part, dict) and all(one in whole for one in part.values()) for _, part in parts)


async def test_a_long_snapshot_that_is_not_due_is_not_told_while_it_is_read(file: Path) -> None:
    recording(file, {"at": 0, "lost": "a"}, {"at": 0.2, "snapshot": [fields(uniqueid=one) for one in range(100)]})
    start = asyncio.get_running_loop().time()
    async with playing(file, speed=1) as (observer, _):
        await observer.has(2)
    assert observer.at[1] - start >= 0.2


async def test_a_broken_line_in_the_middle_is_lost_and_not_raised(file: Path) -> None:
    recording(file, {"at": 0, "snapshot": [fields()]}, "broken", {"at": 1, "snapshot": []})
    async with playing(file, speed=1000) as (observer, task):
        await observer.has(2)
        await asyncio.sleep(0)
        is_over = task.done()
    what = "not a moment of a recording: Expecting value: line 1 column 1 (char 0)"
    assert observer.told[1:] == [("replay", f"{file}:3: {what}")]
    assert not is_over


def test_a_replay_of_no_recording_is_refused_before_it_runs(file: Path) -> None:
    file.write_text("version: 1\n")
    with pytest.raises(UsageError) as caught:
        ReplaySource(ReplaySettings(file=file))
    assert caught.value.where == f"{file}:1"
