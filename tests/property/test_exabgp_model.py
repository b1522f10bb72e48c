"""The whole sink against a model of ExaBGP (``exabgp.py``) that speaks the text protocol in memory.

The model answers late, refuses, forgets answers, prints garbage, loses sessions, is given neighbours and helpers, and
policies are loaded: with VRFs, neighbours that are given a part, several paths, prepends. When all has settled, every
neighbour has what its policy says, less what is refused. No sockets; the clock is ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from rri_bgp.model import Attributes, Destination, FlowRule, Path, Prefix, VrfPrefix, prefix_of, vrf_of
from rri_bgp.policy.config import ExabgpSettings
from rri_bgp.rri.entries import NeighborPolicy, Overlap, Policy, Vrf
from rri_bgp.sinks import RouteState
from rri_bgp.sinks.exabgp.paths import path_ids
from rri_bgp.sinks.exabgp.sink import ExabgpSink
from rri_bgp.sinks.exabgp.streams import EagerReader
from tests.property.exabgp import ASN, GARBAGE, ExaBgp, Neighbor, Nlri, Sent, is_command, spoilt
from tests.values import HUB4, HUB6, entry, policy
from tests.wanted import Wanted

ACK_TIMEOUT = 10.0
UNICAST = ("ipv4 unicast", "ipv6 unicast")
EVERYTHING = (*UNICAST, "ipv4 mpls-vpn", "ipv6 mpls-vpn", "ipv4 flow", "ipv6 flow", "ipv4 flow-vpn", "ipv6 flow-vpn")
PREFIXES = [Prefix(4, number << 8, 24) for number in range(60)] + [Prefix(6, number << 64, 64) for number in range(60)]
IN_VRFS = [VrfPrefix(vrf, prefix) for vrf in ("red", "blue") for prefix in (*PREFIXES[:8], *PREFIXES[60:64])]
FLOWS = [
    FlowRule(prefix, 6, ports, vrf)
    for prefix, vrf in ((PREFIXES[0], ""), (PREFIXES[60], ""), (PREFIXES[1], "red"))
    for ports in ((443, 443), (8080, 8080), (1000, 2000), (0, 65535))
]
DESTINATIONS: list[Destination] = [*PREFIXES, *IN_VRFS, *FLOWS]
HUB = {4: HUB4, 6: HUB6}
SECOND = {4: ip_address("198.51.100.2"), 6: ip_address("2001:db8:100::2")}
PATHS = {
    "first": Attributes(),
    "second": Attributes(communities=((65000, 100), (65000, 7)), med=1),
    "prepended": Attributes(as_path_prepend=2),
    "target": Attributes(extended_communities=(0x0002FDE800000001,)),
    "poison": Attributes(med=666),
}
PEERS = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")


def named(number: int, **terms: object) -> NeighborPolicy:
    return NeighborPolicy(ip_address(PEERS[number]), **terms)  # type: ignore[arg-type]


RED, BLUE = Vrf("red", 10, rd="65000:1", label=100), Vrf("blue", 11, rd="65000:2", label=101)
ENTRIES = (
    entry(10, tag=100, overlap=Overlap.ECMP, attributes=Attributes(as_path_prepend=2)),
    entry(20, tag=None),
)
POLICIES = (
    policy(entry(10), entry(20)),
    policy(*ENTRIES),
    policy(*ENTRIES, vrfs=(RED, BLUE)),
    policy(*ENTRIES, vrfs=(RED, BLUE), neighbors=(named(0, tags=frozenset((None,))), named(2, vrf="red"))),
    policy(*ENTRIES, vrfs=(replace(RED, label=200), BLUE), neighbors=(named(1, entries=frozenset((0,))),)),
    policy(*ENTRIES, vrfs=(replace(RED, rd="65000:3"), replace(BLUE, rd="")), neighbors=(named(0, vrf="blue"),)),
    policy(*ENTRIES, vrfs=(replace(RED, name="blue"), replace(BLUE, name="red")), neighbors=(named(2, vrf="blue"),)),
)

few = st.lists(st.sampled_from(DESTINATIONS), min_size=1, max_size=4)
spans = st.tuples(st.integers(0, len(DESTINATIONS)), st.integers(0, len(DESTINATIONS))).map(
    lambda ends: DESTINATIONS[slice(*sorted(ends))]
)
choices = st.sampled_from((*PATHS, "several", "other family", "nothing"))
peers = st.sampled_from(PEERS)
ranks = st.integers(0, 1)
kinds = st.sampled_from((EVERYTHING, UNICAST, UNICAST[:1])).map(frozenset)


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
            if is_command(line):
                assert not self.inbox, "one thing in flight"
                assert self.may_withdraw or " withdraw " not in f" {line}", "no source has spoken yet"
                self.changes.append(line)
            self.inbox.append(line)


class Sinking(RuleBasedStateMachine):
    """One ExaBGP, one life of our sink after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Clock()
        self.wanted = Wanted(policy=POLICIES[0])
        self.has_loaded = False
        self.exabgp = ExaBgp({PEERS[0]: Neighbor(frozenset(EVERYTHING)), PEERS[1]: Neighbor(frozenset(UNICAST[:1]))})
        self.start()

    # -- a life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.reader = EagerReader(loop=self.loop)
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
            self.turn(lambda: self.reader.feed_data(data))

    # -- what happens --------------------------------------------------------------------------------------------

    def want(self, destinations: list[Destination], choice: str, rank: int, *, moves: bool = False) -> None:
        for destination in destinations:
            version = prefix_of(destination).version
            self.wanted.others.pop(destination, None)
            if choice == "nothing":
                self.wanted.pop(destination, None)
                continue
            self.wanted.ranks[destination] = rank
            if choice == "other family":
                self.wanted[destination] = Path(HUB[10 - version])
            elif choice == "several":
                self.wanted[destination] = Path(HUB[version])
                self.wanted.others[destination] = (Path(SECOND[version]), Path(HUB[version], PATHS["second"]))
            elif choice == "prepended" and self.wanted.policy is POLICIES[0]:
                self.wanted[destination] = Path(HUB[version])  # none of its entries prepends
            else:
                self.wanted[destination] = Path(HUB[version], PATHS[choice])
        self.turn(lambda: self.sink.changed(destinations, moves=moves))

    @rule(destinations=few, choice=choices, rank=ranks)
    def small_change(self, destinations: list[Destination], choice: str, rank: int) -> None:
        self.want(destinations, choice, rank)

    @rule(destinations=spans, choice=choices, rank=ranks, moves=st.booleans())
    def large_change(self, destinations: list[Destination], choice: str, rank: int, moves: bool) -> None:
        self.want(destinations, choice, rank, moves=moves)

    @rule(number=st.integers(0, len(POLICIES) - 1))
    def policy_loaded(self, number: int) -> None:
        self.has_loaded = True
        self.wanted.policy = POLICIES[number]
        self.turn(lambda: self.sink.take_settings(self.wanted.policy))
        prepended = [destination for destination, path in self.wanted.items() if path.attributes == PATHS["prepended"]]
        if self.wanted.policy is POLICIES[0]:
            self.want(prepended, "first", 0, moves=True)

    @rule()
    def sources_complete(self) -> None:
        self.writer.may_withdraw = True
        self.turn(self.sink.allow_withdraw)

    @rule()
    def tried_again(self) -> None:
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

    @rule(peer=peers, add_path=st.booleans())
    def session_changes(self, peer: str, add_path: bool) -> None:
        if peer in self.exabgp.neighbors:
            self.exabgp.session(peer, up=not self.exabgp.neighbors[peer].up, add_path=add_path)

    @rule(peer=peers, families=kinds, asn=st.sampled_from((ASN, ASN + 1)))
    def neighbor_added(self, peer: str, families: frozenset[str], asn: int) -> None:
        if peer not in self.exabgp.neighbors:
            self.exabgp.neighbors[peer] = Neighbor(families, up=False, asn=asn)

    @rule(peer=peers, families=kinds, asn=st.sampled_from((ASN, ASN + 1)))
    def neighbor_replaced(self, peer: str, families: frozenset[str], asn: int) -> None:
        """ExaBGP is reloaded: the neighbour was away, or has another name or family, and its table is empty."""
        if peer in self.exabgp.neighbors:
            if self.exabgp.neighbors[peer].up:
                self.exabgp.session(peer, up=False)
            self.exabgp.neighbors[peer] = Neighbor(families, up=False, asn=asn)

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
                self.exabgp.session(peer, up=True, add_path=neighbor.add_path)
        if self.has_loaded and not self.writer.may_withdraw:
            self.sources_complete()  # another form of a route goes out once the first may go
        for _ in range(5000):
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
            expected = dict(self.expected(peer, neighbor))
            found = {key: sent for key, sent in neighbor.has.items() if self.writer.may_withdraw or key in expected}
            assert found == expected, peer
        if self.wanted.policy is POLICIES[0]:
            self.states_are_told()

    def expected(self, peer: str, neighbor: Neighbor) -> Iterator[tuple[Nlri, Sent]]:
        """What a neighbour should have: in words of its own, and no other way than the policy's documentation."""
        loaded = self.wanted.policy
        terms = next((one for one in loaded.neighbors if str(one.address) == peer), NeighborPolicy(HUB4))
        for destination, best in self.wanted.items():
            chosen = loaded.entries[self.wanted.ranks[destination]]
            if terms.entries is not None and self.wanted.ranks[destination] not in terms.entries:
                continue
            if terms.tags is not None and chosen.tag not in terms.tags:
                continue
            nlri, label = self.named(destination, terms.vrf, loaded)
            if nlri is None or nlri.family not in neighbor.families:
                continue
            several = neighbor.add_path and chosen.overlap is Overlap.ECMP and not isinstance(destination, FlowRule)
            paths = path_ids(map(self.unprepended(neighbor), self.wanted.paths(destination))) if several else {0: best}
            for number, path in paths.items():
                sent = self.sent(destination, path, neighbor, label)
                if path.next_hop.version == prefix_of(destination).version and not spoilt(nlri, sent.path):
                    yield Nlri(nlri.destination, number or None), sent

    def named(self, destination: Destination, session: str | None, loaded: Policy) -> tuple[Nlri | None, int]:
        """Under which name, and with which label."""
        vrf = vrf_of(destination)
        if session is not None:
            if vrf != session:
                return None, 0
            bare = destination.prefix if isinstance(destination, VrfPrefix) else destination
            return Nlri(bare._replace(vrf="") if isinstance(bare, FlowRule) else bare), 0
        if not vrf or isinstance(destination, Prefix):
            return Nlri(destination), 0
        known = loaded.vrfs.get(vrf)
        if known is None or not known.rd:
            return None, 0
        return Nlri(destination._replace(vrf=known.rd)), known.label if isinstance(destination, VrfPrefix) else 0

    def unprepended(self, neighbor: Neighbor) -> Callable[[Path], Path]:
        if neighbor.asn != ASN:
            return lambda path: path
        return lambda path: Path(path.next_hop, replace(path.attributes, as_path_prepend=0))

    def sent(self, destination: Destination, path: Path, neighbor: Neighbor, label: int) -> Sent:
        attributes = path.attributes
        prepend = attributes.as_path_prepend if neighbor.asn != ASN and not isinstance(destination, FlowRule) else 0
        plain = Attributes(
            communities=tuple(sorted(attributes.communities)),
            med=None if isinstance(destination, FlowRule) else attributes.med,
            extended_communities=attributes.extended_communities,
        )
        return Sent(Path(path.next_hop, plain), (ASN,) * (prepend + 1) if prepend else (), label)

    def states_are_told(self) -> None:
        for destination, path in self.wanted.items():
            if vrf_of(destination):
                continue
            poisoned = not isinstance(destination, FlowRule) and spoilt(Nlri(destination), path)
            is_had = path.next_hop.version == prefix_of(destination).version and not poisoned
            expected = RouteState.CONFIRMED if is_had else RouteState.REFUSED
            assert self.sink.route(destination).state is expected, destination

    @rule()
    def g7_adoption_sends_nothing_for_what_is_right(self) -> None:
        self.sources_complete()
        self.settles()
        before = [neighbor.updates for neighbor in self.exabgp.neighbors.values()]
        self.new_life(inherit=False, ran=True)
        self.sources_complete()
        self.settles()
        assert [neighbor.updates for neighbor in self.exabgp.neighbors.values()] == before

    def teardown(self) -> None:
        try:
            self.sources_complete()
            self.settles()
        finally:
            self.task.cancel()
            self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
            self.loop.close()


TestSink = Sinking.TestCase
TestSink.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
