"""The local response of a processor: what becomes of a faint point, added at many places of one image.

A point acquired with the image's own k_max has its point spread function (a sinc, FWHM 1.21 acquired pixels). What the
processor makes of it at a place is its true resolution there, whatever it does elsewhere: a network is not linear.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lucidmr.enhance.neighbours import Neighbours, middle
from lucidmr.enhance.pipeline import EnhancedSeries
from lucidmr.physics.body import body_mask
from lucidmr.physics.spectrum import typical_signal
from lucidmr.standardize import resample

Plane = Float[Tensor, "freq phase"]
Finer = Float[Tensor, "finer_freq finer_phase"]
"""The same on the output grid."""

_SPACING: Final = 28
"""Acquired pixels between points: farther than the network looks."""
_REACH: Final = 4
"""Acquired pixels on either side of a point within which its response falls to half."""
_AMPLITUDE: Final = 0.15
"""Of a point, relative to tissue."""


@dataclass(frozen=True)
class LocalResponse:
    """Responses at points within the body, along the two encoding directions.

    Attributes:
        position: (freq, phase) of the points on the output grid.
        width_before: Full width at half maximum (freq, phase) of the untouched point, acquired pixels.
        width_after: The same processed.
        height: Peak after / before: below 1 a faint point is weakened.
    """

    position: Int64[Tensor, "point 2"]
    width_before: Float[Tensor, "point 2"]
    width_after: Float[Tensor, "point 2"]
    height: Float[Tensor, " point"]


def series_response(series: EnhancedSeries, index: int) -> LocalResponse:
    """The local response of an enhanced series at one of its images, with that image's setting of the dial.

    Args:
        series: The series.
        index: Number of the image.
    """
    dial = series.dial(index)
    count = series.model.network.settings.slices
    turned = series.standardization.turned

    def process(plane: Plane) -> Finer:
        # Neighbours of a volume stay as they are: the point lies in one slice.
        marked = stack.clone()
        middle(marked)[0] = turned(plane)
        return turned(series.process(marked, dial)[0])

    stack = Neighbours(series.source, series.standardization, count).stored(index)
    image = turned(middle(stack)[0])
    extents = (dial.noise.extent_freq, dial.noise.extent_phase)
    return local_response(process, image, series.standardization.grid, extents)


def local_response(
    process: Callable[[Plane], Finer], image: Plane, grid: tuple[int, int], extents: tuple[float, float]
) -> LocalResponse:
    """Add faint points to an image, once brighter and once darker, and compare.

    Args:
        process: The processor: an image on its native grid to the output grid.
        image: The image, native grid.
        grid: (freq, phase) pixels of the output grid.
        extents: Acquired k-space of the native grid along (freq, phase), over its Nyquist frequency.

    Returns:
        The responses; none where the image has no body.
    """
    points = _points(image, extents)
    marks = _AMPLITUDE * typical_signal(image[None]) * _band_limited(image, points, extents)
    before = resample(marks, grid)
    after = 0.5 * (process(image + marks) - process(image - marks))
    step = [out / given for out, given in zip(grid, image.shape, strict=True)]
    where = torch.stack([((points[:, axis] + 0.5) * step[axis] - 0.5).round().long() for axis in (0, 1)], 1)
    pixel = (step[0] / extents[0], step[1] / extents[1])
    widths = [torch.stack([_width(plane, where, axis, pixel[axis]) for axis in (0, 1)], 1) for plane in (before, after)]
    height = after[where[:, 0], where[:, 1]] / before[where[:, 0], where[:, 1]]
    return LocalResponse(where, widths[0], widths[1], height)


def _points(image: Plane, extents: tuple[float, float]) -> Int64[Tensor, "point 2"]:
    """A grid of points in the body, away from the border."""
    axes = []
    for pixels, extent in zip(image.shape, extents, strict=True):
        spacing = max(2, round(_SPACING / extent))
        axes.append(torch.arange(spacing // 2, pixels - spacing // 3, spacing))
    lattice = torch.cartesian_prod(*axes).reshape(-1, 2)
    return lattice[body_mask(image)[lattice[:, 0], lattice[:, 1]]]


def _band_limited(image: Plane, points: Int64[Tensor, "point 2"], extents: tuple[float, float]) -> Plane:
    """Points of height 1 as the scan would show them."""
    marks = torch.zeros_like(image)
    marks[points[:, 0], points[:, 1]] = 1.0
    inside = [
        2.0 * torch.fft.fftfreq(pixels).abs() <= extent for pixels, extent in zip(image.shape, extents, strict=True)
    ]
    band = (inside[0][:, None] & inside[1]).float()
    limited: Tensor = torch.fft.ifft2(torch.fft.fft2(marks) * band).real
    return limited / float(band.mean())


def _width(plane: Finer, where: Int64[Tensor, "point 2"], axis: int, pixel: float) -> Float[Tensor, " point"]:
    """Full width at half of the height at the point, in acquired pixels; ``nan`` where it does not fall to that."""
    reach = round(_REACH * pixel)
    steps = torch.arange(reach + 1)
    across, along = where[:, 1 - axis, None], where[:, axis, None]
    lines = plane if axis == 0 else plane.mT
    sides = [lines[(along + sign * steps).clamp(0, lines.shape[0] - 1), across] for sign in (1, -1)]
    return sum((_half_way(side) for side in sides), torch.zeros(len(where))) / pixel


def _half_way(side: Float[Tensor, "point step"]) -> Float[Tensor, " point"]:
    """Steps from the first value to half of it, between samples; ``nan`` where it is never reached."""
    below = side < 0.5 * side[:, :1]
    first = below.int().argmax(1, keepdim=True).clamp_min(1)
    low, high = side.gather(1, first), side.gather(1, first - 1)
    crossing = (first - 1 + (high - 0.5 * side[:, :1]) / (high - low))[:, 0]
    return torch.where(below.any(1) & (side[:, 0] > 0), crossing, torch.nan)
