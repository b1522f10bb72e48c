"""Large policies, in this process, with no I/O: finding the entry of an SA pair, and reading the file.

A form is what tells the entries apart. Each search is timed alone, and each is for another SA pair, so that nothing is
found because it was just looked for; a figure is the median of the searches. Sizes are in entries.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from random import Random

from bench import BenchError, load
from bench.cases import Runs
from bench.figures import Figure, Ratio, Result
from bench.policies import branches
from rri_bgp.model import Address, Prefix, SaPair
from rri_bgp.policy import load as load_policy
from rri_bgp.policy.lint import lint_here
from rri_bgp.rri.entries import AccessList, AclLine, EntryKind, MapEntry, Match, Policy
from rri_bgp.rri.match import Matcher
from rri_bgp.rri.surroundings import Surroundings

__all__ = ["measure"]

SIZES = (1_000, 10_000, 100_000)
SEARCHES = 2_000
MOST_MICROSECONDS = 20.0
MOST_LOAD_SECONDS = 1.0

_ANY = (Prefix(4, 0, 0), Prefix(6, 0, 0))
_NETWORK = int(IPv4Address("10.0.0.0"))
_PEER4 = int(IPv4Address("100.64.0.0"))
_PEER6 = int(IPv6Address("2001:db8::"))

_ALL = Match()

_Form = tuple[Callable[[int], MapEntry], Callable[[SaPair, int], SaPair]]
"""The entry of a number, and an SA pair made into one that this entry takes."""


def _entry(number: int, match: Match = _ALL, peer: Address | None = None, acl: AccessList | None = None) -> MapEntry:
    kind = EntryKind.DYNAMIC if peer is None else EntryKind.STATIC
    peers = () if peer is None else (peer,)
    return MapEntry("internet", number + 1, kind, "hub.yaml:1", peers=peers, match=match, access_list=acl)


def _branch(number: int) -> AccessList:
    """What a branch may have: a /24, but for a quarter of it that an earlier line denies."""
    start = _NETWORK + (number << 8)
    deny = AclLine(False, _ANY, (Prefix(4, start + 192, 26),), "hub.yaml:1", "")
    permit = AclLine(True, _ANY, (Prefix(4, start, 24),), "hub.yaml:2", "")
    return AccessList(f"branch{number}", (deny, permit))


def _within(sa: SaPair, number: int) -> SaPair:
    start = _NETWORK + (number << 8)
    return replace(sa, remote_ts=(replace(sa.remote_ts[0], start=start, end=start + 255),))


_FORMS: Mapping[str, _Form] = {
    "IPv4 peer": (
        lambda n: _entry(n, peer=IPv4Address(_PEER4 + n)),
        lambda sa, n: replace(sa, peer=IPv4Address(_PEER4 + n)),
    ),
    "IPv6 peer": (
        lambda n: _entry(n, peer=IPv6Address(_PEER6 + n)),
        lambda sa, n: replace(sa, peer=IPv6Address(_PEER6 + n)),
    ),
    "connection name": (
        lambda n: _entry(n, Match(connection=f"site-{n}")),
        lambda sa, n: replace(sa, connection=f"site-{n}"),
    ),
    "connection `site-N-*`": (
        lambda n: _entry(n, Match(connection=f"site-{n}-*")),
        lambda sa, n: replace(sa, connection=f"site-{n}-a"),
    ),
    "identity `*@domain`": (
        lambda n: _entry(n, Match(identity=f"*@d{n}.example.org")),
        lambda sa, n: replace(sa, identity=f"bob@d{n}.example.org"),
    ),
    "if_id": (lambda n: _entry(n, Match(if_id=n)), lambda sa, n: replace(sa, if_id=n)),
    "mark with a mask": (
        lambda n: _entry(n, Match(mark=(n, 0xFFFFFF))),
        lambda sa, n: replace(sa, mark=n | 1 << 24),
    ),
    "access list": (lambda n: _entry(n, acl=_branch(n)), _within),
}
_WALKED: _Form = (
    lambda n: _entry(n, Match(identity=f"*@d{n}.*")),
    lambda sa, n: replace(sa, identity=f"bob@d{n}.example.org"),
)
"""A glob that is wild at both ends: no index helps, so every entry is asked."""


_HEAD = """\
version: 1
local: {as: 65000, next-hop: 198.51.100.1}
sources: [replay]
sinks: {exabgp: {}}
crypto-maps:
  internet:
    entries:
"""
_STATIC = """\
      - seq: {number}
        type: static
        set-peer: ["2001:db8::{number:x}"]
        reverse-route: {{tag: {number}}}
"""
_DYNAMIC = """\
      - seq: {number}
        type: dynamic
        match: {{connection: "site-{number}-*"}}
        reverse-route: {{tag: {number}}}
"""


async def measure(runs: Runs) -> Result:
    """Runs it ``runs.rounds`` times, the larger sizes once: they are there to show how it grows."""
    sizes = [runs.sized(size) for size in SIZES]
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    loads: list[float] = []
    wholes: list[tuple[float, float]] = []
    for number in range(runs.rounds):
        for size in sizes if number == 0 else sizes[:1]:
            for name, form in _FORMS.items():
                found.setdefault((name, size), []).append(_search(form, size))
        found.setdefault(("walked", sizes[0]), []).append(_search(_WALKED, sizes[0], SEARCHES // 20))
        loads.append(_load(runs.folder, sizes[0]))
        wholes.append(_branches(runs.folder, sizes[0]))
        runs.tell(f"policy {number + 1}/{runs.rounds}: {sizes[0]} entries read in {loads[-1]:.2f} s")
    return _result(sizes, found, loads, wholes)


def _result(
    sizes: list[int],
    found: Mapping[tuple[str, int], list[tuple[float, float]]],
    loads: list[float],
    wholes: list[tuple[float, float]],
) -> Result:
    reads, checks = zip(*wholes, strict=True)
    searches = {key: tuple(search for _, search in runs) for key, runs in found.items()}
    builds = {key: tuple(build for build, _ in runs) for key, runs in found.items()}
    least = sizes[0]
    return Result(
        name="policy",
        title=f"policy: the entry of an SA among {', '.join(f'{size:,}' for size in sizes)}",
        figures=(
            *(Figure(f"{name}, among {size:,}", "µs", searches[name, size]) for name in _FORMS for size in sizes[1:]),
            Figure(f"glob wild at both ends, among {least:,}: all are asked", "µs", searches["walked", least]),
            *(Figure(f"index of {size:,} access lists is made", "s", builds["access list", size]) for size in sizes),
        ),
        ratios=(
            *(Ratio(f"{name}, among {least:,}", searches[name, least], MOST_MICROSECONDS, "µs") for name in _FORMS),
            Ratio(f"policy file of {least:,} entries is read", tuple(loads), MOST_LOAD_SECONDS, "s"),
            Ratio("the same with a list, guard and tag each", reads, MOST_LOAD_SECONDS, "s"),
            Ratio("and looked at by `rri-bgp check`", checks, MOST_LOAD_SECONDS, "s"),
        ),
        notes=("each search is for another SA; the clock's own time, about 0.1 µs, is in the figures",),
    )


def _search(form: _Form, size: int, searches: int = SEARCHES) -> tuple[float, float]:
    """How long the index takes to make, in seconds, and the median search, in microseconds."""
    make, fit = form
    policy = Policy(tuple(make(number) for number in range(size)))
    gc.collect()
    start = time.perf_counter()
    matcher = Matcher(policy)
    built = time.perf_counter() - start
    wanted = Random(size)  # noqa: S311  # the same numbers in every round
    numbers = wanted.sample(range(size), min(searches, size))
    times = []
    for number, sa in [(number, fit(load.sa(number), number)) for number in numbers]:
        start = time.perf_counter()
        rank = matcher.rank(sa)
        times.append(time.perf_counter() - start)
        if rank != number:
            raise BenchError(f"policy: entry {rank} was found for an SA of entry {number}")
    return built, statistics.median(times) * 1e6


def _branches(folder: Path, size: int) -> tuple[float, float]:
    """Seconds to read a policy file that uses most of what there is, and to look for what cannot be meant."""
    file = folder / "branches.yaml"
    file.write_text(branches(size))
    start = time.perf_counter()
    config = load_policy(file)
    read = time.perf_counter()
    lint_here(config, Surroundings(addresses=frozenset({IPv4Address(_PEER4)})))
    return read - start, time.perf_counter() - read


def _load(folder: Path, size: int) -> float:
    """Seconds to read a policy file of that many entries: half static, half dynamic."""
    file = folder / "large.yaml"
    entries = ((_STATIC if number % 2 else _DYNAMIC).format(number=number) for number in range(1, size + 1))
    file.write_text(_HEAD + "".join(entries))
    start = time.perf_counter()
    load_policy(file)
    return time.perf_counter() - start
