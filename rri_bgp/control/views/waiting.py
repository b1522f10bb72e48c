"""The SA pairs that do not count yet, or that count although they have gone (rule G4), as far as views ask."""

from __future__ import annotations

from collections.abc import Iterable

from rri_bgp.control.views.values import Item, sa_fields
from rri_bgp.controller import Controller
from rri_bgp.model import Prefix, SaKey, SaPair, TrafficSelector

__all__ = ["known", "waiting", "waiting_for", "waiting_sas"]


def waiting_sas(controller: Controller) -> Iterable[SaPair]:
    """The pairs that are there and do not count yet."""
    return controller.tunnels.waiting_sas()


def waiting(controller: Controller, key: SaKey) -> str:
    """Why a pair does not count yet, or counts although it has gone; empty where neither is so."""
    return controller.waiting(key)


def known(controller: Controller, key: SaKey) -> SaPair | None:
    """A pair, whether it counts or not."""
    return controller.rib.sa(key) or controller.tunnels.sa(key)


def waiting_for(controller: Controller, prefix: Prefix) -> list[Item]:
    """The pairs that do not count yet and whose remote selectors touch a prefix."""
    return [
        {"sa": sa_fields(sa), "waiting": waiting(controller, sa.key)}
        for sa in waiting_sas(controller)
        if any(_touches(selector, prefix) for selector in sa.remote_ts)
    ]


def _touches(selector: TrafficSelector, prefix: Prefix) -> bool:
    return selector.version == prefix.version and selector.start <= prefix.last and selector.end >= prefix.network
