"""The curves of the results as one SVG file, written by hand: lines, axes with round numbers, a legend.

Rules of this file: values in, text out; every text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from bench.figures import Curve, Result
from bench.report import number

__all__ = ["svg", "ticks"]

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 160, 40, 50
_FONT = 'font-family="sans-serif" font-size="12"'
_COLORS = ("#888888", "#0072b2", "#d55e00", "#009e73")
"""Told apart by everybody (Okabe and Ito)."""


def svg(results: Sequence[Result]) -> str:
    """One panel under the other, one for each result that has curves."""
    panels = [result for result in results if result.curves]
    height = _HEIGHT * max(1, len(panels))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
    ]
    for row, result in enumerate(panels):
        lines.append(f'<g transform="translate(0 {row * _HEIGHT})">')
        lines.extend(_panel(result))
        lines.append("</g>")
    return "\n".join([*lines, "</svg>"]) + "\n"


def ticks(most: float, about: int = 5) -> list[float]:
    """Round numbers from 0 to ``most``, some ``about`` of them."""
    if most <= 0:
        return [0.0]
    raw = most / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    return [step * number for number in range(int(most / step + 1e-9) + 1)]


def _panel(result: Result) -> Iterator[str]:
    points = [point for curve in result.curves for point in curve.points]
    most_x, most_y = (max(point[axis] for point in points) or 1.0 for axis in (0, 1))
    yield f'<text x="{_LEFT}" y="24" font-size="14" font-weight="bold">{escape(result.title)}</text>'
    yield from _axes(result, most_x, most_y)
    for place, curve in enumerate(result.curves):
        color = _COLORS[place % len(_COLORS)]
        yield _line(curve, color, most_x, most_y)
        y = _TOP + 12 + 18 * place
        x = _WIDTH - _RIGHT + 12
        yield f'<line x1="{x}" y1="{y - 4}" x2="{x + 20}" y2="{y - 4}" stroke="{color}" stroke-width="2"/>'
        yield f'<text x="{x + 26}" y="{y}">{escape(curve.name)}</text>'


def _axes(result: Result, most_x: float, most_y: float) -> Iterator[str]:
    for value in ticks(most_y):
        y = _y(value, most_y)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>'
    for value in ticks(most_x):
        x = _x(value, most_x)
        yield f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{number(value)}</text>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">{escape(result.axes.get("x", ""))}</text>'
    yield f'<text x="{_LEFT}" y="{_TOP - 4}" fill="#666666">{escape(result.axes.get("y", ""))}</text>'


def _line(curve: Curve, color: str, most_x: float, most_y: float) -> str:
    places = " ".join(f"{_x(x, most_x):.1f},{_y(y, most_y):.1f}" for x, y in curve.points)
    return f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="2"/>'


def _x(value: float, most: float) -> float:
    return _LEFT + value / most * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, most: float) -> float:
    return _HEIGHT - _BOTTOM - value / most * (_HEIGHT - _TOP - _BOTTOM)
