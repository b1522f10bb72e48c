"""``rri-bgp explain``: why a prefix is announced, or why not (rule G8)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rri_bgp.cli.options import as_json, print_json, say, socket_option
from rri_bgp.control.client import ask_one
from rri_bgp.control.protocol import Ask, Request

__all__ = ["explain"]


@click.command()
@click.argument("prefix")
@socket_option
@as_json
def explain(prefix: str, socket: Path, is_json: bool) -> None:
    """Why PREFIX is announced, or why not: owners, map entry and its place in the policy, rules, refusals, sinks.

    PREFIX is a prefix (10.1.0.0/16, 2001:db8:1::/48) or an address. The rules are in docs/reference/rules.md.

    Exit code 0: it is a route, or another route covers it. 1: nothing carries it. 2: no controller answers.
    """
    story = ask_one(socket, Request(Ask.EXPLAIN, prefix))
    if is_json:
        print_json(story)
    else:
        for line in _tell(story):
            say(line)
    sys.exit(0 if story["route"] or story["covering"] else 1)


def _tell(story: dict[str, Any]) -> list[str]:
    route = story["route"]
    lines = _of_route(story, route) if route else _of_no_route(story)
    for refusal in story["refusals"]:
        sa = refusal["sa"]
        what = refusal["prefix"] or "the whole SA pair"
        lines.append(f"refused ({refusal['rule']}): {what} of {_name(sa)}: {refusal['reason']}")
    if story["covered"]:
        lines.append(f"more specific routes within it (E12): {', '.join(story['covered'])}")
    return lines


def _of_route(story: dict[str, Any], route: dict[str, Any]) -> list[str]:
    tags = " ".join((*route["communities"], *route["large_communities"])) or "no communities"
    lines = [f"{story['prefix']} is announced: next hop {route['next_hop']}, {tags}"]
    for number, claim in enumerate(story["claims"]):
        role = "because" if number == 0 else "also wanted"
        rules = ", ".join(claim["rules"])
        lines.append(f"{role}: {_name(claim['sa'])} has the remote selector {claim['selector']}")
        lines.append(f"  taken by entry {claim['entry']} ({claim['where']}), rules {rules}")
    for name, sink in route["sinks"].items():
        lines.append(f"sink {name}: {sink['state']}{': ' if sink['reason'] else ''}{sink['reason']}")
    if story["covering"]:
        lines.append(f"it lies within (E12): {', '.join(other['prefix'] for other in story['covering'])}")
    return lines


def _of_no_route(story: dict[str, Any]) -> list[str]:
    lines = [f"{story['prefix']} is no route of its own"]
    if story["covering"]:
        first = story["covering"][0]
        lines.append(f"its traffic follows {first['prefix']}: next hop {first['next_hop']}, entry {first['entry']}")
    elif not story["refusals"]:
        lines.append("no SA pair that is up has it in its remote selectors (`rri-bgp show sas` lists them)")
    lines.extend(f"sink {name} still holds it, and is to withdraw it" for name in story["leftovers"])
    return lines


def _name(sa: dict[str, Any]) -> str:
    who = f", {sa['identity']}" if sa["identity"] else ""
    return f"SA {sa['source']}:{sa['uniqueid']} ({sa['connection']}/{sa['child']}, peer {sa['peer']}{who})"
