"""Variable-density Poisson discs on a grid: random points that keep away from each other.

Darts are thrown in random order and stay where no earlier one is too near. When none fits any more all distances
shrink, until there are as many as wanted (McCool and Fiume, Graphics Interface 1992, 94). A single row works as well.
"""

from math import sqrt
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

_SHRINK: Final = 0.9
_MOST_DISTANCE: Final = 10.0
"""No distance starts out larger, grid steps: the pairs of points to look at grow with its square."""
_JITTER: Final = 0.5
"""Darts fall within so much of a grid step around its point. Whole steps would let the density fall in steps too."""

Pairs = tuple[Int[Tensor, " pair"], Int[Tensor, " pair"], Float[Tensor, " pair"]]


def poisson_disc(
    density: Float[Tensor, "slice phase"], allowed: Bool[Tensor, "slice phase"], count: int, generator: Generator
) -> Bool[Tensor, "slice phase"]:
    """Draw points whose distances grow where the density falls.

    Args:
        density: Relative density, above 0 where points are allowed; its scale does not matter.
        allowed: Where points may lie.
        count: Points wanted.
        generator: Source of all randomness, on the CPU.

    Returns:
        Exactly ``count`` points.

    Raises:
        ValueError: There are fewer allowed points than wanted.
    """
    chosen = torch.zeros_like(allowed)
    points = allowed.nonzero()
    if not 0 <= count <= len(points):
        raise ValueError(f"count is {count}; it must lie between 0 and the {len(points)} allowed points")
    if count > 0:
        points = points[torch.randperm(len(points), generator=generator)]
        stay = _throw_until(points, density[tuple(points.T)], allowed.shape, count, generator)
        chosen[tuple(points[stay].T)] = True
    return chosen


def _throw_until(
    points: Int[Tensor, "point 2"],
    density: Float[Tensor, " point"],
    plane: torch.Size,
    count: int,
    generator: Generator,
) -> Bool[Tensor, " point"]:
    """Which of the darts stay, thrown at the points in their order at ever smaller distances."""
    dimensions = max(1, sum(n > 1 for n in plane))
    spacing = density ** (-1.0 / dimensions)
    # Discs of diameter d cannot be packed more densely than 2 / (sqrt(3) d^2) per unit area.
    densest = 2.0 / sqrt(3.0) if dimensions == 2 else 1.0
    scale = (densest * float(density.sum()) / count) ** (1.0 / dimensions)
    scale = min(scale, _MOST_DISTANCE / float(spacing.amax()))
    early, late, distance = _pairs(points, spacing, plane, scale, generator)
    before = after = torch.zeros(len(points), dtype=torch.bool)
    while int(after.sum()) < count:
        near = distance < scale
        before, after = after, _throw(after, early[near], late[near])
        scale *= _SHRINK
    surplus = (after & ~before).nonzero()[count - int(before.sum()) :, 0]
    return after.index_fill(0, surplus, False)


def _pairs(
    points: Int[Tensor, "point 2"],
    spacing: Float[Tensor, " point"],
    plane: torch.Size,
    scale: float,
    generator: Generator,
) -> Pairs:
    """Pairs of darts nearer to each other than ``scale`` times the mean of their spacings.

    Returns:
        The dart that is thrown earlier, the one thrown later, and their distance over the mean of their spacings.
    """
    dart = points + _JITTER * (torch.rand(points.shape, generator=generator) - 0.5)
    first, second = _neighbours(points, plane, int(scale * float(spacing.amax()) + sqrt(2.0) * _JITTER))
    distance = (dart[first] - dart[second]).norm(dim=1) / (0.5 * (spacing[first] + spacing[second]))
    near = distance < scale
    first, second = first[near], second[near]
    return torch.minimum(first, second), torch.maximum(first, second), distance[near]


def _neighbours(
    points: Int[Tensor, "point 2"], plane: torch.Size, reach: int
) -> tuple[Int[Tensor, " pair"], Int[Tensor, " pair"]]:
    """Numbers of all pairs of points within ``reach`` grid steps of each other, each pair once."""
    steps = torch.cartesian_prod(torch.arange(reach + 1), torch.arange(-reach, reach + 1))
    steps = steps[((steps[:, 0] > 0) | (steps[:, 1] > 0)) & (steps.square().sum(1) <= reach**2)]
    # In a grid with room at one side of each row, and below, a step is one offset and never leads into the next row.
    stride = torch.tensor([plane[1] + reach, 1])
    place = (points * stride).sum(1)
    number = torch.full((int(stride[0]) * (plane[0] + reach + 1),), -1)
    number[place] = torch.arange(len(points))
    found = number[place[:, None] + (steps * stride).sum(1)]
    first, step = (found >= 0).nonzero(as_tuple=True)
    return first, found[first, step]


def _throw(
    stay: Bool[Tensor, " point"], early: Int[Tensor, " pair"], late: Int[Tensor, " pair"]
) -> Bool[Tensor, " point"]:
    """Throw the rest of the darts at those that ``stay``; ``early`` and ``late`` are too near to have both.

    All that wait for no earlier one are decided at once, which ends as throwing them one by one does, after a few
    rounds (Blelloch, Fineman and Shun, SPAA 2012, 308).
    """
    stay, waiting = stay.clone(), ~stay
    waiting[late[stay[early]]] = False
    waiting[early[stay[late]]] = False
    while bool(waiting.any()):
        both = waiting[early] & waiting[late]
        early, late = early[both], late[both]
        first = waiting.index_fill(0, late, False)
        stay |= first
        waiting &= ~first
        waiting[late[first[early]]] = False
    return stay
