"""The verbs on a real controller with a real ExaBGP: what plan foretells is what the upstream then hears."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from ipaddress import ip_address
from pathlib import Path as FilePath
from typing import Any

from rri_bgp.demo.updates import Change, on_the_wire
from rri_bgp.model import Attributes, Path
from rri_bgp.surroundings import look_now
from tests.integration.pair import DEADLINE
from tests.integration.test_lifecycle import Hub, changes, whole
from tests.values import pfx


async def rri(hub: Hub, *arguments: str) -> tuple[int, str, str]:
    """``rri-bgp ARGUMENTS`` against the hub: exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rri_bgp", *arguments, "--socket", f"{hub.folder}/run/control.sock",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    return process.returncode or 0, out.decode(), err.decode()


async def asked(hub: Hub, *arguments: str) -> dict[str, Any]:
    """The JSON document of a verb."""
    _, out, err = await rri(hub, *arguments, "--json")
    assert out, err
    found: dict[str, Any] = json.loads(out)
    return found


def as_heard(change: dict[str, Any]) -> Change:
    """What the upstream hears of a change that plan foretells."""
    after = change["after"]
    if after is None:
        return Change(pfx(change["prefix"]), None)
    attributes = Attributes(
        communities=tuple(_numbers(one) for one in after["communities"]),  # type: ignore[misc]  # two numbers
        large_communities=tuple(_numbers(one) for one in after["large_communities"]),  # type: ignore[misc]  # three
        med=after["med"],
        local_preference=after["local_preference"],
    )
    path = Path(ip_address(after["next_hop"]), attributes)
    return Change(pfx(change["prefix"]), on_the_wire(path))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(":")))


async def test_e4_what_plan_foretells_is_what_the_upstream_hears(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True)
    async with whole(hub) as (both, _speaker, _process):
        hub.tags["branch2"] += 1
        new = tmp_path / "new.yaml"
        old = hub.policy.read_text()
        hub.write_policy()
        new.write_text(hub.policy.read_text().replace("match: {connection: branch1}", "match: {connection: nobody}"))
        hub.policy.write_text(old)
        plan = await asked(hub, "plan", str(new))
        assert (plan["announced"], plan["withdrawn"], plan["changed"]) == (0, 2, 2)
        seen = len(both.history)
        report = await asked(hub, "reload", str(new))
        assert report["changes"] == plan["changes"]
        await both.until(lambda: len(both.history) >= seen + 4)
        heard = both.history[seen:]
        assert sorted(heard, key=str) == sorted(map(as_heard, plan["changes"]), key=str)
        assert [change.path is None for change in heard] == [False, False, True, True], "withdraws last"
        assert (await rri(hub, "plan", str(new)))[0] == 0


async def test_a_policy_that_nobody_confirms_is_taken_back_at_the_upstream(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True)
    async with whole(hub) as (both, _speaker, _process):
        good, seen = dict(hub.routes), len(both.history)
        hub.tags["branch2"] += 1
        hub.write_policy()
        assert (await rri(hub, "reload", "--confirm", "1"))[0] == 0
        await both.until(lambda: both.upstream.routes == hub.routes)
        await both.until(lambda: both.upstream.routes == good)
        moved = [prefix for prefix in good if good[prefix] != hub.routes[prefix]]
        assert both.history[seen:] == [*changes(hub.routes, moved), *changes(good, moved)]
        status = await asked(hub, "show", "status")
        assert (status["well"], status["confirm"]) == (False, None)
        assert "was not confirmed in time" in status["policy_error"]


async def test_a_policy_that_is_confirmed_stays_and_sighup_waits_for_that(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True)
    async with whole(hub) as (both, _speaker, process):
        hub.tags["branch2"] += 1
        hub.write_policy()
        await rri(hub, "reload", "--confirm", "1000")
        await both.until(lambda: both.upstream.routes == hub.routes)
        process.send_signal(signal.SIGHUP)
        await both.until(lambda: hub.said("SIGHUP is not obeyed") == 1)
        code, out, _ = await rri(hub, "confirm")
        assert (code, out) == (0, f"{hub.policy} is confirmed\n")
        hub.tags["branch1"] += 1
        hub.write_policy()
        process.send_signal(signal.SIGHUP)
        await both.until(lambda: both.upstream.routes == hub.routes)


async def test_g8_explain_says_what_the_neighbor_has(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True)
    async with whole(hub):
        story = await asked(hub, "explain", "10.1.0.0/16")
        (neighbor,) = story["route"]["sinks"]["exabgp"]["neighbors"]
        assert (neighbor["peer"], neighbor["state"]) == ("127.0.0.2", "confirmed")
        assert neighbor["paths"][0]["communities"] == ["65000:100"]
        assert [moment["path"]["next_hop"] for moment in story["history"]] == ["198.51.100.1"]
        peer = await asked(hub, "explain", "203.0.113.1")
        assert [sa["sa"]["uniqueid"] for sa in peer["peer"]["sas"]] == [1]
        code, out, _ = await rri(hub, "explain", "replay:2")
        assert (code, out.splitlines()[1].startswith("  not by entry internet 10 (")) == (0, True)


async def test_events_tell_of_the_reload(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True)
    async with whole(hub):
        following = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rri_bgp", "events", "--socket", f"{hub.folder}/run/control.sock",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert following.stdout is not None
        async with asyncio.timeout(DEADLINE):
            snapshot = [json.loads(await following.stdout.readline())]
            while snapshot[-1]["kind"] != "end":
                snapshot.append(json.loads(await following.stdout.readline()))
            hub.tags["branch1"] += 1
            hub.write_policy()
            await rri(hub, "reload")
            live = [json.loads(await following.stdout.readline()) for _ in range(2)]
        following.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(following.wait(), DEADLINE) == 0
    assert sum(item["kind"] == "route" for item in snapshot) == len(hub.routes)
    assert {(item["origin"], item["prefix"], item["route"]["tag"]) for item in live} == {
        ("live", "10.1.0.0/16", 101),
        ("live", "2001:db8:1::/48", 101),
    }


AROUND = """\
access-lists:
  far: [permit ip any 10.7.0.0/16]
  near: [permit ip any 10.8.0.0/16]
redundancy:
  here: {virtual-address: OURS}
  away: {virtual-address: 203.0.113.250}
vrfs:
  red: {table: 1234, rd: "65000:1", export: ["65000:1"]}
crypto-maps:
  static:
    entries:
      - {seq: 10, type: static, set-peer: localhost, match-address: far, reverse-route: {static: true}}
      - {seq: 20, type: static, set-peer: no-such-host.invalid, match-address: far, reverse-route: {static: true}}
      - {seq: 30, type: static, set-peer: 203.0.113.9, match-address: near, redundancy: here,
         reverse-route: {static: true}}
      - {seq: 40, type: static, set-peer: 203.0.113.9, match-address: near, redundancy: away,
         reverse-route: {static: true, tag: 5}}
"""


def is_ours(text: str) -> bool:
    """Whether an address of this machine may be a virtual one."""
    return ip_address(text).version == 4 and not ip_address(text).is_loopback


async def test_g2_e3_plan_looks_around_for_what_only_the_new_policy_names(tmp_path: FilePath) -> None:
    hub = Hub(tmp_path, is_service=True)
    async with whole(hub) as (both, _speaker, _process):
        ours = next(one for one in sorted(map(str, look_now().addresses)) if is_ours(one))
        new = tmp_path / "new.yaml"
        new.write_text(hub.policy.read_text().replace("crypto-maps:\n", AROUND.replace("OURS", f'"{ours}"')))
        plan = await asked(hub, "plan", str(new))
        report = await asked(hub, "reload", str(new))
        assert report["changes"] == plan["changes"]
        assert {(change["action"], change["prefix"], change["entry"]) for change in plan["changes"]} == {
            ("announce", "10.7.0.0/16", "static 10"),
            ("announce", "10.8.0.0/16", "static 30"),
        }
        await both.until(lambda: {pfx("10.7.0.0/16"), pfx("10.8.0.0/16")} <= both.upstream.routes.keys())
        status = await asked(hub, "show", "status")
        names = {one["name"]: one["addresses"] for one in status["names"]}
        assert names["no-such-host.invalid"] == []
        assert names["localhost"] != []
        assert {one["name"]: one["held"] for one in status["groups"]} == {"here": True, "away": False}
        assert (await asked(hub, "reload"))["changes"] == [
            change | {"action": "withdraw", "before": change["after"], "after": None} for change in plan["changes"]
        ]
