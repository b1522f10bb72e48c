"""What the kernel says becomes addresses and networks, of the VRF that they are in."""

from __future__ import annotations

from ipaddress import ip_address

from rri_bgp.model import VrfPrefix
from rri_bgp.surroundings.links import Links, Table
from rri_bgp.surroundings.netlink import read
from tests.unit.surroundings.messages import deladdr, dellink, done, newaddr, newlink
from tests.values import pfx

NO_VRFS: dict[int, str] = {}


def table(*datagrams: bytes) -> Table:
    made = Table()
    for datagram in datagrams:
        take(made, datagram)
    return made


def take(into: Table, datagram: bytes) -> list[bool]:
    return [into.take(news) for news in read(datagram)]


def addresses(*texts: str) -> frozenset[object]:
    return frozenset(map(ip_address, texts))


def test_nothing_is_known_at_first() -> None:
    assert table().links(NO_VRFS) == Links()


def test_g1_an_address_and_its_network_are_ours() -> None:
    links = table(newaddr("192.0.2.1/24"), newaddr("2001:db8::1/64"), done()).links(NO_VRFS)
    assert links.addresses == links.here == addresses("192.0.2.1", "2001:db8::1")
    assert links.networks == {pfx("192.0.2.0/24"), pfx("2001:db8::/64")}


def test_g1_the_other_end_of_a_link_is_a_network() -> None:
    links = table(newaddr("10.0.0.1/32", peer="10.0.0.2")).links(NO_VRFS)
    assert links.addresses == addresses("10.0.0.1")
    assert links.networks == {pfx("10.0.0.2/32")}


def test_g1_an_address_alone_is_no_network_and_loopback_and_link_local_have_their_own_words() -> None:
    links = table(
        newaddr("192.0.2.1/32"), newaddr("127.0.0.1/8", 1), newaddr("fe80::1/64"), newaddr("2001:db8::1/128")
    ).links(NO_VRFS)
    assert links.addresses == addresses("192.0.2.1", "127.0.0.1", "fe80::1", "2001:db8::1")
    assert not links.networks


def test_what_is_no_news_is_said_to_be_none() -> None:
    made = table()
    assert take(made, newaddr("192.0.2.1/24")) == [True]
    assert take(made, newaddr("192.0.2.1/24")) == [False]
    assert take(made, done()) == [False]
    assert take(made, deladdr("192.0.2.1/25")) == [False]
    assert take(made, deladdr("192.0.2.1/24")) == [True]
    assert take(made, deladdr("192.0.2.1/24")) == [False]
    assert take(made, newlink(2)) == [False]
    assert take(made, newlink(2, master=5)) == [True]
    assert take(made, newlink(2, master=5)) == [False]
    assert take(made, dellink(2)) == [True]
    assert not len(made)


def test_an_address_on_two_links_is_here_until_both_have_let_it_go() -> None:
    made = table(newaddr("192.0.2.1/24", 2), newaddr("192.0.2.1/24", 3))
    take(made, deladdr("192.0.2.1/24", 2))
    assert made.links(NO_VRFS).here == addresses("192.0.2.1")
    take(made, deladdr("192.0.2.1/24", 3))
    assert not made.links(NO_VRFS).here


def test_the_addresses_of_a_link_go_with_it() -> None:
    made = table(newaddr("192.0.2.1/24", 2), newaddr("192.0.2.2/24", 3))
    assert take(made, dellink(2)) == [True]
    assert made.links(NO_VRFS).here == addresses("192.0.2.2")


def test_g2_an_address_under_duplicate_detection_is_ours_and_not_here() -> None:
    made = table(newaddr("2001:db8::1/64", flags=0x40))
    assert made.links(NO_VRFS).addresses == addresses("2001:db8::1")
    assert not made.links(NO_VRFS).here
    assert take(made, newaddr("2001:db8::1/64")) == [True]
    assert made.links(NO_VRFS).here == addresses("2001:db8::1")


def test_n6_what_is_in_a_vrf_counts_there_only() -> None:
    made = table(newlink(9, table=10), newlink(3, master=9), newaddr("10.0.0.1/24", 3), newaddr("10.0.9.1/24", 9))
    links = made.links({10: "red"})
    assert not links.addresses
    assert links.networks == {VrfPrefix("red", pfx("10.0.0.0/24")), VrfPrefix("red", pfx("10.0.9.0/24"))}
    assert links.here == addresses("10.0.0.1", "10.0.9.1")


def test_n6_what_is_in_a_vrf_that_the_policy_does_not_have_is_left_out() -> None:
    made = table(newlink(9, table=11), newlink(3, master=9), newaddr("10.0.0.1/24", 3))
    links = made.links({10: "red"})
    assert (links.addresses, links.networks, links.here) == (frozenset(), frozenset(), addresses("10.0.0.1"))


def test_n6_a_link_that_leaves_its_vrf_is_in_the_default_one() -> None:
    made = table(newlink(9, table=10), newlink(3, master=9), newaddr("10.0.0.1/24", 3))
    assert take(made, newlink(3)) == [True]
    assert made.links({10: "red"}).networks == {pfx("10.0.0.0/24")}


def test_n6_a_port_of_a_bridge_is_in_no_vrf() -> None:
    made = table(newlink(8), newlink(3, master=8), newaddr("10.0.0.1/24", 3))
    assert made.links({10: "red"}).networks == {pfx("10.0.0.0/24")}
