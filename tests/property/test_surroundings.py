"""What is around, over random histories: messages, words of keepalived, and junk (rules G1, G2, E7)."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.errors import NetlinkError
from rri_bgp.model import Address, Prefix
from rri_bgp.rri.entries import Group
from rri_bgp.surroundings.links import Table
from rri_bgp.surroundings.netlink import AddressNews, LinkNews, News, read
from rri_bgp.surroundings.redundancy import Notice, Notices, Redundancy, Role, Witness, read_notice
from tests.unit.surroundings.messages import message, newaddr, newlink

VRFS = {10: "red"}
LINKS = (1, 2, 3)
"""Link 3 may be a VRF."""

addresses = st.builds(
    lambda link, host, usable, gone: AddressNews(
        link, ip_address(f"10.0.0.{host}"), Prefix.parse("10.0.0.0/24"), usable, gone
    ),
    st.sampled_from(LINKS), st.integers(1, 3), st.booleans(), st.booleans(),
)  # fmt: skip
links = st.builds(
    LinkNews, st.sampled_from(LINKS), st.sampled_from((0, 3)), st.sampled_from((0, 0, 10, 11)), st.booleans()
)
histories = st.lists(st.one_of(addresses, links), max_size=30)


class Kernel:
    """What is true: as plain as can be."""

    def __init__(self) -> None:
        self.addresses: dict[tuple[int, Address], AddressNews] = {}
        self.links: dict[int, LinkNews] = {}

    def take(self, news: News) -> None:
        if isinstance(news, AddressNews):
            self.addresses.pop((news.link, news.address), None)
            if not news.gone:
                self.addresses[news.link, news.address] = news
        elif isinstance(news, LinkNews):
            self.links[news.link] = news
            if news.gone:
                self.links.pop(news.link)
                self.addresses = {key: one for key, one in self.addresses.items() if one.link != news.link}

    def table_of(self, link: int) -> int:
        known = self.links.get(link)
        if known is None or known.table:
            return 0 if known is None else known.table
        master = self.links.get(known.master)
        return 0 if master is None else master.table


def look(kernel: Kernel) -> Table:
    """A dump."""
    table = Table()
    for link in kernel.links.values():
        table.take(link)
    for address in kernel.addresses.values():
        table.take(address)
    return table


@given(histories, st.integers(0, 30))
def test_e7_what_was_followed_is_what_a_look_sees(history: list[News], start: int) -> None:
    """From any point on, also where the last messages before the look come once more."""
    kernel = Kernel()
    for news in history[:start]:
        kernel.take(news)
    followed = look(kernel)
    for news in history[start:]:
        kernel.take(news)
        followed.take(news)
    assert followed.links(VRFS) == look(kernel).links(VRFS)
    for news in history[-1:]:
        assert not followed.take(news) or isinstance(news, LinkNews)
        assert followed.links(VRFS) == look(kernel).links(VRFS)


@given(histories)
def test_g1_n6_addresses_and_networks_are_those_of_the_vrf(history: list[News]) -> None:
    kernel = Kernel()
    for news in history:
        kernel.take(news)
    seen = look(kernel).links(VRFS)
    here = kernel.addresses.values()
    assert seen.addresses == {one.address for one in here if kernel.table_of(one.link) == 0}
    assert {str(network) for network in seen.networks} == {
        {0: "10.0.0.0/24", 10: "10.0.0.0/24 vrf red"}[table]
        for table in map(kernel.table_of, {one.link for one in here})
        if table != 11
    }
    assert seen.here == {one.address for one in here if one.usable}


# ---- bytes


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(NetlinkError):
        list(read(data))


@given(st.sampled_from((16, 17, 20, 21, 2, 3)), st.binary(max_size=80))
def test_any_body_is_read_or_refused(kind: int, body: bytes) -> None:
    with contextlib.suppress(NetlinkError):
        list(read(message(kind, body)))


@given(st.sampled_from((newaddr("192.0.2.1/24"), newaddr("2001:db8::1/64", peer="2001:db8::2"), newlink(9, table=10))),
       st.integers(0, 200), st.integers(0, 255))  # fmt: skip
def test_a_message_with_one_wrong_byte_is_read_or_refused(datagram: bytes, place: int, byte: int) -> None:
    place %= len(datagram)
    with contextlib.suppress(NetlinkError):
        list(read(datagram[:place] + bytes([byte]) + datagram[place + 1 :]))


@given(st.binary(max_size=100))
def test_g2_any_line_is_read_or_refused(line: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_notice(line)


pieces = st.lists(
    st.sampled_from(
        (b'INSTANCE "VI_1" MASTER 100\n', b'INSTANCE "VI_2" FAULT 1\n', b"junk\n", b"\n", b"x" * 1500, b"\0\xff\n")
    )
)


@given(pieces, st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_g2_how_the_bytes_are_cut_changes_nothing(written: list[bytes], cuts: list[int]) -> None:
    data, whole, cut = b"".join(written), Notices(), Notices()
    found, start = [], 0
    while start < len(data):
        size = cuts[start % len(cuts)]
        found += cut.feed(data[start : start + size])
        start += size
    expected = [notice for line in data.splitlines(keepends=True) for notice in whole.feed(line)]
    assert (found, cut.junk) == (expected, whole.junk)


# ---- redundancy

VIRTUAL = ip_address("192.168.0.3")
words = st.lists(
    st.one_of(st.booleans(), st.sampled_from((Notice("VI_1", Witness.MASTER), Notice("VI_1", Witness.OTHER)))),
    max_size=20,
)


@given(words, st.booleans())
def test_g2_a_group_is_held_while_all_who_are_asked_agree(said: list[bool | Notice], asks_keepalived: bool) -> None:
    made = Redundancy()
    made.take_groups({"group1": Group("group1", (VIRTUAL,))}, {"group1": "VI_1"} if asks_keepalived else {})
    here: bool | None = None
    master: bool | None = None if asks_keepalived else True
    for word in said:
        if isinstance(word, bool):
            made.take_addresses(frozenset({VIRTUAL}) if word else frozenset())
            master = word if master is None else master  # the first look decides
            here = word
        elif asks_keepalived:
            made.take_notices(["group1"], [word])
            master = word.witness is Witness.MASTER
        assert bool(made.held) is (here is True and master is True)
        (state,) = made.states()
        assert (state.role is Role.HOLDER) is bool(made.held)
