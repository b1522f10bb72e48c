"""Lines of ExaBGP 5.0.15's JSON, as a listener's helper gets them."""

from __future__ import annotations

import json
from typing import Any

from rri_bgp.demo.updates import Change, Upstream, on_the_wire
from rri_bgp.model import Attributes, Path
from tests.values import HUB4, HUB6, pfx


def line(kind: str, **neighbor: Any) -> str:
    return json.dumps({"exabgp": "5.0.0", "type": kind, "neighbor": {"address": {}, **neighbor}})


def update(**content: Any) -> str:
    return line("update", direction="receive", message={"update": content})


def test_updates_become_routes_and_are_counted() -> None:
    upstream = Upstream()
    assert upstream.feed(line("state", state="up")) == []
    assert upstream.is_up
    assert upstream.feed(line("update", message={"eor": {"afi": "ipv4", "safi": "unicast"}})) == []
    attributes = {"origin": "igp", "local-preference": 100, "community": [[65000, 100], [65000, 7]], "med": 5}
    both = {"ipv4 unicast": {str(HUB4): [{"nlri": "10.1.0.0/16"}]}, "ipv6 unicast": {str(HUB6): [{"nlri": "::/1"}]}}
    four = Path(HUB4, Attributes(((65000, 7), (65000, 100)), med=5, local_preference=100))
    six = Path(HUB6, four.attributes)
    v4, v6 = pfx("10.1.0.0/16"), pfx("::/1")
    assert upstream.feed(update(attribute=attributes, announce=both)) == [Change(v4, four), Change(v6, six)]
    assert upstream.routes == {v4: four, v6: six}
    assert upstream.feed(update(withdraw={"ipv6 unicast": [{"nlri": "::/1"}]})) == [Change(v6, None)]
    assert (upstream.routes, upstream.updates) == ({v4: four}, 2)


def test_a_session_that_ends_takes_its_routes_along() -> None:
    upstream = Upstream()
    upstream.feed(update(attribute={}, announce={"ipv4 unicast": {str(HUB4): [{"nlri": "10.1.0.0/16"}]}}))
    upstream.feed(line("state", state="down", reason="closing connection"))
    assert (upstream.routes, upstream.is_up) == ({}, False)


def test_a_path_as_an_internal_peer_sees_it() -> None:
    wanted = Path(HUB4, Attributes(((65000, 9), (65000, 1)), ((2, 1, 1), (1, 1, 1))))
    seen = Attributes(((65000, 1), (65000, 9)), ((1, 1, 1), (2, 1, 1)), local_preference=100)
    assert on_the_wire(wanted) == Path(HUB4, seen)
    assert on_the_wire(Path(HUB4, Attributes(local_preference=0))).attributes.local_preference == 0
