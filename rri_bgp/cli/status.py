"""The controller's state in words: for ``show status`` and ``watch``. What is not well stands in capitals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rri_bgp.cli.words import count

__all__ = ["sink_lines", "source_lines", "status_lines"]

Item = dict[str, Any]


def status_lines(item: Item) -> Iterator[str]:
    """All of it, a line at a time."""
    yield f"rri-bgp {item['version']}: {'all is well' if item['well'] else 'NOT well'}"
    refused = f", {item['refusals']} refused by the policy (show refusals)" if item["refusals"] else ""
    there = f"{count(item['sas'], 'SA pair')}, {count(item['routes'], 'route')}"
    yield f"{there}{refused}, {item['changes']} changes so far"
    if item["policy_error"]:
        yield f"the policy on disk is NOT TAKEN: {item['policy_error']}"
    if item["confirm"] is not None:
        left = item["confirm"]["seconds_left"]
        yield f"the policy {item['policy']} is NOT CONFIRMED: the one before it comes back in {left:.0f} s"
    yield from source_lines(item)
    if item["not_in_kernel"]:
        many = count(item["not_in_kernel"], "SA pair is", "SA pairs are")
        yield f"{many} NOT IN THE KERNEL, though installed as the IKE daemon says (E8; show sas)"
    yield from _around_lines(item)
    for sink in item["sinks"]:
        yield from sink_lines(sink)
    if item["waits_for_exabgp"] or not item["sinks"]:
        yield "sinks: NO ExaBGP is attached"


def source_lines(item: Item) -> Iterator[str]:
    """Each source."""
    for source in item["sources"]:
        state = "followed" if source["connected"] else f"LOST: {source['why']}" if source["why"] else "CONNECTING"
        since = f"{source['snapshots']} snapshots, {source['updates']} updates, {source['losses']} losses"
        yield f"source {source['name']}: {state} ({since})"


def _around_lines(item: Item) -> Iterator[str]:
    """This machine's addresses, redundancy groups (rule G2), host names of peers."""
    if item["kernel"]:
        yield f"this machine's addresses: NOT SEEN: {item['kernel']}"
    for fifo in item["fifos"]:
        if fifo["problem"]:
            yield f"notify FIFO {fifo['path']}: NOT READ: {fifo['problem']}"
    for group in item["groups"]:
        addresses = " ".join(group["addresses"])
        if group["held"]:
            state = "held here"
        else:
            state = "elsewhere, silent" if group["standby_med"] is None else f"elsewhere, MED {group['standby_med']}"
        why = f"; {group['why']}" if group["why"] else ""
        yield f"group {group['name']} ({addresses}): {state}{why}"
    for name in item["names"]:
        entries = ", ".join(name["entries"])
        known = " ".join(name["addresses"]) or f"DOES NOT RESOLVE, so nobody is {entries}'s peer by it"
        why = f"; last asked: {name['reason']}" if name["reason"] else ""
        yield f"name {name['name']}: {known}{why}"


def sink_lines(sink: Item) -> Iterator[str]:
    """A sink, its neighbours and what it has done."""
    state = "ready" if sink["ready"] else "NOT READY"
    detail = f"; {sink['detail']}" if sink["detail"] else ""
    numbers = f"{sink['confirmed']} confirmed, {sink['pending']} pending, {sink['refused']} refused"
    yield f"sink {sink['name']}: {state}, {numbers}{detail}"
    for neighbor in sink["neighbors"]:
        shown = "up" if neighbor["state"] == "up" else f"{neighbor['state'].upper()} {neighbor['reason']}".rstrip()
        yield f"  neighbor {neighbor['peer']} (from {neighbor['local']}): {shown}"
    counters = ", ".join(f"{number} {name}" for name, number in sink["counters"].items())
    if counters:
        yield f"  {counters}"
