"""Orthonormal wavelets, in which images are sparse.

The transform is separable and periodic, with the filters of Daubechies (Comm. Pure Appl. Math. 41 (1988) 909), and
descends to coarser scales as Mallat's does (IEEE Trans. Pattern Anal. Mach. Intell. 11 (1989) 674). Coefficients
keep the shape of the image: of each axis the first half is the approximation, which the next level splits again.
"""

from cmath import sqrt as complex_sqrt
from collections.abc import Iterator, Sequence
from functools import cache, reduce
from math import comb, log2, sqrt
from typing import Any, Final

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from lucidmr.physics.fourier import ENCODED
from lucidmr.shapes import ComplexImage

VANISHING_MOMENTS: Final = 2
"""Of the wavelet: four taps, a compromise between sparsity of smooth tissue and ringing at edges."""
SHORTEST_APPROXIMATION: Final = 16
"""No axis is split into fewer approximation coefficients than this."""

Levels = tuple[int, ...]


def wavelet_levels(matrix: Sequence[int]) -> Levels:
    """How often each axis is halved; an axis shorter than 32 samples, such as the slice axis in 2D, is left alone."""
    return tuple(max(0, int(log2(n / SHORTEST_APPROXIMATION))) for n in matrix)


def wavelet_transform(image: ComplexImage) -> Complex[Tensor, "... slice_padded freq_padded phase_padded"]:
    """Wavelet coefficients of an image.

    A size that cannot be halved as often as :func:`wavelet_levels` says is padded with zeros at its end to the next
    one that can: the transform keeps every norm (a tight frame), and is orthonormal where nothing is padded.

    Args:
        image: (..., slice, freq, phase).

    Returns:
        Coefficients of the padded shape; the coarsest approximation comes first along each axis.
    """
    matrix = image.shape[-3:]
    levels = wavelet_levels(matrix)
    return _analysed(_padded(image, levels), levels)


def inverse_wavelet_transform(
    coefficients: Complex[Tensor, "... slice_padded freq_padded phase_padded"], matrix: tuple[int, ...]
) -> ComplexImage:
    """The image of ``matrix`` pixels (slice, freq, phase) that has the coefficients; adjoint of the transform."""
    return _cropped(_synthesised(coefficients, wavelet_levels(matrix)), matrix)


def soft_threshold(values: Complex[Tensor, "..."], threshold: float | Float[Tensor, "..."]) -> Complex[Tensor, "..."]:
    """Shorten complex numbers by ``threshold``, at most to 0: the proximal map of ``threshold`` times their modulus."""
    squares = values.real.square() + values.imag.square()  # twice as fast as abs
    modulus = squares.clamp_min_(torch.finfo(squares.dtype).tiny).sqrt()
    return values * (1.0 - threshold / modulus).relu_()


def wavelet_shrinkage(
    image: ComplexImage, threshold: float | Float[Tensor, "..."], shift: tuple[int, ...] = (0, 0, 0)
) -> ComplexImage:
    """Denoise an image by soft-thresholding its wavelet coefficients.

    This is the proximal map of ``threshold`` times the sum of their moduli where nothing is padded. The wavelet grid
    may be shifted: over many shifts its blocks average out (cycle spinning: Coifman and Donoho, Wavelets and
    Statistics, 1995, 125).

    Args:
        image: (..., slice, freq, phase).
        threshold: At least 0, of the image's units; it broadcasts against the image.
        shift: Of the wavelet grid against the image, pixels along (slice, freq, phase).

    Returns:
        The denoised image.
    """
    matrix, levels = image.shape[-3:], wavelet_levels(image.shape[-3:])
    shifted = _padded(image, levels).roll(shift, ENCODED)
    shrunk = _synthesised(soft_threshold(_analysed(shifted, levels), threshold), levels)
    return _cropped(shrunk.roll(tuple(-pixels for pixels in shift), ENCODED), matrix)


@cache
def daubechies(moments: int) -> tuple[float, ...]:
    """Low-pass filter of Daubechies's orthonormal wavelet with the given number of vanishing moments (1 is Haar).

    By spectral factorization: with y = (2 - z - 1/z) / 4, the half-band polynomial sum_k C(moments - 1 + k, k) y^k has
    pairs of roots z and 1/z, and the filter takes the one inside the unit circle (Daubechies 1988, section 4).

    Args:
        moments: Vanishing moments, at least 1.

    Returns:
        The 2 * moments taps; their norm is 1 and their sum sqrt(2).
    """
    half_band = torch.tensor([comb(moments - 1 + k, k) for k in range(moments)], dtype=torch.float64)
    companion = torch.diag(torch.ones(moments, dtype=torch.float64), -1)[: moments - 1, : moments - 1]
    companion[:, -1:] = -half_band[:-1, None] / half_band[-1]
    roots = [_inside_unit_circle(1 - 2 * y) for y in torch.linalg.eigvals(companion).tolist()]
    taps = torch.ones(1, dtype=torch.complex128)
    for root in [-1.0] * moments + roots:
        taps = torch.nn.functional.pad(taps, (0, 1)) - root * torch.nn.functional.pad(taps, (1, 0))
    return tuple((taps.real * (sqrt(2.0) / taps.real.sum())).tolist())


def _inside_unit_circle(half_sum: complex) -> complex:
    """The root z with |z| < 1 of z + 1/z = 2 half_sum."""
    root = half_sum + complex_sqrt(half_sum**2 - 1)
    return root if abs(root) < 1 else 1 / root


def _padded(image: Tensor, levels: Levels) -> Tensor:
    """The image with zeros at the end of every axis that is no multiple of 2^level."""
    missing = [-n % 2**level for n, level in zip(image.shape[-3:], levels, strict=True)]
    if not any(missing):
        return image
    return torch.nn.functional.pad(image, [zeros for extra in reversed(missing) for zeros in (0, extra)])


def _cropped(image: Tensor, matrix: Sequence[int]) -> Tensor:
    return image[..., : matrix[0], : matrix[1], : matrix[2]]


def _analysed(image: Tensor, levels: Levels) -> Tensor:
    """Image to coefficients, from the finest scale to the coarsest."""
    coefficients = image.clone()
    for block, axes in _scales(image.shape[-3:], levels):
        coefficients[block] = reduce(_split, axes, coefficients[block])
    return coefficients


def _synthesised(coefficients: Tensor, levels: Levels) -> Tensor:
    """Coefficients to image, from the coarsest scale to the finest."""
    image = coefficients.clone()
    for block, axes in reversed(list(_scales(image.shape[-3:], levels))):
        image[block] = reduce(_merged, axes, image[block])
    return image


def _scales(matrix: Sequence[int], levels: Levels) -> Iterator[tuple[tuple[Any, ...], list[int]]]:
    """From fine to coarse: where the approximation lies that is to be split, and along which axes."""
    for scale in range(max(levels)):
        sizes = (n >> min(scale, level) for n, level in zip(matrix, levels, strict=True))
        axes = [axis for axis, level in zip(ENCODED, levels, strict=True) if scale < level]
        yield (..., *map(slice, sizes)), axes


def _split(image: Tensor, axis: int) -> Tensor:
    """One level along one axis: approximation, then detail, each of half the length."""
    filters = _filters(image.device)
    even, odd = (phase.contiguous() for phase in torch.unflatten(image, axis, (-1, 2)).unbind(axis))
    delayed = [phase.roll(-step, axis) for step in range(filters.shape[1] // 2) for phase in (even, odd)]
    return torch.cat(_weighted_sums(filters, delayed), axis)


def _merged(halves: Tensor, axis: int) -> Tensor:
    """The inverse, which is the adjoint, of :func:`_split`."""
    filters = _filters(halves.device)
    delayed = [half.roll(step, axis) for step in range(filters.shape[1] // 2) for half in halves.chunk(2, axis)]
    by_phase = torch.unflatten(filters, 1, (-1, 2)).permute(2, 1, 0).flatten(1)
    return torch.stack(_weighted_sums(by_phase, delayed), axis).flatten(axis - 1, axis)


def _weighted_sums(weights: Tensor, terms: list[Tensor]) -> tuple[Tensor, ...]:
    """One sum of the complex ``terms`` per row of real ``weights``."""
    sums = torch.tensordot(weights, torch.view_as_real(torch.stack(terms)), dims=1)
    return torch.view_as_complex(sums).unbind()


@cache
def _filters(device: torch.device) -> Tensor:
    """The low-pass and the high-pass filter, which is the low-pass mirrored with alternating signs: (2, taps)."""
    low = daubechies(VANISHING_MOMENTS)
    high = [tap * (-1) ** index for index, tap in enumerate(reversed(low))]
    with torch.inference_mode(mode=False):  # a later call may need gradients
        return torch.tensor([low, high], device=device)
