"""What a measurement returns: figures with their spread, and how they compare. Values only.

A figure is several runs of one thing. A comparison pairs the runs of two figures by their number, because run ``n`` of
both was made within the same minute: the ratio of two medians says less on a machine that others use.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Curve", "Figure", "Ratio", "Result", "percentile", "ratio", "thinned"]


def percentile(values: Iterable[float], rank: float) -> float:
    """The nearest-rank percentile: the least value that at least ``rank`` (over 0, up to 1) of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-rank * len(ordered) // 1) - 1)]


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured several times."""

    name: str
    unit: str
    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.runs)

    @property
    def low(self) -> float:
        """The least."""
        return min(self.runs)

    @property
    def high(self) -> float:
        """The most."""
        return max(self.runs)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure over its peer's, pair by pair; ``aim`` is the most that it should be, None for no aim."""

    name: str
    pairs: tuple[float, ...]
    aim: float | None = None
    unit: str = "x"

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.pairs)

    @property
    def is_met(self) -> bool | None:
        """Whether the median meets the aim, None where there is none."""
        return None if self.aim is None else self.median <= self.aim


def ratio(name: str, figure: Figure, peer: Figure, aim: float | None = None) -> Ratio:
    """``figure`` over ``peer``, run by run."""
    return Ratio(name, tuple(one / other for one, other in zip(figure.runs, peer.runs, strict=True)), aim)


@dataclass(frozen=True, slots=True)
class Curve:
    """Something over something, for the plot."""

    name: str
    points: tuple[tuple[float, float], ...]


def thinned(points: Sequence[tuple[float, float]], most: int = 200) -> tuple[tuple[float, float], ...]:
    """At most ``most`` points of a curve, the first and the last among them."""
    if len(points) <= most:
        return tuple(points)
    step = (len(points) - 1) / (most - 1)
    return tuple(points[round(number * step)] for number in range(most))


@dataclass(frozen=True, slots=True)
class Result:
    """A case: what was measured, how it compares, and what must be known to read it."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    ratios: tuple[Ratio, ...] = ()
    notes: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()
    axes: Mapping[str, str] = field(default_factory=dict)
    """What ``x`` and ``y`` of the curves are."""

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "name": self.name,
            "title": self.title,
            "figures": [
                {"name": one.name, "unit": one.unit, "median": one.median, "runs": list(one.runs)}
                for one in self.figures
            ],
            "ratios": [
                {"name": one.name, "unit": one.unit, "median": one.median, "pairs": list(one.pairs), "aim": one.aim}
                for one in self.ratios
            ],
            "notes": list(self.notes),
            "curves": [{"name": one.name, "points": [list(point) for point in one.points]} for one in self.curves],
            "axes": dict(self.axes),
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Result:
        """From such an object again."""
        return cls(
            name=document["name"],
            title=document["title"],
            figures=tuple(Figure(one["name"], one["unit"], tuple(one["runs"])) for one in document["figures"]),
            ratios=tuple(
                Ratio(one["name"], tuple(one["pairs"]), one["aim"], one["unit"]) for one in document["ratios"]
            ),
            notes=tuple(document["notes"]),
            curves=tuple(Curve(one["name"], tuple((x, y) for x, y in one["points"])) for one in document["curves"]),
            axes=document["axes"],
        )
