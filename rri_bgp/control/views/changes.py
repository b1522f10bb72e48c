"""What a policy changes, route by route: the one form in which ``plan`` foretells it and ``reload`` reports it.

Both compare announcements (``views.routes.announcement``), so that they can only say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rri_bgp.control.views.routes import announcement, in_order
from rri_bgp.control.views.values import Item, destination_fields
from rri_bgp.model import Destination, Route
from rri_bgp.rri import Policy

__all__ = ["announcements", "changes"]

_NO_UPDATE = ("entry", "tag")
"""Fields of an announcement that are not sent: another entry with the same path is no change."""


def changes(before: Mapping[Destination, Item | None], after: Mapping[Destination, Item | None]) -> Iterator[Item]:
    """What has to be sent to come from one set of announcements to another, by destination."""
    for destination in in_order(before.keys() | after.keys()):
        old, new = before.get(destination), after.get(destination)
        if _sent(old) == _sent(new):
            continue
        entry = new if new is not None else old
        yield {
            "action": "announce" if old is None else "withdraw" if new is None else "change",
            **destination_fields(destination),
            "entry": None if entry is None else entry["entry"],
            "before": old,
            "after": new,
        }


def _sent(item: Item | None) -> Item | None:
    return None if item is None else {name: value for name, value in item.items() if name not in _NO_UPDATE}


def announcements(policy: Policy, routes: Mapping[Destination, Route | None]) -> dict[Destination, Item | None]:
    """What goes out for these routes under a policy."""
    return {
        destination: None if route is None else announcement(policy, route) for destination, route in routes.items()
    }
