"""Links, by what a route may name them by."""

from __future__ import annotations

from rri_bgp.sinks.kernel.devices import Devices
from tests.kernels import link


def test_a_link_is_found_by_all_its_names_until_it_has_others() -> None:
    devices = Devices()
    assert devices.take(link(8, "ipsec42", if_id=42))
    assert not devices.take(link(8, "ipsec42", if_id=42)), "no news"
    assert devices.of_if_id(42) == devices.named("ipsec42") == devices.get(8)
    assert devices.take(link(8, "ipsec43", if_id=43))
    assert (devices.of_if_id(42), devices.named("ipsec42")) == (None, None)
    assert devices.name(8) == "ipsec43"
    assert devices.take(link(8, "ipsec43", if_id=43)._replace(gone=True))
    assert (devices.of_if_id(43), devices.named("ipsec43"), devices.get(8)) == (None, None, None)
    assert devices.name(8) == "device 8"


def test_a_name_that_has_gone_over_to_another_link_stays_with_it() -> None:
    devices = Devices()
    devices.take(link(8, "wan"))
    devices.take(link(9, "wan"))
    devices.take(link(8, "wan")._replace(gone=True))
    found = devices.named("wan")
    assert found is not None
    assert found.link == 9


def test_all_there_are_leaves_no_other() -> None:
    devices = Devices()
    devices.take_all([link(7, "red", table=10), link(9, "vti7", mark=7)])
    assert (devices.of_vrf(10), devices.of_mark(7)) == (devices.get(7), devices.get(9))
    assert devices.take_all([link(7, "red", table=10)])
    assert devices.of_mark(7) is None
    assert not devices.take_all([link(7, "red", table=10)])
