"""The destinations that nobody may propose without being told to: special ranges, and what is ours (rule G1).

Rules of this file: a destination is stopped when it *overlaps* with what is fenced off, so it is, covers or lies in it.
Lies in, too: whoever may announce one host of the gateway's own network has that host's traffic. All that is fenced off
is merged into intervals, so that one look in a sorted list clears a destination, however much there is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from rri_bgp.model import Address, Prefix
from rri_bgp.reasons import Reason
from rri_bgp.rri.entries import Special
from rri_bgp.rri.intervals import merged
from rri_bgp.rri.surroundings import Surroundings

__all__ = ["Barred", "Fence", "Fences", "barred"]

Barred = tuple[Prefix, Special]
"""A prefix that is fenced off, and as what."""

_RESERVED = tuple(
    (Prefix.parse(text), special)
    for text, special in (
        ("0.0.0.0/8", Special.UNSPECIFIED),
        ("127.0.0.0/8", Special.LOOPBACK),
        ("169.254.0.0/16", Special.LINK_LOCAL),
        ("224.0.0.0/4", Special.MULTICAST),
        ("255.255.255.255/32", Special.BROADCAST),
        ("::/128", Special.UNSPECIFIED),
        ("::1/128", Special.LOOPBACK),
        ("fe80::/10", Special.LINK_LOCAL),
        ("ff00::/8", Special.MULTICAST),
    )
)
"""RFC 6890, RFC 5771, RFC 4291."""

REASONS = {
    Special.NEIGHBOR: Reason.NEIGHBOR,
    Special.LOCAL: Reason.LOCAL,
    Special.MULTICAST: Reason.MULTICAST,
    Special.BROADCAST: Reason.BROADCAST,
    Special.LOOPBACK: Reason.LOOPBACK,
    Special.LINK_LOCAL: Reason.LINK_LOCAL,
    Special.UNSPECIFIED: Reason.UNSPECIFIED,
}


class Fence:
    """What stands in the way. Where several prefixes overlap with a destination the first of them is named."""

    def __init__(self, prefixes: Iterable[Barred]) -> None:
        self._barred = tuple(prefixes)
        self._starts: dict[int, list[int]] = {}
        self._ends: dict[int, list[int]] = {}
        for version in (4, 6):
            intervals = merged((one.network, one.last) for one, _ in self._barred if one.version == version)
            self._starts[version] = [first for first, _ in intervals]
            self._ends[version] = [last for _, last in intervals]

    def is_clear(self, version: int, first: int, last: int) -> bool:
        """Whether nothing that is fenced off overlaps with ``first``..``last``, both inside."""
        before = bisect_right(self._starts[version], last)
        return not before or self._ends[version][before - 1] < first

    def barred_by(self, prefix: Prefix) -> Barred | None:
        """What overlaps with a prefix. Slow: ask it of what is not clear."""
        return next((one for one in self._barred if one[0].contains(prefix) or prefix.contains(one[0])), None)


def barred(surroundings: Surroundings, vrf: str = "") -> Iterator[Barred]:
    """All that is fenced off from the routes of a VRF.

    The gateway's addresses, its neighbours and the networks that stand alone are of the default VRF.
    """
    if vrf:
        networks = [one.prefix for one in surroundings.networks if not isinstance(one, Prefix) and one.vrf == vrf]
    else:
        networks = [one for one in surroundings.networks if isinstance(one, Prefix)]
        networks += [_host(address) for address in surroundings.addresses]
        yield from ((_host(address), Special.NEIGHBOR) for address in sorted(surroundings.neighbors, key=_by_family))
    yield from ((network, Special.LOCAL) for network in sorted(networks))
    yield from _RESERVED


def _by_family(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _host(address: Address) -> Prefix:
    return Prefix(address.version, int(address), address.max_prefixlen)


class Fences:
    """One fence for all entries of a VRF that allow the same: there are few of them."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._known: dict[tuple[str, frozenset[Special]], Fence] = {}

    def get(self, vrf: str, allowed: frozenset[Special]) -> Fence:
        """The fence of a VRF without what is allowed."""
        found = self._known.get((vrf, allowed))
        if found is None:
            found = Fence(one for one in barred(self._surroundings, vrf) if one[1] not in allowed)
            self._known[vrf, allowed] = found
        return found
