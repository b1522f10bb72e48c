"""SA pairs and refusals as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from rri_bgp.control.views.values import Item, owner_fields, refusal_fields, sa_fields
from rri_bgp.control.views.waiting import known, waiting, waiting_sas
from rri_bgp.controller import Controller
from rri_bgp.model import LineKey, Refusal, SaPair

__all__ = ["refusals", "sa_item", "sas"]


def sas(controller: Controller) -> Iterator[Item]:
    """The answer to ``Ask.SAS``."""
    keys = [sa.key for sa in controller.rib.sas()]
    keys.extend(sa.key for sa in waiting_sas(controller))
    keys.sort()
    for key in keys:
        sa = known(controller, key)
        if sa is not None:  # else it went since we began
            yield sa_item(controller, sa)


def sa_item(controller: Controller, sa: SaPair) -> Item:
    """An SA pair, the entry that took it, and what it asked for in vain."""
    entry = controller.rib.entry_of(sa)
    return {
        **sa_fields(sa),
        "entry": None if entry is None else entry.name,
        "refusals": [refusal_fields(refusal) for refusal in controller.rib.refusals_of(sa.key)],
        "waiting": waiting(controller, sa.key),
    }


def refusals(controller: Controller) -> Iterator[Item]:
    """The answer to ``Ask.REFUSALS``: each refusal and whose it is."""
    for refusal in list(controller.rib.refusals()):
        yield _refused(controller, refusal)


def _refused(controller: Controller, refusal: Refusal) -> Item:
    """A refusal, its owner, and the SA pair where that is one that is still there."""
    owner = refusal.owner
    sa = None if isinstance(owner, LineKey) else controller.rib.sa(owner)
    entry = controller.rib.owner_entry(owner)
    return {
        **refusal_fields(refusal),
        "owner": owner_fields(owner),
        "entry": None if entry is None else entry.name,
        "sa": None if sa is None else sa_fields(sa),
    }
