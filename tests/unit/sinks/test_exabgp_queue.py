"""The order in which a queue drains, and what is bounded in it. ``tests/property`` has the rest."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

import pytest

from rri_bgp.errors import ExabgpError
from rri_bgp.model import Attributes, Destination, FlowRule, Path, Prefix
from rri_bgp.sinks import RouteState
from rri_bgp.sinks.exabgp.forms import MAX_NLRI
from rri_bgp.sinks.exabgp.holdings import Unknown
from rri_bgp.sinks.exabgp.lanes import Lane
from rri_bgp.sinks.exabgp.queue import DrainingQueue
from tests.values import HUB4, HUB6, pfx

V4, V6 = pfx("10.1.0.0/16"), pfx("2001:db8:1::/48")
FIRST, SECOND = Path(HUB4), Path(ip_address("198.51.100.2"))
MANY = [Prefix(4, (10 << 24) + (number << 8), 24) for number in range(120)]


class Table(dict[Destination, "Path | Mapping[int, Path]"]):
    """What is wanted."""


def said(queue: DrainingQueue) -> list[str]:
    """All there is to say, each command answered ``done``: verb, path identifier, how many."""
    found = []
    while command := queue.next_command():
        found.append(f"{command.verb.value} {command.form.path_id or '-'} {len(command.destinations)}")
        queue.done()
    return found


def drained(wanted: Table) -> DrainingQueue:
    queue = DrainingQueue(wanted.get)
    queue.allow_withdraw()
    queue.changed(wanted)
    said(queue)
    return queue


def test_withdraws_of_a_large_change_go_first_and_those_of_a_policy_last() -> None:
    wanted = Table(dict.fromkeys(MANY[:60], FIRST))
    for moves, order in ((False, ["withdraw", "announce"]), (True, ["announce", "withdraw"])):
        queue = drained(Table(wanted))
        after = Table(dict.fromkeys(MANY[30:90], FIRST))
        queue._desired = after.get
        queue.changed(MANY, moves=moves)
        verbs = [line.split()[0] for line in said(queue)]
        assert verbs == order


def test_a_small_move_withdraws_last_too() -> None:
    wanted = Table({MANY[0]: FIRST})
    queue = drained(wanted)
    del wanted[MANY[0]]
    wanted[MANY[1]] = FIRST
    queue.changed(MANY[:2], moves=True)
    assert said(queue) == ["announce - 1", "withdraw - 1"]


def test_e13_what_goes_waits_for_what_comes_so_that_there_is_no_gap() -> None:
    wanted = Table({V4: {1: FIRST}})
    queue = drained(wanted)
    assert queue.state(V4).paths == (FIRST,)
    wanted[V4] = {2: SECOND}
    queue.changed([V4])
    assert said(queue) == ["announce 2 1", "withdraw 1 1"]
    wanted[V4] = SECOND
    queue.changed([V4])
    assert said(queue) == ["announce - 1", "withdraw 2 1"]
    assert queue.state(V4).state is RouteState.CONFIRMED
    assert queue._numbers == {}, "nothing is left of the identifiers"


def test_e13_what_cannot_come_does_not_keep_what_goes() -> None:
    wanted = Table({V4: {1: FIRST}})
    queue = drained(wanted)
    wanted[V4] = {2: SECOND}
    queue.changed([V4])
    queue.next_command()
    queue.error()
    assert said(queue) == ["withdraw 1 1"]
    assert queue.state(V4).state is RouteState.REFUSED


def test_a_prepared_command_gives_way_to_a_small_change() -> None:
    wanted = Table(dict.fromkeys(MANY, FIRST))
    queue = DrainingQueue(wanted.get)
    queue.changed(MANY)
    queue.next_command()
    foreseen = queue.foresee()
    assert foreseen is not None
    assert foreseen is queue.foresee()
    wanted[V6] = Path(HUB6)
    queue.changed([V6])
    assert queue.first_lane is Lane.SMALL
    queue.done()
    command = queue.next_command()
    assert command is not None
    assert command.destinations == (V6,)
    queue.done()
    assert queue.next_command() is not None
    assert queue.done().destinations == foreseen.destinations, "it comes after that, as it was"


def test_a_prepared_command_is_the_next_one_where_nothing_changes() -> None:
    wanted = Table(dict.fromkeys(MANY, FIRST))
    queue = DrainingQueue(wanted.get)
    queue.changed(MANY)
    queue.next_command()
    foreseen = queue.foresee()
    queue.done()
    assert queue.next_command() is foreseen


@pytest.mark.parametrize("flaps", [1000])
def test_memory_is_bounded_by_the_keys_and_not_by_their_changes(flaps: int) -> None:
    wanted = Table()
    queue = DrainingQueue(wanted.get)
    for flap in range(flaps):
        for prefix in MANY[:3]:
            wanted[prefix] = FIRST if flap % 2 else SECOND
        queue.changed(MANY[:3])
    waiting = [group.waiting for lane in queue._lanes._lanes for group in lane.values()]
    assert sum(map(len, waiting)) < 200
    assert queue.pending == 3


def test_e11_a_flow_goes_alone_and_one_without_words_is_refused() -> None:
    odd = FlowRule(V4, 132, (80, 80))
    flows: list[Destination] = [FlowRule(V4, 6, (443, 443)), FlowRule(V4, 6, (80, 80)), odd]
    wanted = Table(dict.fromkeys(flows, FIRST))
    queue = drained(wanted)
    assert queue.confirmed == 2
    assert queue.state(odd).state is RouteState.REFUSED
    assert "FlowSpec matches ports of TCP and UDP only" in queue.state(odd).reason


def test_families_are_counted() -> None:
    wanted = Table({V4: FIRST, MANY[0]: FIRST})
    queue = drained(wanted)
    assert (queue.holds_family("ipv4 unicast"), queue.holds_family("ipv6 unicast")) == (True, False)
    for prefix in (V4, MANY[0]):
        del wanted[prefix]
    queue.changed([V4, MANY[0]])
    said(queue)
    assert not queue.holds_family("ipv4 unicast")
    queue.adopt({V6: Unknown.PATH})
    assert queue.holds_family("ipv6 unicast")


def test_an_equal_path_of_another_order_is_left_alone() -> None:
    def path(*communities: tuple[int, int]) -> Path:
        return Path(HUB4, Attributes(communities=communities, extended_communities=(2, 1)))

    wanted = Table({V4: path((2, 2), (1, 1))})
    queue = DrainingQueue(wanted.get)
    queue.adopt({V4: Path(HUB4, Attributes(communities=((1, 1), (2, 2)), extended_communities=(1, 2)))})
    queue.changed([V4])
    assert said(queue) == []


def test_faults_of_ours() -> None:
    queue = DrainingQueue(Table({V4: FIRST}).get)
    with pytest.raises(ExabgpError, match="an answer, but no command in flight"):
        queue.done()
    queue.changed([V4])
    queue.next_command()
    with pytest.raises(ExabgpError, match="adoption while a command is in flight"):
        queue.adopt({})


def test_a_command_has_no_more_than_it_may() -> None:
    queue = DrainingQueue(Table(dict.fromkeys(MANY, FIRST)).get)
    queue.changed(MANY)
    assert said(queue) == [f"announce - {MAX_NLRI}", f"announce - {MAX_NLRI}", f"announce - {len(MANY) - 2 * MAX_NLRI}"]
