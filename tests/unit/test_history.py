"""The last changes of the routes."""

from __future__ import annotations

from rri_bgp.history import Change, History
from rri_bgp.model import Path
from tests.values import HUB4, pfx

ONE, TWO = pfx("10.1.0.0/16"), pfx("10.2.0.0/16")
PATH = Path(HUB4)


def test_g8_a_destination_has_its_own_changes_the_oldest_first() -> None:
    history = History()
    history.note(100.0, {ONE, TWO}, lambda _: PATH)
    history.note(200.0, {ONE}, lambda _: None)
    assert history.of(ONE) == (Change(100.0, ONE, PATH), Change(200.0, ONE, None))
    assert history.of(TWO) == (Change(100.0, TWO, PATH),)
    assert history.of(ONE, 1) == (Change(200.0, ONE, None),)
    assert history.last(1) == (Change(200.0, ONE, None),)
    assert len(history.last(9)) == 3


def test_what_is_new_pushes_out_what_is_oldest() -> None:
    history = History(2)
    for time in (1.0, 2.0, 3.0):
        history.note(time, [ONE], lambda _: PATH)
    assert [change.time for change in history.of(ONE)] == [2.0, 3.0]
