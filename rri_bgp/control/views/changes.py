"""What a policy changes, route by route: the one form in which ``plan`` foretells it and ``reload`` reports it.

Both compare announcements (``views.routes.announcement``), so that they can only say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rri_bgp.control.views.routes import announcement, in_order
from rri_bgp.control.views.values import Item, destination_fields
from rri_bgp.model import Destination, Route
from rri_bgp.rri import Policy

__all__ = ["Routes", "changes"]

Routes = Mapping[Destination, Route | None]
"""Routes by what they are for; None, or nothing, where there is none."""

_NO_UPDATE = ("entry", "tag")
"""Fields of an announcement that are not sent: another entry with the same path is no change."""


def changes(old_policy: Policy, before: Routes, new_policy: Policy, after: Routes) -> Iterator[Item | None]:
    """What has to be sent to come from one table to another, by destination; None where there is nothing."""
    for destination in in_order(before.keys() | after.keys()):
        old = _announced(old_policy, before.get(destination))
        new = _announced(new_policy, after.get(destination))
        yield None if _sent(old) == _sent(new) else _change(destination, old, new)


def _announced(policy: Policy, route: Route | None) -> Item | None:
    return None if route is None else announcement(policy, route)


def _sent(item: Item | None) -> Item | None:
    return None if item is None else {name: value for name, value in item.items() if name not in _NO_UPDATE}


def _change(destination: Destination, old: Item | None, new: Item | None) -> Item:
    one = new if new is not None else old
    return {
        "action": "announce" if old is None else "withdraw" if new is None else "change",
        **destination_fields(destination),
        "entry": None if one is None else one["entry"],
        "before": old,
        "after": new,
    }
