"""The kernel's pairs of SAs, over random histories: what counts is what is there, never how it came (rule E7)."""

from __future__ import annotations

import itertools
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from rri_bgp.model import Mode, SaKey, SaPair
from rri_bgp.sources.xfrm import wire
from rri_bgp.sources.xfrm.table import DOWN_AFTER, XfrmTable
from rri_bgp.sources.xfrm.wire import (
    Direction,
    Ends,
    Message,
    Policy,
    PolicyGone,
    PolicyKey,
    Sa,
    SaGone,
    StateKey,
    Template,
)
from tests.unit.sources import netlink

LOCAL, *PEERS = (ip_address(text).packed.ljust(16, b"\0") for text in ("192.0.2.1", "192.0.2.2", "192.0.2.3"))
NETS = tuple(
    next(wire.parse(netlink.message(0x13, netlink.userpolicy(1, own, net)))).key.selector  # type: ignore[union-attr]
    for own, net in (("10.0.0.0/16", "10.1.0.0/16"), ("10.0.0.0/16", "10.2.0.0/16"), ("fd00::/64", "fd01::/64"))
)


@st.composite
def states(draw: st.DrawFn) -> Sa:
    """One half of a pair, live or larval, of a few reqids and SPIs."""
    peer, inbound = draw(st.sampled_from(PEERS)), draw(st.booleans())
    source, destination = (peer, LOCAL) if inbound else (LOCAL, peer)
    key = StateKey(destination, draw(st.integers(1, 4)), 50)
    mode = draw(st.sampled_from((Mode.TUNNEL, Mode.TUNNEL, Mode.TRANSPORT)))
    ends = Ends(2, source, destination, draw(st.integers(1, 2)))
    return Sa(key, ends, mode, 0, draw(st.booleans() | st.just(True)))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """An outbound or inbound policy: of a tunnel (with or without SPI), a trap, a shunt or a block."""
    peer, net = draw(st.sampled_from(PEERS)), draw(st.sampled_from(NETS))
    direction = draw(st.sampled_from((Direction.OUT, Direction.IN)))
    ends = (LOCAL, peer) if direction is Direction.OUT else (peer, LOCAL)
    selector = net if direction is Direction.OUT else wire.mirrored(net)
    spi = draw(st.integers(0, 4)) if direction is Direction.OUT else 0
    template = Template(Ends(2, *ends, draw(st.integers(1, 2))), spi, 50, Mode.TUNNEL)
    return Policy(
        PolicyKey(direction, selector, draw(st.sampled_from((0, 5))), (0, 0)),
        draw(st.sampled_from((True, True, True, False))),
        draw(st.sampled_from((template, template, template, None))),
    )


singles = (
    states()
    | policies()
    | states().map(lambda sa: SaGone(sa.key))
    | policies().map(lambda policy: PolicyGone(policy.key))
)


@st.composite
def tunnels(draw: st.DrawFn) -> list[Message]:
    """All that makes a pair, in any order; perhaps without one of its parts."""
    peer, net, reqid = draw(st.sampled_from(PEERS)), draw(st.sampled_from(NETS)), draw(st.integers(1, 2))
    spi, if_id = draw(st.integers(1, 4)), draw(st.sampled_from((0, 5)))
    ends = Ends(2, LOCAL, peer, reqid)
    out = Template(ends, draw(st.sampled_from((0, spi))), 50, Mode.TUNNEL)
    into = Template(ends.mirrored, 0, 50, Mode.TUNNEL)
    parts: list[Message] = [
        Sa(StateKey(peer, spi, 50), ends, Mode.TUNNEL, if_id, True),
        Sa(StateKey(LOCAL, spi, 50), ends.mirrored, Mode.TUNNEL, if_id, True),
        Policy(PolicyKey(Direction.OUT, net, if_id, (0, 0)), True, out),
        Policy(PolicyKey(Direction.IN, wire.mirrored(net), if_id, (0, 0)), True, into),
    ]
    return draw(st.permutations(parts))[: draw(st.sampled_from((4, 4, 4, 3)))]


histories = st.lists(tunnels() | singles.map(lambda one: [one]), max_size=12).map(
    lambda groups: [message for group in groups for message in group]
)


def survivors(history: list[Message]) -> list[Message]:
    """What a dump would show at the end."""
    there: dict[object, Message] = {}
    for message in history:
        match message:
            case Sa(key) | Policy(key):
                there[key] = message
            case SaGone(key) | PolicyGone(key):
                there.pop(key, None)
            case _:
                raise AssertionError(message)
    return list(there.values())


def meaning(pairs: list[SaPair]) -> set[tuple[object, ...]]:
    """Pairs without the numbers that the table gives."""
    return {(one.peer, one.local, one.remote_ts, one.local_ts, one.reqid, one.if_id, one.mark) for one in pairs}


def settled(table: XfrmTable, now: float) -> dict[SaKey, SaPair | None]:
    """Lets everything that falls fall."""
    return table.changes(now) | table.changes(now + 2 * DOWN_AFTER)


@given(histories, st.randoms(use_true_random=False))
def test_e7_ends_equal_to_a_dump_whatever_the_history(history: list[Message], chance: object) -> None:
    """Changes asked for at any time, some of it dumped again in between."""
    table, dumped = XfrmTable("xfrm"), XfrmTable("xfrm")
    now = 0.0
    told: dict[SaKey, SaPair] = {}

    def hear(changes: dict[SaKey, SaPair | None]) -> None:
        for key, pair in changes.items():
            if pair is None:
                del told[key]
            else:
                assert told.get(key) != pair, "nothing is told twice"
                told[key] = pair

    for number, event in enumerate(history):
        table.take(event)
        if chance.random() < 0.3:  # type: ignore[attr-defined]
            now += chance.random()  # type: ignore[attr-defined]
            hear(table.changes(now))
        if chance.random() < 0.1:  # type: ignore[attr-defined]
            table.restart()
            for again in survivors(history[: number + 1]):
                table.take(again)
    hear(table.changes(now))
    hear(table.changes(now + 2 * DOWN_AFTER))
    for message in survivors(history):
        dumped.take(message)
    settled(dumped, 0.0)
    assert meaning(table.sas()) == meaning(dumped.sas()) == meaning(list(told.values()))
    assert table.due is None


def test_e7_an_sa_that_a_template_names_serves_it_only_with_the_reqid_and_if_id_of_both() -> None:
    """As in the kernel (xfrm_state_find), whichever of the two comes first."""
    peer, net, ends = PEERS[0], NETS[0], Ends(2, LOCAL, PEERS[0], 1)
    inbound: tuple[Message, ...] = (
        Sa(StateKey(LOCAL, 3, 50), ends.mirrored, Mode.TUNNEL, 0, True),
        Policy(PolicyKey(Direction.IN, wire.mirrored(net), 0, (0, 0)), True, None),
    )
    outbound = Policy(PolicyKey(Direction.OUT, net, 0, (0, 0)), True, Template(ends, 3, 50, Mode.TUNNEL))
    for reqid, if_id, count in ((1, 0, 1), (2, 0, 0), (1, 5, 0)):
        named = Sa(StateKey(peer, 3, 50), ends._replace(reqid=reqid), Mode.TUNNEL, if_id, True)
        for order in itertools.permutations((named, outbound, *inbound)):
            table = XfrmTable("xfrm")
            for message in order:
                table.take(message)
                table.changes(0.0)
            assert len(table.sas()) == count


@given(histories, st.integers(0, 200))
def test_order_does_not_count(history: list[Message], which: int) -> None:
    """What is there is taken in any order."""
    there = survivors(history)
    shuffled = next(itertools.islice(itertools.cycle(itertools.permutations(there)), which, None))
    one, other = XfrmTable("xfrm"), XfrmTable("xfrm")
    for message in there:
        one.take(message)
    for message in shuffled:
        other.take(message)
    settled(one, 0.0)
    settled(other, 0.0)
    assert meaning(one.sas()) == meaning(other.sas())
