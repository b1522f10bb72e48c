"""A recorded SA history: JSON Lines, one moment a line, written by ``rri-bgp record`` and played by the replay source.

::

    {"format": "rri-bgp sa history", "version": 1}
    {"at": 0.0, "snapshot": [SA, …]}
    {"at": 1.52, "update": [SA, …], "gone": [uniqueid, …]}
    {"at": 9.1, "lost": "why the source could not see any more"}

``at`` is in seconds since the first moment. An SA has the fields of ``SaPair`` without its source: the same history may
be played as any source. What is seldom known (``_SELDOM``) is left out where it says nothing. Rules of this file: what
is read is checked; a line that is not as above is one error with file and line. There is no key material in an
``SaPair``, so there is none here.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from rri_bgp.addresses import read_address, read_number
from rri_bgp.errors import UsageError
from rri_bgp.model import ANY_PORT, Mode, SaKey, SaPair, TrafficSelector
from rri_bgp.sources import SaObserver
from rri_bgp.sources.shared import shared

__all__ = ["Moment", "Part", "Recorder", "check_header", "read", "read_in_parts", "read_sa", "write_sa"]

_HEADER = {"format": "rri-bgp sa history", "version": 1}

_PART = 32
"""SA pairs that are read at once: a fraction of a millisecond."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a source said at one moment, ``at`` seconds after the first.

    A whole snapshot, or SA pairs that came or changed, or went (None); or, where ``why`` is not empty, that it could
    not see any more.
    """

    at: float
    is_snapshot: bool
    changes: Mapping[SaKey, SaPair | None]
    why: str = ""

    def tell(self, source: str, observer: SaObserver) -> None:
        """Says it again."""
        if self.why:
            observer.lost(source, self.why)
        elif self.is_snapshot:
            observer.snapshot(source, [sa for sa in self.changes.values() if sa is not None])
        else:
            observer.update(source, self.changes)


class Part(NamedTuple):
    """Some of the SA pairs that are there, or have come or changed, ``at`` a moment of which more is to be read."""

    at: float
    changes: Mapping[SaKey, SaPair]


class Recorder:
    """Writes down what a source says. ``clock`` gives seconds from any start. An ``SaObserver``."""

    def __init__(self, file: TextIO, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        self._start: float | None = None
        self.moments = 0
        self._write(_HEADER)

    def snapshot(self, source: str, sas: Iterable[SaPair]) -> None:
        """See ``SaObserver``."""
        self._note({"snapshot": [write_sa(sa) for sa in sas]})

    def update(self, source: str, changes: Mapping[SaKey, SaPair | None]) -> None:
        """See ``SaObserver``."""
        came = [write_sa(sa) for sa in changes.values() if sa is not None]
        self._note({"update": came, "gone": [key.uniqueid for key, sa in changes.items() if sa is None]})

    def lost(self, source: str, why: str) -> None:
        """See ``SaObserver``."""
        self._note({"lost": why or "unknown"})

    def _note(self, what: dict[str, Any]) -> None:
        now = self._clock()
        self._start = now if self._start is None else self._start
        self._write({"at": round(now - self._start, 4), **what})
        self.moments += 1

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._file.flush()


def check_header(file: Path) -> None:
    """Whether this is a recording at all.

    Raises:
        UsageError: it is none, or cannot be read.
    """
    for _ in _lines(file):
        return


def read(file: Path, source: str) -> Iterator[Moment]:
    """The moments of a recording, as ``source`` would say them, one at a time.

    Raises:
        UsageError: it is no recording, or a line of it is wrong; says which.
    """
    return (one for one in read_in_parts(file, source) if isinstance(one, Moment))


def read_in_parts(file: Path, source: str) -> Iterator[Part | Moment]:
    """As ``read``, with the first pairs of a moment of many before it, so that others have turns while it is read.

    Raises:
        UsageError: as ``read``; a line may have given parts before it turns out to be wrong.
    """
    for number, line in _lines(file):
        if number == 1:
            continue
        try:
            yield from _read_moment(json.loads(line), source)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            what = f"no field {error}" if isinstance(error, KeyError) else str(error)
            raise UsageError(f"not a moment of a recording: {what}", where=f"{file}:{number}") from None


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """The lines, the header being the first."""
    try:
        with file.open(encoding="utf-8") as stream:
            for number, line in enumerate(itertools.chain([stream.readline()], stream), 1):
                if number == 1 and not _is_header(line):
                    hint = "`rri-bgp record FILE` makes one"
                    raise UsageError(
                        f"not a recording: its first line must be {json.dumps(_HEADER)}", where=f"{file}:1", hint=hint
                    )
                yield number, line
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"cannot read the recording: {reason}", where=str(file)) from None


def _is_header(line: str) -> bool:
    try:
        return bool(json.loads(line) == _HEADER)
    except (ValueError, RecursionError):
        return False


def _read_moment(line: Any, source: str) -> Iterator[Part | Moment]:  # noqa: ANN401  # any JSON; checked here
    at = float(line["at"])
    if not (math.isfinite(at) and at >= 0):
        raise ValueError(f"`at` is {at}; allowed: seconds since the first moment")
    if "lost" in line:
        yield Moment(at, False, {}, str(line["lost"]))
        return
    is_snapshot = "snapshot" in line
    changes: dict[SaKey, SaPair | None] = {}
    part: dict[SaKey, SaPair] = {}
    for one in line["snapshot" if is_snapshot else "update"]:
        if len(part) == _PART:
            yield Part(at, part)
            part = {}
        sa = read_sa(one, source)
        part[sa.key] = changes[sa.key] = sa
    changes.update((SaKey(source, int(uniqueid)), None) for uniqueid in line.get("gone", ()))
    yield Moment(at, is_snapshot, changes)


_OFTEN = 12
"""So many fields are always there."""

_SELDOM = ("if_id", "mark", "vrf", "since", "first", "is_suspect", "is_held")


def write_sa(sa: SaPair) -> dict[str, Any]:
    """An SA pair as a recording has it."""
    return {
        "uniqueid": sa.key.uniqueid,
        "connection": sa.connection,
        "child": sa.child,
        "peer": str(sa.peer),
        "local": str(sa.local),
        "remote_ts": [_write_selector(selector) for selector in sa.remote_ts],
        "local_ts": [_write_selector(selector) for selector in sa.local_ts],
        "identity": sa.identity,
        "ike_id": sa.ike_id,
        "reqid": sa.reqid,
        "mode": sa.mode.value,
        "state": sa.state,
        **{name: value for name in _SELDOM if (value := getattr(sa, name))},
        **({"not_in_kernel": [*map(_write_selector, sa.not_in_kernel)]} if sa.not_in_kernel else {}),
    }


def read_sa(found: Any, source: str) -> SaPair:  # noqa: ANN401  # any JSON; checked here
    """The SA pair of a source that a recording has.

    Raises:
        ValueError: a field is wrong; as are the other errors that ``read`` expects of what is no such object.
    """
    return SaPair(
        key=SaKey(source, int(found["uniqueid"])),
        connection=shared(str(found["connection"])),
        child=shared(str(found["child"])),
        peer=read_address(found["peer"]),
        local=_shared_address(found["local"]),
        remote_ts=tuple([_read_selector(selector) for selector in found["remote_ts"]]),
        local_ts=shared(tuple([_read_local_selector(selector) for selector in found["local_ts"]])),
        identity=str(found["identity"]),
        ike_id=int(found["ike_id"]),
        reqid=int(found["reqid"]),
        mode=Mode(found["mode"]),
        state=shared(str(found["state"])),
        **({} if len(found) == _OFTEN else _read_seldom(found)),
    )


def _read_seldom(found: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON; checked here
    """The fields that are written only where they say something: most pairs have none of them, and there are many."""
    return {
        "if_id": int(found.get("if_id", 0)),
        "mark": int(found.get("mark", 0)),
        "vrf": shared(str(found.get("vrf", ""))),
        "since": int(found.get("since", 0)),
        "first": int(found.get("first", 0)),
        "is_suspect": bool(found.get("is_suspect", False)),
        "is_held": bool(found.get("is_held", False)),
        "not_in_kernel": tuple(map(_read_selector, found.get("not_in_kernel", ()))),
    }


def _write_selector(selector: TrafficSelector) -> dict[str, Any]:
    address = ipaddress.IPv4Address if selector.version == 4 else ipaddress.IPv6Address
    ends: dict[str, Any] = {"start": str(address(selector.start)), "end": str(address(selector.end))}
    if not selector.whole:
        ends |= {"protocol": selector.protocol, "ports": list(selector.ports)}
    return ends


def _read_local_selector(found: Any) -> TrafficSelector:  # noqa: ANN401  # any JSON; checked here
    """As ``_read_selector``: all pairs of a hub have the same few."""
    return _whole_selector(found["start"], found["end"]) if len(found) == 2 else _read_selector(found)


def _read_selector(found: Any) -> TrafficSelector:  # noqa: ANN401  # any JSON; checked here
    version, start, end = _read_range(found["start"], found["end"])
    if len(found) == 2:
        return TrafficSelector(version, start, end)
    low, high = found.get("ports", ANY_PORT)
    return TrafficSelector(version, start, end, int(found.get("protocol", 0)), (int(low), int(high)))


def _read_range(first: str, last: str) -> tuple[int, int, int]:
    version, start = read_number(first)
    last_version, end = (version, start) if last == first else read_number(last)
    if version != last_version or start > end:
        raise ValueError(f"{first} to {last} is no range")
    return version, start, end


@lru_cache(maxsize=4096)
def _whole_selector(first: str, last: str) -> TrafficSelector:
    return TrafficSelector(*_read_range(first, last))


_shared_address = lru_cache(maxsize=4096)(read_address)
