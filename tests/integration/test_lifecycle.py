"""The controller's life with real ExaBGPs: reloads, ends, crashes and restarts, as the upstream sees them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath

import pytest

from rri_bgp.demo.daemon import LISTENER, SPEAKER, free_port, running
from rri_bgp.demo.updates import Change, on_the_wire
from rri_bgp.model import Attributes, Path, Prefix
from tests.integration.pair import DEADLINE, Pair, Speaker, upstream
from tests.values import HUB4, HUB6, pfx

THIRD = "127.0.0.3"
BRANCHES: dict[str, tuple[str, ...]] = {
    "branch1": ("10.1.0.0/16", "2001:db8:1::/48"),
    "branch2": ("10.2.0.0/16", "10.3.0.0/16"),
}
POLICY = """\
version: 1
local: {{as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}}
sources:
  - replay: {{file: {folder}/sas.jsonl}}
sinks:
  exabgp: {{{sink}}}
control: {{socket: {folder}/run/control.sock}}
crypto-maps:
  internet:
    entries:
      - {{seq: 10, type: dynamic, match: {{connection: branch1}}, reverse-route: {{tag: {branch1}}}}}
      - {{seq: 20, type: dynamic, match: {{connection: branch2}}, reverse-route: {{tag: {branch2}}}}}
"""
TAGS = {"branch1": 100, "branch2": 200}


@dataclass
class Hub:
    """One gateway in a folder: its SAs, its policy, its ExaBGP's configuration, and how each is changed."""

    folder: FilePath
    is_service: bool
    on_exit: str = "keep"
    tags: dict[str, int] = field(default_factory=TAGS.copy)
    branches: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(BRANCHES))

    def __post_init__(self) -> None:
        (self.folder / "run").mkdir(mode=0o750)
        self.record()
        self.write_policy()

    @property
    def policy(self) -> FilePath:
        return self.folder / "hub.yaml"

    @property
    def log(self) -> FilePath:
        """Where the controller's words are: its own log as a service, ExaBGP's as a helper."""
        return self.folder / ("controller.log" if self.is_service else "speaker.log")

    @property
    def routes(self) -> dict[Prefix, Path]:
        """What the upstream should have."""
        return {
            prefix: on_the_wire(
                Path(
                    HUB4 if prefix.version == 4 else HUB6,
                    Attributes(
                        communities=((65000, self.tags[branch]),), large_communities=((65000, 1, self.tags[branch]),)
                    ),
                )
            )
            for branch, prefixes in self.branches.items()
            for prefix in map(pfx, prefixes)
        }

    def record(self) -> None:
        """One moment, and nothing changes any more."""
        sas = [
            {
                "uniqueid": number, "connection": branch, "child": "net", "peer": f"203.0.113.{number}",
                "local": "203.0.113.254", "mode": "tunnel", "state": "INSTALLED",
                "remote_ts": [{"start": first(prefix), "end": last(prefix)} for prefix in prefixes],
                "local_ts": [], "identity": branch, "ike_id": number, "reqid": number,
            }
            for number, (branch, prefixes) in enumerate(self.branches.items(), 1)
        ]  # fmt: skip
        lines = ({"format": "rri-bgp sa history", "version": 1}, {"at": 0.0, "snapshot": sas})
        (self.folder / "sas.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def write_policy(self) -> None:
        listen = f"listen: {self.folder}/run/exabgp.sock, " if self.is_service else ""
        sink = f"{listen}on-exit: {self.on_exit}, ack-timeout: 60"
        self.policy.write_text(POLICY.format(folder=self.folder, sink=sink, **self.tags))

    def speaker(self, port: int) -> Speaker:
        verb = f"attach --socket {self.folder}/run/exabgp.sock" if self.is_service else f"run --config {self.policy}"
        helper = (sys.executable, "-m", "rri_bgp", *verb.split())
        return Speaker("speaker", SPEAKER, LISTENER, port, helper)

    def said(self, text: str) -> int:
        """How often the controller has said that."""
        return self.log.read_text().count(text) if self.log.exists() else 0


def first(prefix: str) -> str:
    return prefix.partition("/")[0]


def last(prefix: str) -> str:
    network = pfx(prefix)
    return str(Prefix(network.version, network.last, 32 if network.version == 4 else 128)).split("/")[0]


@contextlib.asynccontextmanager
async def controller(hub: Hub) -> AsyncIterator[Process]:
    """The controller as a service; killed at the end if it still lives."""
    with hub.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rri_bgp", "run", "--config", str(hub.policy),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def whole(hub: Hub) -> AsyncIterator[tuple[Pair, Process, Process]]:
    """All of it, with the first table at the upstream: the listener, the speaker, and the controller or the speaker."""
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        both = await stack.enter_async_context(upstream(hub.folder, port))
        service = await stack.enter_async_context(controller(hub)) if hub.is_service else None
        speaker = await stack.enter_async_context(running(hub.speaker(port), hub.folder))
        await both.until(lambda: both.upstream.routes == hub.routes and hub.said("the first table is out") == 1)
        yield both, speaker, service or speaker


def children(pid: int) -> list[int]:
    return [int(word) for word in FilePath(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill_helper(speaker: Process, sent: signal.Signals) -> int:
    """Sends a signal to the only child of an ExaBGP; its process id."""
    (helper,) = children(speaker.pid)
    os.kill(helper, sent)
    return helper


def hang_up(hub: Hub, speaker: Process, running_controller: Process) -> None:
    """SIGHUP to the controller, whoever started it."""
    if hub.is_service:
        running_controller.send_signal(signal.SIGHUP)
    else:
        kill_helper(speaker, signal.SIGHUP)


async def status(hub: Hub) -> tuple[int, dict[str, object]]:
    """Exit code and output of ``rri-bgp show status --json``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rri_bgp", "show", "status", "--json", "--socket", f"{hub.folder}/run/control.sock",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), DEADLINE)
    return process.returncode or 0, json.loads(out) if out else {}


async def until_exit_code(hub: Hub, code: int) -> dict[str, object]:
    async with asyncio.timeout(DEADLINE):
        while True:
            found, item = await status(hub)
            if found == code and item:
                return item


async def only_a_change_of_branch2_is_seen(hub: Hub, both: Pair, speaker: Process, process: Process, seen: int) -> None:
    """A change made now is all that the upstream has heard since ``seen``: whatever came before it would be there."""
    before = hub.routes
    hub.tags["branch2"] += 1
    hub.write_policy()
    hang_up(hub, speaker, process)
    await both.until(lambda: both.upstream.routes == hub.routes)
    assert both.history[seen:] == changes(hub.routes, (p for p in hub.routes if before[p] != hub.routes[p]))


def changes(routes: dict[Prefix, Path], prefixes: Iterable[Prefix]) -> list[Change]:
    return [Change(prefix, routes[prefix]) for prefix in prefixes]


as_helper_and_service = pytest.mark.parametrize("is_service", [False, True], ids=["helper", "service"])


@as_helper_and_service
async def test_e4_another_tag_is_learned_without_a_withdraw(tmp_path: FilePath, is_service: bool) -> None:
    hub = Hub(tmp_path, is_service)
    async with whole(hub) as (both, speaker, process):
        seen, updates = len(both.history), both.upstream.updates
        await only_a_change_of_branch2_is_seen(hub, both, speaker, process, seen)
        assert both.upstream.updates == updates + 1
        assert {str(change.prefix) for change in both.history[seen:]} == set(BRANCHES["branch2"])


@as_helper_and_service
async def test_e4_a_broken_policy_changes_nothing_and_is_named(tmp_path: FilePath, is_service: bool) -> None:
    hub = Hub(tmp_path, is_service)
    async with whole(hub) as (both, speaker, process):
        seen = len(both.history)
        await until_exit_code(hub, 0)
        hub.policy.write_text("version: 1\nlocal: {as: 0}\n")
        hang_up(hub, speaker, process)
        item = await until_exit_code(hub, 1)
        assert str(hub.policy) in str(item["policy_error"])
        await only_a_change_of_branch2_is_seen(hub, both, speaker, process, seen)
        assert (await until_exit_code(hub, 0))["policy_error"] == ""


async def test_sigterm_withdraws_where_the_policy_says_so(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True, on_exit="withdraw")
    async with whole(hub) as (both, _speaker, process):
        process.terminate()
        assert await asyncio.wait_for(process.wait(), DEADLINE) == 0
        await both.until(lambda: not both.upstream.routes)
        async with controller(hub):
            await both.until(lambda: both.upstream.routes == hub.routes)


async def test_sigterm_keeps_the_routes_otherwise(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True)
    async with whole(hub) as (both, speaker, process):
        seen = len(both.history)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), DEADLINE) == 0
        async with controller(hub) as second:
            await both.until(lambda: hub.said("the first table is out") == 2)
            await only_a_change_of_branch2_is_seen(hub, both, speaker, second, seen)


async def test_g7_a_controller_that_crashed_and_is_back_sends_nothing(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True, on_exit="withdraw")
    async with whole(hub) as (both, speaker, process):
        seen, updates = len(both.history), both.upstream.updates
        process.kill()
        await process.wait()
        async with controller(hub) as second:
            await both.until(lambda: hub.said("the first table is out") == 2)
            assert (both.upstream.updates, both.upstream.routes) == (updates, hub.routes)
            await only_a_change_of_branch2_is_seen(hub, both, speaker, second, seen)


async def test_g7_what_ended_while_the_controller_was_away_is_withdrawn(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True)
    async with whole(hub) as (both, _speaker, process):
        seen = len(both.history)
        process.kill()
        await process.wait()
        hub.branches = {"branch1": BRANCHES["branch1"], "branch2": ("10.3.0.0/16", "10.4.0.0/16")}
        hub.record()
        async with controller(hub):
            await both.until(lambda: both.upstream.routes == hub.routes)
        gone, come = pfx("10.2.0.0/16"), pfx("10.4.0.0/16")
        assert sorted(map(str, both.history[seen:])) == sorted(
            map(str, (Change(gone, None), Change(come, hub.routes[come])))
        )


async def test_g7_a_helper_that_crashed_and_is_back_sends_nothing(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=False)
    async with whole(hub) as (both, speaker, process):
        seen, updates = len(both.history), both.upstream.updates
        kill_helper(speaker, signal.SIGKILL)
        await both.until(lambda: hub.said("the first table is out") == 2)
        assert (both.upstream.updates, both.upstream.routes) == (updates, hub.routes)
        await only_a_change_of_branch2_is_seen(hub, both, speaker, process, seen)


async def test_g7_a_relay_that_crashed_is_started_again_and_nothing_is_sent(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True)
    async with whole(hub) as (both, speaker, process):
        seen, updates = len(both.history), both.upstream.updates
        killed = kill_helper(speaker, signal.SIGKILL)
        await both.until(lambda: hub.said("ExaBGP exabgp is attached") == 2)
        await until_exit_code(hub, 0)
        assert killed not in children(speaker.pid)
        assert (both.upstream.updates, both.upstream.routes) == (updates, hub.routes)
        await only_a_change_of_branch2_is_seen(hub, both, speaker, process, seen)


async def test_a_helper_that_cannot_start_does_not_end_exabgp(tmp_path: FilePath) -> None:
    """ExaBGP ends itself after six starts in 64 s; three of ours take 30 s."""
    hub = Hub(tmp_path, is_service=False)
    hub.policy.write_text("version: 1\nlocal: {as: 0}\n")
    port = free_port()
    async with upstream(tmp_path, port) as both, running(hub.speaker(port), tmp_path) as speaker:
        await both.until(lambda: both.upstream.is_up)
        clock = asyncio.get_running_loop().time
        start = clock()
        await both.until(lambda: hub.said(f"rri-bgp: {hub.policy}") >= 3)
        assert clock() - start > 25, "no faster than one start in 12.8 s"
        assert speaker.returncode is None
        assert both.upstream.is_up


@as_helper_and_service
async def test_g7_end_of_rib_comes_after_the_routes(tmp_path: FilePath, is_service: bool) -> None:
    hub = Hub(tmp_path, is_service)
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        both = await stack.enter_async_context(upstream(tmp_path, port))
        if is_service:
            await stack.enter_async_context(controller(hub))
        speaker = replace(hub.speaker(port), more="manual-eor true; capability { graceful-restart 60; }")
        await stack.enter_async_context(running(speaker, tmp_path))
        await both.until(lambda: len(both.ends) >= 2)
        assert both.upstream.routes == hub.routes
        assert sorted(both.ends) == [("ipv4 unicast", len(hub.routes)), ("ipv6 unicast", len(hub.routes))]


def reload(speaker: Process, daemon: Speaker, folder: FilePath) -> None:
    """Rewrites ExaBGP's configuration and tells it."""
    (folder / "speaker.conf").write_text(daemon.config())
    speaker.send_signal(signal.SIGUSR1)


async def test_g7_a_neighbor_that_is_added_gets_the_whole_table(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=False)
    async with whole(hub) as (both, speaker, _process):
        seen = len(both.history)
        daemon = hub.speaker(port_of(both))
        async with upstream(tmp_path, daemon.port, name="third", local=THIRD) as third:
            reload(speaker, replace(daemon, others=(THIRD,)), tmp_path)
            await third.until(lambda: third.upstream.routes == hub.routes)
            assert all(change.path is not None for change in both.history[seen:]), "nothing was withdrawn elsewhere"
            assert both.upstream.routes == hub.routes


async def test_g7_a_neighbor_that_was_removed_and_is_back_gets_the_whole_table(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=False)
    async with whole(hub) as (both, speaker, _process):
        daemon = hub.speaker(port_of(both))
        async with upstream(tmp_path, daemon.port, name="third", local=THIRD) as third:
            both_peers = replace(daemon, others=(THIRD,))
            reload(speaker, both_peers, tmp_path)
            await third.until(lambda: third.upstream.routes == hub.routes)
            reload(speaker, daemon, tmp_path)
            await third.until(lambda: not third.upstream.is_up)
            reload(speaker, both_peers, tmp_path)
            await third.until(lambda: third.upstream.routes == hub.routes)
            assert both.upstream.routes == hub.routes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"families": ("ipv4 unicast",)}, {"families": ("ipv4 unicast", "ipv6 unicast")}),
        ({}, {"more": "description changed; outgoing-ttl 3;"}),
        ({}, {"more": "host-name changed;"}),
    ],
    ids=["a family more", "another ttl", "another name"],
)
async def test_g7_a_neighbor_that_is_changed_gets_what_it_lacks(
    tmp_path: FilePath, before: dict[str, Sequence[str]], after: dict[str, Sequence[str]]
) -> None:
    hub = Hub(tmp_path, is_service=False)
    port = free_port()
    daemon = hub.speaker(port)
    async with upstream(tmp_path, port) as both, running(changed(daemon, before), tmp_path) as speaker:
        ipv4 = {prefix for prefix in hub.routes if prefix.version == 4}
        await both.until(lambda: both.upstream.routes.keys() >= ipv4 and hub.said("the first table is out") == 1)
        reload(speaker, changed(daemon, after), tmp_path)
        await both.until(lambda: any(not up for up in both.states[1:]))
        await both.until(lambda: both.upstream.routes == hub.routes)


def changed(daemon: Speaker, fields: dict[str, Sequence[str]]) -> Speaker:
    return replace(daemon, **fields)  # type: ignore[arg-type]


def port_of(both: Pair) -> int:
    """The port of its listener."""
    words = (both.folder / "speaker.conf").read_text().split("connect ")[1]
    return int(words.split(";")[0])
