"""What differs between the ExaBGPs we can talk to: how neighbours are asked for. The rest of the grammar is the same.

Rules of this file: no I/O. A version that is in no dialect is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rri_bgp.errors import EnvironmentProblem
from rri_bgp.sinks import NeighborState
from rri_bgp.sinks.exabgp.answers import NeighborFamilies, neighbors
from rri_bgp.text import plain

__all__ = ["ALLOWED", "EXABGP4", "EXABGP5", "OLDEST_5", "Dialect", "dialect_of"]

Version = tuple[int, int, int]

ALLOWED = "4.2.x, or 5.0.13 and later"
"""5.0.0 to 5.0.12 let a peer write lines into our side of the process API (its SECURITY notes)."""

OLDEST_5 = (5, 0, 13)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family of versions: the question for neighbours, its first line if it has a sure one, and its reader."""

    name: str
    show_neighbors: str
    begins: Callable[[str], bool] | None
    read_neighbors: Callable[[Iterable[str]], tuple[NeighborFamilies, ...]]


def dialect_of(version: Version) -> Dialect:
    """The dialect of a version.

    Raises:
        EnvironmentProblem: it is too old, or unknown.
    """
    if version[:2] == (4, 2):
        return EXABGP4
    if version[0] == OLDEST_5[0] and version >= OLDEST_5:
        return EXABGP5
    found = ".".join(map(str, version))
    fault = "is too old" if version < OLDEST_5 else "is not known to this program"
    raise EnvironmentProblem(f"ExaBGP {found} {fault}: {ALLOWED} is needed")


def _read_json(lines: Iterable[str]) -> tuple[NeighborFamilies, ...]:
    return next((found for line in lines if (found := neighbors(line)) is not None), ())


def _read_text(lines: Iterable[str]) -> tuple[NeighborFamilies, ...]:
    """``show neighbor extensive``: paragraphs of ``key  local  remote``, one block a neighbour."""
    blocks: list[list[list[str]]] = []
    for words in (line.split() for line in lines):
        if len(words) == 2 and words[0] == "Neighbor":
            blocks.append([])
        if blocks and words:
            blocks[-1].append(words)
    return tuple(_read_block(block) for block in blocks)


def _read_block(block: list[list[str]]) -> NeighborFamilies:
    facts = {words[0]: words[1] for words in block if len(words) == 2}
    state = facts.get("state", "unknown").lower()
    is_up = state == "established"
    # A family's line is `ipv4 unicast:  local  remote  add-path`; the remote's word is n/a until the session is up.
    families = [words for words in block if len(words) >= 4 and words[1].endswith(":")]
    asns = next((words[1:3] for words in block if len(words) == 3 and words[0] == "AS"), ["0", "0"])
    return NeighborFamilies(
        NeighborState(plain(facts.get("local", "")), plain(facts["Neighbor"]), "up" if is_up else plain(state)),
        frozenset(_family(words) for words in families if words[2] == "enabled" and words[3] != "disabled"),
        graceful=any(words[:2] == ["graceful-restart:", "enabled"] for words in block),
        local_asn=_number(asns[0]),
        peer_asn=_number(asns[1]),
        # 4.2 says so where both sides send and receive several paths, and not where only we may send them.
        add_path=frozenset(_family(words) for words in families if is_up and words[4:] == ["enabled"]),
    )


def _family(words: list[str]) -> str:
    return f"{words[0]} {words[1].rstrip(':')}"


def _number(word: str) -> int:
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= 10 else 0


EXABGP4 = Dialect("4.2", "show neighbor extensive", None, _read_text)
EXABGP5 = Dialect("5.0", "show neighbor summary json", lambda line: neighbors(line) is not None, _read_json)
