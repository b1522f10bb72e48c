"""The answer to ``Ask.EXPLAIN``: a prefix, a peer or an SA pair, and why things are as they are (rule G8)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Generator, Iterator

from rri_bgp.control.views.history import history_of
from rri_bgp.control.views.kernel import kernel_routes_of
from rri_bgp.control.views.routes import route_fields
from rri_bgp.control.views.values import Item, destination_fields, owner_fields, refusal_fields, sa_fields
from rri_bgp.control.views.waiting import known, waiting, waiting_for, waiting_sas
from rri_bgp.controller import Controller
from rri_bgp.errors import UsageError
from rri_bgp.model import Address, Claim, Destination, LineKey, Prefix, SaKey, SaPair, VrfPrefix, prefix_of
from rri_bgp.rri import MapEntry
from rri_bgp.rri.denied import Denial
from rri_bgp.rri.explain import ClaimStory, Explanation, RefusalStory, explain_in_steps, explain_owner
from rri_bgp.sinks import RouteState

__all__ = ["explanation"]

_SA = re.compile(r"([A-Za-z0-9_.-]+):([0-9]{1,19})")
_PIECE = 1000
"""SA pairs between two turns of everybody else."""

_NO_PREFIX: Item = {
    "prefix": None,
    "route": None,
    "claims": [],
    "waiting": [],
    "elsewhere": [],
    "covering": [],
    "covered": [],
    "made": [],
    "refusals": [],
    "denials": [],
    "untold": 0,
    "leftovers": [],
    "kernel": [],
    "history": [],
}


def explanation(controller: Controller, what: str, vrf: str) -> Iterator[Item | None]:
    """One item; None now and then before it, where others may run.

    Raises:
        UsageError: ``what`` is no prefix, address or SA, or there is no such VRF.
    """
    if vrf and vrf not in controller.rib.policy.vrfs:
        known = ", ".join(sorted(controller.rib.policy.vrfs)) or "none, the policy has no VRFs"
        raise UsageError(f"there is no VRF {vrf}; allowed: {known}")
    head = {"asked": what, "vrf": vrf}
    if named := _SA.fullmatch(what):
        yield head | _NO_PREFIX | {"peer": None, "sa": _sa(controller, SaKey(named[1], int(named[2])))}
        return
    prefix, address = _prefix(what), _address(what)
    told = yield from explain_in_steps(controller.rib, VrfPrefix(vrf, prefix) if vrf else prefix)
    story, peer = _story(controller, told, vrf), None
    if address is not None:
        peer = yield from _peer(controller, address)
    yield head | story | {"peer": peer, "sa": None}


def _prefix(text: str) -> Prefix:
    try:
        return Prefix.parse(text)
    except ValueError as error:
        allowed = "a prefix as 10.1.0.0/16, an address, or an SA pair as vici:17"
        raise UsageError(f"{error}; allowed: {allowed}") from None


def _address(text: str) -> Address | None:
    return None if "/" in text else ipaddress.ip_address(text)


def _story(controller: Controller, story: Explanation, vrf: str) -> Item:
    prefix = prefix_of(story.destination)
    return {
        "prefix": str(prefix),
        "route": None if story.route is None else route_fields(controller, story.route, is_full=True),
        "claims": [_claim(controller, claim) for claim in story.claims],
        "waiting": waiting_for(controller, prefix),
        "elsewhere": _elsewhere(controller, prefix, vrf),
        "covering": [route_fields(controller, route) for route in story.covering],
        "covered": [destination_fields(route.destination) for route in story.covered],
        "made": [_claim(controller, one) | destination_fields(one.claim.destination) for one in story.made],
        "refusals": [_refusal(one) for one in story.refusals],
        "denials": [_denial(one) for one in story.denials],
        "untold": story.untold,
        "leftovers": [] if story.route is not None else _leftovers(controller, story.destination),
        "kernel": kernel_routes_of(controller, prefix, vrf),
        "history": history_of(controller, story.destination),
    }


def _elsewhere(controller: Controller, prefix: Prefix, vrf: str) -> list[str]:
    """The other VRFs in which a prefix is a route (rule N6); empty for the default one."""
    names = sorted({"", *controller.rib.policy.vrfs} - {vrf})
    return [name for name in names if controller.rib.path(VrfPrefix(name, prefix) if name else prefix) is not None]


def _claim(controller: Controller, story: ClaimStory) -> Item:
    claim = story.claim
    return {
        "entry": story.entry.name,
        "where": story.entry.where,
        "rules": list(story.rules),
        "selector": None if claim.selector is None else str(claim.selector),
        "owner": owner_fields(claim.owner),
        "sa": None if story.sa is None else sa_fields(story.sa),
        "waiting": "" if story.sa is None else waiting(controller, story.sa.key),
        "line": _line(story.entry, claim),
        "fate": story.fate.name.lower(),
        "reason": story.fate.value,
    }


def _line(entry: MapEntry, claim: Claim) -> Item | None:
    """The access list line that an owner is, None where it is an SA pair."""
    if not isinstance(claim.owner, LineKey) or entry.access_list is None:
        return None
    line = entry.access_list.lines[claim.owner.line]
    return {"text": line.text, "where": line.where}


def _refusal(story: RefusalStory) -> Item:
    return {
        **refusal_fields(story.refusal),
        "owner": owner_fields(story.refusal.owner),
        "entry": None if story.entry is None else story.entry.name,
        "sa": None if story.sa is None else sa_fields(story.sa),
    }


def _denial(denial: Denial) -> Item:
    return {
        "entry": denial.entry.name,
        "where": denial.entry.where,
        "line": {"text": denial.line.text, "where": denial.line.where},
        "whole": denial.is_whole,
    }


def _leftovers(controller: Controller, destination: Destination) -> list[str]:
    """The sinks that still hold what nobody wants."""
    return [sink.name for sink in controller.sinks if sink.route(destination).state is not RouteState.ABSENT]


def _sa(controller: Controller, key: SaKey) -> Item:
    sa = known(controller, key)
    if sa is None:
        raise UsageError(
            f"there is no SA pair {key.source}:{key.uniqueid}", hint="`rri-bgp show sas` lists those that are up"
        )
    return _sa_story(controller, sa)


def _sa_story(controller: Controller, sa: SaPair) -> Item:
    story, entry = explain_owner(controller.rib, sa.key), controller.rib.entry_of(sa)
    return {
        "sa": sa_fields(sa),
        "entry": None if entry is None else entry.name,
        "where": None if entry is None else entry.where,
        "verdicts": _verdicts(controller, sa),
        "claims": [
            {**destination_fields(one.claim.destination), "fate": one.fate.name.lower(), "reason": one.fate.value}
            for one in story.claims
        ],
        "refusals": [refusal_fields(refusal) for refusal in story.refusals],
        "waiting": waiting(controller, sa.key),
    }


def _verdicts(controller: Controller, sa: SaPair) -> list[Item]:
    """Each entry that was tried, in order, the one that took it last."""
    entries = controller.rib.policy.entries
    return [
        {
            "entry": entries[verdict.rank].name,
            "where": entries[verdict.rank].where,
            "taken": verdict.takes,
            "reason": verdict.reason,
        }
        for verdict in controller.rib.verdicts(sa)
    ]


def _peer(controller: Controller, address: Address) -> Generator[None, None, Item | None]:
    """What there is of a peer; None where it is none."""
    rib, found = controller.rib, []
    for number, sa in enumerate([*rib.sas(), *waiting_sas(controller)], 1):
        if number % _PIECE == 0:
            yield
        if sa.peer == address:
            found.append(sa)
    names = {name for name, addresses in rib.surroundings.names.items() if address in addresses}
    entries = [entry for entry in rib.policy.entries if address in entry.peers or names.intersection(entry.peers)]
    if not found and not entries:
        return None
    return {
        "address": str(address),
        "entries": [{"entry": entry.name, "where": entry.where} for entry in entries],
        "sas": [_sa_story(controller, sa) for sa in sorted(found, key=lambda sa: sa.key)],
    }
