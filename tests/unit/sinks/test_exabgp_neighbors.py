"""Several neighbours over one dialogue: who hears what, and what changes when a policy or the neighbours do."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from ipaddress import ip_address

from rri_bgp.model import Attributes, FlowRule, Path, VrfPrefix
from rri_bgp.policy.config import ExabgpSettings, OnExit
from rri_bgp.rri.entries import NeighborPolicy, Policy, Vrf
from rri_bgp.sinks import NeighborRoute, RouteState
from tests.unit.sinks.test_exabgp_sink import DEADLINE, Dialogue, dialogue
from tests.values import HUB4, entry, pfx, policy

A, B = "192.0.2.1", "192.0.2.2"
V4, OTHER = pfx("10.1.0.0/16"), pfx("10.2.0.0/16")
PATH = Path(HUB4)
SAY = "announce attributes next-hop 198.51.100.1 nlri"
RED = Vrf("red", 10, rd="65000:1", label=100)


def named(peer: str, **terms: object) -> NeighborPolicy:
    return NeighborPolicy(ip_address(peer), **terms)  # type: ignore[arg-type]


def neighbors(*peers: str, families: tuple[str, ...] = ("ipv4 unicast",), graceful: bool = False, asn: int = 1) -> str:
    """As ``show neighbor summary json`` prints those that are up."""
    return json.dumps(
        [
            {
                "fsm": "ESTABLISHED",
                "local": {"address": "a", "as": 1, "capabilities": {"graceful-restart": graceful}},
                "peer": {"address": peer, "as": asn},
                "families": list(families),
            }
            for peer in peers
        ]
    )


def event(peer: str, state: str) -> str:
    return json.dumps({"type": "state", "neighbor": {"address": {"local": "a", "peer": peer}, "state": state}})


async def begin(talk: Dialogue, told: str, *held: str) -> None:
    """The opening questions, answered."""
    await talk.expect("reset", "enable-ack", "version")
    talk.say("done", "exabgp 5.0.15", "done")
    await talk.expect("show neighbor summary json")
    talk.say(told, "done")
    await talk.expect("show adj-rib out extensive")
    talk.say(*held, "done")
    await talk.until_ready()


def load(talk: Dialogue, loaded: Policy) -> None:
    talk.wanted.policy = loaded
    talk.sink.take_settings(loaded)


async def test_each_neighbor_is_given_what_its_policy_says() -> None:
    async with dialogue() as talk:
        talk.wanted.policy = policy(entry(10, tag=100), entry(20), neighbors=(named(A, tags=frozenset((None,))),))
        await begin(talk, neighbors(A, B))
        talk.wanted.update({V4: PATH, OTHER: PATH})
        talk.wanted.ranks[OTHER] = 1
        talk.sink.changed([V4, OTHER])
        first, second = f"neighbor {A} {SAY} 10.2.0.0/16", f"neighbor {B} {SAY} 10.1.0.0/16 10.2.0.0/16"
        await talk.expect(first)
        talk.say("done")
        await talk.expect(second)
        talk.say("done")
        await talk.until(lambda: not talk.sink.status().pending)
        assert talk.sink.route(V4).state is RouteState.CONFIRMED
        assert set(talk.sink.route(V4).neighbors) == {
            NeighborRoute(A, RouteState.ABSENT, (), "it is not given routes of tag 100"),
            NeighborRoute(B, RouteState.CONFIRMED, (PATH,)),
        }


async def test_a_policy_that_is_loaded_sends_differences_only_and_after_the_command_in_flight() -> None:
    async with dialogue() as talk:
        await begin(talk, neighbors(A, B))
        talk.wanted[V4] = PATH
        talk.sink.changed([V4])
        await talk.expect(f"{SAY} 10.1.0.0/16")
        load(talk, policy(neighbors=(named(A, tags=frozenset((100,))),)))
        talk.sink.allow_withdraw()
        talk.say("done")
        await talk.expect(f"neighbor {A} withdraw attributes next-hop 198.51.100.1 nlri 10.1.0.0/16")
        talk.say("done")
        await talk.until(lambda: not talk.sink.status().pending)
        load(talk, policy())
        await talk.expect(f"{SAY} 10.1.0.0/16")
        talk.say("done")
        await talk.until(lambda: not talk.sink.status().pending)
        assert talk.counter("announced") == 2
        assert talk.counter("withdrawn") == 1


async def test_a_policy_that_changes_nothing_for_them_sends_nothing() -> None:
    async with dialogue() as talk:
        await begin(talk, neighbors(A, B))
        talk.wanted[V4] = PATH
        talk.sink.changed([V4])
        await talk.expect(f"{SAY} 10.1.0.0/16")
        talk.say("done")
        load(talk, policy(entry(10), entry(30)))
        talk.want(OTHER, PATH)
        await talk.expect(f"{SAY} 10.2.0.0/16")


async def test_a_neighbor_that_is_gone_is_noticed_by_the_refusal() -> None:
    async with dialogue() as talk:
        talk.wanted.policy = policy(neighbors=(named(A, vrf="red"),), vrfs=(RED,))
        await begin(talk, neighbors(A, B))
        talk.wanted[VrfPrefix("red", V4)] = PATH
        talk.sink.changed(talk.wanted)
        lines = []
        for _ in range(3):
            line = (await asyncio.wait_for(talk.reader.readline(), DEADLINE)).decode().strip()
            lines.append(line)
            if line == "show neighbor summary json":
                talk.say(neighbors(B), "done")
            else:
                talk.say("error" if line.startswith(f"neighbor {A}") else "done")
        vpn = f"neighbor {B} announce attributes next-hop 198.51.100.1 rd 65000:1 label 100 nlri 10.1.0.0/16"
        assert set(lines) == {f"neighbor {A} {SAY} 10.1.0.0/16", "show neighbor summary json", vpn}
        await talk.until(lambda: not talk.sink.status().pending)
        assert talk.sink.status().refused == 0
        assert [one.peer for one in talk.sink.status().neighbors] == [B]


async def test_a_family_that_a_neighbor_has_not_is_told() -> None:
    async with dialogue() as talk:
        await begin(talk, neighbors(A))
        load(talk, policy(vrfs=(RED,)))
        flow = FlowRule(V4, 6, (443, 443))
        talk.wanted.update({VrfPrefix("red", V4): PATH, flow: PATH})
        talk.sink.changed(talk.wanted)
        for _ in range(2):
            await asyncio.wait_for(talk.reader.readline(), DEADLINE)
            talk.say("done")
        await talk.until(lambda: not talk.sink.status().pending)
        assert talk.sink.status().detail == (
            f"neighbor {A} has no `ipv4 mpls-vpn`: it gets none of the IPv4 VPN routes; "
            f"neighbor {A} has no `ipv4 flow`: it gets none of the IPv4 flows"
        )
        assert talk.sink.route(flow).neighbors == (
            NeighborRoute(A, RouteState.ABSENT, (), "it has no `ipv4 flow`"),
        )  # fmt: skip


async def test_urgent_work_of_one_view_goes_before_the_bulk_of_another() -> None:
    async with dialogue() as talk:
        talk.wanted.policy = policy(neighbors=(named(A, vrf="red"),), vrfs=(RED,))
        await begin(talk, neighbors(A, B))
        bulk = [pfx(f"10.{high}.{low}.0/24") for high in (3, 4) for low in range(100)]
        talk.wanted.update(dict.fromkeys(bulk, PATH))
        talk.sink.changed(bulk, bulk=True)
        first = (await asyncio.wait_for(talk.reader.readline(), DEADLINE)).decode()
        assert first.startswith(f"neighbor {B} {SAY} ")
        talk.wanted[VrfPrefix("red", V4)] = PATH
        talk.sink.changed([VrfPrefix("red", V4)])
        talk.say("done")
        urgent = {(await asyncio.wait_for(talk.reader.readline(), DEADLINE)).decode().split(" nlri ")[0]}
        talk.say("done")
        urgent.add((await asyncio.wait_for(talk.reader.readline(), DEADLINE)).decode().split(" nlri ")[0])
        assert urgent == {
            f"neighbor {A} {SAY}".removesuffix(" nlri"),
            f"neighbor {B} announce attributes next-hop 198.51.100.1 rd 65000:1 label 100",
        }


async def test_g7_end_of_rib_is_told_for_each_family_once_the_table_is_out() -> None:
    async with dialogue() as talk:
        await begin(talk, neighbors(A, families=("ipv4 unicast", "ipv4 mpls-vpn", "ipv4 multicast"), graceful=True))
        talk.sink.allow_withdraw()
        await talk.expect(f"neighbor {A} announce eor ipv4 mpls-vpn")
        talk.say("done")
        await talk.expect(f"neighbor {A} announce eor ipv4 unicast")
        talk.say("done")


async def test_a_new_neighbor_is_given_all_and_asked_for_what_it_has() -> None:
    async with dialogue() as talk:
        await begin(talk, neighbors(A))
        talk.want(V4, PATH)
        await talk.expect(f"{SAY} 10.1.0.0/16")
        talk.say("done", event(B, "up"))
        await talk.expect("show neighbor summary json")
        talk.say(neighbors(A, B), "done")
        await talk.expect("show adj-rib out extensive")
        talk.say(f"neighbor {A} local-ip a ipv4 unicast 10.1.0.0/16 next-hop 198.51.100.1", "done")
        await talk.expect(f"{SAY} 10.1.0.0/16")


async def test_a_session_that_is_down_keeps_the_reason() -> None:
    async with dialogue() as talk:
        await begin(talk, neighbors(A))
        talk.say(event(A, "down"))
        await talk.until(lambda: talk.sink.status().neighbors[0].state == "down")


async def test_prepends_need_the_sessions_as() -> None:
    async with dialogue() as talk:
        prepended = Attributes(as_path_prepend=1)
        talk.wanted.policy = policy(entry(attributes=prepended))
        await begin(talk, neighbors(A, asn=2))
        talk.want(V4, Path(HUB4, prepended))
        await talk.expect("announce attributes next-hop 198.51.100.1 as-path [ 1 1 ] nlri 10.1.0.0/16")


async def test_on_exit_withdraw_takes_all_from_all() -> None:
    settings = ExabgpSettings(60.0, on_exit=OnExit.WITHDRAW)
    async with dialogue(settings=settings) as talk:
        talk.wanted.policy = policy(neighbors=(named(A, vrf="red"),))
        await begin(talk, neighbors(A, B))
        talk.want(V4, PATH)
        await talk.expect(f"neighbor {B} {SAY} 10.1.0.0/16")
        talk.say("done")
        await talk.until(lambda: not talk.sink.status().pending)
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
            group.create_task(talk.sink.finish())
            await talk.expect(f"neighbor {B} withdraw attributes next-hop 198.51.100.1 nlri 10.1.0.0/16")
            load(talk, policy())
            talk.say("done")


async def test_on_exit_keep_says_nothing() -> None:
    async with dialogue() as talk:
        await begin(talk, neighbors(A))
        await asyncio.wait_for(talk.sink.finish(), DEADLINE)
        assert talk.sink.status().pending == 0


def has_heard(talk: Dialogue, errors: int) -> bool:
    return talk.counter("errors") == errors


async def test_a_neighbor_of_another_process_is_left_alone_after_a_while() -> None:
    async with dialogue() as talk:
        talk.wanted.policy = policy(neighbors=(named(A, vrf="red"),))
        await begin(talk, neighbors(A, B))
        many = [pfx(f"10.{high}.{low}.0/24") for high in (3, 4) for low in range(100)]
        talk.wanted.update(dict.fromkeys(many, PATH))
        talk.sink.changed(many)
        refused = 0
        while talk.sink.status().pending:
            line = (await asyncio.wait_for(talk.reader.readline(), DEADLINE)).decode()
            if line.startswith("show neighbor"):
                talk.say(neighbors(A, B), "done")
            else:
                refused += 1
                talk.say("error")
            await talk.until(partial(has_heard, talk, refused))
        assert refused == 100
        why = "ExaBGP has refused all that was for it: does its `api` name this process?"
        assert talk.sink.status().detail == f"neighbor {B}: {why}"
        assert NeighborRoute(B, RouteState.ABSENT, (), why) in talk.sink.route(many[0]).neighbors
        talk.say(event(B, "up"))
        await talk.expect("show neighbor summary json")
