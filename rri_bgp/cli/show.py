"""``rri-bgp show``: what the running controller has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rri_bgp.cli.options import as_json, print_json, print_table, say, socket_option
from rri_bgp.control.client import ask, ask_one
from rri_bgp.control.protocol import Ask, Request

__all__ = ["show"]


@click.group()
def show() -> None:
    """What the running controller has: its routes, the SAs behind them, its state."""


@show.command()
@socket_option
@as_json
def routes(socket: Path, is_json: bool) -> None:
    """The routes that should be upstream, and how far each sink is with them.

    OWNERS are the SA pairs that want the route, by source and unique id; it goes with the last of them. STATE is the
    sink's: pending, confirmed (ExaBGP has it), refused (with the reason).
    """
    items = list(ask(socket, Request(Ask.ROUTES)))
    if is_json:
        print_json({"routes": items})
        return
    columns = ("PREFIX", "NEXT HOP", "COMMUNITIES", "ENTRY", "OWNERS", "STATE")
    print_table(columns, (_route(item) for item in items), "no routes: no SA pair is up that the policy takes")


def _route(item: dict[str, Any]) -> tuple[str, ...]:
    owners = " ".join(f"{owner['source']}:{owner['uniqueid']}" for owner in item["owners"])
    states = "; ".join(
        f"{name} {sink['state']}{': ' if sink['reason'] else ''}{sink['reason']}"
        for name, sink in item["sinks"].items()
    )
    tags = " ".join((*item["communities"], *item["large_communities"])) or "-"
    return item["prefix"], item["next_hop"], tags, item["entry"], owners, states


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


def _sa(item: dict[str, Any]) -> tuple[str, ...]:
    refused = "; ".join(f"{refusal['rule']}: {refusal['reason']}" for refusal in item["refusals"])
    return (
        f"{item['source']}:{item['uniqueid']}", item["connection"], item["child"], item["peer"],
        item["identity"] or "-", " ".join(item["remote_ts"]) or "-", item["entry"] or "none", refused or "-",
    )  # fmt: skip


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
        _print_status(item)
    sys.exit(0 if item["well"] else 1)


def _print_status(item: dict[str, Any]) -> None:
    say(f"rri-bgp {item['version']}: {'all is well' if item['well'] else 'NOT well'}")
    refused = f", {item['refusals']} refused by the policy (show sas)" if item["refusals"] else ""
    say(f"{item['sas']} SA pairs, {item['routes']} routes{refused}, {item['changes']} changes so far")
    if item["policy_error"]:
        say(f"the policy on disk is NOT TAKEN: {item['policy_error']}")
    for source in item["sources"]:
        state = "followed" if source["connected"] else f"LOST: {source['why']}" if source["why"] else "CONNECTING"
        since = f"{source['snapshots']} snapshots, {source['updates']} updates, {source['losses']} losses"
        say(f"source {source['name']}: {state} ({since})")
    for sink in item["sinks"]:
        _print_sink(sink)
    if not item["sinks"]:
        say("sinks: NONE, no ExaBGP is attached")


def _print_sink(sink: dict[str, Any]) -> None:
    state = "ready" if sink["ready"] else "NOT READY"
    detail = f"; {sink['detail']}" if sink["detail"] else ""
    numbers = f"{sink['confirmed']} confirmed, {sink['pending']} pending, {sink['refused']} refused"
    say(f"sink {sink['name']}: {state}, {numbers}{detail}")
    for neighbor in sink["neighbors"]:
        shown = "up" if neighbor["state"] == "up" else f"{neighbor['state'].upper()} {neighbor['reason']}".rstrip()
        say(f"  neighbor {neighbor['peer']} (from {neighbor['local']}): {shown}")
    counters = ", ".join(f"{count} {name}" for name, count in sink["counters"].items())
    if counters:
        say(f"  {counters}")
