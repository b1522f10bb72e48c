"""What the controller's events say, in words: a line for each thing that a person would call a change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rri_bgp.cli import words

__all__ = ["News"]

Item = dict[str, Any]


class News:
    """Keeps the state that was told last, as events say how things are and not what became of them."""

    def __init__(self) -> None:
        self.status: Item = {}
        self._announced: set[str] = set()
        self._names: dict[str, str] = {}
        """SA pairs that are there, in full: of one that has gone, only its id is told."""

    def take(self, item: Item) -> list[str]:
        """What is new in an event; nothing in one of the snapshot."""
        match item["kind"]:
            case "route":
                lines = [self._route(item)]
            case "sa":
                lines = [self._sa(item)]
            case "status":
                lines = list(_differences(self.status, item["status"]))
                self.status = item["status"]
            case _:
                lines = []
        return lines if item["origin"] == "live" else []

    def _route(self, item: Item) -> str:
        text, route = words.destination(item), item["route"]
        was_there = text in self._announced
        if route is None:
            self._announced.discard(text)
            return f"{text} is withdrawn"
        self._announced.add(text)
        return f"{text} {'is changed' if was_there else 'is announced'}: {words.path(route)}, entry {route['entry']}"

    def _sa(self, item: Item) -> str:
        key, sa = f"{item['source']}:{item['uniqueid']}", item["sa"]
        if sa is None:
            return f"{self._names.pop(key, f'SA {key}')} is gone"
        is_new, self._names[key] = key not in self._names, words.sa(sa)
        taken = f"taken by entry {sa['entry']}" if sa["entry"] is not None else "taken by no entry"
        suspect = ", does not answer" if sa["suspect"] else ""
        missing = ", not in the kernel" if sa["not_in_kernel"] else ""
        refused = f", {words.count(len(sa['refusals']), 'refusal')}" if sa["refusals"] else ""
        return f"{words.sa(sa)} {'is up' if is_new else 'has changed'}: {taken}{suspect}{missing}{refused}"


def _differences(old: Item, new: Item) -> Iterator[str]:
    """What a person would want to be told of another state."""
    if not old:
        return
    if old["policy_error"] != new["policy_error"] and new["policy_error"]:
        yield f"the policy is not taken: {new['policy_error']}"
    if (old["confirm"] is None) != (new["confirm"] is None):
        yield "the policy waits for its confirmation" if new["confirm"] else "no policy waits for a confirmation now"
    for name, state in _states(new).items():
        if _states(old).get(name) != state:
            yield f"{name}: {state}"
    for name in _states(old).keys() - _states(new).keys():
        yield f"{name}: gone"


def _states(status: Item) -> dict[str, str]:
    """Each source, sink, neighbour and redundancy group in a word or two."""
    found = {
        f"source {one['name']}": "followed" if one["connected"] else f"lost: {one['why']}" for one in status["sources"]
    }
    for sink in status["sinks"]:
        found[f"sink {sink['name']}"] = "ready" if sink["ready"] else "not ready"
        for neighbor in sink["neighbors"]:
            reason = f" {neighbor['reason']}" if neighbor["reason"] else ""
            found[f"neighbor {neighbor['peer']} of {sink['name']}"] = f"{neighbor['state']}{reason}"
    for group in status["groups"]:
        found[f"group {group['name']}"] = "held here" if group["held"] else "elsewhere"
    for name in status["names"]:
        found[f"name {name['name']}"] = " ".join(name["addresses"]) or "does not resolve"
    return found
