"""All that decides which routes there are, as the controller has it: the answer to ``Ask.STATE``, and how it is read.

Policy, surroundings and SA pairs are of one moment, so whoever has them has the same routes (rule E7). What delays have
to do with it is told as how long each has run, so that another policy may be judged by it.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rri_bgp.control.views.values import Item
from rri_bgp.controller import Controller
from rri_bgp.errors import ProtocolError
from rri_bgp.model import Prefix, VrfPrefix, prefix_of, vrf_of
from rri_bgp.reload import Reloader
from rri_bgp.rri.candidates import Candidate
from rri_bgp.rri.surroundings import Surroundings
from rri_bgp.sources.recording import read_sa, write_sa

__all__ = ["State", "read_state", "state"]


@dataclass(frozen=True, slots=True)
class State:
    """What a controller has: the text of its policy and the file that it came from, and what it knows.

    ``looks``: it sees the kernel's addresses. ``candidates`` are the SA pairs that count, and those that might under
    another policy.
    """

    file: Path
    text: str
    surroundings: Surroundings
    looks: bool
    candidates: tuple[Candidate, ...]


def state(controller: Controller, reloader: Reloader | None) -> Iterator[Item]:
    """The policy, the surroundings, and then one SA pair an item."""
    rib = controller.rib
    surroundings, sas = rib.surroundings, list(rib.sas())
    special = {one.sa.key: one for one in controller.tunnels.special(time.monotonic())}
    if reloader is not None:
        yield {"policy": {"file": str(reloader.running.file), "text": reloader.running.text}}
    around = None if reloader is None else reloader.around
    yield {"surroundings": _surroundings(surroundings), "looks": around is not None and not around.kernel}
    for sa in sas:
        if sa.key not in special:
            yield _candidate(Candidate(sa))
    for one in special.values():
        yield _candidate(one)


def _candidate(one: Candidate) -> Item:
    sa = {"source": one.sa.key.source, **write_sa(one.sa)}
    return {"sa": sa, "waits": one.waits, "elapsed": round(one.elapsed, 3)}


def _surroundings(found: Surroundings) -> Item:
    return {
        "addresses": sorted(map(str, found.addresses)),
        "networks": [[str(prefix_of(network)), vrf_of(network)] for network in found.networks],
        "neighbors": sorted(map(str, found.neighbors)),
        "held": sorted(found.held),
        "names": {name: [str(address) for address in addresses] for name, addresses in found.names.items()},
    }


def read_state(items: Iterable[Item]) -> State:
    """What an answer to ``Ask.STATE`` says.

    Raises:
        ProtocolError: it is none.
    """
    policy: Item | None = None
    surroundings: Surroundings | None = None
    looks = False
    candidates = []
    try:
        for item in items:
            if "sa" in item:
                sa = read_sa(item["sa"], str(item["sa"]["source"]))
                candidates.append(Candidate(sa, bool(item["waits"]), float(item["elapsed"])))
            elif "surroundings" in item:
                surroundings, looks = _read_surroundings(item["surroundings"]), bool(item["looks"])
            elif "policy" in item:
                policy = item["policy"]
        if policy is None or surroundings is None:
            raise ProtocolError("the controller does not tell its policy and surroundings")
        return State(Path(policy["file"]), str(policy["text"]), surroundings, looks, tuple(candidates))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ProtocolError(f"not the state of a controller: {error!r}") from None


def _read_surroundings(found: Any) -> Surroundings:  # noqa: ANN401  # any JSON; whoever asked catches what is wrong
    return Surroundings(
        addresses=frozenset(map(ipaddress.ip_address, found["addresses"])),
        networks=frozenset(
            VrfPrefix(vrf, Prefix.parse(text)) if vrf else Prefix.parse(text) for text, vrf in found["networks"]
        ),
        neighbors=frozenset(map(ipaddress.ip_address, found["neighbors"])),
        held=frozenset(found["held"]),
        names={name: tuple(map(ipaddress.ip_address, addresses)) for name, addresses in found["names"].items()},
    )
