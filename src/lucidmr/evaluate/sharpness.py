"""Relative edge sharpness per encoding direction, rise distance, overshoot and the width of thin lines.

After Lebel, arXiv 2008.06559: the maximum gradient of line profiles parallel to an encoding direction, after over
before. Noise inflates a maximum gradient, hence the three others. Edges and lines are found automatically, in the mean
of both images so that the choice favours neither.

For the slice direction, or on maximum intensity projections, pass images reformatted so that it is one of the two axes.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final, Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lucidmr.evaluate.profiles import UPSAMPLING, find_edges, find_lines, profiles
from lucidmr.shapes import Image

Direction = Literal["freq", "phase"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("freq", "phase")

ENOUGH: Final = 50
"""Edges per direction below which a result is not to be relied on."""
_BOOTSTRAPS: Final = 1000


class Interval(NamedTuple):
    """A median and its bootstrap 95 % confidence interval; ``nan`` where nothing could be measured."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class EdgeSharpness:
    """Edges along one encoding direction.

    Attributes:
        edges: How many were found; fewer than :data:`ENOUGH` prove little.
        sharpness: Maximum gradient after / before: more than 1 is sharper.
        rise: 10-90 % edge rise distance after / before: less than 1 is sharper.
        rise_before: That distance before, pixels.
        rise_after: That distance after, pixels.
        overshoot_before: How far the profile leaves its two plateaus, mean of both sides, % of the step.
        overshoot_after: The same after.
    """

    edges: int
    sharpness: Interval
    rise: Interval
    rise_before: Interval
    rise_after: Interval
    overshoot_before: Interval
    overshoot_after: Interval


@dataclass(frozen=True)
class LineWidth:
    """Thin bright lines (vessels) across one encoding direction.

    Attributes:
        lines: How many were found.
        width: Full width at half maximum after / before: less than 1 is sharper.
        width_before: That width before, pixels.
        width_after: That width after, pixels.
    """

    lines: int
    width: Interval
    width_before: Interval
    width_after: Interval


def edge_sharpness(
    before: Image,
    after: Image,
    direction: Direction,
    generator: torch.Generator,
    scale: float = 1.0,
    max_edges: int = 400,
) -> EdgeSharpness:
    """Compare the edges of an image before and after processing, along one encoding direction.

    Args:
        before: The untouched image(s) on the grid of ``after``.
        after: The processed image(s).
        direction: Along which the profiles run.
        generator: Source of randomness of the bootstrap, on the CPU.
        scale: Grid pixels per acquired pixel along ``direction`` (1 / k-space extent).
        max_edges: How many of the strongest edges count.

    Returns:
        Medians over edges, each with its confidence interval.
    """
    first, second = _along(before, direction), _along(after, direction)
    positions = find_edges(0.5 * (first + second), scale, max_edges)
    reach = ceil(6 * scale)
    one = _edges(_rising(first, positions, reach, scale))
    two = _edges(_rising(second, positions, reach, scale))
    ratios = (two.gradient / one.gradient, two.rise / one.rise)
    values = (*ratios, one.rise, two.rise, one.overshoot, two.overshoot)
    return EdgeSharpness(len(positions), *(bootstrap_median(value, generator) for value in values))


def line_width(
    before: Image,
    after: Image,
    direction: Direction,
    generator: torch.Generator,
    scale: float = 1.0,
    max_lines: int = 400,
) -> LineWidth:
    """Compare the full width at half maximum of thin bright lines before and after processing.

    Args:
        before: The untouched image(s) on the grid of ``after``.
        after: The processed image(s).
        direction: Along which the profiles run, across the lines.
        generator: Source of randomness of the bootstrap, on the CPU.
        scale: Grid pixels per acquired pixel along ``direction``.
        max_lines: How many of the strongest lines count.

    Returns:
        Medians over lines, each with its confidence interval.
    """
    first, second = _along(before, direction), _along(after, direction)
    positions = find_lines(0.5 * (first + second), scale, max_lines)
    reach = ceil(5 * scale)
    one = _widths(profiles(first, positions, reach, scale))
    two = _widths(profiles(second, positions, reach, scale))
    return LineWidth(len(positions), *(bootstrap_median(value, generator) for value in (two / one, one, two)))


def bootstrap_median(values: Float[Tensor, " n"], generator: torch.Generator) -> Interval:
    """The median of independent values and its 95 % confidence interval (percentile bootstrap).

    Args:
        values: The sample; values that are not finite are left out.
        generator: Source of randomness, on the CPU.

    Returns:
        Median and interval, ``nan`` for an empty sample.
    """
    finite = values[values.isfinite()].cpu()
    if not len(finite):
        return Interval(float("nan"), float("nan"), float("nan"))
    draws = torch.randint(len(finite), (_BOOTSTRAPS, len(finite)), generator=generator)
    medians = finite[draws].quantile(0.5, dim=1).sort().values
    tail = round(0.025 * _BOOTSTRAPS)
    return Interval(float(finite.quantile(0.5)), float(medians[tail]), float(medians[-1 - tail]))


class _Edges(NamedTuple):
    gradient: Float[Tensor, " edge"]
    rise: Float[Tensor, " edge"]
    overshoot: Float[Tensor, " edge"]


def _along(image: Image, direction: Direction) -> Float[Tensor, "batch across along"]:
    """One stack whose last axis runs along the direction."""
    images = image.reshape(-1, *image.shape[-2:]).float()
    return images if direction == "phase" else images.mT


def _rising(
    images: Float[Tensor, "batch across along"], positions: Int64[Tensor, "edge 4"], reach: int, scale: float
) -> Float[Tensor, "edge sample"]:
    """Profiles turned so that every edge rises."""
    return profiles(images, positions, reach, scale) * positions[:, 3:]


def _edges(rising: Float[Tensor, "edge sample"]) -> _Edges:
    """Maximum gradient (per pixel), 10-90 % rise distance (pixels) and overshoot (%) of rising edges."""
    quarter = rising.shape[1] // 4
    low, high = rising[:, :quarter].mean(1, keepdim=True), rising[:, -quarter:].mean(1, keepdim=True)
    step = (rising - low) / (high - low)
    gradient = UPSAMPLING * rising.diff(dim=1).amax(1)
    middle = _first(step >= 0.5)
    index = torch.arange(step.shape[1], device=step.device)
    top = _first((step >= 0.9) & (index >= middle[:, None]))
    bottom = step.shape[1] - 1 - _first(((step <= 0.1) & (index <= middle[:, None])).flip(1))
    overshoot = 50.0 * ((step.amax(1) - 1.0) + (-step.amin(1)))
    valid = (high > low)[:, 0]
    return _Edges(
        torch.where(valid, gradient, torch.nan),
        torch.where(valid, (top - bottom) / UPSAMPLING, torch.nan),
        torch.where(valid, overshoot, torch.nan),
    )


def _widths(ridges: Float[Tensor, "line sample"]) -> Float[Tensor, " line"]:
    """Full width at half maximum, pixels, above the mean of the lowest point on either side."""
    half = ridges.shape[1] // 2
    core = ridges[:, half // 2 : -(half // 2)]
    peak, where = core.max(1)
    base = 0.5 * (ridges[:, : half + 1].amin(1) + ridges[:, half:].amin(1))
    below = ridges < (0.5 * (peak + base))[:, None]
    index = torch.arange(ridges.shape[1], device=ridges.device)
    centre = (where + half // 2)[:, None]
    right = _first(below & (index > centre))
    left = ridges.shape[1] - 1 - _first((below & (index < centre)).flip(1))
    bounded = (below & (index > centre)).any(1) & (below & (index < centre)).any(1)
    return torch.where(bounded, (right - left - 1) / UPSAMPLING, torch.nan)


def _first(where: Tensor) -> Int64[Tensor, " row"]:
    """Index of the first True of each row, 0 where there is none."""
    return where.int().argmax(1)
