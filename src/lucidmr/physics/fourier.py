"""Centred, orthonormal Fourier transforms and the change of matrix in k-space.

Orthonormal means that white noise of standard deviation sigma per k-space sample is white noise of standard deviation
sigma per pixel. DC lies at index n // 2 of every axis.
"""

from math import prod, sqrt
from typing import Final

from jaxtyping import Complex
from torch import Tensor
from torch.fft import fftn, fftshift, ifftn, ifftshift

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
    kspace: Tensor = fftshift(fftn(ifftshift(image, dim=axes), dim=axes, norm="ortho"), dim=axes)
    return kspace


def to_image(kspace: Complex[Tensor, "..."], axes: tuple[int, ...] = ENCODED) -> Complex[Tensor, "..."]:
    """Centred orthonormal inverse Fourier transform; the inverse of :func:`to_kspace`."""
    image: Tensor = fftshift(ifftn(ifftshift(kspace, dim=axes), dim=axes, norm="ortho"), dim=axes)
    return image


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
    resized = kspace.new_zeros(*kspace.shape[: -len(matrix)], *matrix)
    resized[..., *wanted] = kspace[..., *given]
    return resized * sqrt(prod(matrix) / prod(old))


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
