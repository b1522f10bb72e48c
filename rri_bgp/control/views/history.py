"""What became of a destination, and when, as JSON."""

from __future__ import annotations

from rri_bgp.control.views.values import Item, path_fields
from rri_bgp.controller import Controller
from rri_bgp.model import Destination

__all__ = ["history_of"]


def history_of(controller: Controller, destination: Destination) -> list[Item]:
    """The last changes of a destination, the oldest first."""
    return [
        {"time": round(change.time, 3), "path": None if change.path is None else path_fields(change.path)}
        for change in controller.history.of(destination)
    ]
