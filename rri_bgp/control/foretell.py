"""What a policy would change: worked out beside the controller, from the state that it tells, by the same core.

Incremental equals from scratch (rule E7), so two RIBs that are made here differ in exactly what a reload would change.
"""

from __future__ import annotations

from collections.abc import Iterable

from rri_bgp.control.views.changes import changes
from rri_bgp.control.views.values import Item
from rri_bgp.model import Destination, Route
from rri_bgp.rri import Policy, Rib
from rri_bgp.rri.candidates import Candidate, counting
from rri_bgp.rri.surroundings import Surroundings

__all__ = ["World", "foretell", "world"]

World = tuple[Policy, dict[Destination, Route]]
"""A policy and all routes that there are under it."""


def world(policy: Policy, surroundings: Surroundings, candidates: Iterable[Candidate]) -> World:
    """The routes of a policy, from scratch."""
    rib = Rib(policy, surroundings)
    rib.update({sa.key: sa for sa in counting(candidates, policy, surroundings.names)})
    return policy, {route.destination: route for route in rib.routes()}


def foretell(before: World, after: World) -> list[Item]:
    """What has to be sent to come from one to the other."""
    (old_policy, old), (new_policy, new) = before, after
    return [change for change in changes(old_policy, old, new_policy, new) if change is not None]
