"""The addresses of this machine and the networks that they are in, as the kernel tells of them (rules G1, G2, N6).

Rules of this file: no I/O. Every message says what is, not what changed, so one that is heard twice, or late after a
dump, does no harm.

A *network* is that of an address: routes are not read. Who has a full table in the kernel would otherwise have this
program look at each of its routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rri_bgp.model import Address, Prefix, VrfPrefix
from rri_bgp.surroundings.netlink import AddressNews, Dump, LinkNews, News

__all__ = ["Links", "Table"]


@dataclass(frozen=True, slots=True)
class Links:
    """What the rules ask about this machine.

    ``addresses`` are those of the default VRF, ``networks`` those of all VRFs that the policy has. ``here`` are the
    addresses of every VRF that carry traffic: what decides who holds a virtual address (rule G2).
    """

    addresses: frozenset[Address] = frozenset()
    networks: frozenset[Prefix | VrfPrefix] = frozenset()
    here: frozenset[Address] = frozenset()


class _Key(NamedTuple):
    """What the kernel knows an address by: the same one may be on several links, and there with several lengths."""

    link: int
    address: Address
    network: Prefix


class _Link(NamedTuple):
    master: int
    table: int


class Table:
    """Links and addresses by what the kernel knows them by."""

    def __init__(self) -> None:
        self._addresses: dict[_Key, bool] = {}
        self._links: dict[int, _Link] = {}
        """Those alone that are a VRF or belong to another link: most do neither."""

    def __len__(self) -> int:
        return len(self._addresses)

    def take(self, news: News) -> bool:
        """Takes what the kernel says; whether it was news."""
        if isinstance(news, AddressNews):
            return self._take_address(news)
        if isinstance(news, LinkNews):
            return self._take_link(news)
        assert isinstance(news, Dump)  # noqa: S101  # for the type checker: there is no other
        return False

    def _take_address(self, news: AddressNews) -> bool:
        key = _Key(news.link, news.address, news.network)
        if news.gone:
            return self._addresses.pop(key, None) is not None
        before = self._addresses.get(key)
        self._addresses[key] = news.usable
        return before is not news.usable

    def _take_link(self, news: LinkNews) -> bool:
        before = self._links.pop(news.link, None)
        after = _Link(news.master, news.table) if not news.gone and (news.master or news.table) else None
        if after is not None:
            self._links[news.link] = after
        orphans = [key for key in self._addresses if key.link == news.link] if news.gone else []
        for key in orphans:
            del self._addresses[key]
        return before != after or bool(orphans)

    def links(self, vrfs: Mapping[int, str]) -> Links:
        """All of it; ``vrfs`` are the policy's VRFs by their table. What is in any other VRF is nobody's business."""
        addresses: set[Address] = set()
        networks: set[Prefix | VrfPrefix] = set()
        for key in self._addresses:
            table = self._vrf_table(key.link)
            if table and table not in vrfs:
                continue
            if not table:
                addresses.add(key.address)
            if _is_network(key):
                networks.add(VrfPrefix(vrfs[table], key.network) if table else key.network)
        here = frozenset(key.address for key, usable in self._addresses.items() if usable)
        return Links(frozenset(addresses), frozenset(networks), here)

    def _vrf_table(self, index: int) -> int:
        """The table of the VRF that a link is, or is in; 0 for the default one."""
        link = self._links.get(index)
        if link is None:
            return 0
        if link.table:
            return link.table
        master = self._links.get(link.master)
        return 0 if master is None else master.table


def _is_network(key: _Key) -> bool:
    """Not what is the address itself, nor what rule G1 has a word of its own for: loopback and link-local."""
    host = key.network.length == key.address.max_prefixlen and key.network.network == int(key.address)
    return not (host or key.address.is_loopback or key.address.is_link_local)
