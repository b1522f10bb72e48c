"""Which ExaBGPs we talk to, and how each tells its neighbours."""

from __future__ import annotations

import pytest

from rri_bgp.errors import EnvironmentProblem
from rri_bgp.sinks import NeighborState
from rri_bgp.sinks.exabgp.answers import NeighborFamilies
from rri_bgp.sinks.exabgp.commands import PROBE, PROBE_BEGINS
from rri_bgp.sinks.exabgp.dialects import EXABGP4, EXABGP5, Dialect, dialect_of

V4, V6 = "ipv4 unicast", "ipv6 unicast"

BLOCK = """\
Neighbor {peer}

  Session                         Local
   local                      127.0.0.1
   state                {state:>15}
   up for               {clock:>15}

  Setup                           Local          Remote
   AS                             65000           65000
   ID                         127.0.0.1       127.0.0.1
   hold-time                        180             180

  Capability                      Local          Remote
   asn4:                        enabled         enabled
   route-refresh:              disabled             n/a
   multi-session:              disabled        disabled
   operational:                disabled        disabled
   add-path:                   disabled        disabled
   extended-message:            enabled         enabled
   graceful-restart:    {graceful:>15}             n/a

  Families                        Local          Remote        Add-Path
   ipv4 unicast:                enabled {ipv4:>15}        disabled
   ipv6 unicast:                enabled {ipv6:>15}        disabled

  Message Statistic                Sent        Received
   open:                              1               1
   notification:                      0               0
   keepalive:                         2               2
   update:                            1               0
   refresh:                           0               0
   total:                             4               3

"""
"""As 4.2.25 writes it."""


def block(
    peer: str = "127.0.0.2",
    state: str = "ESTABLISHED",
    graceful: str = "disabled",
    ipv4: str = "enabled",
    ipv6: str = "enabled",
    clock: str = "0:00:03",
) -> str:
    return BLOCK.format(peer=peer, state=state, graceful=graceful, ipv4=ipv4, ipv6=ipv6, clock=clock)


def read(text: str) -> tuple[NeighborFamilies, ...]:
    return EXABGP4.read_neighbors(text.splitlines())


def said(
    peer: str, state: str, *families: str, graceful: bool = False, asns: tuple[int, int] = (65000, 65000)
) -> NeighborFamilies:
    return NeighborFamilies(NeighborState("127.0.0.1", peer, state), frozenset(families), graceful, *asns)


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ((4, 2, 0), EXABGP4),
        ((4, 2, 25), EXABGP4),
        ((5, 0, 13), EXABGP5),
        ((5, 0, 15), EXABGP5),
        ((5, 1, 0), EXABGP5),
    ],
)
def test_versions_that_are_known(version: tuple[int, int, int], dialect: Dialect) -> None:
    assert dialect_of(version) is dialect


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ((3, 4, 29), "ExaBGP 3.4.29 is too old: 4.2.x, or 5.0.13 and later is needed"),
        ((4, 1, 9), "ExaBGP 4.1.9 is too old: 4.2.x, or 5.0.13 and later is needed"),
        ((4, 3, 0), "ExaBGP 4.3.0 is too old: 4.2.x, or 5.0.13 and later is needed"),
        ((5, 0, 0), "ExaBGP 5.0.0 is too old: 4.2.x, or 5.0.13 and later is needed"),
        ((5, 0, 12), "ExaBGP 5.0.12 is too old: 4.2.x, or 5.0.13 and later is needed"),
        ((6, 0, 0), "ExaBGP 6.0.0 is not known to this program: 4.2.x, or 5.0.13 and later is needed"),
    ],
)
def test_versions_that_are_refused(version: tuple[int, int, int], words: str) -> None:
    with pytest.raises(EnvironmentProblem) as raised:
        dialect_of(version)
    assert raised.value.what == words


def test_4_is_asked_in_words_and_its_output_has_no_sure_beginning() -> None:
    assert (EXABGP4.show_neighbors, EXABGP4.begins) == ("show neighbor extensive", None)


def test_5_is_asked_for_json_and_nothing_else_begins_so() -> None:
    assert EXABGP5.show_neighbors == "show neighbor summary json"
    assert EXABGP5.begins is not None
    assert EXABGP5.begins("[]")
    for line in (PROBE_BEGINS, "done", "{}", "[", "exabgp 5.0.15", "neighbor 127.0.0.2 local-ip 127.0.0.1", ""):
        assert not EXABGP5.begins(line), line
    assert EXABGP5.show_neighbors != PROBE


@pytest.mark.parametrize("state", ["ESTABLISHED", "established", "Established"])
def test_4_a_session_that_is_up(state: str) -> None:
    assert read(block(state=state)) == (said("127.0.0.2", "up", V4, V6),)


@pytest.mark.parametrize("state", ["IDLE", "idle", "ACTIVE", "CONNECT", "OPENSENT", "OPENCONFIRM"])
def test_4_a_session_that_is_not_up_tells_what_is_configured(state: str) -> None:
    text = block(state=state, ipv4="n/a", ipv6="n/a").replace("up for  ", "down for")
    assert read(text) == (said("127.0.0.2", state.lower(), V4, V6),)


def test_4_a_family_that_was_not_negotiated_is_none() -> None:
    assert read(block(ipv6="disabled")) == (said("127.0.0.2", "up", V4),)


def test_4_graceful_restart_is_read() -> None:
    assert read(block(graceful="enabled")) == (said("127.0.0.2", "up", V4, V6, graceful=True),)
    assert read(block(graceful="disabled")) == (said("127.0.0.2", "up", V4, V6),)


def test_4_several_neighbors_in_their_order() -> None:
    text = block("127.0.0.3", state="IDLE", ipv4="n/a", ipv6="n/a") + block("2001:db8::2", graceful="enabled")
    assert read(text) == (said("127.0.0.3", "idle", V4, V6), said("2001:db8::2", "up", V4, V6, graceful=True))


def test_4_more_than_a_day_of_uptime_has_more_words() -> None:
    assert read(block(clock="3 days, 1:02:03")) == (said("127.0.0.2", "up", V4, V6),)


def test_4_lines_between_are_nothing() -> None:
    """Answers to an earlier life and events can stand before the first block: that question has no sure beginning."""
    noise = (
        "exabgp 4.2.25\ngarbage\n\nNeighbor\n   state   ESTABLISHED\n   ipv4 unicast:   enabled   enabled   disabled\n"
    )
    assert read(noise + block(ipv6="disabled")) == (said("127.0.0.2", "up", V4),)


@pytest.mark.parametrize("dialect", [EXABGP4, EXABGP5])
@pytest.mark.parametrize("lines", [[], [""], ["what"], ["[1, null, {}]"], ["[" * 10_000]])
def test_no_neighbor(dialect: Dialect, lines: list[str]) -> None:
    assert dialect.read_neighbors(lines) == ()


def test_4_a_block_that_ends_early_is_still_a_neighbor() -> None:
    assert read("Neighbor 127.0.0.2") == (NeighborFamilies(NeighborState("", "127.0.0.2", "unknown"), frozenset()),)


def test_5_the_first_line_that_is_a_list_counts() -> None:
    entry = (
        '{"fsm": "ESTABLISHED", "families": ["ipv4 unicast"], "peer": {"address": "127.0.0.2", "as": 65001}, '
        '"local": {"address": "127.0.0.1", "as": 65000, "capabilities": {"graceful-restart": 60}}}'
    )
    assert EXABGP5.read_neighbors(["{}", f"[{entry}]", "[]"]) == (
        said("127.0.0.2", "up", V4, graceful=True, asns=(65000, 65001)),
    )


def test_5_add_path_is_what_we_may_send() -> None:
    entry = (
        '{"fsm": "%s", "local": {"address": "127.0.0.1", "families": {"ipv4 unicast": true}, '
        '"add-path": {"ipv4 unicast": true, "ipv6 unicast": false, "ipv4 mpls-vpn": null}}, '
        '"peer": {"address": "127.0.0.2"}, "families": ["ipv4 unicast"]}'
    )
    (up,) = EXABGP5.read_neighbors([f"[{entry % 'ESTABLISHED'}]"])
    assert up.add_path == {V4}
    (down,) = EXABGP5.read_neighbors([f"[{entry % 'IDLE'}]"])
    assert down.add_path == frozenset()


def test_4_add_path_is_told_where_both_send_and_receive() -> None:
    text = block().replace("disabled\n   ipv6", "enabled\n   ipv6")
    assert [one.add_path for one in read(text)] == [{V4}]
    assert [one.add_path for one in read(text.replace("ESTABLISHED", "IDLE"))] == [frozenset()]


@pytest.mark.parametrize("asn", ["65536", "4200000000"])
def test_4_another_as_is_external(asn: str) -> None:
    (one,) = read(block().replace("65000           65000", f"65000 {asn}"))
    assert (one.local_asn, one.peer_asn, one.is_external) == (65000, int(asn), True)
    assert not read(block())[0].is_external
