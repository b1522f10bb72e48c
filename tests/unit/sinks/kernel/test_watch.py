"""When the sink looks at all there is and asks anew, and in which order with what it hears."""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import cast

import pytest

from rri_bgp.model import Prefix
from rri_bgp.rri.kernel import Peer
from rri_bgp.sinks.kernel import watch as module
from rri_bgp.sinks.kernel.devices import Devices
from rri_bgp.sinks.kernel.kernel import MAIN, Spot
from rri_bgp.sinks.kernel.mirror import CHARON, Mirror
from rri_bgp.sinks.kernel.resolve import Resolver, Target
from rri_bgp.sinks.kernel.sockets import Answers
from rri_bgp.sinks.kernel.watch import Watch
from rri_bgp.sinks.kernel.wire import LinkNews, News, RouteNews, Underlay
from tests.kernels import ETH0, OURS, STATIC, ModelKernel, link, via
from tests.values import pfx

NET, OTHER, DEFAULT = pfx("10.1.0.0/16"), pfx("10.2.0.0/16"), pfx("0.0.0.0/0")
OVER = via("192.0.2.254")
Piece = list[RouteNews | LinkNews]


class Stage:
    """A watch whose kernel is a model. ``queue`` is what it will hear: news, or an error of the socket."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kernel = ModelKernel()
        self.queue: list[News | OSError] = []
        self.looks: list[bool] = []
        """Of each dump of routes so far whether it was at ours alone."""
        self.meanwhile: Callable[[], None] = lambda: None
        self.interrupted = 0
        self.fails = False
        self.told: list[Spot] = []
        self.mirror, self.devices, self.counters = Mirror(OURS, {MAIN, CHARON}), Devices(), Counter[str]()
        self.resolver = Resolver(self.kernel, self.devices, self.mirror, lambda _vrf, _address: None)
        self.watch = Watch(self.mirror, self.devices, self.resolver, self.changed, self.counters, 60.0)
        self.watch._events = cast(socket.socket, self)
        monkeypatch.setattr(module, "receive", self.receive)
        monkeypatch.setattr(module, "read", lambda news: [news])
        monkeypatch.setattr(module, "dump", self.dump)
        monkeypatch.setattr(module, "dump_links", lambda _sequence: "links")
        monkeypatch.setattr(module, "dump_routes", lambda *which: which)

    def changed(self, spots: Iterable[Spot], is_bulk: bool) -> None:
        del is_bulk
        self.told += spots

    def receive(self, _events: object) -> News | None:
        if not self.queue:
            return None
        found = self.queue.pop(0)
        if isinstance(found, OSError):
            raise found
        return found

    def dump(self, which: object, answers: Answers) -> Iterator[Piece]:
        if which == "links":
            yield [link(ETH0, "eth0")]
            return
        if self.fails:
            raise OSError(errno.EPERM, "Operation not permitted")
        version, _, protocol, _ = cast(tuple[int, int, int, int], which)
        if version == 4:
            self.looks.append(protocol == OURS)
            rows = cast(Piece, [row for row in self.kernel.dump() if protocol in (0, row.protocol)])
            self.interrupted -= 1
            answers.is_whole = self.interrupted < 0
            yield rows
            self.meanwhile()

    def use(self, prefix: Prefix, peer: str) -> None:
        self.resolver.resolve(self.resolver.use(Spot(MAIN, prefix), [Target(Peer(ip_address(peer)), "")]))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


LOST = OSError(errno.ENOBUFS, "No buffer space available")


async def test_g6_the_first_look_is_at_all_and_the_next_is_due_by_itself(stage: Stage) -> None:
    stage.kernel.put(NET, (1, OURS, OVER))
    stage.kernel.put(OTHER, (0, STATIC, OVER))
    assert stage.watch.is_blind
    assert stage.watch.is_look_due(0.0)
    await stage.watch.look()
    assert (stage.looks, stage.watch.is_blind) == ([False], False)
    assert set(stage.told) == {Spot(MAIN, NET), Spot(MAIN, OTHER)}
    assert not stage.watch.is_look_due(stage.watch._looked + 59)
    assert stage.watch.is_look_due(stage.watch._looked + 61)


async def test_g6_what_was_said_before_a_look_is_older_than_it(stage: Stage) -> None:
    """Somebody's route came and went, and only its coming was heard: it must not be there after the look."""
    stage.kernel.put(NET, (1, STATIC, OVER))
    stage.queue = [*stage.kernel.events, LOST]
    stage.kernel.take(NET, (1, STATIC, OVER))
    await stage.watch.look()
    assert (stage.mirror.foreign, stage.queue) == ({}, [])


async def test_g6_what_is_lost_during_a_look_makes_another(stage: Stage) -> None:

    def lose() -> None:
        stage.queue.append(LOST)
        stage.watch.hear(0.0)

    stage.meanwhile = lose
    await stage.watch.look()
    assert stage.watch.is_blind
    assert stage.watch.is_look_due(stage.watch._looked + 30)
    stage.meanwhile = lambda: None
    await stage.watch.look()
    assert not stage.watch.is_blind


async def test_a_look_that_was_interrupted_is_begun_again_and_at_last_taken_as_it_is(stage: Stage) -> None:
    stage.interrupted = 2
    await stage.watch.look()
    assert len(stage.looks) == 3
    stage.interrupted = 100
    await stage.watch.look()
    assert len(stage.looks) == 3 + 5
    assert stage.watch.is_look_due(stage.watch._looked + 30), "and another follows"


async def test_a_look_that_fails_is_at_all_the_next_time(stage: Stage) -> None:
    await stage.watch.look()
    stage.fails = True
    stage.watch.look_soon(0.0, at_all=True)
    with pytest.raises(OSError, match="not permitted"):
        await stage.watch.look()
    stage.fails = False
    stage.mirror.foreign = {Spot(MAIN, Prefix(4, number << 8, 24)): () for number in range(20_000)}
    await stage.watch.look()
    assert stage.looks == [False, False]


async def test_where_others_have_very_many_routes_a_look_now_and_then_is_at_ours(stage: Stage) -> None:
    await stage.watch.look()
    stage.mirror.foreign = {Spot(MAIN, Prefix(4, number << 8, 24)): () for number in range(20_000)}
    await stage.watch.look()
    stage.watch.look_soon(0.0, at_all=True)
    await stage.watch.look()
    assert stage.looks == [False, True, False]


async def test_n5_what_is_underneath_is_asked_for_again_when_it_may_matter(stage: Stage) -> None:
    await stage.watch.look()
    await stage.watch.ask_again()
    stage.use(NET, "203.0.113.9")

    def asks(*news: News) -> bool:
        stage.queue += news
        stage.watch.hear(0.0)
        due, stage.watch._ask_due = stage.watch._ask_due, None
        return due is not None

    assert asks(ModelKernel.news(Spot(MAIN, DEFAULT), (0, STATIC, OVER)))
    assert asks(ModelKernel.news(Spot(77, pfx("203.0.113.0/24")), (0, STATIC, OVER))), "a rule may lead there"
    assert not asks(ModelKernel.news(Spot(MAIN, pfx("198.51.100.0/24")), (0, STATIC, OVER)))
    assert not asks(ModelKernel.news(Spot(MAIN, DEFAULT), (1, OURS, OVER))), "ours lead to no peer"
    assert asks(Underlay.RULES)
    assert asks(Underlay.ADDRESSES)
    assert asks(link(ETH0, "eth0", is_up=False))
    assert not asks(link(ETH0, "eth0", is_up=False))


async def test_g6_routes_that_go_without_a_word_are_looked_for(stage: Stage) -> None:
    await stage.watch.look()
    later = stage.watch._looked + 30
    for news in (link(ETH0, "eth0", is_up=False), Underlay.ADDRESSES):
        assert not stage.watch.is_look_due(later)
        stage.queue.append(news)
        stage.watch.hear(stage.watch._looked)
        assert stage.watch.is_look_due(later)
        await stage.watch.look()
        later = stage.watch._looked + 30


async def test_looks_keep_a_distance_that_grows_with_what_they_take(stage: Stage) -> None:
    await stage.watch.look()
    stage.watch._took, looked = 2.0, stage.watch._looked
    stage.watch.look_soon(looked)
    assert not stage.watch.is_look_due(looked + 19)
    assert stage.watch.is_look_due(looked + 21)


async def test_what_concerns_a_route_of_ours_is_told(stage: Stage) -> None:
    await stage.watch.look()
    stage.use(NET, "203.0.113.9")
    stage.told.clear()
    stage.queue = [
        ModelKernel.news(Spot(MAIN, NET), (5, STATIC, OVER)),
        ModelKernel.news(Spot(CHARON, NET), (0, STATIC, OVER)),
        ModelKernel.news(Spot(MAIN, OTHER), (5, STATIC, OVER)),
        ModelKernel.news(Spot(MAIN, OTHER), (1, OURS, OVER)),
    ]
    stage.watch.hear(0.0)
    assert stage.told == [Spot(MAIN, NET), Spot(MAIN, NET), Spot(MAIN, OTHER)]
    assert stage.counters["changed by others"] == 1
