"""Centred, orthonormal Fourier transforms and the change of matrix in k-space.

Orthonormal means that white noise of standard deviation sigma per k-space sample is white noise of standard deviation
sigma per pixel. DC lies at index n // 2 of every axis.
"""

from math import pi, prod, sqrt
from typing import Final

import torch
from jaxtyping import Complex, Num
from torch import Tensor
from torch.fft import fftn, ifftn

COIL: Final = -4
SLICE: Final = -3
FREQ: Final = -2
PHASE: Final = -1
ENCODED: Final = (SLICE, FREQ, PHASE)
IN_PLANE: Final = (FREQ, PHASE)


def to_kspace(image: Complex[Tensor, "..."], axes: tuple[int, ...] = ENCODED) -> Complex[Tensor, "..."]:
    """Centred orthonormal Fourier transform.

    Args:
        image: (..., slice, freq, phase), or another array together with its ``axes``.
        axes: Axes to transform, counted from the end: all three encoding directions unless told otherwise. One
            partition is its own transform, so 2D images need nothing else.

    Returns:
        Centred k-space of the same shape.
    """
    factor = centring(image, axes).conj_physical()
    kspace: Tensor = fftn(image * factor, dim=axes, norm="ortho").mul_(factor)
    return kspace


def to_image(kspace: Complex[Tensor, "..."], axes: tuple[int, ...] = ENCODED) -> Complex[Tensor, "..."]:
    """Centred orthonormal inverse Fourier transform; the inverse of :func:`to_kspace`."""
    factor = centring(kspace, axes)
    image: Tensor = ifftn(kspace * factor, dim=axes, norm="ortho").mul_(factor)
    return image


def centring(array: Complex[Tensor, "..."], axes: tuple[int, ...] = ENCODED) -> Complex[Tensor, "..."]:
    """The factor c with which c ifft(c y) is the centred inverse transform of y and c* fft(c* x) that of x.

    With h = n // 2 of an axis, (k - h)(r - h) = k r - h (k - h / 2) - h (r - h / 2): a product with c does what would
    otherwise take a copy of the array, shifted along each axis, before and after the transform.

    Args:
        array: What is to be transformed.
        axes: Along which axes, counted from the end.

    Returns:
        The factor, of length 1 along all other axes.
    """
    factor = array.new_ones(1)
    for axis in axes:
        n = array.shape[axis]
        half = n // 2
        turns = half * (torch.arange(n, dtype=torch.float64, device=array.device) - half / 2) / n % 1.0
        wave = torch.polar(torch.ones_like(turns), -2 * pi * turns).to(array.dtype)
        factor = factor * wave.reshape(-1, *[1] * (-axis - 1))
    return factor


def resize_kspace(kspace: Complex[Tensor, "..."], matrix: tuple[int, ...]) -> Complex[Tensor, "..."]:
    """Crop k-space or zero-fill it to another matrix, keeping DC at the centre and the image's signal.

    The factor sqrt(N_new / N_old) keeps signal values; noise that is white over the old matrix becomes
    sqrt(N_new / N_old) of itself per sample, the same per pixel when zero-filled.

    Args:
        kspace: Centred k-space.
        matrix: Samples wanted along the last axes, e.g. (slice, freq, phase).

    Returns:
        Centred k-space of the new matrix.

    Raises:
        ValueError: A wanted size is not positive, or there are more sizes than axes.
    """
    if min(matrix) < 1:
        raise ValueError(f"matrix is {' x '.join(map(str, matrix))}; every size must be at least 1")
    if len(matrix) > kspace.ndim:
        raise ValueError(f"matrix has {len(matrix)} sizes and kspace {kspace.ndim} axes; it must not have more")
    old = tuple(kspace.shape[-len(matrix) :])
    if old == matrix:
        return kspace
    wanted, given = zip(*(_overlap(before, after) for before, after in zip(old, matrix, strict=True)), strict=True)
    kept = kspace[..., *given] * sqrt(prod(matrix) / prod(old))
    if kept.shape[-len(matrix) :] == matrix:
        return kept
    resized = kspace.new_zeros(*kspace.shape[: -len(matrix)], *matrix)
    resized[..., *wanted] = kept
    return resized


def resize_image(image: Num[Tensor, "..."], matrix: tuple[int, ...]) -> Complex[Tensor, "..."]:
    """Bring images to another matrix over the same field of view, as cropping or zero-filling of k-space gives them.

    Args:
        image: Real or complex images.
        matrix: Pixels wanted along the last axes, e.g. (freq, phase).

    Returns:
        Images of the new matrix, their signal kept; those of a real image are real but for rounding and the Nyquist
        frequency.
    """
    axes = ENCODED[-len(matrix) :]
    return to_image(resize_kspace(to_kspace(image.to(torch.complex64), axes), matrix), axes)


def _overlap(old: int, new: int) -> tuple[slice, slice]:
    """Where the smaller of two centred axes lies in the new and in the old one."""
    width = min(old, new)
    start_new, start_old = new // 2 - width // 2, old // 2 - width // 2
    return slice(start_new, start_new + width), slice(start_old, start_old + width)


def central_band(n: int, width: int) -> tuple[int, int]:
    """First and one-past-last index of the ``width`` samples around DC of an axis of ``n`` samples."""
    kept = max(1, min(n, width))
    start = n // 2 - kept // 2
    return start, start + kept
