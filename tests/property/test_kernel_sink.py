"""Whatever others do to the kernel, and whatever of it is heard when: our routes end as wanted, theirs untouched, and
upstream hears of nothing that the kernel has not."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rri_bgp.model import Destination, Path, Prefix
from rri_bgp.rri.kernel import Peer
from rri_bgp.sinks.kernel.devices import Devices
from rri_bgp.sinks.kernel.gate import Gate
from rri_bgp.sinks.kernel.keeper import PATIENCE, Keeper
from rri_bgp.sinks.kernel.kernel import MAIN, Spot
from rri_bgp.sinks.kernel.mirror import Mirror
from rri_bgp.sinks.kernel.resolve import Resolver, Target, Way, via_for
from rri_bgp.sinks.kernel.watch import Watch
from rri_bgp.sinks.kernel.wishes import Wish
from tests.kernels import ETH0, ETH1, OURS, STATIC, ModelKernel, Wishing, link, via
from tests.values import HUB4, pfx
from tests.wanted import Wanted

PREFIXES = [pfx(text) for text in ("10.1.0.0/16", "10.2.0.0/16", "10.2.3.0/24", "203.0.113.0/24", "0.0.0.0/1")]
PEERS = [ip_address(text) for text in ("203.0.113.9", "203.0.113.10", "192.0.2.7")]
UNDERLAY = [pfx(text) for text in ("0.0.0.0/0", "192.0.2.0/24", "203.0.113.8/29", "203.0.113.9/32")]
WAYS = [via("192.0.2.254"), via("192.0.2.253"), via("198.51.100.1", ETH1)]
HERE = Path(HUB4)

prefixes, ways, metrics = st.sampled_from(PREFIXES), st.sampled_from(WAYS), st.sampled_from([1, 5, 20])


class KernelSinkMachine(RuleBasedStateMachine):
    """The parts of the sink, joined as its shell joins them, over a kernel that others use too."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = ModelKernel()
        self.wishes = Wishing()
        self.theirs: Counter[tuple[Spot, object]] = Counter()
        self.held: set[Destination] = set()
        self.now = 0.0
        self.stands_in = False
        counters: Counter[str] = Counter()
        self.devices, self.mirror = Devices(), Mirror(OURS, {MAIN})
        self.devices.take_all([link(ETH0, "eth0"), link(ETH1, "eth1")])
        self.resolver = Resolver(self.kernel, self.devices, self.mirror, lambda _vrf, _address: None)
        self.rib = Wanted()
        self.gate = Gate(self.rib)
        self.keeper = Keeper(
            self.kernel, self.mirror, self.resolver, self.gate,
            self.wishes,
            self.held.__contains__, counters, stands_in=False,
        )  # fmt: skip
        self.watch = Watch(self.mirror, self.devices, self.resolver, self.look, counters, 60.0)

    def look(self, spots: object, is_bulk: bool) -> None:
        self.keeper.look(spots, bulk=is_bulk)  # type: ignore[arg-type]

    @initialize(
        old=st.lists(st.tuples(prefixes, metrics, ways), max_size=4, unique_by=lambda one: one[:2]),
        stands_in=st.booleans(),
    )
    def begin(self, old: list[tuple[Prefix, int, object]], stands_in: bool) -> None:
        """An earlier life has left something. ``stands_in``: blackholes stand for what cannot be resolved."""
        self.stands_in = self.keeper._stands_in = stands_in
        for prefix, metric, way in old:
            self.kernel.put(prefix, (metric, OURS, way))  # type: ignore[arg-type]
        for prefix in (UNDERLAY[0], UNDERLAY[1]):
            self.add_theirs(prefix, 0, WAYS[0])
        self.look_at_all()

    # -- what is wanted ----------------------------------------------------------------------------------------------

    @rule(prefix=prefixes, peers=st.lists(st.sampled_from(PEERS), min_size=1, max_size=2, unique=True), metric=metrics)
    def want(self, prefix: Prefix, peers: list[object], metric: int) -> None:
        self.wishes[Spot(MAIN, prefix)] = Wish(metric, tuple(Target(Peer(peer), "") for peer in peers))  # type: ignore[arg-type]
        self.rib[prefix] = HERE
        self.keeper.look([Spot(MAIN, prefix)])

    @rule(prefix=prefixes, is_bulk=st.booleans())
    def unwant(self, prefix: Prefix, is_bulk: bool) -> None:
        self.wishes.pop(Spot(MAIN, prefix), None)
        self.rib.pop(prefix, None)
        self.keeper.look([Spot(MAIN, prefix)], bulk=is_bulk)

    @rule()
    def allow_delete(self) -> None:
        self.keeper.allow_delete()

    # -- what others do ----------------------------------------------------------------------------------------------

    def add_theirs(self, prefix: Prefix, metric: int, way: object) -> None:
        row = (metric, STATIC, way)
        here = [one for one in self.kernel.rows[Spot(MAIN, prefix)] if one[0] == metric]
        if row in here:
            return
        if here and here[0][1] == STATIC:
            self.theirs[Spot(MAIN, prefix), here[0]] -= 1
        self.kernel.put(prefix, row)  # type: ignore[arg-type]
        self.theirs[Spot(MAIN, prefix), row] += 1

    @rule(prefix=st.sampled_from(PREFIXES + UNDERLAY), metric=st.sampled_from([0, 1, 5, 20]), way=ways)
    def others_put(self, prefix: Prefix, metric: int, way: object) -> None:
        """Replaces what is there, also ours."""
        self.add_theirs(prefix, metric, way)

    @rule(prefix=prefixes, metric=metrics, way=ways, replaces=st.booleans())
    def others_use_our_number(self, prefix: Prefix, metric: int, way: object, replaces: bool) -> None:
        here = [one for one in self.kernel.rows[Spot(MAIN, prefix)] if one[0] == metric]
        if here and here[0][1] == STATIC:
            return
        self.kernel.put(prefix, (metric, OURS, way), replaces=replaces)  # type: ignore[arg-type]

    @rule(data=st.data())
    def others_remove(self, data: st.DataObject) -> None:
        rows = [(spot, row) for spot, rows in self.kernel.rows.items() for row in rows]
        if not rows:
            return
        spot, row = data.draw(st.sampled_from(rows))
        self.kernel.take(spot.prefix, row)
        if row[1] == STATIC:
            self.theirs[spot, row] -= 1

    @rule()
    def something_is_lost(self) -> None:
        """The shell looks at all there is before it does anything then."""
        self.kernel.events.clear()
        self.look_at_all()

    # -- what the shell does -----------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 4))
    def work(self, count: int) -> None:
        """Hears what there is to hear, and does a piece; then upstream is told."""
        for news in self.kernel.events:
            self.watch._take(news, self.now)
        self.kernel.events.clear()
        self.keeper.work(self.now, count)
        self.tell()

    def tell(self) -> None:
        for destination in self.gate.take_moved():
            if self.gate.path(destination) is not None:
                assert isinstance(destination, Prefix)
                spot = Spot(MAIN, destination)
                rows = self.kernel.rows[spot]
                assert any(row[1] == OURS for row in rows), "upstream hears of what is not in the kernel"
                assert min(rows, key=lambda row: row[0])[1] == OURS, "traffic takes another's route"
                self.held.add(destination)

    @rule(data=st.data())
    @precondition(lambda self: self.held)
    def upstream_lets_go(self, data: st.DataObject) -> None:
        destination = data.draw(st.sampled_from(sorted(self.held, key=str)))
        if self.gate.path(destination) is None:
            self.held.discard(destination)
            assert isinstance(destination, Prefix)
            self.keeper.released([Spot(MAIN, destination)])

    @rule()
    def time_passes(self) -> None:
        self.now += PATIENCE / 3

    @rule()
    def ask_again(self) -> None:
        for spots in self.resolver.again():
            self.keeper.look(spots)

    def look_at_all(self) -> None:
        dump = self.mirror.begin()
        for news in self.kernel.dump():
            dump.row(news)
        for spots in dump.settle():
            self.keeper.look(spots, bulk=True)
        self.keeper.look_at_puzzles()

    # -- what must be so ---------------------------------------------------------------------------------------------

    @invariant()
    def others_routes_are_untouched(self) -> None:
        assert self.kernel.touched == []
        found = Counter((spot, row) for spot, rows in self.kernel.of(STATIC).items() for row in rows)
        assert found == +self.theirs

    def teardown(self) -> None:
        """All is heard, upstream lets go, everybody else rests: the kernel is as it is wanted, and upstream knows."""
        self.keeper.allow_delete()
        for _ in range(4):
            for news in self.kernel.events:
                self.watch._take(news, self.now)
            self.kernel.events.clear()
            self.look_at_all()
            self.ask_again()
            while not self.keeper.is_idle:
                self.keeper.work(self.now)
                self.tell()
            self.now += PATIENCE
            self.keeper.work(self.now)
        wanted, heard = {}, set()
        for (_, prefix), wish in self.wishes.items():
            way = self.way_to(prefix, wish)
            rows = [row for row in self.kernel.rows[Spot(MAIN, prefix)] if row[1] == STATIC]
            if (way or self.stands_in) and not any(row[0] == wish.metric for row in rows):
                wanted[Spot(MAIN, prefix)] = [(wish.metric, OURS, way)]
                if not any(row[0] < wish.metric for row in rows):
                    heard.add(prefix)
        assert self.kernel.of(OURS) == wanted
        assert {one for _, one in self.wishes if self.gate.path(one) is not None} == heard
        assert self.keeper.pending == 0

    def way_to(self, prefix: Prefix, wish: Wish) -> object:
        """Where a route should lead, worked out from nothing but others' routes."""
        found = []
        for target in wish.targets:
            assert isinstance(target.hop, Peer)
            address = target.hop.address
            spots = [spot for spot in self.kernel.of(STATIC) if spot.prefix.has_address(address)]
            if spots:
                best = max(spots, key=lambda spot: spot.prefix.length)
                _, _, way = min(self.kernel.of(STATIC)[best])
                found.append(Way(way))
        return via_for(prefix, found, crosses=False) if found else ()


TestKernelSink = KernelSinkMachine.TestCase
