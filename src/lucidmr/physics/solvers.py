"""Proximal gradient method, and the proximal map of total variation.

A composite problem is min_x f(x) + g(x), f smooth and g convex with an easy proximal map
prox_g(z) = argmin_x 1/2 ||x - z||^2 + g(x).
"""

from collections.abc import Callable
from functools import reduce
from math import pi, sqrt
from typing import Final, TypeVar

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.fft import fftfreq, fftn, ifftn

from lucidmr.physics.fourier import ENCODED
from lucidmr.shapes import ComplexImage

Memory = TypeVar("Memory")
Proximal = Callable[[Tensor, Memory], tuple[Tensor, Memory]]
"""(z, memory) -> (prox_g(z), memory for the next call); what it remembers is its own affair."""
Differences = Complex[Tensor, "axis ... slice freq phase"]
Split = tuple[Differences, Differences]
"""Sparse gradient and Bregman variable."""
SMALLEST_EDGE: Final = 0.01
"""Splitting threshold of total variation, share of the image's maximum: sets the speed of convergence alone."""


def proximal_gradient(
    gradient: Callable[[Tensor], Tensor], proximal: Proximal[Memory], start: Tensor, memory: Memory, iterations: int
) -> Tensor:
    """Minimize f + g by the fast iterative shrinkage-thresholding algorithm (FISTA).

    Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009) 183, with constant step 1.

    Args:
        gradient: Of f; its Lipschitz constant must not exceed 1.
        proximal: Proximal map of g.
        start: First guess.
        memory: What the proximal map remembers at the start.
        iterations: Evaluations of the gradient, at least 1.

    Returns:
        The solution after that many iterations.
    """
    solution = extrapolated = start
    momentum = 1.0
    for _ in range(iterations):
        before = solution
        solution, memory = proximal(extrapolated - gradient(extrapolated), memory)
        following = (1.0 + sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        extrapolated = solution + (momentum - 1.0) / following * (solution - before)
        momentum = following
    return solution


def total_variation(image: ComplexImage) -> Float[Tensor, "..."]:
    """Isotropic total variation: the sum over pixels of the length of the periodic gradient along the encoded axes.

    Rudin, Osher and Fatemi, Physica D 60 (1992) 259.
    """
    return _length(_differences(image)).sum(ENCODED)


def total_variation_denoised(
    image: ComplexImage,
    weight: float | Float[Tensor, "..."],
    split: Split | None = None,
    iterations: int = 3,
) -> tuple[ComplexImage, Split]:
    """The proximal map of ``weight`` times the total variation, approximately.

    Split Bregman method (Goldstein and Osher, SIAM J. Imaging Sci. 2 (2009) 323). Few iterations do where the split of
    a similar problem is at hand; the quadratic step is exact, by Fourier transform, so that no slow mode is left.

    Args:
        image: (..., slice, freq, phase).
        weight: At least 0, of the image's units; it broadcasts against the image.
        split: First guess of the sparse gradient and the Bregman variable, along each axis longer than 1.
        iterations: At least 1.

    Returns:
        The denoised image and the split.
    """
    threshold = (SMALLEST_EDGE * image.abs().amax(ENCODED, keepdim=True)).clamp_min(_tiny(image))
    penalty = weight / threshold
    smoother = 1.0 / (1.0 + penalty * _laplacian(image))
    sparse, bregman = split or (torch.zeros_like(_differences(image)),) * 2
    denoised = image
    for _ in range(iterations):
        pulled = image + penalty * _differences_adjoint(sparse - bregman)
        denoised = ifftn(smoother * fftn(pulled, dim=ENCODED), dim=ENCODED)
        jumps = _differences(denoised) + bregman
        bregman = jumps * (threshold / torch.maximum(_length(jumps), threshold))
        sparse = jumps - bregman
    return denoised, (sparse, bregman)


def _long_axes(image: Tensor) -> list[int]:
    return [axis for axis in ENCODED if image.shape[axis] > 1]


def _differences(image: Tensor) -> Tensor:
    """Periodic forward differences along every axis longer than 1, stacked in front."""
    return torch.stack([image.roll(-1, axis) - image for axis in _long_axes(image)])


def _differences_adjoint(differences: Tensor) -> Tensor:
    axes = zip(differences, _long_axes(differences), strict=True)
    adjoint: Tensor = reduce(torch.add, (part.roll(1, axis) - part for part, axis in axes))
    return adjoint


def _laplacian(image: Tensor) -> Float[Tensor, "slice freq phase"]:
    """Eigenvalues of the differences followed by their adjoint, which the Fourier transform diagonalizes."""
    rates = (2.0 * torch.sin(pi * fftfreq(n, device=image.device)) for n in image.shape[-3:])
    along_slice, along_freq, along_phase = (rate.square() for rate in rates)
    return along_slice[:, None, None] + along_freq[:, None] + along_phase


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length over the stacked components; never quite 0, where it has no derivative."""
    squares = (vectors.real.square() + vectors.imag.square()).sum(0)
    return squares.clamp_min(_tiny(squares)).sqrt()


def _tiny(values: Tensor) -> float:
    return torch.finfo(values.dtype).tiny
