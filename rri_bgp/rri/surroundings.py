"""What the machine around us is like, as far as the rules ask: a value that somebody else keeps up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rri_bgp.model import Address, Prefix, VrfPrefix

__all__ = ["Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Nothing of it is known at first, and then nothing is refused on account of it.

    ``addresses`` are this machine's own, ``networks`` those that its interfaces are in (rule G1), ``neighbors`` the BGP
    neighbours' addresses (rule G1). Addresses and neighbours are of the default VRF; the network of an interface that
    is in a VRF is a ``VrfPrefix``, and stands in the way of that VRF's routes only. ``held`` are the redundancy groups
    whose virtual address is here (rule G2): a group that is not there is on standby.
    ``names`` are the host names of peers, resolved; a name that does not resolve is not there.
    """

    addresses: frozenset[Address] = frozenset()
    networks: frozenset[Prefix | VrfPrefix] = frozenset()
    neighbors: frozenset[Address] = frozenset()
    held: frozenset[str] = frozenset()
    names: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
