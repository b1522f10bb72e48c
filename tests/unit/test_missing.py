"""SA pairs that the kernel does not carry, in the log and counted (rule E8)."""

from __future__ import annotations

import logging

import pytest

from rri_bgp.controller import Controller
from rri_bgp.missing import MissingLog
from rri_bgp.model import SaKey
from tests.unit.control.small import Quiet
from tests.values import policy, sa


def test_e8_each_is_said_once_and_counted_until_it_is_back() -> None:
    log = MissingLog()
    lost = sa(1, "10.1.0.0/16", "10.2.0.0/16", identity="branch", not_in_kernel=("10.1.0.0/16", "10.2.0.0/16"))
    assert [*log.note({lost.key: lost}, 0.0)] == [
        "vici 1, branch1/net of branch at 203.0.113.2: installed, and not in the kernel (E8): 10.1.0.0/16 10.2.0.0/16"
    ]
    assert [*log.note({lost.key: sa(1, "10.1.0.0/16", not_in_kernel=("10.1.0.0/16",))}, 1.0)] == []
    assert (log.now, log.so_far) == ({lost.key}, 1)
    assert [*log.note({lost.key: sa(1, "10.1.0.0/16")}, 2.0)] == []
    assert (log.now, log.so_far) == (set(), 1)
    assert len([*log.note({lost.key: lost}, 3.0)]) == 1
    assert [*log.note({lost.key: None}, 4.0)] == []
    assert (log.now, log.so_far) == (set(), 2)


def test_e8_very_many_at_once_do_not_fill_the_log() -> None:
    log = MissingLog()
    many = {SaKey("vici", number): sa(number, "10.1.0.0/16", not_in_kernel=("10.1.0.0/16",)) for number in range(100)}
    assert len([*log.note(many, 0.0)]) == 20
    assert log.so_far == 100
    (line,) = log.note({SaKey("vici", 500): sa(500, "10.1.0.0/16", not_in_kernel=("10.1.0.0/16",))}, 1.0)
    assert line.endswith(": 10.1.0.0/16 (80 more before it were not logged)")


async def test_e8_the_controller_says_it(caplog: pytest.LogCaptureFixture) -> None:
    controller = Controller(policy(), [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16")])
    lost = sa(1, "10.1.0.0/16", not_in_kernel=("10.1.0.0/16",))
    controller.update("vici", {lost.key: lost})
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "vici 1, branch1/net of 203.0.113.2: installed, and not in the kernel (E8): 10.1.0.0/16"
    ]
    assert controller.missing.now == {lost.key}
    assert len(controller.rib) == 1
