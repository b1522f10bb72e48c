"""``rri-bgp show``: what the running controller has."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click

from rri_bgp.cli import words
from rri_bgp.cli.options import as_json, print_json, print_table, say, socket_option
from rri_bgp.cli.status import status_lines
from rri_bgp.control.client import ask, ask_one
from rri_bgp.control.protocol import Ask, Request
from rri_bgp.reasons import Reason

__all__ = ["show"]

Item = dict[str, Any]

_ABOUT = re.compile(r"\{[^}]*\}")


@click.group()
def show() -> None:
    """What the running controller has: its routes, the SAs behind them, its state."""


@show.command()
@socket_option
@as_json
def routes(socket: Path, is_json: bool) -> None:
    """The routes that should be upstream, and how far each sink is with them.

    OWNERS are the SA pairs that want the route, by source and unique id, and the access list lines; it goes with the
    last of them. STATE is the sink's: pending, confirmed (ExaBGP has it), refused (with the reason).
    """
    items = list(ask(socket, Request(Ask.ROUTES)))
    if is_json:
        print_json({"routes": items})
        return
    columns = ("PREFIX", "NEXT HOP", "COMMUNITIES", "ENTRY", "OWNERS", "STATE")
    print_table(columns, (_route(item) for item in items), "no routes: no SA pair is up that the policy takes")


def _route(item: Item) -> tuple[str, ...]:
    owners = " ".join(map(words.owner, item["owners"]))
    states = "; ".join(
        f"{name} {sink['state']}{': ' if sink['reason'] else ''}{sink['reason']}"
        for name, sink in item["sinks"].items()
    )
    tags = words.communities(item) or "-"
    return words.destination(item), words.next_hops(item), tags, item["entry"], owners, states


@show.command()
@socket_option
@as_json
def sas(socket: Path, is_json: bool) -> None:
    """The SA pairs of the gateway: which map entry took each, and what it asked for in vain."""
    items = list(ask(socket, Request(Ask.SAS)))
    if is_json:
        print_json({"sas": items})
        return
    columns = ("SA", "CONNECTION", "CHILD", "PEER", "IDENTITY", "REMOTE SELECTORS", "ENTRY", "REFUSED")
    print_table(columns, (_sa(item) for item in items), "no SA pairs are up")


def _sa(item: Item) -> tuple[str, ...]:
    refused = "; ".join(f"{refusal['rule']}: {refusal['reason']}" for refusal in item["refusals"])
    return (
        f"{item['source']}:{item['uniqueid']}", item["connection"], item["child"], item["peer"],
        item["identity"] or "-", " ".join(item["remote_ts"]) or "-", item["entry"] or "none",
        "; ".join(filter(None, (item["waiting"], words.missing(item), refused))) or "-",
    )  # fmt: skip


@show.command()
@socket_option
@as_json
def kernel(socket: Path, is_json: bool) -> None:
    """The routes that the kernel should have, and what it has.

    HOP is what the policy means: the peer, a gateway that it names, an interface, an xfrm if_id or a vti mark.
    INSTALLED is what that is now, where the policy has the sink `kernel`; otherwise whoever puts routes there does.
    """
    items = list(ask(socket, Request(Ask.KERNEL)))
    if is_json:
        print_json({"kernel": items})
        return
    print_table(
        ("PREFIX", "VRF", "HOP", "METRIC", "RULES", "OWNERS", "INSTALLED"),
        map(_kernel, items),
        "no kernel routes are meant",
    )


def _kernel(item: Item) -> tuple[str, ...]:
    hops = ", ".join(map(words.hop, item["hops"])) or "-"
    owners = " ".join(map(words.owner, item["owners"]))
    installed = "-" if item["installed"] is None else words.installed(item["installed"])
    return item["prefix"], item["vrf"] or "-", hops, str(item["distance"]), " ".join(item["rules"]), owners, installed


@show.command()
@click.option("--all", "is_all", is_flag=True, help="Each of them, and not their number by reason.")
@socket_option
@as_json
def refusals(socket: Path, is_all: bool, is_json: bool) -> None:
    """What the policy refuses now, counted by reason: what peers ask for in vain, and lines that make no route.

    The rules are in docs/reference/rules.md. A count is of prefixes, or of whole selectors and SA pairs.
    """
    items = list(ask(socket, Request(Ask.REFUSALS)))
    reasons = _reasons(items)
    if is_json:
        print_json({"refusals": items, "reasons": reasons})
    elif is_all:
        print_table(("OWNER", "ENTRY", "PREFIX", "RULE", "REASON"), map(_refusal, items), "nothing is refused")
    else:
        rows = ((str(one["count"]), one["rule"], _meaning(one["label"]), one["example"]) for one in reasons)
        print_table(("COUNT", "RULE", "REASON", "FOR EXAMPLE"), rows, "nothing is refused")


def _refusal(item: Item) -> tuple[str, ...]:
    return words.owner(item["owner"]), item["entry"] or "none", item["prefix"] or "-", item["rule"], item["reason"]


def _meaning(label: str) -> str:
    """A reason in words, without what it is about; its label where this program does not know it."""
    texts = {reason.label: reason.text for reason in Reason}
    return _ABOUT.sub("…", texts.get(label, label))


def _reasons(items: list[Item]) -> list[Item]:
    """How often each reason, the most frequent first."""
    found: dict[str, Item] = {}
    for item in items:
        example = f"{words.owner(item['owner'])} {item['prefix'] or ''}".rstrip()
        reason = {"label": item["label"], "rule": item["rule"], "count": 0, "example": example}
        found.setdefault(item["label"], reason)["count"] += 1
    return sorted(found.values(), key=lambda one: (-one["count"], one["label"]))


@show.command()
@socket_option
@as_json
def status(socket: Path, is_json: bool) -> None:
    """Whether all is well: sources seen, ExaBGP answering, sessions up.

    Exit code 0: all is well. 1: something is not; it is marked. 2: no controller answers.
    """
    item = ask_one(socket, Request(Ask.STATUS))
    if is_json:
        print_json(item)
    else:
        for line in status_lines(item):
            say(line)
    sys.exit(0 if item["well"] else 1)
