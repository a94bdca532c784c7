"""Filters in k-space: the anti-ringing window, separable or radial, and the low pass behind smooth estimates."""

from math import pi
from typing import Literal

import torch
from jaxtyping import Float, Inexact
from torch import Tensor
from torch.fft import fftfreq, fftn, ifftn, irfftn, rfftn

from lucidmr.physics.fourier import ENCODED, SLICE
from lucidmr.physics.sampling import Sampling
from lucidmr.physics.windows import WindowName, positions, profile, window
from lucidmr.shapes import KSpace

WindowShape = Literal["separable", "radial"]


def anti_ringing(
    kspace: KSpace, sampling: Sampling, name: WindowName, strength: float, shape: WindowShape = "separable"
) -> KSpace:
    """Multiply k-space by a window over what was acquired of each direction.

    Args:
        kspace: Centred k-space on the acquired matrix.
        sampling: Its sampling.
        name: Window (see :func:`lucidmr.physics.windows.profile`).
        strength: Its strength, 0 to 1.
        shape: See :func:`window_weights`.

    Returns:
        Filtered k-space.

    Raises:
        ValueError: k-space is not on the sampling's matrix, or as :func:`lucidmr.physics.windows.profile`.
    """
    check_matrix(kspace, sampling)
    if name == "none":
        return kspace
    return kspace * window_weights(sampling.matrix, name, strength, shape, kspace.device)


def window_weights(
    matrix: tuple[int, int, int],
    name: WindowName,
    strength: float,
    shape: WindowShape = "separable",
    device: torch.device | str = "cpu",
) -> Float[Tensor, "slice freq phase"]:
    """The weight of each sample.

    Args:
        matrix: Acquired (slice, freq, phase) samples; a direction of one sample is not filtered.
        name: Window.
        strength: Its strength, 0 to 1.
        shape: ``separable`` is a product of windows along the directions, ``radial`` one window of the elliptical
            radius sqrt(sum (k_d / k_max,d)^2), with its edge value in the corners beyond 1.
        device: Where to compute.

    Returns:
        Real weights, 1 at DC.
    """
    match shape:
        case "separable":
            slices, freq, phase = (window(n, name, strength, device) for n in matrix)
            return slices[:, None, None] * freq[:, None] * phase
        case "radial":
            slices, freq, phase = (positions(n, device).square() for n in matrix)
            return profile((slices[:, None, None] + freq[:, None] + phase).sqrt(), name, strength)


def low_pass(image: Inexact[Tensor, "*b slice freq phase"], sd: float) -> Inexact[Tensor, "*b slice freq phase"]:
    """Smooth an image by a Gaussian, periodically; the kernel is positive, so it neither rings nor changes sign.

    Args:
        image: One or more images.
        sd: Standard deviation of the kernel in fields of view, the same share of every direction.

    Returns:
        The smooth image, real or complex as the image is; its mean is the image's.

    Raises:
        ValueError: ``sd`` is not positive.
    """
    if not sd > 0.0:
        raise ValueError(f"sd is {sd:g}; it must be above 0")
    cycles = [fftfreq(n, 1.0 / n, device=image.device) for n in image.shape[SLICE:]]
    slices, freq, phase = (torch.exp(-2.0 * (pi * sd * k).square()) for k in cycles)
    weights = slices[:, None, None] * freq[:, None] * phase
    # A convolution commutes with shifts: the transforms need no centre.
    smooth: Tensor
    if image.is_complex():
        smooth = ifftn(fftn(image, dim=ENCODED).mul_(weights), dim=ENCODED)
    else:
        half = weights[..., : image.shape[-1] // 2 + 1]
        smooth = irfftn(rfftn(image, dim=ENCODED).mul_(half), s=image.shape[SLICE:], dim=ENCODED)
    return smooth


def check_matrix(kspace: KSpace, sampling: Sampling) -> None:
    """Raise ``ValueError`` where k-space does not lie on the matrix of its sampling."""
    found = tuple(kspace.shape[SLICE:])
    if found != sampling.matrix:
        raise ValueError(
            f"kspace is {_times(found)} (slice x freq x phase); its sampling says {_times(sampling.matrix)}"
        )


def _times(matrix: tuple[int, ...]) -> str:
    return " x ".join(map(str, matrix))
