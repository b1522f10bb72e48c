"""What is fed to the things that are measured: SA pairs, recordings of them, policy files, command scripts.

Rules of this file: SA number ``n`` is the same in every form, so that all peers send the same routes: one host prefix
behind one road warrior, each with a peer, an identity and an id of its own. All routes have one path, that of ``PATH``.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path as File

from rri_bgp.model import Attributes, Path, Prefix, SaKey, SaPair, TrafficSelector
from rri_bgp.sinks.exabgp.commands import Command, Verb
from rri_bgp.sinks.exabgp.forms import MAX_NLRI, PLAIN
from rri_bgp.sources.recording import Recorder

__all__ = [
    "PATH",
    "SOURCE",
    "Step",
    "grouped",
    "prefix_of",
    "recording",
    "sa",
    "script",
    "single",
    "uniqueid",
    "write_policy",
]

SOURCE = "replay"
PATH = Path(ipaddress.IPv4Address("198.51.100.1"), Attributes(((65000, 100),), ((65000, 1, 100),)))
"""What ``_POLICY`` makes of every SA."""

_POLICY = """\
version: 1
local: {{as: 65000, next-hop: 198.51.100.1}}
sources:
  - replay: {{file: "{recording}"}}
sinks:
  exabgp: {{}}
control: {{socket: "{folder}/control.sock"}}
crypto-maps:
  internet:
    entries:
      - seq: 10
        type: static
        set-peer: 203.0.113.2
        reverse-route: {{tag: 10}}
      - seq: 65000
        type: dynamic
        match: {{connection: "rw*"}}
        reverse-route: {{tag: 100}}
"""

_NETWORK = int(ipaddress.IPv4Address("10.0.0.0"))
_PEERS = int(ipaddress.IPv4Address("100.64.0.0"))
_HUB = ipaddress.IPv4Address("203.0.113.1")
_EVERYWHERE = (TrafficSelector(4, 0, 0xFFFFFFFF),)


@dataclass(frozen=True, slots=True)
class Step:
    """SA pairs that come and prefix numbers that go, ``at`` seconds after the start; ``whole`` for a snapshot."""

    at: float
    come: Sequence[SaPair] = ()
    gone: Sequence[int] = ()
    whole: bool = False


def prefix_of(number: int) -> Prefix:
    """The prefix behind SA ``number``."""
    return Prefix(4, _NETWORK + number, 32)


def sa(number: int, generation: int = 0) -> SaPair:
    """SA ``number``; after its first rekey ``generation`` is 1, and so on: all the same but for its own id."""
    return SaPair(
        key=SaKey(SOURCE, uniqueid(number, generation)),
        connection="rw-ikev2",
        child="net",
        peer=ipaddress.IPv4Address(_PEERS + number),
        local=_HUB,
        remote_ts=(TrafficSelector.from_prefix(prefix_of(number)),),
        local_ts=_EVERYWHERE,
        identity=f"user{number}@example.org",
        ike_id=number + 1,
        reqid=number + 1,
    )


def uniqueid(number: int, generation: int = 0) -> int:
    """The id of ``sa(number, generation)``."""
    return number + 1 + generation * 10_000_000


def recording(file: File, steps: Iterable[Step]) -> File:
    """Writes a recording that the replay source plays."""
    now = 0.0
    with file.open("w", encoding="utf-8") as stream:
        recorder = Recorder(stream, lambda: now)
        for step in steps:
            now = step.at
            if step.whole:
                recorder.snapshot(SOURCE, step.come)
            else:
                changes: dict[SaKey, SaPair | None] = {one.key: one for one in step.come}
                changes.update((SaKey(SOURCE, number), None) for number in step.gone)
                recorder.update(SOURCE, changes)
    return file


def write_policy(folder: File, played: File) -> File:
    """Writes the policy file that plays a recording; the control socket is in ``folder``."""
    file = folder / "policy.yaml"
    file.write_text(_POLICY.format(recording=played, folder=folder))
    return file


def grouped(verb: Verb, numbers: Iterable[int]) -> list[str]:
    """The commands that our sink would send, as full as they go."""
    prefixes = iter([prefix_of(number) for number in numbers])
    return [
        Command(verb, PLAIN[4], PATH, group).line() for group in iter(lambda: tuple(islice(prefixes, MAX_NLRI)), ())
    ]


def single(verb: Verb, numbers: Iterable[int]) -> list[str]:
    """One command a route, as most scripts send them."""
    words = " ".join(Command(verb, PLAIN[4], PATH, (prefix_of(0),)).line().split()[2:-2])
    return [f"{verb.value} route {prefix_of(number)} {words}" for number in numbers]


def script(file: File, steps: Iterable[tuple[float, Sequence[str]]]) -> File:
    """Writes a script for ``bench.peer``: seconds after the start, and the commands of then."""
    with file.open("w", encoding="ascii") as stream:
        stream.writelines(json.dumps({"at": at, "lines": list(lines)}) + "\n" for at, lines in steps)
    return file
