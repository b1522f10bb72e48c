"""What a full listing leaves of the children that are known. The rest is in tests/property/test_vici_table.py."""

from __future__ import annotations

from dataclasses import replace

from rri_bgp.model import SaPair
from rri_bgp.sources.vici.sas import IkeSa
from rri_bgp.sources.vici.table import SaTable
from tests.values import sa


def listed(table: SaTable, *children: SaPair) -> dict[int, SaPair]:
    """What is there after a full listing of these, each of an IKE SA of its own, by unique id."""
    table.begin_full()
    found = table.recognized(IkeSa(one.ike_id, (one,)) for one in children)
    return {one.key.uniqueid: one for one in table.full(found)}


def test_e8_a_child_that_is_listed_as_it_was_stays_the_very_same() -> None:
    table = SaTable("vici")
    one, two = (replace(sa(number, f"10.{number}.0.0/16"), ike_id=number) for number in (1, 2))
    listed(table, one, two)
    again = listed(table, replace(one), replace(two, state="REKEYED"))
    assert again[1] is one
    assert again[2] == replace(two, state="REKEYED")
    assert table.sa(2) is again[2]


def test_e8_a_child_that_is_listed_no_more_is_gone() -> None:
    table = SaTable("vici")
    one, two = (replace(sa(number, f"10.{number}.0.0/16"), ike_id=number) for number in (1, 2))
    listed(table, one, two)
    assert listed(table, two) == {2: two}
    assert table.sa(1) is None
