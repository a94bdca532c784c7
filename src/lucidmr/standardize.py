"""Standardization: every image reaches the network in the same orientation, pixel grid and intensity scale.

Jeong et al. (arXiv 2405.03684, section 2.3): (1) rows along phase encoding, (2) zero padding of an asymmetric field
of view cropped, (3) Lanczos in-plane interpolation to a common matrix, (4) a normalization that is invariant to any
linear rescale. The reverse undoes 4, 2 and 1; the finer matrix stays.
"""

from dataclasses import dataclass
from math import floor
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool2d

from lucidmr.context import standard_grid
from lucidmr.shapes import Image

LANCZOS_LOBES: Final = 3


@dataclass(frozen=True)
class Standardization:
    """How the images of one series are standardized, and all that is needed to undo it.

    Attributes:
        transposed: Whether stored rows and columns change places so that rows run along phase.
        matrix: Stored (freq, phase) pixels, after transposing.
        crop_freq: First and one-past-last stored pixel of the displayed field of view along freq.
        crop_phase: The same along phase.
        grid: (freq, phase) pixels of the whole standardized image, padding included.
        offset: Subtracted from every value.
        scale: Divides every value after that; positive.
    """

    transposed: bool
    matrix: tuple[int, int]
    crop_freq: tuple[int, int]
    crop_phase: tuple[int, int]
    grid: tuple[int, int]
    offset: float
    scale: float

    @property
    def cropped(self) -> bool:
        """Whether padding was found and is cut off."""
        return self.crop_phase != (0, self.matrix[1])

    def turned(self, images: Tensor) -> Tensor:
        """Stored images (..., row, column) with rows along phase, or the way back."""
        return images.mT if self.transposed else images

    def in_own_units(self, standardized: Image) -> Image:
        """Standardized values in the units of the images."""
        return standardized * self.scale + self.offset

    @property
    def box(self) -> tuple[slice, slice]:
        """The displayed field of view on the standardized grid."""
        return tuple(  # type: ignore[return-value]
            slice(round(start * pixels / stored), round(stop * pixels / stored))
            for (start, stop), pixels, stored in zip(
                (self.crop_freq, self.crop_phase), self.grid, self.matrix, strict=True
            )
        )


def plan(
    images: Float[Tensor, "image row column"],
    *,
    phase_along_rows: bool,
    side: int,
    filled: float = 1.0,
    extents: tuple[float, float] = (1.0, 1.0),
) -> Standardization:
    """Decide how the images of one series are standardized.

    Zero padding is cropped where the header tells of it and the pixels agree: what lies outside the displayed field
    of view is one constant. The scale comes from all the images together, so that a slice of air is not blown up.

    Args:
        images: Some or all images of the series, as stored.
        phase_along_rows: True when phase encoding runs along the row, i.e. the column index (DICOM ``ROW``).
        side: Wanted pixels along freq; a finer stored matrix is kept, never reduced.
        filled: Share of the phase axis that the displayed field of view fills, from the header; the rest is padding.
        extents: Acquired k-space over the Nyquist frequency of the stored matrix, along freq and phase.

    Returns:
        The plan, the same for every image of the series.

    Raises:
        ValueError: There is no pixel, or a value is not finite.
    """
    if images.numel() == 0:
        raise ValueError("there are no pixels to standardize")
    if not torch.isfinite(images).all():
        raise ValueError("the images hold values that are not finite")
    oriented = images if phase_along_rows else images.transpose(-1, -2)
    n_freq, n_phase = oriented.shape[-2:]
    crop = _displayed(oriented, filled)
    grid = standard_grid((n_freq, n_phase), side, extents)
    offset, scale = intensity_range(oriented[..., crop[0] : crop[1]])
    return Standardization(not phase_along_rows, (n_freq, n_phase), (0, n_freq), crop, grid, offset, scale)


def standardize(images: Float[Tensor, "*batch row column"], how: Standardization) -> Image:
    """Bring stored images to the standardized orientation, grid and scale, cropped to the displayed field of view.

    Args:
        images: Images as stored; their matrix must be the plan's.
        how: The plan of the series.

    Returns:
        (..., freq, phase), float32; tissue lies between about 0 and 1.

    Raises:
        ValueError: The matrix is not the plan's.
    """
    rows, columns = how.box
    return (interpolate(images, how)[..., rows, columns] - how.offset) / how.scale


def restore(enhanced: Image, images: Float[Tensor, "*batch row column"], how: Standardization) -> Tensor:
    """Undo :func:`standardize` but for the interpolation: intensities, padding and orientation are the source's.

    Args:
        enhanced: Output of the network on the standardized grid, displayed field of view only.
        images: The stored images that were standardized; outside the displayed field of view they are returned.
        how: The plan of the series.

    Returns:
        (..., row, column) on the interpolated grid, in the source's units.
    """
    oriented = _oriented(images, how)
    full = resample(oriented, how.grid)
    rows, columns = how.box
    full[..., rows, columns] = how.in_own_units(enhanced)
    full = full.masked_fill(_blank(oriented, how.grid), 0.0)
    return how.turned(full)


def interpolate(images: Float[Tensor, "*batch row column"], how: Standardization) -> Image:
    """Oriented and Lanczos-interpolated images, uncropped, in the source's units: what "unchanged" means here."""
    oriented = _oriented(images, how)
    return resample(oriented, how.grid).masked_fill(_blank(oriented, how.grid), 0.0)


def _oriented(images: Float[Tensor, "*batch row column"], how: Standardization) -> Tensor:
    """Stored images with rows along phase."""
    oriented = how.turned(images)
    if tuple(oriented.shape[-2:]) != how.matrix:
        raise ValueError(f"the image's matrix {tuple(oriented.shape[-2:])} is not the planned one {how.matrix}")
    return oriented


def _blank(images: Float[Tensor, "*batch freq phase"], grid: tuple[int, int]) -> Bool[Tensor, "*batch f p"]:
    """Where images are 0 all around, on another matrix: masked air, padding. Nothing is to appear there."""
    nearest = (((torch.arange(n) + 0.5) * old / n).long() for n, old in zip(grid, images.shape[-2:], strict=True))
    freq, phase = (index.to(images.device) for index in nearest)
    filled = max_pool2d(images.reshape(-1, 1, *images.shape[-2:]).abs(), 3, 1, 1).reshape(images.shape)
    return (filled == 0)[..., freq[:, None], phase]


def resample(images: Float[Tensor, "*batch freq phase"], grid: tuple[int, int]) -> Float[Tensor, "*batch f p"]:
    """Separable Lanczos interpolation to another matrix over the same field of view (pixel corners aligned)."""
    weights_freq = lanczos_matrix(images.shape[-2], grid[0]).to(images)
    weights_phase = lanczos_matrix(images.shape[-1], grid[1]).to(images)
    return weights_freq @ images @ weights_phase.T


def lanczos_matrix(n_in: int, n_out: int) -> Float[Tensor, "n_out n_in"]:
    """Weights of Lanczos interpolation (three lobes) along one axis.

    Pixels are areas: output pixel j lies at (j + 1/2) n_in / n_out - 1/2 of the input, so that the outer corners of
    the two fields of view coincide. Rows sum to 1; beyond the border the border pixel is repeated. When the axis is
    reduced the kernel widens with it, which keeps aliases out.

    Args:
        n_in: Pixels of the input.
        n_out: Pixels of the output.

    Returns:
        float32 weights.
    """
    if n_in == n_out:
        return torch.eye(n_in)
    widening = max(n_in / n_out, 1.0)
    centres = (torch.arange(n_out, dtype=torch.float64) + 0.5) * n_in / n_out - 0.5
    reach = int(LANCZOS_LOBES * widening) + 1
    taps = centres.floor().long()[:, None] + torch.arange(1 - reach, reach + 1)
    distance = (taps - centres[:, None]) / widening
    kernel = torch.sinc(distance) * torch.sinc(distance / LANCZOS_LOBES) * (distance.abs() < LANCZOS_LOBES)
    kernel = kernel / kernel.sum(1, keepdim=True)
    weights = torch.zeros(n_out, n_in, dtype=torch.float64)
    weights.scatter_add_(1, taps.clamp(0, n_in - 1), kernel)
    return weights.float()


def _displayed(oriented: Float[Tensor, "image freq phase"], filled: float) -> tuple[int, int]:
    """The central share of the phase axis, if all around it is constant; else the whole axis."""
    n_phase = oriented.shape[-1]
    if not 0.0 < filled < 1.0:
        return 0, n_phase
    start = floor(n_phase * (1.0 - filled) / 2)
    outside = torch.cat([oriented[..., :start], oriented[..., n_phase - start :]], -1)
    padded = outside.numel() > 0 and bool((outside == outside.flatten()[0]).all())
    return (start, n_phase - start) if padded else (0, n_phase)


def intensity_range(images: Tensor, samples: int = 1_000_000) -> tuple[float, float]:
    """Offset and scale from the 1st and 99th percentile, which follow every linear rescale a*y + b, a > 0.

    Args:
        images: Any images.
        samples: About how many of their pixels percentiles are taken from.

    Returns:
        The 1st percentile, and the distance to the 99th; the whole range where that is 0, and 1 where it is 0, too.
    """
    values = images.flatten()
    stride = max(1, len(values) // samples)
    ordered = values[::stride].sort().values.double()
    low, high = (float(ordered[round(share * (len(ordered) - 1))]) for share in (0.01, 0.99))
    if high <= low:
        low, high = float(ordered[0]), float(ordered[-1])
    return low, high - low if high > low else 1.0
