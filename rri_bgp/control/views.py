"""What the controller knows, as JSON objects: what ``--json`` prints and docs/reference/json.md documents.

Rules of this file: no I/O; reads the controller, changes nothing. Large tables are made one item at a time, so that a
caller can let others run between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rri_bgp import __version__
from rri_bgp.control.protocol import Ask, Request
from rri_bgp.controller import Controller
from rri_bgp.errors import UsageError
from rri_bgp.model import Path, Prefix, Refusal, Route, SaPair
from rri_bgp.rri import MapEntry, explain
from rri_bgp.rri.explain import ClaimStory
from rri_bgp.sinks import RouteState, SinkStatus

__all__ = ["answer"]

Item = dict[str, Any]


def answer(controller: Controller, request: Request) -> Iterator[Item]:
    """The items that answer a request, made as they are asked for.

    Raises:
        UsageError: the prefix of ``explain`` is none.
    """
    match request.ask:
        case Ask.STATUS:
            yield _status(controller)
        case Ask.ROUTES:
            yield from _routes(controller)
        case Ask.SAS:
            yield from _sas(controller)
        case Ask.EXPLAIN:
            yield _explain(controller, _prefix(request.prefix))


def _prefix(text: str) -> Prefix:
    try:
        return Prefix.parse(text)
    except ValueError as error:
        raise UsageError(f"{error}; allowed: a prefix as 10.1.0.0/16, or an address") from None


def _status(controller: Controller) -> Item:
    sources, sinks = controller.sources(), [sink.status() for sink in controller.sinks]
    return {
        "version": __version__,
        "well": not controller.policy_error
        and bool(sinks)
        and all(source.connected for source in sources)
        and all(map(_is_well, sinks)),
        "policy_error": controller.policy_error,
        "complete": controller.complete,
        "sas": len(controller.rib.sas()),
        "routes": len(controller.rib),
        "refusals": sum(1 for _ in controller.rib.refusals()),
        "changes": controller.changes,
        "sources": [
            {
                "name": source.name,
                "complete": source.complete,
                "connected": source.connected,
                "snapshots": source.snapshots,
                "updates": source.updates,
                "losses": source.losses,
                "why": source.why,
            }
            for source in sources
        ],
        "sinks": [_sink(status) for status in sinks],
    }


def _is_well(sink: SinkStatus) -> bool:
    return sink.ready and not sink.refused and all(neighbor.state == "up" for neighbor in sink.neighbors)


def _sink(status: SinkStatus) -> Item:
    return {
        "name": status.name,
        "ready": status.ready,
        "confirmed": status.confirmed,
        "pending": status.pending,
        "refused": status.refused,
        "neighbors": [
            {"local": one.local, "peer": one.peer, "state": one.state, "reason": one.reason} for one in status.neighbors
        ],
        "counters": dict(status.counters),
        "detail": status.detail,
    }


def _routes(controller: Controller) -> Iterator[Item]:
    for prefix in sorted(controller.rib.prefixes()):
        route = controller.rib.route(prefix)
        if route is not None:  # else it went since we began
            yield _route(controller, route)


def _route(controller: Controller, route: Route) -> Item:
    entry = controller.rib.policy.entries[route.claims[0].rank]
    return {
        "prefix": str(route.prefix),
        **_path(route.path),
        "entry": entry.name,
        "tag": entry.tag,
        "owners": [{"source": claim.owner.source, "uniqueid": claim.owner.uniqueid} for claim in route.claims],
        "sinks": _sink_states(controller, route.prefix),
    }


def _path(path: Path) -> Item:
    attributes = path.attributes
    return {
        "next_hop": str(path.next_hop),
        "communities": [":".join(map(str, one)) for one in attributes.communities],
        "large_communities": [":".join(map(str, one)) for one in attributes.large_communities],
        "med": attributes.med,
        "local_preference": attributes.local_preference,
    }


def _sink_states(controller: Controller, prefix: Prefix) -> Item:
    found = {}
    for sink in controller.sinks:
        route = sink.route(prefix)
        found[sink.name] = {"state": route.state.value, "reason": route.reason}
    return found


def _sas(controller: Controller) -> Iterator[Item]:
    for key in sorted(sa.key for sa in controller.rib.sas()):
        sa = controller.rib.sa(key)
        if sa is not None:  # else it went since we began
            yield _sa(controller, sa)


def _sa(controller: Controller, sa: SaPair) -> Item:
    entry = controller.rib.entry_of(sa)
    return {
        **_sa_fields(sa),
        "entry": None if entry is None else entry.name,
        "refusals": [_refusal(refusal) for refusal in controller.rib.refusals_of(sa.key)],
    }


def _sa_fields(sa: SaPair) -> Item:
    return {
        "source": sa.key.source,
        "uniqueid": sa.key.uniqueid,
        "connection": sa.connection,
        "child": sa.child,
        "peer": str(sa.peer),
        "local": str(sa.local),
        "identity": sa.identity,
        "remote_ts": [str(selector) for selector in sa.remote_ts],
        "local_ts": [str(selector) for selector in sa.local_ts],
        "mode": sa.mode.value,
        "state": sa.state,
        "ike_id": sa.ike_id,
        "reqid": sa.reqid,
    }


def _refusal(refusal: Refusal) -> Item:
    return {
        "prefix": None if refusal.prefix is None else str(refusal.prefix),
        "rule": refusal.rule,
        "reason": refusal.reason,
    }


def _explain(controller: Controller, prefix: Prefix) -> Item:
    story = explain(controller.rib, prefix)
    return {
        "prefix": str(prefix),
        "route": None if story.route is None else _route(controller, story.route),
        "claims": [_claim(claim) for claim in story.claims],
        "covering": [_route(controller, route) for route in story.covering],
        "covered": [str(route.prefix) for route in story.covered],
        "refusals": [{**_refusal(refusal), "sa": _sa_fields(sa)} for refusal, sa in story.refusals],
        "leftovers": [] if story.route is not None else _leftovers(controller, prefix),
    }


def _claim(story: ClaimStory) -> Item:
    return {
        "entry": story.entry.name,
        "where": story.entry.where,
        "rules": _rules(story.entry, story.claim.selector.version),
        "selector": str(story.claim.selector),
        "sa": _sa_fields(story.sa),
    }


def _rules(entry: MapEntry, version: int) -> list[str]:
    """The rules that made the route: when it exists, where it points, what it carries."""
    exists = "E2" if entry.peers else "E1"
    family = ["E14"] if version == 6 else []
    return [exists, *family, "N1", *(["N8"] if entry.tag is not None else []), "N9"]


def _leftovers(controller: Controller, prefix: Prefix) -> list[str]:
    """The sinks that still hold a prefix that nobody wants."""
    return [sink.name for sink in controller.sinks if sink.route(prefix).state is not RouteState.ABSENT]
