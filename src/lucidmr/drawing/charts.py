"""Charts as SVG that stands alone: distributions, counts and curves.

Text is escaped: names may come from anywhere.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import ceil, exp, floor, log, log10
from typing import Final, NamedTuple

COLOURS: Final = ("#0b62a8", "#c2571a", "#3f8a3d", "#1c2026")
"""Of the first to the fourth series; told apart in all common colour vision deficiencies."""
_INK: Final = "#5b6472"
_RULE: Final = "#e1e4e9"
_BINS: Final = 24
_SIZE: Final = (420.0, 200.0)
_EDGES: Final = (48.0, 20.0, 26.0, 40.0)  # left, right, top, bottom
_ROW: Final = 22.0
_BAR: Final = (228.0, 112.0)  # where bars start, and the longest


class Point(NamedTuple):
    """A measured value over x, with the interval it lies in."""

    x: float
    y: float
    low: float
    high: float


class _Frame(NamedTuple):
    """Data coordinates on the paper; ``log_x`` where x is drawn by its logarithm."""

    low: float
    high: float
    top: float
    bottom: float = 0.0
    log_x: bool = False

    def x(self, value: float) -> float:
        low, high, value = (log(v) if self.log_x else v for v in (self.low, self.high, value))
        return _EDGES[0] + (value - low) / (high - low) * (_SIZE[0] - _EDGES[0] - _EDGES[1])

    def y(self, value: float) -> float:
        share = (value - self.bottom) / (self.top - self.bottom)
        return _SIZE[1] - _EDGES[3] - share * (_SIZE[1] - _EDGES[2] - _EDGES[3])


def histogram(series: Mapping[str, Sequence[float]], label: str, is_log: bool = False) -> str:
    """How often values occur, one stepped line per series.

    Args:
        series: Values by name, three series at most; those without values are left out.
        label: What the values are, with their unit.
        is_log: Draw them by their logarithm; they are positive.

    Returns:
        An SVG, or nothing where there is no value at all.
    """
    drawn = {name: values for name, values in series.items() if values}
    if not drawn:
        return ""
    low, high = _span([value for values in drawn.values() for value in values], is_log)
    edges = [_between(low, high, index / _BINS, is_log) for index in range(_BINS + 1)]
    counts = {name: _counts(values, edges) for name, values in drawn.items()}
    frame = _Frame(low, high, float(max(map(max, counts.values()))), log_x=is_log)
    steps = (_steps(frame, edges, found) for found in counts.values())
    names = [f"{name} ({len(values)})" if name else f"{len(values)} pairs" for name, values in drawn.items()]
    return _chart(frame, steps, names, label)


def curve(points: Sequence[tuple[float, float]], across: str, up: str) -> str:
    """One line through points.

    Args:
        points: (x, y), x rising; at least two.
        across: What x is.
        up: What y is.

    Returns:
        An SVG.
    """
    xs, ys = zip(*points, strict=True)
    frame = _Frame(min(xs), max(xs), 1.1 * max(ys))
    return _chart(frame, [_path(frame, points)], [up], across)


def intervals(
    series: Mapping[str, Sequence[Point]], across: str, up: str, reference: Sequence[tuple[float, float]] = ()
) -> str:
    """Measured values with their intervals, one line per series.

    Args:
        series: Points by name, x rising, four series at most; those without points are left out.
        across: What x is.
        up: What y is.
        reference: (x, y) of a dashed line to compare with.

    Returns:
        An SVG, or nothing where there is no point at all.
    """
    drawn = {name: points for name, points in series.items() if points}
    points = [point for found in drawn.values() for point in found]
    if not points:
        return ""
    low, high = _span([x for x, *_ in (*points, *reference)], False)
    top = max(*(point.high for point in points), *(y for _, y in reference), 0.0)
    frame = _Frame(low, high, 1.05 * top, min(0.0, *(point.low for point in points)))
    dashes = f'<polyline points="{_path(frame, reference)}" fill="none" stroke="{_INK}" stroke-dasharray="4 4"/>'
    whiskers = "".join(
        f'<path d="M{frame.x(x):.1f} {frame.y(least):.1f}V{frame.y(most):.1f}" stroke="{colour}" stroke-width="1.2"/>'
        f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3" fill="{colour}"/>'
        for found, colour in zip(drawn.values(), COLOURS, strict=False)
        for x, y, least, most in found
    )
    lines = (_path(frame, [(x, y) for x, y, *_ in found]) for found in drawn.values())
    return _chart(frame, lines, list(drawn), f"{across} (across), {up} (up)", dashes + whiskers)


def _path(frame: _Frame, points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)


def bars(counts: Mapping[str, int], label: str) -> str:
    """How often each of some things occurs, as horizontal bars.

    Args:
        counts: Number by name, in the order in which they are shown.
        label: What is counted.

    Returns:
        An SVG, or nothing where there is nothing to show.
    """
    if not counts:
        return ""
    total, most = sum(counts.values()), max(counts.values())
    rows = "".join(_bar(index, name, count, total, most) for index, (name, count) in enumerate(counts.items()))
    return _svg(rows, (_SIZE[0], _ROW * len(counts) + 8), label)


def _bar(index: int, name: str, count: int, total: int, most: int) -> str:
    top, width = index * _ROW + 4, _BAR[1] * count / most
    return (
        _text(_BAR[0] - 8, top + 13, name, "end")
        + f'<rect x="{_BAR[0]:g}" y="{top:g}" width="{width:.1f}" height="{_ROW - 6:g}" rx="2" fill="{COLOURS[0]}"/>'
        + _text(_BAR[0] + width + 6, top + 13, f"{count} ({count / total:.0%})", "start")
    )


def _span(values: Sequence[float], is_log: bool) -> tuple[float, float]:
    """Smallest and largest value, apart even where all are the same."""
    low, high = min(values), max(values)
    if high > low:
        return low, high
    return (low / 1.1, high * 1.1) if is_log else (low - 0.5, high + 0.5)


def _between(low: float, high: float, share: float, is_log: bool) -> float:
    return low * exp(share * log(high / low)) if is_log else low + share * (high - low)


def _counts(values: Iterable[float], edges: Sequence[float]) -> list[int]:
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(max(bisect_right(edges, value) - 1, 0), len(counts) - 1)] += 1
    return counts


def _steps(frame: _Frame, edges: Sequence[float], counts: Sequence[int]) -> str:
    """Points of a stepped line that starts and ends at 0."""
    heights = [0, *(count for count in counts for _ in range(2)), 0]
    across = [edge for edge in edges for _ in range(2)]
    return " ".join(f"{frame.x(x):.1f},{frame.y(float(y)):.1f}" for x, y in zip(across, heights, strict=True))


def _chart(frame: _Frame, lines: Iterable[str], names: Sequence[str], label: str, beside: str = "") -> str:
    drawn = "".join(
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round"/>'
        for points, colour in zip(lines, COLOURS, strict=False)
    )
    return _svg(_grid(frame) + drawn + beside + _key(names) + _text(_SIZE[0] / 2, _SIZE[1] - 6, label), _SIZE, label)


def _key(names: Sequence[str]) -> str:
    drawn, left = "", _EDGES[0]
    for name, colour in zip(names, COLOURS, strict=False):
        drawn += f'<rect x="{left:.0f}" y="8" width="14" height="4" fill="{colour}"/>'
        drawn += _text(left + 19, 14.0, name, "start")
        left += 34 + 6.6 * len(name)
    return drawn


def _grid(frame: _Frame) -> str:
    foot, right = _SIZE[1] - _EDGES[3], _SIZE[0] - _EDGES[1]
    marks = log_ticks(frame.low, frame.high) if frame.log_x else ticks(frame.low, frame.high)
    drawn = "".join(
        f'<path d="M{frame.x(mark):.1f} {_EDGES[2]:g}V{foot:g}" stroke="{_RULE}"/>'
        + _text(frame.x(mark), foot + 15, f"{mark:g}")
        for mark in marks
    )
    for mark in ticks(frame.bottom, frame.top):
        drawn += f'<path d="M{_EDGES[0]:g} {frame.y(mark):.1f}H{right:g}" stroke="{_RULE}"/>'
        drawn += _text(_EDGES[0] - 6, frame.y(mark) + 4, f"{mark:g}", "end")
    return drawn


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(content: str, size: tuple[float, float], label: str) -> str:
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(label)}" font-family="system-ui, sans-serif" font-size="12" fill="{_INK}">'
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>{content}</svg>'
    )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers, four to ten of them, between two values.

    Args:
        low: Smallest value.
        high: Largest value, larger than ``low``.

    Returns:
        Multiples of 1, 2 or 5 times a power of ten.
    """
    rough = (high - low) / 5
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two positive values; round numbers where that is hardly any."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    marks = [round(factor * 10.0**power, 10) for power in powers for factor in (1, 2, 5)]
    inside = [mark for mark in marks if low <= mark <= high]
    return inside if len(inside) > 2 else ticks(low, high)
