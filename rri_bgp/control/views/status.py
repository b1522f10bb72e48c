"""Whether all is well, in one object."""

from __future__ import annotations

from rri_bgp import __version__
from rri_bgp.control.views.values import Item
from rri_bgp.controller import Controller, SourceStatus
from rri_bgp.reasons import Reason
from rri_bgp.reload import Reloader
from rri_bgp.rri import MapEntry, Policy
from rri_bgp.rri.entries import Group
from rri_bgp.sinks import SinkStatus
from rri_bgp.surroundings.lookout import LookoutStatus

__all__ = ["sink_fields", "source_fields", "status"]


def status(controller: Controller, reloader: Reloader | None) -> Item:
    """The answer to ``Ask.STATUS``."""
    sources, sinks = controller.sources(), [sink.status() for sink in controller.sinks]
    around = None if reloader is None else reloader.around
    names = _names(controller, around)
    return {
        "version": __version__,
        "well": not controller.policy_error
        and bool(sinks)
        and not _waits_for_exabgp(controller, reloader)
        and all(source.connected for source in sources)
        and not controller.missing.now
        and all(map(_is_well, sinks))
        and all(one["addresses"] for one in names)
        and (around is None or not (around.kernel or any(fifo.problem for fifo in around.fifos))),
        "policy": None if reloader is None else str(reloader.running.file),
        "policy_error": controller.policy_error,
        "confirm": _confirm(reloader),
        "complete": controller.complete,
        "sas": len(controller.rib.sas()),
        "routes": len(controller.rib),
        "refusals": sum(1 for _ in controller.rib.refusals()),
        "refused_so_far": {why.label: count for why, count in sorted(controller.refusals.counts.items(), key=_label)},
        "changes": controller.changes,
        "not_in_kernel": len(controller.missing.now),
        "not_in_kernel_so_far": controller.missing.so_far,
        "sources": [source_fields(source) for source in sources],
        "sinks": [sink_fields(one, controller.rib.policy) for one in sinks],
        "waits_for_exabgp": _waits_for_exabgp(controller, reloader),
        "kernel": "" if around is None else around.kernel,
        "groups": [_group(controller, group, around) for group in controller.rib.policy.groups.values()],
        "fifos": [
            {"path": str(fifo.path), "problem": fifo.problem, "junk": fifo.junk}
            for fifo in (() if around is None else around.fifos)
        ],
        "names": names,
    }


def _waits_for_exabgp(controller: Controller, reloader: Reloader | None) -> bool:
    """Whether ExaBGPs are to announce, and none has come yet."""
    wants = reloader is not None and reloader.running.exabgp is not None
    return wants and all(sink.name in _WITHOUT_EXABGP for sink in controller.sinks)


_WITHOUT_EXABGP = ("kernel", "hand-off")
"""The sinks that are no ExaBGP; no ExaBGP can have their name."""


def _label(counted: tuple[Reason, int]) -> str:
    return counted[0].label


def _confirm(reloader: Reloader | None) -> Item | None:
    """How long a policy waits for its confirmation still; null where none does."""
    if reloader is None or reloader.seconds_left is None:
        return None
    return {"seconds_left": round(reloader.seconds_left, 1)}


def source_fields(source: SourceStatus) -> Item:
    """The state of a source."""
    return {
        "name": source.name,
        "complete": source.complete,
        "connected": source.connected,
        "snapshots": source.snapshots,
        "updates": source.updates,
        "losses": source.losses,
        "why": source.why,
    }


def _is_well(sink: SinkStatus) -> bool:
    return sink.ready and not sink.refused and all(neighbor.state == "up" for neighbor in sink.neighbors)


def sink_fields(one: SinkStatus, policy: Policy) -> Item:
    """The state of a sink and of its neighbours, and which VRF's routes a neighbour is given as plain ones (N10)."""
    vrfs = {str(neighbor.address): neighbor.vrf for neighbor in policy.neighbors}
    return {
        "name": one.name,
        "ready": one.ready,
        "confirmed": one.confirmed,
        "pending": one.pending,
        "refused": one.refused,
        "neighbors": [
            {
                "local": neighbor.local,
                "peer": neighbor.peer,
                "state": neighbor.state,
                "reason": neighbor.reason,
                "vrf": vrfs.get(neighbor.peer),
            }
            for neighbor in one.neighbors
        ],
        "counters": dict(one.counters),
        "detail": one.detail,
    }


def _group(controller: Controller, group: Group, around: LookoutStatus | None) -> Item:
    """A redundancy group (rule G2), with the reason where its witnesses do not agree."""
    states = () if around is None else around.groups
    return {
        "name": group.name,
        "addresses": [str(address) for address in group.addresses],
        "held": group.name in controller.rib.surroundings.held,
        "standby_med": group.standby_med,
        "why": "".join(state.text for state in states if state.name == group.name and state.instance),
    }


def _names(controller: Controller, around: LookoutStatus | None) -> list[Item]:
    """Host names of peers and what they resolve to; the entries of one that does not resolve match nobody by it."""
    found: dict[str, list[MapEntry]] = {}
    for entry in controller.rib.policy.entries:
        for peer in entry.peers:
            if isinstance(peer, str):
                found.setdefault(peer, []).append(entry)
    known = controller.rib.surroundings.names
    states = {} if around is None else {state.name: state for state in around.names}
    return [
        {
            "name": name,
            "addresses": [str(address) for address in known.get(name, ())],
            "reason": states[name].reason if name in states else "",
            "answered": states[name].answered if name in states else None,
            "entries": [entry.name for entry in entries],
        }
        for name, entries in sorted(found.items())
    ]
