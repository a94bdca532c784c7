"""Finding strong, straight, isolated edges and lines, and reading the profiles across them.

Images here are stacks whose last axis runs along the direction of the profiles. Positions are rows of
(image, across, along, sign), strongest first; ``scale`` is the number of grid pixels per acquired pixel.
"""

from math import ceil
from typing import Final

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

UPSAMPLING: Final = 10
"""Samples per pixel of an interpolated profile."""

_LANCZOS: Final = 8  # lobes of the interpolation kernel; 4 blunt an edge of 2 pixels by 4 %
_STRAIGHT: Final = 0.6  # every parallel line shows at least this much of the mean response
_PERPENDICULAR: Final = 0.35  # largest slope of the edge: 20 degrees blur a profile by less than a tenth
_ISOLATED: Final = 0.4  # largest neighbouring response; the Gibbs lobe of a sharp edge reaches 0.22
_CORE: Final = 2.5  # half the width of an edge or line, acquired pixels
_STEP: Final = 1.5  # smallest rise from plateau to plateau over the response
_WEAKEST: Final = 0.05  # of the strongest response
_ABOVE_NOISE: Final = 7.0  # times the median response: the largest of a million Gaussian draws


def find_edges(images: Float[Tensor, "batch across along"], scale: float, limit: int) -> Int64[Tensor, "edge 4"]:
    """Find edges perpendicular to the last axis.

    Args:
        images: Where to look.
        scale: Grid pixels per acquired pixel.
        limit: How many to return at most.

    Returns:
        Positions of steepest slope; the sign is +1 where the edge rises.
    """
    step = max(1, round(0.5 * scale))
    response, mean = _difference(images, step), _mean_across(images, scale)
    slope = _difference(mean.mT, step).mT.abs()
    # A step rises by at least twice the response, from plateau to plateau; the flank of a ridge does not.
    rise = (2.0 * _difference(_mean_across(mean.mT, scale).mT, round(4.5 * scale))).abs()
    allowed = (slope <= _PERPENDICULAR * _mean_across(response, scale).abs()) & (rise >= _STEP * response.abs())
    return _pick(response, allowed, scale, limit, reach=6)


def find_lines(images: Float[Tensor, "batch across along"], scale: float, limit: int) -> Int64[Tensor, "line 4"]:
    """Find thin bright lines perpendicular to the last axis.

    Args:
        images: Where to look.
        scale: Grid pixels per acquired pixel.
        limit: How many to return at most.

    Returns:
        Positions of the ridges; the sign is always +1.
    """
    step = max(1, round(1.5 * scale))
    response = images - torch.maximum(_shifted(images, step), _shifted(images, -step))
    slope = _difference(_mean_across(images, scale).mT, max(1, round(0.5 * scale))).mT.abs()
    allowed = slope <= _PERPENDICULAR * _mean_across(response, scale).abs()
    return _pick(response.clamp_min(0.0), allowed, scale, limit, reach=5)


def profiles(
    images: Float[Tensor, "batch across along"], positions: Int64[Tensor, "edge 4"], reach: int, scale: float
) -> Float[Tensor, "edge sample"]:
    """Read the profiles at given positions, averaged over parallel lines and interpolated.

    Args:
        images: What to read.
        positions: Where, away from the borders by ``reach``.
        reach: Pixels on either side.
        scale: Grid pixels per acquired pixel: three acquired lines are averaged.

    Returns:
        :data:`UPSAMPLING` samples per pixel from -reach to +reach (Lanczos interpolation).
    """
    margin = reach + _LANCZOS
    padded = F.pad(_mean_across(images, scale), (_LANCZOS, _LANCZOS), mode="replicate")
    offsets = torch.arange(2 * margin + 1, device=images.device) - reach
    image, across, along = positions[:, 0:1], positions[:, 1:2], positions[:, 2:3]
    return padded[image, across, along + offsets] @ _lanczos(reach, images.device)


def _lines(scale: float) -> int:
    """Half the number of parallel lines beside the middle one: three acquired lines at least."""
    return max(1, ceil(1.5 * scale - 0.5))


def _mean_across(images: Float[Tensor, "batch across along"], scale: float) -> Float[Tensor, "batch across along"]:
    half = _lines(scale)
    return F.avg_pool2d(images, (2 * half + 1, 1), 1, (half, 0), count_include_pad=False)


def _shifted(images: Float[Tensor, "batch across along"], step: int) -> Float[Tensor, "batch across along"]:
    """The value ``step`` pixels further along; the border is repeated."""
    padded = F.pad(images, (abs(step), abs(step)), mode="replicate")
    start = abs(step) + step
    return padded[..., start : start + images.shape[-1]]


def _difference(images: Float[Tensor, "batch across along"], step: int) -> Float[Tensor, "batch across along"]:
    return 0.5 * (_shifted(images, step) - _shifted(images, -step))


def _pick(
    response: Float[Tensor, "batch across along"],
    allowed: Bool[Tensor, "batch across along"],
    scale: float,
    limit: int,
    reach: int,
) -> Int64[Tensor, "edge 4"]:
    """Allowed positions where the response is a strong, straight and isolated maximum."""
    mean = _mean_across(response, scale)
    size, sign = mean.abs(), mean.sign()
    span, inner = ceil(reach * scale), ceil(_CORE * scale)
    weakest = max(_WEAKEST * float(size.max()), _ABOVE_NOISE * float(size.median()))
    good = allowed & (size >= weakest) & (size > 0.0) & (size >= _max_along(size, inner))
    good &= _weakest_line(response * sign, scale) >= _STRAIGHT * size
    good &= torch.maximum(_beside(size, span, inner), _beside(size.flip(-1), span, inner).flip(-1)) <= _ISOLATED * size
    good &= _clear_of_border(good, _lines(scale), span)
    where = good.nonzero()
    order = size[good].argsort(descending=True)
    kept = _spaced(where[order], 2 * _lines(scale) + 1, span, limit)
    return torch.cat([kept, sign[tuple(kept.T)].long()[:, None]], dim=1)


def _max_along(images: Float[Tensor, "batch across along"], reach: int) -> Float[Tensor, "batch across along"]:
    return F.max_pool2d(images, (1, 2 * reach + 1), 1, (0, reach))


def _weakest_line(aligned: Float[Tensor, "batch across along"], scale: float) -> Float[Tensor, "batch across along"]:
    """The least response among the parallel lines, each allowed to peak half an acquired pixel aside."""
    half = _lines(scale)
    peaks = _max_along(aligned, max(1, round(0.5 * scale)))
    return -F.max_pool2d(-peaks, (2 * half + 1, 1), 1, (half, 0))


def _beside(size: Float[Tensor, "batch across along"], span: int, inner: int) -> Float[Tensor, "batch across along"]:
    """The largest response between ``inner`` and ``span`` pixels further along."""
    width = span - inner
    padded = F.pad(size, (0, span + 1), value=0.0)
    return F.max_pool2d(padded, (1, width), 1)[..., inner + 1 : inner + 1 + size.shape[-1]]


def _clear_of_border(good: Bool[Tensor, "batch across along"], across: int, along: int) -> Bool[Tensor, "..."]:
    clear = torch.zeros_like(good)
    clear[:, across : good.shape[1] - across, along : good.shape[2] - along] = True
    return clear


def _spaced(where: Int64[Tensor, "n 3"], across: int, along: int, limit: int) -> Int64[Tensor, "kept 3"]:
    """Of positions sorted by strength, those that share no profile with a stronger one (one per cell of that size)."""
    strongest: dict[tuple[int, int, int], list[int]] = {}
    for image, row, column in where.tolist():
        strongest.setdefault((image, row // across, column // along), [image, row, column])
    kept = list(strongest.values())[:limit]
    return torch.tensor(kept, dtype=torch.int64, device=where.device).reshape(-1, 3)


def _lanczos(reach: int, device: torch.device) -> Float[Tensor, "pixel sample"]:
    """The matrix that interpolates a profile; each sample's weights sum to 1."""
    margin = reach + _LANCZOS
    pixel = torch.arange(-margin, margin + 1, device=device)
    sample = torch.arange(-reach * UPSAMPLING, reach * UPSAMPLING + 1, device=device) / UPSAMPLING
    distance = pixel[:, None] - sample
    weights = torch.where(distance.abs() < _LANCZOS, distance.sinc() * (distance / _LANCZOS).sinc(), 0.0)
    return weights / weights.sum(0)
