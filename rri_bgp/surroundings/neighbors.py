"""The BGP neighbours' addresses, as the sinks know them (rule G1)."""

from __future__ import annotations

from collections.abc import Iterable

from rri_bgp.addresses import read_address
from rri_bgp.model import Address
from rri_bgp.sinks import SinkStatus

__all__ = ["neighbors_of"]


def neighbors_of(statuses: Iterable[SinkStatus]) -> frozenset[Address]:
    """Every neighbour that a sink has named, up or not. What is no address is left out."""
    found = set()
    for peer in {neighbor.peer for status in statuses for neighbor in status.neighbors}:
        try:
            found.add(read_address(peer))
        except ValueError:
            continue
    return frozenset(found)
