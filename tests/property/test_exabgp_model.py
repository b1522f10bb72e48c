"""The whole sink against a model of ExaBGP that speaks the text protocol in memory.

The model answers late, refuses, forgets answers, prints garbage, loses sessions, is given neighbours and helpers. When
all has settled, every neighbour's table is what was wanted less what is refused. No sockets; the clock is ours.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from rri_bgp.model import Attributes, Destination, Path, Prefix, prefix_of
from rri_bgp.policy.config import ExabgpSettings
from rri_bgp.sinks import RouteState
from rri_bgp.sinks.exabgp.commands import PROBE_BEGINS
from rri_bgp.sinks.exabgp.forms import MAX_NLRI
from rri_bgp.sinks.exabgp.sink import ExabgpSink
from tests.values import HUB4, HUB6
from tests.wanted import Wanted

ACK_TIMEOUT = 10.0
FAMILY = {4: "ipv4 unicast", 6: "ipv6 unicast"}
PREFIXES = [Prefix(4, number << 8, 24) for number in range(60)] + [Prefix(6, number << 64, 64) for number in range(60)]
HUB = {4: HUB4, 6: HUB6}
PATHS = {
    "first": Attributes(),
    "second": Attributes(communities=((65000, 100), (65000, 7)), med=1),
    "poison": Attributes(med=666),
}
GARBAGE = ("debris", '{"type": "update"}', "{", "[", "", "neighbor", "Neighbor x", '{"type": "state", "neighbor": 1}')
PEERS = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")

few = st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=4)
spans = st.tuples(st.integers(0, len(PREFIXES)), st.integers(0, len(PREFIXES))).map(
    lambda ends: PREFIXES[slice(*sorted(ends))]
)
choices = st.sampled_from((*PATHS, "other family", "nothing"))
peers = st.sampled_from(PEERS)


def spoilt(prefix: Destination, path: Path) -> bool:
    """The model refuses it, and with it the whole command."""
    assert isinstance(prefix, Prefix)
    return path.attributes == PATHS["poison"] and PREFIXES.index(prefix) % 2 == 1


@dataclass
class Neighbor:
    """``table`` is the adj-RIB-out; it outlives sessions."""

    families: frozenset[str]
    up: bool = True
    table: dict[Prefix, Path] = field(default_factory=dict)


@dataclass
class ExaBgp:
    """``inbox`` holds the lines that it has not run, ``outbox`` the bytes that its helper has not read."""

    neighbors: dict[str, Neighbor]
    inbox: deque[str] = field(default_factory=deque)
    outbox: bytearray = field(default_factory=bytearray)

    def say(self, *lines: str) -> None:
        for line in lines:
            self.outbox += line.encode() + b"\n"

    def run(self, *, noise: bool = False, forget: bool = False, lose: bool = False) -> None:
        """Runs the next line. ``forget``: a command is not answered; ``lose``: nor does it do anything."""
        line = self.inbox.popleft()
        if line.startswith(("announce attributes ", "withdraw attributes ")):
            done = (forget and lose) or self.change(line)
            if not forget:
                self.say("done" if done else "error")
            return
        output = self.answer(line)
        for number, text in enumerate(output):
            if noise:
                self.say(GARBAGE[number % len(GARBAGE)])
            self.say(text)

    def answer(self, line: str) -> list[str]:
        match line:
            case "reset":
                return []
            case "enable-ack":
                return ["done"]
            case "version":
                return ["exabgp 5.0.15", "done"]
            case "show neighbor summary":
                return [PROBE_BEGINS + " AS  up/down", *(f"{peer}  65000" for peer in self.neighbors), "done"]
            case "show neighbor summary json":
                return [json.dumps([self.entry(peer) for peer in self.neighbors]), "done"]
            case "show adj-rib out extensive":
                return [*self.routes(), "done"]
        raise AssertionError(line)

    def entry(self, peer: str) -> dict[str, object]:
        neighbor = self.neighbors[peer]
        families = sorted(neighbor.families)
        return {
            "fsm": "ESTABLISHED" if neighbor.up else "IDLE",
            "local": {"address": "192.0.2.254", "families": families, "capabilities": {}},
            "peer": {"address": peer},
            "families": families if neighbor.up else [],
        }

    def routes(self) -> list[str]:
        return [
            f"neighbor {peer} local-ip 192.0.2.254 {FAMILY[prefix_of(prefix).version]} {prefix} {words(path)}"
            for peer, neighbor in self.neighbors.items()
            for prefix, path in neighbor.table.items()
        ]

    def change(self, line: str) -> bool:
        """Whether it was taken; all of it, or nothing."""
        verb, _, rest = line.split(" ", 2)
        attributes, _, nlri = rest.partition("nlri ")
        found = [Prefix.parse(word) for word in nlri.split()]
        assert 1 <= len(found) <= MAX_NLRI
        if verb == "withdraw":
            for neighbor in self.neighbors.values():
                for prefix in found:
                    neighbor.table.pop(prefix, None)
            return True
        path = parsed(attributes)
        if any(spoilt(prefix, path) for prefix in found):
            return False
        for neighbor in self.neighbors.values():
            if FAMILY[found[0].version] in neighbor.families:
                neighbor.table.update(dict.fromkeys(found, path))
        return True

    def session(self, peer: str, *, up: bool) -> None:
        self.neighbors[peer].up = up
        address = {"local": "192.0.2.254", "peer": peer}
        state = {"address": address, "state": "up" if up else "down", "reason": "" if up else "hold timer"}
        self.say(json.dumps({"type": "state", "neighbor": state}))


def words(path: Path) -> str:
    """As ExaBGP prints a path: communities in the order that it likes."""
    found = f"next-hop {path.next_hop}"
    if path.attributes.med is not None:
        found += f" med {path.attributes.med}"
    if path.attributes.communities:
        found += f" community [ {' '.join(f'{a}:{b}' for a, b in sorted(path.attributes.communities))} ]"
    return found


def parsed(attributes: str) -> Path:
    """The path that a command announces; the words that our paths have."""
    found = attributes.replace("[ ", "").replace(" ]", "").split()
    hop, med, communities = ip_address(found[1]), None, []
    for number, word in enumerate(found):
        if word == "med":
            med = int(found[number + 1])
        if ":" in word and number > 1:
            high, low = word.split(":")
            communities.append((int(high), int(low)))
    return Path(hop, Attributes(communities=tuple(sorted(communities)), med=med))


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time is what we say."""

    now = 0.0

    def time(self) -> float:
        return self.now


class Writer:
    """What the sink writes to: whole lines, whose rules are checked."""

    def __init__(self, exabgp: ExaBgp) -> None:
        self.inbox = exabgp.inbox
        self.may_withdraw = False
        self.changes: list[str] = []

    def write(self, data: bytes) -> None:
        text = data.decode("ascii")
        assert text.endswith("\n")
        for line in text.splitlines():
            assert line.isprintable()
            if " attributes " in line:
                assert not self.inbox, "one thing in flight"
                assert self.may_withdraw or not line.startswith("withdraw"), "no source has spoken yet"
                self.changes.append(line)
            self.inbox.append(line)


class Sinking(RuleBasedStateMachine):
    """One ExaBGP, one life of our sink after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Clock()
        self.wanted = Wanted()
        both = frozenset(FAMILY.values())
        self.exabgp = ExaBgp({PEERS[0]: Neighbor(both), PEERS[1]: Neighbor(frozenset((FAMILY[4],)))})
        self.start()

    # -- a life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.reader = asyncio.StreamReader(loop=self.loop)
        self.writer = Writer(self.exabgp)
        self.sink = ExabgpSink(
            self.wanted, self.reader, cast(asyncio.StreamWriter, self.writer), ExabgpSettings(ACK_TIMEOUT)
        )
        self.task = self.loop.create_task(self.sink.run())
        self.turn(lambda: self.sink.changed(list(self.wanted)))

    def stop(self) -> None:
        self.task.cancel()
        self.turn()
        assert self.task.cancelled()

    def turn(self, action: Callable[[], None] = lambda: None) -> None:
        """Does something in the loop, and lets the sink do what it can do then."""

        async def turns() -> None:
            action()
            for _ in range(5):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())
        if self.task.done() and not self.task.cancelled():
            self.task.result()
            raise AssertionError("the sink ended by itself")

    def deliver(self, count: int) -> None:
        data = bytes(self.exabgp.outbox[:count])
        del self.exabgp.outbox[:count]
        if data:
            self.reader.feed_data(data)
            self.turn()

    # -- what happens --------------------------------------------------------------------------------------------

    def want(self, prefixes: list[Prefix], choice: str) -> None:
        for prefix in prefixes:
            if choice == "nothing":
                self.wanted.pop(prefix, None)
            elif choice == "other family":
                self.wanted[prefix] = Path(HUB[10 - prefix.version])
            else:
                self.wanted[prefix] = Path(HUB[prefix.version], PATHS[choice])
        self.turn(lambda: self.sink.changed(prefixes))

    @rule(prefixes=few, choice=choices)
    def small_change(self, prefixes: list[Prefix], choice: str) -> None:
        self.want(prefixes, choice)

    @rule(prefixes=spans, choice=choices)
    def large_change(self, prefixes: list[Prefix], choice: str) -> None:
        self.want(prefixes, choice)

    @rule()
    def sources_complete(self) -> None:
        self.writer.may_withdraw = True
        self.turn(self.sink.allow_withdraw)

    @rule()
    def policy_loaded(self) -> None:
        self.turn(self.sink.retry)

    @rule(noise=st.booleans(), forget=st.booleans(), lose=st.booleans())
    @precondition(lambda self: self.exabgp.inbox)
    def exabgp_works(self, noise: bool, forget: bool, lose: bool) -> None:
        self.exabgp.run(noise=noise, forget=forget, lose=lose)

    @rule(count=st.integers(1, 200))
    @precondition(lambda self: self.exabgp.outbox)
    def some_bytes_arrive(self, count: int) -> None:
        self.deliver(count)

    @rule()
    @precondition(lambda self: self.exabgp.outbox)
    def all_bytes_arrive(self) -> None:
        self.deliver(len(self.exabgp.outbox))

    @rule(times=st.integers(1, 3))
    def time_passes(self, times: int) -> None:
        for _ in range(times):
            self.loop.now += ACK_TIMEOUT + 0.1
            self.turn()

    @rule(garbage=st.lists(st.sampled_from(GARBAGE), min_size=1, max_size=3))
    def garbage(self, garbage: list[str]) -> None:
        self.exabgp.say(*garbage)

    @rule(peer=peers)
    def session_changes(self, peer: str) -> None:
        if peer in self.exabgp.neighbors:
            self.exabgp.session(peer, up=not self.exabgp.neighbors[peer].up)

    @rule(peer=peers, both=st.booleans())
    def neighbor_added(self, peer: str, both: bool) -> None:
        if peer not in self.exabgp.neighbors:
            families = frozenset(FAMILY.values()) if both else frozenset((FAMILY[4],))
            self.exabgp.neighbors[peer] = Neighbor(families, up=False)

    @rule(peer=peers, both=st.booleans())
    def neighbor_replaced(self, peer: str, both: bool) -> None:
        """ExaBGP is reloaded: the neighbour was away, or has another name or family, and its table is empty."""
        if peer in self.exabgp.neighbors:
            if self.exabgp.neighbors[peer].up:
                self.exabgp.session(peer, up=False)
            families = frozenset(FAMILY.values()) if both else frozenset((FAMILY[4],))
            self.exabgp.neighbors[peer] = Neighbor(families, up=False)

    @rule(inherit=st.booleans(), ran=st.booleans())
    def new_life(self, inherit: bool, ran: bool) -> None:
        """The helper dies and is started again; what ExaBGP had still to say may reach the new one."""
        inherit = inherit and self.sink.status().ready
        self.stop()
        while self.exabgp.inbox and ran:
            self.exabgp.run()
        self.exabgp.inbox.clear()
        if not inherit:
            self.exabgp.outbox.clear()
        self.start()

    # -- how it ends ---------------------------------------------------------------------------------------------

    @rule()
    def settles(self) -> None:
        for peer, neighbor in self.exabgp.neighbors.items():
            if not neighbor.up:
                self.exabgp.session(peer, up=True)
        for _ in range(3000):
            while self.exabgp.inbox:
                self.exabgp.run()
            self.deliver(len(self.exabgp.outbox))
            if self.exabgp.inbox or self.exabgp.outbox:
                continue
            if self.sink._talk.is_idle:
                break
            self.time_passes(1)
        assert self.sink.status().ready
        for peer, neighbor in self.exabgp.neighbors.items():
            expected = {
                p: path for p, path in self.attainable().items() if FAMILY[prefix_of(p).version] in neighbor.families
            }
            found = {
                prefix: canonical(path)
                for prefix, path in neighbor.table.items()
                if self.writer.may_withdraw or prefix in expected
            }
            assert found == expected, peer
        for prefix, path in self.wanted.items():
            is_had = prefix in self.attainable()
            assert self.sink.route(prefix).state is (RouteState.CONFIRMED if is_had else RouteState.REFUSED), path

    def attainable(self) -> dict[Destination, Path]:
        return {
            prefix: canonical(path)
            for prefix, path in self.wanted.items()
            if path.next_hop.version == prefix_of(prefix).version and not spoilt(prefix, path)
        }

    @rule()
    def g7_adoption_sends_nothing_for_what_is_right(self) -> None:
        self.sources_complete()
        self.settles()
        self.new_life(inherit=False, ran=True)
        self.sources_complete()
        self.settles()
        # What no neighbour can have is told to ExaBGP in each life, and goes no further.
        families = {family for neighbor in self.exabgp.neighbors.values() for family in neighbor.families}
        right = {
            prefix: path for prefix, path in self.attainable().items() if FAMILY[prefix_of(prefix).version] in families
        }
        for line in self.writer.changes:
            again = {Prefix.parse(word) for word in line.partition("nlri ")[2].split()} & right.keys()
            assert not again, line

    def teardown(self) -> None:
        try:
            self.sources_complete()
            self.settles()
        finally:
            self.task.cancel()
            self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
            self.loop.close()


def canonical(path: Path) -> Path:
    """Communities are a set."""
    attributes = path.attributes
    return Path(path.next_hop, Attributes(communities=tuple(sorted(attributes.communities)), med=attributes.med))


TestSink = Sinking.TestCase
TestSink.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
