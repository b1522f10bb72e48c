"""The real kernel, in a network namespace of the test's own: addresses, links, overruns."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from rri_bgp.surroundings import look_now
from tests.integration.netns import Namespace, namespace

MANY = [f"10.{number // 250}.{number % 250}.1/24" for number in range(1000)]


@pytest.fixture
async def kernel() -> AsyncIterator[Namespace]:
    async with namespace("tests.integration.watcher", "600") as made:
        yield made


async def test_g1_an_address_is_seen_when_it_comes_and_when_it_goes(kernel: Namespace) -> None:
    await kernel.ip("addr add 192.0.2.1/24 dev eth0", "addr add 2001:db8::1/64 dev eth0 nodad")
    said = await kernel.until(lambda said: {"192.0.2.1", "2001:db8::1"} <= set(said["addresses"]))
    assert {"192.0.2.0/24", "2001:db8::/64"} <= set(said["networks"])
    assert said["capabilities"] == 0
    assert said["resyncs"] == 1, "events tell, no dump"
    await kernel.ip("addr del 192.0.2.1/24 dev eth0")
    said = await kernel.until(lambda said: "192.0.2.1" not in said["addresses"])
    assert "192.0.2.0/24" not in said["networks"]
    assert "2001:db8::1" in said["addresses"]


async def test_g1_the_addresses_of_a_link_go_with_it(kernel: Namespace) -> None:
    await kernel.ip("addr add 192.0.2.1/24 dev eth0")
    await kernel.until(lambda said: "192.0.2.1" in said["addresses"])
    await kernel.ip("link del eth0")
    await kernel.until(lambda said: "192.0.2.1" not in said["addresses"])


async def test_g1_a_link_in_a_bridge_keeps_its_addresses(kernel: Namespace) -> None:
    await kernel.ip("addr add 192.0.2.1/24 dev eth0", "link add name br0 type bridge", "link set eth0 master br0")
    await kernel.ip("link set eth0 nomaster", "addr add 192.0.2.2/32 dev lo")
    said = await kernel.until(lambda said: "192.0.2.2" in said["addresses"])
    assert "192.0.2.1" in said["addresses"]


async def test_g1_a_thousand_addresses_are_seen(kernel: Namespace) -> None:
    await kernel.ip(*(f"addr add {address} dev eth0" for address in MANY))
    await kernel.until(lambda said: len(said["networks"]) == len(MANY))
    await kernel.ip("addr flush dev eth0")
    await kernel.until(lambda said: not said["networks"])


async def test_g1_an_overrun_is_repaired_by_another_look(kernel: Namespace) -> None:
    """Several times what fits into the socket's buffer while nobody reads (rmem_max is 208 KiB or more)."""
    resyncs = kernel.said["resyncs"]
    kernel.pause()
    for _ in range(8):
        await kernel.ip(*(f"addr add {address} dev eth0" for address in MANY))
        await kernel.ip("addr flush dev eth0")
    await kernel.ip(*(f"addr add {address} dev eth0" for address in MANY[:500]))
    kernel.resume()
    said = await kernel.until(lambda said: len(said["networks"]) == 500 and said["resyncs"] > resyncs)
    assert said["losses"] == ["No buffer space available"]


async def test_g1_it_looks_again_after_a_time_whatever_was_heard() -> None:
    async with namespace("tests.integration.watcher", "0.05") as made:
        await made.until(lambda said: said["resyncs"] >= 5)
        assert made.said["losses"] == []


def test_one_look_needs_no_loop_and_costs_little() -> None:
    start = time.perf_counter()
    found = look_now()
    assert any(address.is_loopback for address in found.addresses)
    assert time.perf_counter() - start < 5
