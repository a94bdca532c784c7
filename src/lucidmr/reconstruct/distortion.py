"""Geometric correction of images for the nonlinearity of the gradient coils, as scanners do it.

The signal of the true position r lies at r + d(r) in the acquired image (:func:`lucidmr.physics.gradients
.displacement`), so the corrected image reads it there: a resampling by cubic convolution (Keys, IEEE Trans. Acoust.
Speech Signal Process. 29 (1981) 1153, a = -1/2). Stretching dilutes signal; the Jacobian determinant makes up for it.
The noise becomes correlated and its level varies from pixel to pixel; :func:`noise_sd_map` tells how.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite, prod
from typing import Any, Final, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Inexact, Int
from torch import Generator, Tensor

from lucidmr.physics.gradients import (
    GradientCoil,
    determinant,
    displacement,
    displacement_gradient,
    draw_gradient_coil,
)
from lucidmr.shapes import Image

Vector = tuple[float, float, float]
Matrix = tuple[int, int, int]
AnyImage = Inexact[Tensor, "... slice freq phase"]
"""Real or complex."""

_MARGIN: Final = 4
"""Zeros around the image, so that taps beyond it need no care."""
_PIECE: Final = 1 << 16
"""Pixels treated at a time, so that their arrays fit a processor's cache."""


@dataclass(frozen=True)
class DistortionCorrection:
    """What the correction of an image needs to know; JSON-able.

    Attributes:
        coil: The gradient coils.
        centre_mm: Position of the image's pixel n // 2 relative to the isocentre, in the coils' coordinates (x, y, z).
        orientation: Unit vectors of the slice, freq and phase axis, each in the coils' coordinates.
        field_of_view_mm: (slice, freq, phase).
        dimensions: 2 = the displacement within the (freq, phase) plane alone, for each slice by itself; 3 = all of it.
        intensity: Whether to multiply by the Jacobian determinant; in 2D that of the displacement within the plane.
    """

    coil: GradientCoil
    field_of_view_mm: Vector
    centre_mm: Vector = (0.0, 0.0, 0.0)
    orientation: tuple[Vector, Vector, Vector] = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    dimensions: Literal[2, 3] = 2
    intensity: bool = True

    def __post_init__(self) -> None:
        if not all(0.0 < extent < 2000.0 for extent in self.field_of_view_mm):
            raise ValueError(f"field_of_view_mm is {self.field_of_view_mm}; each must lie between 0 and 2000")
        if not all(isfinite(value) for value in self.centre_mm):
            raise ValueError(f"centre_mm is {self.centre_mm}; it must be finite")
        axes = torch.tensor(self.orientation, dtype=torch.float64)
        if axes.shape != (3, 3) or not torch.allclose(axes @ axes.T, torch.eye(3).double(), atol=1e-4):
            raise ValueError(f"orientation is {self.orientation}; it must be three orthogonal unit vectors")

    def to_json(self) -> dict[str, Any]:
        """Plain values; :meth:`from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "DistortionCorrection":
        """The inverse of :meth:`to_json`."""
        vectors = {name: tuple(values[name]) for name in ("field_of_view_mm", "centre_mm")}
        orientation = tuple(tuple(axis) for axis in values["orientation"])
        coil = GradientCoil.from_json(values["coil"])
        return cls(**values | vectors | {"orientation": orientation, "coil": coil})


class Resampling(NamedTuple):
    """Where some pixels of the corrected image read the acquired one.

    Attributes:
        base: Flat index, in the image with its margin of zeros, of the first tap of each pixel.
        weights: Of the four taps along each interpolated axis.
        gain: Factor on the result.
    """

    base: Int[Tensor, " pixel"]
    weights: Float[Tensor, "axis 4 pixel"]
    gain: Float[Tensor, " pixel"]


def correct_distortion(image: AnyImage, how: DistortionCorrection) -> AnyImage:
    """Undo the distortion of an image.

    Args:
        image: (..., slice, freq, phase), real or complex, as acquired.
        how: Coils, geometry and kind of correction.

    Returns:
        The corrected image on the same grid; 0 where the signal lay outside the acquired field of view.

    Raises:
        ValueError: A 3D correction of one partition, or an image that is not finite.
    """
    if not torch.isfinite(image).all():
        raise ValueError("image holds values that are not finite; it must be finite everywhere")
    n_slice, n_freq, n_phase = image.shape[-3:]
    return resample(image, resampling(how, (n_slice, n_freq, n_phase), image.device))


def noise_sd_map(how: DistortionCorrection, matrix: Matrix, device: torch.device | str = "cpu") -> Image:
    """Standard deviation after the correction of white noise that had 1 before, exactly.

    Args:
        how: Coils, geometry and kind of correction.
        matrix: (slice, freq, phase) pixels of the image.
        device: Where to compute.

    Returns:
        (slice, freq, phase): root of the sum of squares of the weights of each pixel, times the intensity correction.
    """
    plan = resampling(how, matrix, device)
    squares = [Resampling(base, weights.square(), gain.square()) for base, weights, gain in plan]
    return resample(torch.ones(matrix, device=device), squares).sqrt()


def resampling(how: DistortionCorrection, matrix: Matrix, device: torch.device | str = "cpu") -> list[Resampling]:
    """Work out where to read the acquired image: once for any number of images.

    Args:
        how: Coils, geometry and kind of correction.
        matrix: (slice, freq, phase) pixels of the image.
        device: Where to compute.

    Returns:
        The plan for :func:`resample`, in pieces of pixels few enough for a processor's cache.

    Raises:
        ValueError: A 3D correction of one partition.
    """
    if how.dimensions == 3 and matrix[0] == 1:
        raise ValueError("dimensions is 3 and the image has one partition; it must be 2, or the image have several")
    pixels = torch.split(torch.arange(prod(matrix), device=device), _PIECE)
    return [_planned(how, matrix, torch.stack(torch.unravel_index(piece, matrix), -1)) for piece in pixels]


def resample(image: AnyImage, plan: Sequence[Resampling]) -> AnyImage:
    """Read an image where the plan says; linear in the image and differentiable.

    Args:
        image: (..., slice, freq, phase) of the matrix that the plan was made for.
        plan: From :func:`resampling`.

    Returns:
        The resampled image.
    """
    dimensions = len(plan[0].weights)
    padded = F.pad(image, [_MARGIN, _MARGIN] * dimensions)
    strides = _strides(padded.shape[-3:])[-dimensions:]
    # One by one: a view into several images is copied whole each time that it is read.
    images = padded.flatten(-3).reshape(-1, prod(padded.shape[-3:]))
    read = [torch.cat([_read(flat, strides, piece) for piece in plan]) for flat in images]
    return torch.stack(read).reshape(image.shape)


def _read(flat: Inexact[Tensor, " stored"], strides: Sequence[int], piece: Resampling) -> Inexact[Tensor, " pixel"]:
    """Interpolate at the pixels of one piece. The next tap is the same index in a view that starts a stride later."""
    span = flat.shape[-1] - 3 * sum(strides)

    def summed(axis: int, start: int) -> Tensor:
        if axis == len(strides):
            return flat[start : start + span].index_select(0, piece.base)
        taps = [piece.weights[axis, tap] * summed(axis + 1, start + tap * strides[axis]) for tap in range(4)]
        return (taps[0] + taps[1]) + (taps[2] + taps[3])

    return summed(0, 0) * piece.gain


def _planned(how: DistortionCorrection, matrix: Matrix, index: Int[Tensor, "pixel 3"]) -> Resampling:
    """The plan for the pixels of a given (slice, freq, phase) index."""
    orientation, size, extent, centre = (
        torch.tensor(values, dtype=torch.float32, device=index.device)
        for values in (how.orientation, matrix, how.field_of_view_mm, how.centre_mm)
    )
    moving = torch.arange(3, device=index.device) >= 3 - how.dimensions
    active = orientation * moving[:, None]
    positions = centre + (index - size // 2) * (extent / size) @ orientation
    shift = displacement(how.coil, positions) @ active.T * (size / extent)
    gain = torch.ones_like(shift[:, 0])
    if how.intensity:
        gradient = active @ displacement_gradient(how.coil, positions) @ orientation.T
        gain = determinant(torch.eye(3, device=index.device) + gradient)
    # Further outside there are zeros only.
    source = torch.minimum((index + shift).clamp_min(1 - _MARGIN), size + (_MARGIN - 3))
    nearest = source.floor().long()
    stored = [n + 2 * _MARGIN * (axis >= 3 - how.dimensions) for axis, n in enumerate(matrix)]
    first = nearest + (_MARGIN - 1) * moving
    base = (first * torch.tensor(_strides(stored), device=index.device)).sum(-1)
    return Resampling(base, cubic_weights((source - nearest).T[3 - how.dimensions :]), gain)


def cubic_weights(t: Float[Tensor, "axis pixel"]) -> Float[Tensor, "axis 4 pixel"]:
    """Weights of the pixels at -1, 0, 1 and 2 for reading at 0 <= t < 1 (Keys 1981, eq. 15)."""
    before = ((2.0 - t) * t - 1.0) * t
    centre = (3.0 * t - 5.0) * t.square() + 2.0
    after = ((4.0 - 3.0 * t) * t + 1.0) * t
    return 0.5 * torch.stack([before, centre, after, (t - 1.0) * t.square()], -2)


def _strides(matrix: Sequence[int]) -> Matrix:
    return matrix[1] * matrix[2], matrix[2], 1


def draw_distortion(matrix: Matrix, generator: Generator) -> DistortionCorrection:
    """A plausible scan of a given matrix: coils, plane, place in the bore, field of view and kind of correction.

    The field of view is 150 to 450 mm along freq, with square pixels in the plane; partitions or slices are 0.7 to 3
    pixels thick. The centre lies up to 60 mm from the isocentre along the bore and up to 25 mm across it.

    Args:
        matrix: (slice, freq, phase) pixels; with one partition the correction is 2D.
        generator: Source of all randomness.

    Returns:
        The settings of the correction.
    """
    u = torch.rand(8, generator=generator, device=generator.device, dtype=torch.float64).tolist()
    extent = 150.0 * 3.0 ** u[0]
    pixel = extent / matrix[1]
    return DistortionCorrection(
        coil=draw_gradient_coil(generator, "head" if extent < 280.0 and u[1] < 0.3 else "whole_body"),
        field_of_view_mm=(matrix[0] * pixel * (0.7 + 2.3 * u[2]), extent, matrix[2] * pixel),
        centre_mm=(25.0 * (2.0 * u[3] - 1.0), 25.0 * (2.0 * u[4] - 1.0), 60.0 * (2.0 * u[5] - 1.0)),
        orientation=_draw_orientation(generator),
        dimensions=3 if matrix[0] > 1 and u[6] < 0.7 else 2,
        intensity=u[7] < 0.7,
    )


def _draw_orientation(generator: Generator) -> tuple[Vector, Vector, Vector]:
    """Axial, coronal or sagittal with either axis as freq and any signs; half of them tilted by some 10 degrees."""
    u = torch.rand(3, 3, generator=generator, device=generator.device, dtype=torch.float64).cpu()
    axes = torch.eye(3, dtype=torch.float64)[u[0].argsort()] * torch.where(u[1] < 0.5, -1.0, 1.0)[:, None]
    tilt = torch.zeros(3, 3, dtype=torch.float64)
    tilt[*torch.triu_indices(3, 3, 1)] = 0.4 * (2.0 * u[2] - 1.0) * (u[2, 0] < 0.5)
    rotated: Tensor = axes @ torch.linalg.matrix_exp(tilt - tilt.T)
    slices, freq, phase = (tuple(axis) for axis in rotated.tolist())
    return slices, freq, phase
