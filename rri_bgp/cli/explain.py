"""``rri-bgp explain``: why a prefix is announced, or why not; what a peer or an SA wants and gets (rule G8)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from rri_bgp.cli import words
from rri_bgp.cli.options import as_json, print_json, say, socket_option
from rri_bgp.control.client import ask_one
from rri_bgp.control.protocol import Ask, Request

__all__ = ["explain"]

Item = dict[str, Any]

_MANY = 20
"""Of a list without end no more than this is told; ``--json`` has all."""


@click.command()
@click.argument("what", metavar="PREFIX|PEER|SA")
@click.option("--vrf", default="", metavar="NAME", help="The prefix in this VRF; the default one otherwise.")
@socket_option
@as_json
def explain(what: str, vrf: str, socket: Path, is_json: bool) -> None:
    """Why a prefix is announced, or why not: owners, map entry and its place in the policy, rules, losers, refusals,
    delays that run, what each sink and each neighbour holds, kernel routes, history.

    \b
      10.1.0.0/16  2001:db8:1::/48   a prefix
      10.1.5.7                       an address: what carries it, and what it is as a peer
      vici:17                        an SA pair: who took it, who did not and why, what it claims

    The rules are in docs/reference/rules.md. Exit code 0: it is a route, or another route covers it, or an SA of the
    peer has one. 1: nothing carries it. 2: there is no such thing, or no controller answers.
    """
    story = ask_one(socket, Request(Ask.EXPLAIN, {"what": what, **({"vrf": vrf} if vrf else {})}))
    if is_json:
        print_json(story)
    else:
        for line in tell(story):
            say(line)
    sys.exit(0 if _carries(story) else 1)


def _carries(story: Item) -> bool:
    sas = [story["sa"]] if story["sa"] is not None else story["peer"]["sas"] if story["peer"] is not None else []
    return bool(story["route"] or story["covering"] or story["made"] or any(sa["claims"] for sa in sas))


def tell(story: Item) -> Iterator[str]:
    """The whole story, a line at a time."""
    if story["sa"] is not None:
        yield from _sa(story["sa"])
        return
    if story["peer"] is not None:
        yield from _peer(story["peer"])
        yield ""
    yield from _prefix(story)


# A prefix


def _prefix(story: Item) -> Iterator[str]:
    route = story["route"]
    yield from _route(story, route) if route else _no_route(story)
    for one in story["made"]:
        yield f"{words.destination(one)} is made of it: {_claimant(one)}"
        yield f"  taken by entry {one['entry']} ({one['where']}), rules {', '.join(one['rules'])}"
    for one in story["waiting"]:
        yield f"waiting (G4): {words.sa(one['sa'])}: {one['waiting']}"
    yield from _listed(
        f"refused ({refusal['rule']}): {refusal['prefix'] or 'all'} of {_owner(refusal)}: {refusal['reason']}"
        for refusal in story["refusals"]
    )
    yield from _listed(map(_denial, story["denials"]))
    if story["covered"]:
        yield f"more specific routes within it (E12): {_some(story['covered'])}"
    if story["untold"]:
        yield f"and {story['untold']} claims, routes and refusals more than are told here"
    if story["elsewhere"]:
        others = (f"VRF {name}" if name else "the default VRF" for name in story["elsewhere"])
        yield f"also a route in {', '.join(others)}"
    for one in story["kernel"]:
        yield f"kernel route that is meant ({', '.join(one['rules'])}): {words.kernel_route(one)}"
        if one["installed"] is not None:
            yield f"  in the kernel: {words.installed(one['installed'])}"
    yield from _history(story["history"])


def _route(story: Item, route: Item) -> Iterator[str]:
    verb = (
        "is announced" if route["announced"] else "is NOT announced, the kernel does not have it as it should (G3, N7)"
    )
    yield f"{words.destination(route)} {verb}: {words.path(route)}"
    for other in route["alternates"]:
        yield f"  and, where the neighbour takes several paths (E13): {words.path(other)}"
    for number, claim in enumerate(story["claims"]):
        role = "because" if number == 0 else "also wanted"
        yield f"{role}: {_claimant(claim)}"
        yield f"  taken by entry {claim['entry']} ({claim['where']}), rules {', '.join(claim['rules'])}"
        if claim["waiting"]:
            yield f"  the SA has gone, and counts for a while (G4): {claim['waiting']}"
        if claim["sa"] is not None and claim["sa"]["suspect"]:
            yield "  its peer does not answer a dead-peer check (G5)"
        if claim["sa"] is not None and claim["selector"] in claim["sa"]["not_in_kernel"]:
            yield "  the kernel does not carry it, though the IKE daemon calls the SA installed (E8)"
        if number:
            yield f"  {claim['reason']}"
    for name, sink in route["sinks"].items():
        yield f"sink {name}: {_state(sink)}"
        for neighbor in sink["neighbors"]:
            paths = "; ".join(map(words.path, neighbor["paths"]))
            yield f"  neighbor {neighbor['peer']}: {_state(neighbor)}{f', has {paths}' if paths else ''}"
    if story["covering"]:
        yield f"it lies within (E12): {_some(story['covering'])}"


def _claimant(claim: Item) -> str:
    if claim["sa"] is not None:
        return f"{words.sa(claim['sa'])} has the remote selector {claim['selector']}"
    line = claim["line"]
    return f"the access list has `{line['text']}` ({line['where']})" if line else words.owner(claim["owner"])


def _state(held: Item) -> str:
    return f"{held['state']}: {held['reason']}" if held["reason"] else str(held["state"])


def _no_route(story: Item) -> Iterator[str]:
    where = f" in VRF {story['vrf']}" if story["vrf"] else ""
    yield f"{story['prefix']} is no route of its own{where}"
    if story["covering"]:
        first = story["covering"][0]
        yield f"its traffic follows {first['prefix']}: next hop {first['next_hop']}, entry {first['entry']}"
    elif not (story["refusals"] or story["denials"] or story["waiting"] or story["made"]):
        yield "no SA pair that is up has it in its remote selectors (`rri-bgp show sas` lists them)"
    for name in story["leftovers"]:
        yield f"sink {name} still holds it, and is to withdraw it"


def _denial(denial: Item) -> str:
    line, part = denial["line"], "it" if denial["whole"] else "a part of it"
    return f"denied (E9): `{line['text']}` ({line['where']}) takes {part} from the routes of entry {denial['entry']}"


def _owner(refusal: Item) -> str:
    return words.sa(refusal["sa"]) if refusal["sa"] is not None else words.owner(refusal["owner"])


# A peer, an SA pair


def _peer(peer: Item) -> Iterator[str]:
    named = "; ".join(f"entry {entry['entry']} ({entry['where']})" for entry in peer["entries"]) or "no static entry"
    yield f"{peer['address']} is a peer: named by {named}; {words.count(len(peer['sas']), 'SA pair')}"
    for sa in peer["sas"][:_MANY]:
        yield from _sa(sa)
    if len(peer["sas"]) > _MANY:
        yield f"and {len(peer['sas']) - _MANY} more (--json has all)"


def _sa(story: Item) -> Iterator[str]:
    sa = story["sa"]
    suspect = ", its peer does not answer (G5)" if sa["suspect"] else ""
    selectors = _shortened(sa["remote_ts"]) or "none"
    yield f"{words.sa(sa)}: {sa['state']}{suspect}, remote selectors {selectors}"
    if story["waiting"]:
        yield f"  waiting (G4): {story['waiting']}"
    if sa["not_in_kernel"]:
        yield f"  not in the kernel (E8), though the IKE daemon calls it installed: {_shortened(sa['not_in_kernel'])}"
    for verdict in story["verdicts"]:
        word = "taken by" if verdict["taken"] else "not by"
        reason = f": {verdict['reason']}" if verdict["reason"] else ""
        yield f"  {word} entry {verdict['entry']} ({verdict['where']}){reason}"
    if story["entry"] is None:
        yield "  no entry takes it"
    yield from _listed(f"  claims {words.destination(claim)}: {claim['reason']}" for claim in story["claims"])
    yield from _listed(
        f"  refused ({refusal['rule']}): {refusal['prefix'] or 'all'}: {refusal['reason']}"
        for refusal in story["refusals"]
    )


# In common


def _history(moments: list[Item]) -> Iterator[str]:
    for moment in moments:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment["time"]))
        yield f"history: {when} {'withdrawn' if moment['path'] is None else words.path(moment['path'])}"


def _some(destinations: list[Item]) -> str:
    return _shortened([words.destination(one) for one in destinations])


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(names[:_MANY]) + more


def _listed(lines: Iterator[str]) -> Iterator[str]:
    """The first of them; how many more there are."""
    more = 0
    for number, line in enumerate(lines):
        if number < _MANY:
            yield line
        else:
            more += 1
    if more:
        yield f"and {more} more (--json has all)"
