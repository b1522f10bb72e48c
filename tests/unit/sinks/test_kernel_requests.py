"""The messages that change routes: as pyroute2 encodes each by itself, and as the reader reads them.

That the kernel takes them, and what it then has, is in tests/integration/test_kernel_routes.py.
"""

from __future__ import annotations

import subprocess
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from rri_bgp.model import Prefix
from rri_bgp.rri.reconcile import Place
from rri_bgp.sinks.kernel import requests
from rri_bgp.sinks.kernel.wire import BLACKHOLE, UNICAST, Nexthop, RouteNews, Via, read, via_of
from tests.unit.sinks.rtnetlink import place, way

BITS = {4: 32, 6: 128}
FAMILIES = {4: 2, 6: 10}
U32 = st.integers(0, 2**32 - 1)
DEVICES = st.integers(1, 2**31 - 1)
LINK_LOCAL = st.integers(0xFE80 << 112, (0xFE80 << 112) + 2**64 - 1).map(IPv6Address)


@st.composite
def routes(draw: st.DrawFn) -> tuple[Place, Via]:
    """Any that the kernel has a form for."""
    version = draw(st.sampled_from((4, 6)))
    length = draw(st.integers(0, BITS[version]))
    host = BITS[version] - length
    prefix = Prefix(version, draw(st.integers(0, 2 ** BITS[version] - 1)) >> host << host, length)
    gateways = st.one_of(st.none(), st.ip_addresses(v=6), LINK_LOCAL, *([st.ip_addresses(v=4)] if version == 4 else []))
    ways = st.builds(Nexthop, gateways, DEVICES, st.booleans())
    return Place(draw(U32), prefix, draw(U32)), via_of(draw(st.lists(ways, max_size=4)))


def encoded(where: Place, via: Via, protocol: int, sequence: int, flags: int) -> bytes:
    """The same by pyroute2 alone."""
    version, network, length = where.prefix
    message = rtmsg()
    message["header"] |= {"type": 24, "flags": flags, "sequence_number": sequence}
    message["family"], message["dst_len"], message["proto"] = FAMILIES[version], length, protocol
    message["type"] = UNICAST if via else BLACKHOLE
    message["attrs"] = [("RTA_TABLE", where.table), ("RTA_PRIORITY", where.metric)]
    if length:
        message["attrs"].append(("RTA_DST", str((IPv4Address if version == 4 else IPv6Address)(network))))
    if len(via) == 1:
        message["attrs"] += [*_gateway(version, via[0]), ("RTA_OIF", via[0].device)]
        message["flags"] = 4 * via[0].onlink
        message["scope"] = 0 if via[0].gateway else 253
    elif via:
        hops = [{"oif": one.device, "flags": 4 * one.onlink, "attrs": _gateway(version, one)} for one in via]
        message["attrs"].append(("RTA_MULTIPATH", hops))
    message.encode()
    return bytes(message.data)


def _gateway(version: int, one: Nexthop) -> list[tuple[str, Any]]:
    if one.gateway is None:
        return []
    if one.gateway.version == version:
        return [("RTA_GATEWAY", str(one.gateway))]
    return [("RTA_VIA", {"family": FAMILIES[one.gateway.version], "addr": str(one.gateway)})]


@settings(deadline=None)
@given(routes(), st.integers(1, 255), U32, st.booleans(), st.booleans())
def test_n5_a_route_is_what_pyroute2_makes_of_it_and_reads_as_what_it_is(
    route: tuple[Place, Via], protocol: int, sequence: int, replace: bool, ack: bool
) -> None:
    where, via = route
    message = requests.add(where, via, protocol, sequence, replace=replace, ack=ack)
    flags = 0x1 | 0x400 | (0x100 if replace else 0x200) | (0x4 if ack else 0)
    assert message == encoded(where, via, protocol, sequence, flags)
    assert len(message) % 4 == 0
    kind = UNICAST if via else BLACKHOLE
    assert list(read(message)) == [RouteNews(where, protocol, via, kind, gone=False, sequence=sequence, port=0)]


@settings(deadline=None)
@given(routes(), st.integers(1, 255), U32, st.booleans())
def test_g6_a_delete_names_the_place_and_whose_it_must_be_and_nothing_else(
    route: tuple[Place, Via], protocol: int, sequence: int, ack: bool
) -> None:
    where, _ = route
    message = requests.delete(where, protocol, sequence, ack=ack)
    found = rtmsg(message)
    found.decode()
    assert (found["header"]["type"], found["header"]["flags"]) == (25, 5 if ack else 1)
    assert (found["type"], found["scope"], found["flags"]) == (0, 255, 0), "any type, any scope"
    assert {name for name, _ in found["attrs"]} <= {"RTA_TABLE", "RTA_PRIORITY", "RTA_DST"}
    (read_back,) = read(message)
    assert isinstance(read_back, RouteNews)
    assert (read_back.place, read_back.protocol, read_back.gone) == (where, protocol, True)


def test_n5_a_way_without_a_device_leaves_that_to_the_kernel() -> None:
    found = rtmsg(requests.add(place("10.1.0.0/24"), (way("192.0.2.2", 0),), 82, 1))
    found.decode()
    assert (found.get_attr("RTA_GATEWAY"), found.get_attr("RTA_OIF")) == ("192.0.2.2", None)


def test_e14_ipv6_through_an_ipv4_gateway_is_refused() -> None:
    with pytest.raises(ValueError, match="no IPv6 route through an IPv4 gateway"):
        requests.add(place("2001:db8::/32"), (way("192.0.2.2"),), 82, 1)


@pytest.mark.parametrize(
    ("address", "device", "flags"), [("192.0.2.1", 0, 0x3000), ("192.0.2.1", 7, 0x3000), ("2001:db8::1", 7, 0x2000)]
)
def test_n5_a_question_is_for_the_entry_that_matches(address: str, device: int, flags: int) -> None:
    found = rtmsg(requests.lookup(ip_address(address), device, 5))
    found.decode()
    assert (found["header"]["type"], found["header"]["flags"], found["header"]["sequence_number"]) == (26, 1, 5)
    assert (found["dst_len"], found["flags"]) == (BITS[ip_address(address).version], flags)
    assert found.get_attr("RTA_DST") == address
    assert found.get_attr("RTA_OIF") == (device or None)


def test_questions_are_not_mixed_up() -> None:
    """Each is made from the same shape."""
    one, other = (rtmsg(requests.lookup(ip_address(text), 7, 5)) for text in ("192.0.2.1", "192.0.2.9"))
    for found in (one, other):
        found.decode()
    assert [found.get_attr("RTA_DST") for found in (one, other)] == ["192.0.2.1", "192.0.2.9"]


def test_g6_a_dump_names_the_table_and_the_protocol() -> None:
    found = rtmsg(requests.dump_routes(6, 1000, 82, 5))
    found.decode()
    assert (found["header"]["type"], found["header"]["flags"], found["header"]["sequence_number"]) == (26, 0x301, 5)
    assert (found["family"], found["proto"], found.get_attr("RTA_TABLE")) == (10, 82, 1000)
    everything = rtmsg(requests.dump_routes(4, 0, 0, 6))
    everything.decode()
    assert (everything["family"], everything["proto"], everything["attrs"]) == (2, 0, [])


def test_a_dump_of_links_leaves_the_counters_out() -> None:
    found = ifinfmsg(requests.dump_links(5))
    found.decode()
    assert (found["header"]["type"], found["header"]["flags"], found["header"]["sequence_number"]) == (18, 0x301, 5)
    assert found.get_attr("IFLA_EXT_MASK") == 8


def test_only_these_requests_import_pyroute2() -> None:
    """It takes 80 ms and 12 MiB: nobody pays that without a kernel sink."""
    script = (
        "import sys, rri_bgp.controller, rri_bgp.service, rri_bgp.cli.run, rri_bgp.sinks.kernel.wire\n"
        "assert 'pyroute2' not in sys.modules\n"
        "import rri_bgp.sinks.kernel.requests\n"
        "assert 'pyroute2' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
