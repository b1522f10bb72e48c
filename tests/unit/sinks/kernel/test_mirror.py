"""What the mirror makes of changes of ours, events of others' and dumps."""

from __future__ import annotations

from ipaddress import ip_address

from rri_bgp.model import Prefix
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel.kernel import MAIN, Spot
from rri_bgp.sinks.kernel.mirror import Mirror
from rri_bgp.sinks.kernel.wire import RouteNews, Via
from tests.kernels import ETH0, ETH1, OURS, STATIC, ModelKernel, via
from tests.values import pfx

NET = pfx("10.1.0.0/16")
SPOT, PLACE = Spot(MAIN, NET), Place(MAIN, NET, 1)
HERE, THERE = via("192.0.2.254"), via("192.0.2.253")


def news(
    way: Via = HERE,
    *,
    prefix: Prefix = NET,
    metric: int = 1,
    protocol: int = OURS,
    gone: bool = False,
    table: int = MAIN,
) -> RouteNews:
    return ModelKernel.news(Spot(table, prefix), (metric, protocol, way), gone=gone)


def mirror(*found: RouteNews) -> Mirror:
    made = Mirror(OURS, {MAIN}, spared={4242})
    for one in found:
        made.take(one)
    return made


def test_g6_what_has_our_number_is_ours_in_every_table_but_those_of_another_sink() -> None:
    made = mirror(news(), news(table=99), news(table=4242))
    assert made.ours == {SPOT: ((1, HERE),), Spot(99, NET): ((1, HERE),)}
    assert made.foreign == {}


def test_others_routes_matter_in_the_tables_that_are_used() -> None:
    made = mirror(news(protocol=STATIC), news(protocol=STATIC, table=99))
    assert list(made.foreign) == [SPOT]
    assert made.is_taken(PLACE)
    assert not made.is_taken(PLACE._replace(metric=2))


def test_a_route_of_ours_that_somebody_removed_is_gone_and_no_doubt_is_left() -> None:
    made = mirror(news())
    assert made.take(news(gone=True)) == SPOT
    assert (made.ours, made.in_doubt) == ({}, False)
    assert made.take(news(gone=True, metric=7)) == SPOT
    assert not made.in_doubt


def test_g6_another_route_in_the_place_of_ours_leaves_a_doubt() -> None:
    """It may have taken the place, or stand beside ours: the event is the same. Until a look ours is not relied on."""
    made = mirror(news())
    made.take(news(protocol=STATIC))
    assert (made.in_doubt, made.via(PLACE)) == (True, None)
    dump = made.begin()
    assert (made.in_doubt, made.via(PLACE)) == (False, None)
    dump.row(news())
    dump.row(news(protocol=STATIC))
    assert set().union(*dump.settle()) == {SPOT}
    assert made.via(PLACE) == HERE


def test_one_of_several_ways_that_goes_leaves_a_doubt() -> None:
    made = mirror(news((*HERE, *THERE)))
    made.take(news(HERE, gone=True))
    assert made.in_doubt


def test_a_dump_shows_two_of_ours_in_one_place() -> None:
    made = mirror(news())
    made.take(news(THERE))
    assert made.in_doubt
    dump = made.begin(only_ours=True)
    dump.row(news(HERE))
    dump.row(news(THERE))
    changed = set().union(*dump.settle())
    assert changed == {SPOT}
    assert made.ours[SPOT] == ((1, HERE), (1, THERE))


def test_what_is_heard_or_done_during_a_dump_is_newer_than_its_rows() -> None:
    other = pfx("10.2.0.0/16")
    made = mirror(news(), news(protocol=STATIC, prefix=other))
    dump = made.begin()
    dump.row(news())
    dump.row(news(protocol=STATIC, prefix=other))
    made.drop(PLACE)
    made.put(Place(MAIN, other, 1), THERE)
    assert set().union(*dump.settle()) == set()
    assert made.ours == {Spot(MAIN, other): ((1, THERE),)}


def test_a_dump_of_ours_alone_says_nothing_of_others() -> None:
    made = mirror(news(), news(protocol=STATIC, metric=5))
    assert set().union(*made.begin(only_ours=True).settle()) == {SPOT}
    assert (made.ours, list(made.foreign)) == ({}, [SPOT])


def test_n5_the_longest_match_of_others_decides_where_ours_are_in_the_way() -> None:
    default, near = pfx("0.0.0.0/0"), pfx("203.0.113.0/24")
    made = mirror(
        news(HERE, protocol=STATIC, prefix=default, metric=0),
        news(via("", ETH1), protocol=STATIC, prefix=near, metric=0),
        news(prefix=pfx("203.0.113.9/32")),
    )
    peer = ip_address("203.0.113.9")
    found = made.longest(MAIN, peer)
    assert found is not None
    assert found.via == via("", ETH1)
    by_device = made.longest(MAIN, peer, ETH0)
    assert by_device is not None
    assert by_device.via == HERE
    assert made.longest(99, peer) is None


def test_of_several_metrics_at_a_spot_each_is_kept() -> None:
    made = mirror(news())
    assert made.put(PLACE._replace(metric=20), HERE) is True
    assert made.put(PLACE._replace(metric=20), THERE) is True
    assert sorted(made.ours[SPOT]) == [(1, HERE), (20, THERE)]
    made.drop(PLACE)
    assert made.ours[SPOT] == ((20, THERE),)
