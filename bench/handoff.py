"""One run of the hand-off's measurement, in a network namespace of its own.

``python -m bench.handoff WAY FOLDER ROUTES`` is run by ``bench.cases.handoff``.
The controller is the same in all three ways, fed by the same recording. ``bird`` and ``frr``: it hands off to that
daemon, beside it on the hub; ``exabgp``: it speaks with an ExaBGP. Upstream is a BIRD in another namespace, a link
away. Prints one line of JSON: the seconds from the snapshot until upstream has every route, with its tag, and the
controller's and the machine's CPU seconds meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from bench import BenchError, bird, load, proc
from bench.cases.bulk import reading_time
from bench.load import Step
from rri_bgp.demo.daemon import Daemon, accepting, running

__all__ = ["main"]

WAYS = ("bird", "frr", "exabgp")
_DEADLINE = 120.0
_LOOK = 0.01
_SETTLE = 4.0
"""Seconds: an FRR holds what it announces for up to 3 s after its session comes up."""
_BGP = 179
_POLICY = """\
version: 1
local: {{as: 65000, next-hop: [198.51.100.1, "2001:db8:100::1"]}}
sources: [replay: {{file: "{folder}/routes.jsonl"}}]
sinks: {{{sink}}}
control: {{socket: "{folder}/control.sock"}}
crypto-maps:
  internet: {{entries: [{{seq: 10, type: dynamic, reverse-route: {{tag: 100}}}}]}}
"""
_TAGGED = "show route where (65000, 1, 100) ~ bgp_large_community && (65000, 100) ~ bgp_community count"


async def measure(way: str, folder: Path, routes: int) -> dict[str, float]:
    """One run."""
    at = max(reading_time(routes), _SETTLE)
    snapshot = Step(at, [load.sa(number) for number in range(routes)], whole=True)
    load.recording(folder / "routes.jsonl", [Step(0.0), snapshot])
    async with contextlib.AsyncExitStack() as stack:
        upstream, control = stack.enter_context(bird.bird(folder, "upstream", bird.UPSTREAM, ("unshare", "--net")))
        await _until(control.exists, "upstream is there")
        _link(upstream.pid)
        await stack.enter_async_context(_speaker(way, folder))
        await _until(lambda: "Established" in bird.ask(control, "show protocols hub"), "the session is up")
        pid, at = await stack.enter_async_context(_controller(way, folder))
        used, busy = proc.usage(pid).cpu, proc.machine_busy()
        await _until(lambda: _learnt(control) >= routes, f"upstream has {routes} routes")
        found = {
            "total": (time.monotonic_ns() - at) / 1e9,
            "cpu": proc.usage(pid).cpu - used,
            "machine": proc.machine_busy() - busy,
        }
        tagged = re.match(r"(\d+) of", bird.ask(control, _TAGGED))
        if tagged is None or int(tagged[1]) != routes:
            raise BenchError(f"not all of {routes} routes have their tag: {tagged}")
        return found


async def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise BenchError(f"waited {_DEADLINE:g} s in vain until {what}")
        await asyncio.sleep(_LOOK)


def _learnt(control: Path) -> int:
    """How many routes upstream has."""
    return sum(map(int, re.findall(r"Routes: +(\d+) imported", bird.ask(control, "show protocols all hub"))))


def _link(upstream: int) -> None:
    """Joins this namespace and that of a process."""
    lines = (
        "link set lo up",
        f"link add lan type veth peer name lan netns {upstream}",
        "address add 198.51.100.1/24 dev lan",
        "address add 2001:db8:100::1/64 dev lan nodad",
        "link set lan up",
    )
    subprocess.run(("ip", "-batch", "-"), input="\n".join(lines).encode(), check=True)
    there = (
        "link set lo up",
        "address add 198.51.100.2/24 dev lan",
        "address add 2001:db8:100::2/64 dev lan nodad",
        "link set lan up",
    )
    enter = ("nsenter", f"--target={upstream}", "--net", "ip", "-batch", "-")
    subprocess.run(enter, input="\n".join(there).encode(), check=True)


@contextlib.asynccontextmanager
async def _speaker(way: str, folder: Path) -> AsyncIterator[None]:
    """Who announces."""
    if way == "bird":
        with bird.bird(folder, "hub", bird.configuration("bird")):
            yield
    elif way == "frr":
        with bird.frr(folder, bird.configuration("frr")):
            yield
    else:
        helper = (sys.executable, "-m", "rri_bgp", "attach", "--socket", str(folder / "exabgp.sock"))
        daemon = Daemon("exabgp", "198.51.100.1", "198.51.100.2", _BGP, helper, program=("rri_bgp", "exabgp"))
        async with running(daemon, folder):
            yield


@contextlib.asynccontextmanager
async def _controller(way: str, folder: Path) -> AsyncIterator[tuple[int, int]]:
    """The controller, and when (ns) it was told the snapshot: that has just been."""
    sink = f'exabgp: {{listen: "{folder}/exabgp.sock"}}' if way == "exabgp" else "hand-off: {table: 4242}"
    (folder / "policy.yaml").write_text(_POLICY.format(folder=folder, sink=sink))
    gate = folder / "gate"
    words = (sys.executable, "-m", "bench.plugin", str(gate), str(folder / "policy.yaml"), "noted:1")
    async with accepting(gate) as helpers:
        with (folder / "controller.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(*words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            async with asyncio.timeout(_DEADLINE):
                reader, writer = await helpers.get()
                await reader.readline()  # it is ready
                writer.write(b"\n")
                note = json.loads(await reader.readline())
            yield process.pid, note["at"]
        finally:
            process.terminate()
            await process.wait()


def main() -> None:
    """See the head of this file."""
    way, folder, routes = sys.argv[1:]
    print(json.dumps(asyncio.run(measure(way, Path(folder), int(routes)))))  # noqa: T201


if __name__ == "__main__":
    main()
