"""What is known of a name, while it resolves, when it stops, and after that."""

from __future__ import annotations

from ipaddress import ip_address

from rri_bgp.model import Address
from rri_bgp.surroundings.names import NameState, NameTable

HUB = "hub.example.org"
KEEP = 3600.0


def ips(*texts: str) -> tuple[Address, ...]:
    return tuple(map(ip_address, texts))


def names(*given: str) -> NameTable:
    table = NameTable(KEEP)
    table.take_names(given or (HUB,))
    return table


def test_a_name_is_unresolved_at_first() -> None:
    assert names().states() == (NameState(HUB),)
    assert names().resolved == {}


def test_an_answer_is_used_in_an_order_that_name_servers_cannot_turn() -> None:
    table = names()
    table.answered(HUB, ips("2001:db8::1", "203.0.113.9", "203.0.113.2", "203.0.113.9"), 5.0)
    assert table.resolved == {HUB: ips("203.0.113.2", "203.0.113.9", "2001:db8::1")}
    assert table.states() == (NameState(HUB, ips("203.0.113.2", "203.0.113.9", "2001:db8::1"), 5.0),)


def test_g7_a_name_that_stops_resolving_keeps_its_addresses_for_a_time() -> None:
    table = names()
    table.answered(HUB, ips("203.0.113.2"), 0.0)
    table.failed(HUB, "Temporary failure in name resolution", 60.0)
    assert table.resolved == {HUB: ips("203.0.113.2")}
    assert table.states() == (
        NameState(HUB, ips("203.0.113.2"), 0.0, "Temporary failure in name resolution"),
    )  # fmt: skip
    table.advance(KEEP)
    assert table.resolved == {HUB: ips("203.0.113.2")}
    table.failed(HUB, "Name or service not known", KEEP + 1)
    assert table.resolved == {}
    assert table.states() == (NameState(HUB, (), 0.0, "Name or service not known"),)


def test_a_name_that_resolves_again_is_as_new() -> None:
    table = names()
    table.failed(HUB, "no", 1.0)
    table.answered(HUB, ips("203.0.113.2"), 2.0)
    assert table.states() == (NameState(HUB, ips("203.0.113.2"), 2.0),)


def test_an_empty_answer_is_none() -> None:
    table = names()
    table.answered(HUB, (), 1.0)
    assert table.states() == (NameState(HUB, reason="it has no address"),)


def test_an_answer_is_bounded() -> None:
    table = names()
    table.answered(HUB, (ip_address(number) for number in range(1, 1000)), 1.0)
    assert len(table.resolved[HUB]) == 64


def test_another_policy_keeps_what_it_shares_and_forgets_the_rest() -> None:
    table = names("b", "a", "a")
    assert table.names == ("a", "b")
    table.answered("a", ips("203.0.113.2"), 1.0)
    assert table.take_names(["c", "a"]) == ("c",)
    assert table.names == ("a", "c")
    assert table.resolved == {"a": ips("203.0.113.2")}


def test_an_answer_for_a_name_that_nobody_wants_any_more_is_dropped() -> None:
    table = names()
    table.answered("other", ips("203.0.113.2"), 1.0)
    table.failed("other", "no", 1.0)
    assert table.states() == (NameState(HUB),)


def test_g7_a_name_that_comes_back_with_an_earlier_policy_is_known() -> None:
    table = names("a", "b")
    table.answered("a", ips("203.0.113.2"), 1.0)
    table.take_names(["b"])
    assert table.resolved == {}
    assert table.take_names(["a", "b"]) == ("a",)
    assert table.resolved == {"a": ips("203.0.113.2")}
    table.take_names(["b"])
    table.advance(KEEP + 2)
    table.take_names(["a"])
    assert table.resolved == {}
