"""Centred, orthonormal Fourier transforms and the change of matrix in k-space.

Orthonormal means that white noise of standard deviation sigma per k-space sample is white noise of standard deviation
sigma per pixel. DC lies at index n // 2 of every axis.
"""

from math import sqrt

from jaxtyping import Complex
from torch import Tensor
from torch.fft import fft2, fftshift, ifft2, ifftshift

_AXES = (-2, -1)


def to_kspace(image: Complex[Tensor, "... freq phase"]) -> Complex[Tensor, "... freq phase"]:
    """Centred orthonormal 2D Fourier transform over (freq, phase)."""
    kspace: Tensor = fftshift(fft2(ifftshift(image, dim=_AXES), norm="ortho"), dim=_AXES)
    return kspace


def to_image(kspace: Complex[Tensor, "... freq phase"]) -> Complex[Tensor, "... freq phase"]:
    """Centred orthonormal 2D inverse Fourier transform over (freq, phase); the inverse of :func:`to_kspace`."""
    image: Tensor = fftshift(ifft2(ifftshift(kspace, dim=_AXES), norm="ortho"), dim=_AXES)
    return image


def resize_kspace(
    kspace: Complex[Tensor, "... freq_in phase_in"], n_freq: int, n_phase: int
) -> Complex[Tensor, "... freq phase"]:
    """Crop k-space or zero-fill it to another matrix, keeping DC at the centre and the image's signal.

    The factor sqrt(N_new / N_old) keeps signal values; noise that is white over the old matrix becomes
    sqrt(N_new / N_old) of itself per sample, the same per pixel when zero-filled.

    Args:
        kspace: Centred k-space.
        n_freq: Samples wanted along freq.
        n_phase: Samples wanted along phase.

    Returns:
        Centred k-space of the new matrix.

    Raises:
        ValueError: A wanted size is not positive.
    """
    if n_freq < 1 or n_phase < 1:
        raise ValueError(f"the matrix {n_freq} x {n_phase} must be at least 1 x 1")
    old_freq, old_phase = kspace.shape[-2:]
    rows, rows_in = _overlap(old_freq, n_freq)
    columns, columns_in = _overlap(old_phase, n_phase)
    resized = kspace.new_zeros(*kspace.shape[:-2], n_freq, n_phase)
    resized[..., rows, columns] = kspace[..., rows_in, columns_in]
    return resized * sqrt(n_freq * n_phase / (old_freq * old_phase))


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
