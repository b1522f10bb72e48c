"""Access lists against a brute-force oracle on small address spaces: exact, and as few prefixes as can be (rule E9)."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from ipaddress import ip_address
from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.model import ANY_PORT, Prefix, SaKey, SaPair, TrafficSelector
from rri_bgp.rri.acl import Permits, covers, permitted, static_destinations
from rri_bgp.rri.entries import AccessList, AclLine
from rri_bgp.rri.intervals import lowest, merged, without

BITS = {4: 32, 6: 128}
SOURCES = {4: int(ip_address("192.168.0.0")), 6: int(ip_address("2001:db8:1::"))}
DESTINATIONS = {4: int(ip_address("10.0.0.0")), 6: int(ip_address("2001:db8:2::"))}
SOURCE_BITS, DESTINATION_BITS = 2, 4
PROTOCOLS = (6, 17, 47)
PORTS = ((0, 65535), (80, 80), (80, 443), (0, 443))
PORT_SAMPLES = (0, 80, 443, 65535)


def small(bases: dict[int, int], bits: int) -> st.SearchStrategy[Prefix]:
    """A prefix within a small space, or the default."""
    within = st.builds(
        lambda version, number, size: Prefix(
            version, bases[version] + (number % (1 << bits) >> size << size), BITS[version] - size
        ),
        st.sampled_from((4, 4, 6)),
        st.integers(0, (1 << bits) - 1),
        st.integers(0, bits),
    )
    return st.one_of(within, within, within, st.sampled_from((Prefix(4, 0, 0), Prefix(6, 0, 0))))


sides = st.tuples(
    st.lists(small(SOURCES, SOURCE_BITS), min_size=1, max_size=3).map(tuple),
    st.lists(small(DESTINATIONS, DESTINATION_BITS), min_size=1, max_size=3).map(tuple),
)
lines = st.builds(
    lambda permit, both, protocol, source_ports, ports: AclLine(
        permit, both[0], both[1], "hub.yaml:1", "", protocol, source_ports, ports
    ),
    st.booleans(),
    sides,
    st.sampled_from((0, 0, 0, 6, 17)),
    st.sampled_from((ANY_PORT, ANY_PORT, *PORTS)),
    st.sampled_from((ANY_PORT, ANY_PORT, *PORTS)),
)
lists = st.lists(lines, max_size=6).map(lambda found: AccessList("small", tuple(found)))


def spans(bases: dict[int, int], bits: int) -> st.SearchStrategy[tuple[int, int, int]]:
    """A range within a small space: (version, start, end)."""
    return st.builds(
        lambda version, one, other: (version, bases[version] + min(one, other), bases[version] + max(one, other)),
        st.sampled_from((4, 4, 6)),
        st.integers(0, (1 << bits) - 1),
        st.integers(0, (1 << bits) - 1),
    )


remotes = st.builds(
    lambda span, protocol, ports: TrafficSelector(span[0], span[1], span[2], protocol, ports),
    spans(DESTINATIONS, DESTINATION_BITS),
    st.sampled_from((0, 0, 6)),
    st.sampled_from((ANY_PORT, ANY_PORT, *PORTS)),
)
locals_ = st.builds(
    lambda found, protocol, ports: tuple(TrafficSelector(span[0], span[1], span[2], protocol, ports) for span in found),
    st.lists(spans(SOURCES, SOURCE_BITS), max_size=3),
    st.sampled_from((0, 0, 6, 17)),
    st.sampled_from((ANY_PORT, ANY_PORT, *PORTS)),
)
"""Equal in protocol and ports: how unequal ones are taken is a matter of unit tests."""

Packets = AbstractSet[tuple[int, int, int, int]]


def points(version: int, bases: dict[int, int], bits: int) -> list[int]:
    """Every address of the small space, and some outside it."""
    base = bases[version]
    return [0, base - 1, *range(base, base + (1 << bits)), base + (1 << bits), (1 << BITS[version]) - 1]


def has(prefixes: Iterable[Prefix], version: int, address: int) -> bool:
    return any(one.version == version and one.network <= address <= one.last for one in prefixes)


def packets(addresses: Iterable[int], protocol: int, source_ports: tuple[int, int], ports: tuple[int, int]) -> Packets:
    """All that there can be, but for the destination: what a line or an SA carries, spelt out."""
    return set(
        product(
            addresses,
            PROTOCOLS if protocol == 0 else (protocol,),
            [one for one in PORT_SAMPLES if source_ports[0] <= one <= source_ports[1]],
            [one for one in PORT_SAMPLES if ports[0] <= one <= ports[1]],
        )
    )


def of_line(line: AclLine, version: int) -> Packets:
    addresses = [one for one in points(version, SOURCES, SOURCE_BITS) if has(line.source, version, one)]
    return packets(addresses, line.protocol, line.source_ports, line.ports)


def of_sa(remote: TrafficSelector, local: tuple[TrafficSelector, ...]) -> Packets:
    every = points(remote.version, SOURCES, SOURCE_BITS)
    if not local:
        return packets(every, remote.protocol, ANY_PORT, remote.ports)
    protocols = {remote.protocol, local[0].protocol} - {0}
    if len(protocols) > 1:
        return set()
    mine = [one for one in every if any(t.version == remote.version and t.start <= one <= t.end for t in local)]
    return packets(mine, max(protocols, default=0), local[0].ports, remote.ports)


def is_permitted(acl: AccessList, remote: TrafficSelector, address: int, carried: Packets) -> bool:
    """The rule of the module, word by word, for one address."""
    version = remote.version
    for index, line in enumerate(acl.lines):
        mine = of_line(line, version)
        if line.permit and has(line.destination, version, address) and mine & carried:
            denies = [one for one in acl.lines[:index] if not one.permit and has(one.destination, version, address)]
            if not any(of_line(one, version) >= mine or of_line(one, version) >= carried for one in denies):
                return True
    return False


def is_least(prefixes: Iterable[Prefix]) -> bool:
    """Whether no fewer prefixes are the same set: none overlaps another, and no two are halves of one."""
    found = sorted(prefixes)
    apart = all(one.version != other.version or one.last < other.network for one, other in pairwise(found))
    halves = {
        (version, network ^ (1 << BITS[version] - length), length) for version, network, length in found if length
    }
    return apart and not halves & set(found)


@given(lists)
def test_e9_static_destinations_are_exact_and_least(acl: AccessList) -> None:
    found = static_destinations(acl)
    assert list(found) == sorted(set(found))
    for index, line in enumerate(acl.lines):
        mine = [prefix for number, prefix in found if number == index]
        assert is_least(mine)
        for version in BITS:
            traffic = of_line(line, version)
            denies = [one for one in acl.lines[:index] if not one.permit and of_line(one, version) >= traffic]
            for address in points(version, DESTINATIONS, DESTINATION_BITS):
                is_routed = (
                    line.permit
                    and bool(traffic)
                    and has(line.destination, version, address)
                    and not any(has(one.destination, version, address) for one in denies)
                )
                assert has(mine, version, address) == is_routed


@given(lists, remotes, locals_)
def test_e9_permitted_is_exact_and_least(
    acl: AccessList, remote: TrafficSelector, local: tuple[TrafficSelector, ...]
) -> None:
    found = permitted(acl, remote, local)
    assert is_least(found)
    assert list(found) == sorted(found)
    carried = of_sa(remote, local)
    for address in points(remote.version, DESTINATIONS, DESTINATION_BITS):
        expected = remote.start <= address <= remote.end and is_permitted(acl, remote, address, carried)
        assert has(found, remote.version, address) == expected


@given(lists, st.lists(remotes, max_size=2), locals_)
def test_e2_an_sa_belongs_exactly_where_permit_lines_name_all_of_it_and_something_is_left(
    acl: AccessList, remote: list[TrafficSelector], local: tuple[TrafficSelector, ...]
) -> None:
    one = SaPair(SaKey("vici", 1), "a", "b", ip_address("192.0.2.1"), ip_address("192.0.2.2"), tuple(remote), local)
    assert covers(acl, one) == (bool(remote) and all(belongs(acl, selector, local) for selector in remote))


def belongs(acl: AccessList, remote: TrafficSelector, local: tuple[TrafficSelector, ...]) -> bool:
    version, carried = remote.version, of_sa(remote, local)
    takers = [line for line in acl.lines if line.permit and carried and of_line(line, version) >= carried]
    inside = range(remote.start, remote.end + 1)
    return all(any(has(line.destination, version, one) for line in takers) for one in inside) and any(
        is_permitted(acl, remote, one, carried) for one in inside
    )


@given(lists, remotes, locals_)
def test_an_sa_that_belongs_starts_where_the_list_says(
    acl: AccessList, remote: TrafficSelector, local: tuple[TrafficSelector, ...]
) -> None:
    one = SaPair(SaKey("vici", 1), "a", "b", ip_address("192.0.2.1"), ip_address("192.0.2.2"), (remote,), local)
    table = Permits(acl)
    if table.covers(one):
        assert has(table.destination_prefixes(), remote.version, remote.start)


numbers = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda both: (min(both), max(both)))


@given(st.lists(numbers, max_size=6), st.lists(numbers, max_size=6))
def test_sets_are_subtracted_point_by_point(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    first, second = ({n for low, high in found for n in range(low, high + 1)} for found in (one, other))
    left = without(merged(one), merged(other))
    assert left == merged(left)
    assert {n for low, high in left for n in range(low, high + 1)} == first - second


@given(st.lists(st.tuples(numbers, st.integers(0, 5)).map(lambda found: (*found[0], found[1])), max_size=8))
def test_the_lowest_span_wins_at_each_point(found: list[tuple[int, int, int]]) -> None:
    pieces = list(lowest(found))
    assert all(one[1] < other[0] for one, other in pairwise(pieces))
    won = {n: rank for low, high, rank in pieces for n in range(low, high + 1)}
    assert won == {
        n: min(rank for low, high, rank in found if low <= n <= high)
        for n in range(31)
        if any(low <= n <= high for low, high, _ in found)
    }
