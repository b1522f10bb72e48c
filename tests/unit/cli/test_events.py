"""``rri-bgp events`` and ``watch``: what happens, for programs and for people."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from rri_bgp.cli.news import News
from rri_bgp.cli.picture import Picture
from rri_bgp.control.client import ask
from rri_bgp.control.protocol import Ask, Request
from rri_bgp.controller import Controller
from tests.unit.cli.support import Call
from tests.unit.control.small import DEADLINE, Quiet, served, small
from tests.values import policy, sa


@contextmanager
def process(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A verb that runs until it is told to end."""
    with subprocess.Popen(
        [sys.executable, "-m", "rri_bgp", *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as started:  # fmt: skip
        timer = threading.Timer(DEADLINE, started.kill)
        timer.start()
        try:
            yield started
        finally:
            timer.cancel()
            started.kill()


def lines_until(stream: Iterator[str], condition: Callable[[str], bool]) -> list[str]:
    found: list[str] = []
    for line in stream:
        found.append(line)
        if condition(line):
            return found
    raise AssertionError(f"it ended: {found}")


def test_events_are_lines_of_json_and_end_with_ctrl_c(live: Path) -> None:
    with process("events", "--json", "--socket", live) as following:
        assert following.stdout is not None
        lines = lines_until(following.stdout, lambda line: '"kind":"end"' in line)
        following.send_signal(signal.SIGINT)
        code = following.wait(DEADLINE)
    kinds = [json.loads(line)["kind"] for line in lines]
    assert (kinds, code) == (["status", "sa", "sa", "sa", "route", "route", "end"], 0)


def test_events_without_a_controller_is_exit_code_2(path: Path, call: Call) -> None:
    done = call("events", "--socket", path)
    assert (done.code, done.out, done.err.splitlines()[0]) == (2, "", f"rri-bgp: {path}: no such file or directory")


def test_events_end_with_2_when_the_controller_does(path: Path) -> None:
    with served(small()[0], path):
        following = process("events", "--socket", path)
        started = following.__enter__()
        assert started.stdout is not None
        lines_until(started.stdout, lambda line: '"kind":"end"' in line)
    code = started.wait(DEADLINE)
    assert started.stderr is not None
    error = started.stderr.read()
    following.__exit__(None, None, None)
    assert (code, error) == (2, f"rri-bgp: {path}: the answer ended early\n")


def test_watch_into_a_pipe_is_a_line_for_each_change_and_nothing_before(path: Path) -> None:
    controller, _ = small()
    with served(controller, path), process("watch", "--socket", path) as watching:
        stop = threading.Event()

        def flap() -> None:
            number = 0
            while not stop.wait(0.05):
                number += 1
                controller.lost("vici", f"for the {number}. time")

        flapping = threading.Thread(target=flap)
        flapping.start()
        assert watching.stdout is not None
        (line,) = lines_until(watching.stdout, lambda line: "source vici" in line)
        stop.set()
        flapping.join()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  source vici: lost: for the \d+\. time\n", line)


def test_watch_without_a_controller_is_exit_code_2(path: Path, call: Call) -> None:
    done = call("watch", "--socket", path)
    assert (done.code, done.out, done.err.splitlines()[0]) == (2, "", f"rri-bgp: {path}: no such file or directory")


# In words


SA = {
    "source": "vici", "uniqueid": 1, "connection": "branch1", "child": "net", "peer": "203.0.113.2",
    "identity": "[b]evil[/b]\x1b[2J", "remote_ts": ["10.1.0.0/16"], "entry": "mymap 10", "suspect": False,
    "not_in_kernel": [], "refusals": [],
}  # fmt: skip
ROUTE = {
    "next_hop": "198.51.100.1", "communities": ["65000:100"], "large_communities": [], "extended_communities": [],
    "med": 10, "local_preference": None, "as_path_prepend": 0, "alternates": [], "entry": "mymap 10",
}  # fmt: skip


def event(kind: str, **more: object) -> dict[str, object]:
    return {"time": 0.0, "origin": "live", "kind": kind, **more}


def test_news_are_told_in_words() -> None:
    news, place = News(), {"prefix": "10.1.0.0/16", "vrf": "", "flow": None}
    items = [
        event("sa", source="vici", uniqueid=1, sa=SA | {"identity": ""}),
        event("sa", source="vici", uniqueid=1, sa=SA | {"identity": "", "suspect": True}),
        event("sa", source="vici", uniqueid=1, sa=SA | {"identity": "", "not_in_kernel": ["10.1.0.0/16"]}),
        event("route", **place, route=ROUTE),
        event("route", **place, route=ROUTE | {"med": None}),
        event("route", **place, route=None),
        event("sa", source="vici", uniqueid=1, sa=None),
    ]
    assert [line for item in items for line in news.take(item)] == [
        "SA vici:1 (branch1/net, peer 203.0.113.2) is up: taken by entry mymap 10",
        "SA vici:1 (branch1/net, peer 203.0.113.2) has changed: taken by entry mymap 10, does not answer",
        "SA vici:1 (branch1/net, peer 203.0.113.2) has changed: taken by entry mymap 10, not in the kernel",
        "10.1.0.0/16 is announced: next hop 198.51.100.1, 65000:100, MED 10, entry mymap 10",
        "10.1.0.0/16 is changed: next hop 198.51.100.1, 65000:100, entry mymap 10",
        "10.1.0.0/16 is withdrawn",
        "SA vici:1 (branch1/net, peer 203.0.113.2) is gone",
    ]


def test_what_a_snapshot_has_is_no_news() -> None:
    assert News().take(event("sa", source="vici", uniqueid=1, sa=SA) | {"origin": "snapshot"}) == []


def drawn(picture: Picture) -> list[str]:
    console = Console(width=100, height=40, file=io.StringIO(), record=True, color_system=None)
    console.print(picture.draw(40))
    return console.export_text().splitlines()


def test_the_picture_fits_100_columns_and_shows_a_peers_words_as_they_are() -> None:
    picture = Picture()
    picture.take(event("sa", source="vici", uniqueid=1, sa=SA | {"remote_ts": ["10.1.0.0/16"] * 50}))
    picture.take(event("route", prefix="10.1.0.0/16", vrf="red", flow=None, route=ROUTE))
    lines = drawn(picture)
    assert max(map(len, lines)) <= 100
    assert any("[b]evil[/b]" in line for line in lines)
    assert [char for line in lines for char in line if not char.isprintable()] == []
    assert any(line.startswith("10.1.0.0/16 vrf red  198.51.100.1  65000:100") for line in lines)
    assert any("10.1.0.0/16 vrf red is announced" in line for line in lines)


def test_the_picture_of_a_controller_shows_what_is_well_first(path: Path) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [replace(sa(1, "10.1.0.0/16"), identity="branch1")])
    picture = Picture()
    with served(controller, path):
        for item in ask(path, Request(Ask.EVENTS)):
            picture.take(item)
            if item["kind"] == "end":
                break
    lines = drawn(picture)
    assert lines[0].startswith("rri-bgp 0.1.0: NOT well")
    assert "1 tunnel" in lines
    assert "1 route" in lines
