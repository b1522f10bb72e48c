"""What charon says about SAs: the sections of ``list-sas`` and of events, in the forms that charon 6.0.1 sends."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from rri_bgp.errors import ViciError
from rri_bgp.model import Mode, SaKey, SaPair
from rri_bgp.sources.vici.sas import Hint, read_checking, read_event, read_sas
from tests.values import ts


def child(uniqueid: int, **more: Any) -> dict[str, Any]:
    """A CHILD_SA's section."""
    section = {"name": "net", "uniqueid": str(uniqueid), "reqid": "1", "state": "INSTALLED", "mode": "TUNNEL"}
    return section | {"remote-ts": ["10.1.0.0/16"], "local-ts": ["10.0.0.0/16"]} | more


def ike(uniqueid: int, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A ``list-sa`` event of one IKE SA named ``branch1``."""
    section = {
        "uniqueid": str(uniqueid), "state": "ESTABLISHED", "local-host": "192.0.2.9", "remote-host": "192.0.2.1",
        "remote-id": "branch1.example.net",
        "child-sas": {f"{one.get('name', '')}-{one.get('uniqueid', '')}": one for one in children},
    }  # fmt: skip
    return {"branch1": section | more}


def shown(uniqueid: int, *children: dict[str, Any]) -> tuple[SaPair, ...]:
    """The children of that IKE SA."""
    (found,) = read_sas("vici", ike(uniqueid, *children))
    return found.children


def test_a_child_as_charon_lists_it() -> None:
    (found,) = read_sas("vici", ike(3, child(7)))
    assert found.ike_id == 3
    assert found.children == (
        SaPair(
            key=SaKey("vici", 7),
            connection="branch1",
            child="net",
            peer=ip_address("192.0.2.1"),
            local=ip_address("192.0.2.9"),
            remote_ts=(ts("10.1.0.0/16"),),
            local_ts=(ts("10.0.0.0/16"),),
            identity="branch1.example.net",
            ike_id=3,
            reqid=1,
        ),
    )


@pytest.mark.parametrize("state", ["INSTALLED", "UPDATING", "REKEYING", "REKEYED"])
def test_these_states_carry_traffic(state: str) -> None:
    (found,) = read_sas("vici", ike(3, child(7, state=state)))
    assert [sa.state for sa in found.children] == [state]


@pytest.mark.parametrize("state", ["CREATED", "INSTALLING", "DELETING", "DELETED", "DESTROYING", ""])
def test_these_states_do_not(state: str) -> None:
    (found,) = read_sas("vici", ike(3, child(7, state=state)))
    assert (found.children, found.down) == ((), frozenset({7}))


def test_an_ike_sa_that_is_connecting_has_no_addresses_and_no_children() -> None:
    (found,) = read_sas("vici", {"(unnamed)": {"uniqueid": "4", "state": "CONNECTING", "remote-host": "%any"}})
    assert (found.children, found.problems) == ((), ())


def test_an_eap_identity_comes_before_the_ike_identity() -> None:
    (found,) = read_sas("vici", ike(3, child(7), **{"remote-eap-id": "alice"}))
    assert found.children[0].identity == "alice"


def test_control_characters_of_a_peer_do_not_reach_a_terminal() -> None:
    (found,) = read_sas("vici", ike(3, child(7), **{"remote-id": "a\x1b[2Jb\n"}))
    assert found.children[0].identity == "a?[2Jb?"


def test_a_malformed_child_or_selector_takes_nothing_else_along() -> None:
    broken = child(8, **{"remote-ts": ["10.9.0.0/16", "rubbish"]})
    nameless, odd = child(9) | {"uniqueid": "x"}, child(10, reqid="many")
    (found,) = read_sas("vici", ike(3, child(7), broken, nameless, odd))
    assert {sa.key.uniqueid: sa.remote_ts for sa in found.children} == {
        7: (ts("10.1.0.0/16"),),
        8: (ts("10.9.0.0/16"),),
    }
    assert len(found.problems) == 3


def test_transport_and_beet_are_told_apart() -> None:
    (found,) = read_sas("vici", ike(3, child(1, mode="TRANSPORT"), child(2, mode="BEET"), child(3, mode="odd")))
    assert [sa.mode for sa in found.children] == [Mode.TRANSPORT, Mode.BEET, Mode.TRANSPORT]


def test_an_ike_sa_without_a_uniqueid_cannot_be() -> None:
    with pytest.raises(ViciError):
        list(read_sas("vici", {"branch1": {"state": "ESTABLISHED"}}))


def test_interface_id_and_mark_are_the_outbound_ones() -> None:
    given = {"if-id-out": "0000002a", "if-id-in": "00000007", "mark-out": "ffffffff", "mark-mask-out": "000000ff"}
    (found,) = read_sas("vici", ike(3, child(7, **given)))
    assert (found.children[0].if_id, found.children[0].mark) == (42, 0xFFFFFFFF)


@pytest.mark.parametrize("text", ["0x2a", "1_0", "-1", "123456789", " 1"])
def test_an_interface_id_that_is_none_leaves_the_child_out(text: str) -> None:
    (found,) = read_sas("vici", ike(3, child(7, **{"if-id-out": text})))
    assert (found.children, found.problems) == (
        (),
        (f"child net-7 of branch1: {text!r} is no if-id-out",),
    )


@pytest.mark.parametrize(
    ("installed", "established", "told"),
    [("12", "3600", (12, 3600)), ("0", None, (0, None)), (None, "-1", (None, None)), ("1e3", "9" * 11, (None, None))],
)
def test_e13_how_long_ago_is_what_charon_says(
    installed: str | None, established: str | None, told: tuple[int | None, int | None]
) -> None:
    asked: list[tuple[int, int | None, int | None]] = []

    def since(*what: Any) -> int:
        asked.append(what)
        return 1_700_000_000

    times = {"install-time": installed} if installed is not None else {}
    more = {"established": established} if established is not None else {}
    message = ike(3, child(7, **times), **more)
    (found,) = read_sas("vici", message, since)
    hint = read_event("vici", "child-updown", {"up": "yes"} | message, since)
    assert [one.since for one in (*found.children, *hint.come)] == [1_700_000_000] * 2
    assert asked == [(7, *told)] * 2


@pytest.mark.parametrize(
    ("tasks", "is_checking"),
    [
        (["IKE_DPD"], True),
        (["CHILD_REKEY", "IKE_MOBIKE"], True),
        (["ISAKMP_DPD"], True),
        (["CHILD_REKEY"], False),
        ([], False),
        ("IKE_DPD", False),
    ],
)
def test_g5_these_tasks_wait_for_a_sign_of_life(tasks: Any, is_checking: bool) -> None:
    message = ike(3, **{"tasks-active": tasks})
    (found,) = read_sas("vici", message)
    assert found.is_checking == is_checking
    assert read_checking([message, ike(4)]) == ({3} if is_checking else set())


HALF = {"uniqueid": "3", "remote-host": "192.0.2.1"}
EVENTS = [
    ("ike-updown", {"up": "yes", "branch1": {"uniqueid": "3"}}, Hint(frozenset({3}))),
    ("ike-updown", {"branch1": {"uniqueid": "3"}}, Hint(frozenset({3}))),
    ("child-updown", {"up": "yes"} | ike(3, child(7)), Hint(frozenset({3}), come=shown(3, child(7)))),
    ("child-updown", ike(3, child(7)), Hint(frozenset({3}), frozenset({7}), frozenset({7}))),
    ("ike-update", {"remote-host": "192.0.2.7"} | ike(3), Hint(frozenset({3}))),
    ("ike-update", {"(unnamed)": {"uniqueid": "3", "state": "CONNECTING"}}, Hint()),
    ("ike-rekey", {"branch1": {"old": HALF, "new": HALF | {"uniqueid": "4"}}}, Hint(frozenset({3, 4}))),
    (
        "child-rekey",
        {"branch1": HALF | {"child-sas": {"net": {"old": child(7), "new": child(8)}}}},
        Hint(frozenset({3}), frozenset({7})),
    ),
]


@pytest.mark.parametrize(("name", "message", "hint"), EVENTS)
def test_an_event_says_where_to_look(name: str, message: Any, hint: Hint) -> None:
    assert read_event("vici", name, message) == hint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("child-updown", {"branch1": {}}),
        ("child-rekey", {"branch1": HALF | {"child-sas": {"net": {"old": child(7)}}}}),
        ("ike-rekey", {"branch1": {"old": HALF}}),
        ("ike-updown", {"branch1": {"uniqueid": "-1"}}),
    ],
)
def test_an_event_that_makes_no_sense_says_look_everywhere(name: str, message: Any) -> None:
    assert read_event("vici", name, message) == Hint(everything=True)
