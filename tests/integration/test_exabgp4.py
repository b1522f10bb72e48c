"""The sink on a real ExaBGP 4.2, which many distributions still ship, seen by a real ExaBGP 5.

4.2 lives in a virtual environment of its own: one interpreter cannot have both.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path as FilePath

import pytest

from rri_bgp.demo.daemon import LISTENER, SPEAKER, Daemon, accepting, free_port
from rri_bgp.demo.updates import on_the_wire
from rri_bgp.model import Attributes, Destination, Path, Prefix
from rri_bgp.sinks import RouteState
from tests.integration.pair import DEADLINE, Pair, Speaker, Wanted, sinking, upstream
from tests.values import HUB4, HUB6, pfx

VERSION = "4.2.25"
HOME = FilePath(__file__).parents[2] / ".lab" / f"exabgp-{VERSION}"
INSTALLING = 300
"""Seconds; once on a machine."""

RED = Attributes(communities=((65000, 100), (65000, 7)), large_communities=((65000, 1, 4294967295),))
BLUE = Attributes(communities=((65000, 200),), med=5, local_preference=200)
V4, V6 = pfx("10.1.0.0/16"), pfx("2001:db8:1::/48")
BOTH = ("ipv4 unicast", "ipv6 unicast")

pytestmark = pytest.mark.timeout(INSTALLING + 120)


@pytest.fixture(scope="session")
def exabgp4() -> FilePath:
    """The program ``exabgp`` of 4.2.25."""
    program = HOME / "bin" / "exabgp"
    if not program.exists():
        python = HOME / "bin" / "python"
        for command in (
            [sys.executable, "-m", "venv", str(HOME)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"exabgp=={VERSION}"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALLING)
            assert done.returncode == 0, done.stdout + done.stderr
    return program


@contextlib.asynccontextmanager
async def pair4(
    folder: FilePath, program: FilePath, families: tuple[str, ...] = BOTH, more: str = ""
) -> AsyncIterator[Pair]:
    """As ``pair``, with 4.2 as the speaker."""
    port = free_port()
    helper = (sys.executable, "-m", "rri_bgp.demo.listener", str(folder / "speaker.sock"))
    speaker = Speaker(
        "speaker", SPEAKER, LISTENER, port, helper, families=families, more=more,
        environment={"exabgp.log.level": "ERR"},
    )  # fmt: skip
    async with accepting(folder / "speaker.sock") as helpers, upstream(folder, port) as both:
        both.helpers = helpers
        async with running4(program, speaker, folder):
            await both.until(lambda: both.upstream.is_up)
            yield both


@contextlib.asynccontextmanager
async def running4(program: FilePath, speaker: Daemon, folder: FilePath) -> AsyncIterator[None]:
    """4.2 has no verb ``server``. It ends its helper on SIGTERM."""
    config = folder / "speaker.conf"
    config.write_text(speaker.config())
    with (folder / "speaker.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            str(program), str(config),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=speaker.environ(), cwd=folder,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        for step in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(step)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10.0):
                    await process.wait()
                    break


def has_exactly(both: Pair, wanted: Wanted) -> bool:
    return both.upstream.routes == {prefix: on_the_wire(path) for prefix, path in wanted.items()}


def many(count: int) -> list[Prefix]:
    return [Prefix(4, (10 << 24) + (number << 8), 24) for number in range(count)]


async def test_routes_of_both_families_arrive_as_they_are_wanted(tmp_path: FilePath, exabgp4: FilePath) -> None:
    wanted = Wanted({V4: Path(HUB4, RED), pfx("0.0.0.0/1"): Path(HUB4, BLUE), V6: Path(HUB6, RED)})
    async with pair4(tmp_path, exabgp4) as both, sinking(both, wanted) as sink:
        sink.changed(wanted)
        await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
        assert sink.route(V4).state is RouteState.CONFIRMED
        assert [(one.local, one.peer, one.state) for one in sink.status().neighbors] == [
            ("127.0.0.1", "127.0.0.2", "up")
        ]
        assert sink.status().detail == ""
        assert "answers lost" not in dict(sink.status().counters)


async def test_e13_another_path_replaces_in_one_update_and_the_same_path_sends_none(
    tmp_path: FilePath, exabgp4: FilePath
) -> None:
    wanted = Wanted({V4: Path(HUB4, RED)})
    async with pair4(tmp_path, exabgp4) as both, sinking(both, wanted) as sink:
        sink.changed([V4])
        await both.until(lambda: has_exactly(both, wanted))
        before, seen = both.upstream.updates, len(both.history)
        wanted[V4] = Path(HUB4, BLUE)
        sink.changed([V4])
        await both.until(lambda: has_exactly(both, wanted))
        sink.changed([V4])
        end = pfx("10.99.0.0/16")
        wanted[end] = Path(HUB4)
        sink.changed([end])
        await both.until(lambda: has_exactly(both, wanted))
        assert both.upstream.updates - before == 2
        assert [change.prefix for change in both.history[seen:]] == [V4, end]


async def test_g7_a_new_life_withdraws_what_nobody_owns_and_resends_nothing_else(
    tmp_path: FilePath, exabgp4: FilePath
) -> None:
    kept, stale, fresh = (V4, V6), (pfx("10.2.0.0/16"), pfx("2001:db8:2::/48")), pfx("10.3.0.0/16")
    wanted = Wanted({prefix: Path(HUB4 if prefix.version == 4 else HUB6, RED) for prefix in (*kept, *stale)})
    async with pair4(tmp_path, exabgp4) as both:
        async with sinking(both, wanted) as sink:
            sink.changed(wanted)
            await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
        seen = len(both.history)
        for prefix in stale:
            del wanted[prefix]
        wanted[fresh] = Path(HUB4, BLUE)
        async with sinking(both, wanted) as sink:
            sink.changed(wanted)
            await both.until(lambda: fresh in both.upstream.routes)
            assert all(prefix in both.upstream.routes for prefix in stale), "no source has spoken yet"
            sink.allow_withdraw()
            await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
        assert {change.prefix for change in both.history[seen:]} == {*stale, fresh}


async def test_a_bulk_arrives_and_goes(tmp_path: FilePath, exabgp4: FilePath) -> None:
    wanted = Wanted({prefix: Path(HUB4, BLUE) for prefix in many(1000)})
    async with pair4(tmp_path, exabgp4) as both, sinking(both, wanted) as sink:
        sink.allow_withdraw()
        sink.changed(wanted)
        await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
        gone = many(1000)[::2]
        for prefix in gone:
            del wanted[prefix]
        sink.changed(gone)
        await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)
        assert "answers lost" not in dict(sink.status().counters)


async def test_what_exabgp_would_mangle_is_refused_and_the_rest_arrives(tmp_path: FilePath, exabgp4: FilePath) -> None:
    wrong: dict[Destination, Path] = {
        pfx("10.5.0.0/16"): Path(HUB6),
        pfx("2001:db8:5::/48"): Path(HUB4),
        pfx("10.6.0.0/16"): Path(HUB4, Attributes(communities=((65000, 70000),))),
        pfx("10.8.0.0/16"): Path(IPv4Address(0)),
    }
    good = Wanted({V4: Path(HUB4, RED)})
    wanted = Wanted(wrong | dict(good))
    async with pair4(tmp_path, exabgp4) as both, sinking(both, wanted) as sink:
        sink.changed(wanted)
        await both.until(lambda: has_exactly(both, good))
        assert sink.status().refused == len(wrong)


async def test_a_neighbor_without_the_family_is_named(tmp_path: FilePath, exabgp4: FilePath) -> None:
    wanted = Wanted({V4: Path(HUB4), V6: Path(HUB6)})
    async with pair4(tmp_path, exabgp4, families=("ipv4 unicast",)) as both, sinking(both, wanted) as sink:
        sink.changed(wanted)
        await both.until(lambda: V4 in both.upstream.routes and not sink.status().pending)
        assert sink.status().detail == "neighbor 127.0.0.2 has no `ipv6 unicast`: it gets none of the IPv6 routes"


@pytest.mark.parametrize("flaps", [1, 50])
async def test_e7_a_flap_that_outruns_the_queue_ends_as_wanted(
    tmp_path: FilePath, exabgp4: FilePath, flaps: int
) -> None:
    wanted = Wanted()
    async with pair4(tmp_path, exabgp4) as both, sinking(both, wanted) as sink:
        sink.allow_withdraw()
        for flap in range(flaps):
            wanted[V4] = Path(HUB4, RED if flap % 2 else BLUE)
            sink.changed([V4])
            del wanted[V4]
            sink.changed([V4])
        wanted[V4] = Path(HUB4, RED)
        sink.changed([V4])
        await both.until(lambda: has_exactly(both, wanted) and not sink.status().pending)


async def test_g7_end_of_rib_comes_after_the_routes(tmp_path: FilePath, exabgp4: FilePath) -> None:
    wanted = Wanted({V4: Path(HUB4, RED), V6: Path(HUB6, RED)})
    more = "manual-eor true; capability { graceful-restart 60; }"
    async with pair4(tmp_path, exabgp4, more=more) as both, sinking(both, wanted) as sink:
        sink.changed(wanted)
        sink.allow_withdraw()
        await both.until(lambda: len(both.ends) >= 2)
        assert sorted(both.ends) == [("ipv4 unicast", 2), ("ipv6 unicast", 2)]


async def test_a_command_that_4_never_answers_is_noticed(tmp_path: FilePath, exabgp4: FilePath) -> None:
    """The docstring of ``dialogue`` says so; if 4.2 did answer, the probe would not be needed."""
    async with pair4(tmp_path, exabgp4) as both:
        reader, writer = await both.helper()
        writer.write(b"announce attributes next-hop 198.51.100.1 nonsense 1 nlri 10.1.0.0/16\nshow neighbor summary\n")
        lines = [await asyncio.wait_for(reader.readline(), DEADLINE)]
        while lines[-1].strip() not in (b"done", b"error"):
            lines.append(await asyncio.wait_for(reader.readline(), DEADLINE))
        words = [line for line in lines if not line.startswith(b"{")]
        assert words[0].startswith(b"Peer "), words
        assert len(words) == 3, words
