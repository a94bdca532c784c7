"""Simulated receive arrays: smooth complex sensitivities and the smooth phase of the object itself."""

from math import pi

import torch
from jaxtyping import Complex, Float
from torch import Generator, Tensor

from lucidmr.shapes import CoilMaps


def loop_array_maps(n_coils: int, matrix: tuple[int, int, int], generator: Generator, shaded: bool = False) -> CoilMaps:
    """Sensitivities of loops at random places around the field of view, in up to three rings along slice in 3D.

    Each loop's magnitude falls off with the distance r from its centre as (a^2 + r^2)^(-3/2), the on-axis field of a
    loop of radius a; its phase turns with the direction from the loop to the pixel in the freq-phase plane, as a
    birdcage element's does. All loops lie outside the field of view, whose corners are at 0.71 of its width: at a
    loop's centre the phase has no value.

    Args:
        n_coils: Number of loops, at least 1.
        matrix: (slice, freq, phase) pixels; every direction is as long as the others, a single slice is central.
        generator: Source of all randomness; its device is the result's.
        shaded: Whether the array is brighter near its loops, as a surface array is, the root sum of squares 1 at the
            centre; otherwise it is 1 everywhere.

    Returns:
        Maps (coil, slice, freq, phase), complex64.

    Raises:
        ValueError: ``n_coils`` is not positive.
    """
    if n_coils < 1:
        raise ValueError(f"n_coils is {n_coils}; it must be at least 1")
    jitter = torch.rand(5, n_coils, 1, 1, 1, generator=generator, device=generator.device)
    coil = torch.arange(n_coils, device=generator.device)[:, None, None, None]
    angle = 2.0 * pi * (coil + jitter[0]) / n_coils
    distance, radius = 0.75 + 0.2 * jitter[1], 0.2 + 0.2 * jitter[2]
    slice_, freq, phase = _grid(matrix, generator.device)
    offset_freq, offset_phase = freq - distance * torch.cos(angle), phase - distance * torch.sin(angle)
    offset_slice = slice_ - (_rings(coil, n_coils) + 0.3 * jitter[4] - 0.15) * (matrix[0] > 1)
    magnitude = (radius.square() + offset_slice.square() + offset_freq.square() + offset_phase.square()) ** -1.5
    turn = torch.atan2(offset_phase, offset_freq) + 2.0 * pi * jitter[3]
    maps = torch.polar(magnitude, turn.expand_as(magnitude))
    combined = maps.abs().square().sum(0).sqrt()
    return maps / (combined[tuple(n // 2 for n in matrix)] if shaded else combined)


def _rings(coil: Tensor, n_coils: int) -> Tensor:
    """Where along slice each coil's ring lies, fields of view: two rings of at least two coils, three of three."""
    rings = 1 if n_coils < 4 else 2 if n_coils < 9 else 3
    return 0.4 * (2.0 * (coil % rings) - (rings - 1)) / max(rings - 1, 1)


def smooth_phase(
    matrix: tuple[int, int, int], strength: float, generator: Generator
) -> Complex[Tensor, "slice freq phase"]:
    """A smooth phase factor exp(i phi): field inhomogeneity, eddy currents, transmit and receive phase.

    phi is a random quadratic polynomial plus a few low spatial frequencies (up to one cycle over the field of view in
    each direction), scaled to a standard deviation of ``strength`` radians.

    Args:
        matrix: (slice, freq, phase) pixels.
        strength: Standard deviation of the phase in radians; 0 gives 1 everywhere.
        generator: Source of all randomness; its device is the result's.

    Returns:
        complex64 factor of magnitude 1.
    """
    axes = _grid(matrix, generator.device)
    slice_, freq, phase = axes
    products = (slice_**2, freq**2, phase**2, freq * phase, slice_ * freq, slice_ * phase)
    waves = torch.rand(4, 4, generator=generator, device=generator.device)
    terms = [*axes, *products, *(0.3 * _wave(axes, wave) for wave in waves)]
    weights = torch.randn(len(terms), generator=generator, device=generator.device)
    phi: Float[Tensor, "slice freq phase"] = sum(
        (weight * term for weight, term in zip(weights, terms, strict=True)), torch.zeros(matrix, device=weights.device)
    )
    phi = strength * (phi - phi.mean()) / phi.std(correction=0).clamp_min(1e-6)
    return torch.polar(torch.ones_like(phi), phi)


def _wave(axes: tuple[Tensor, Tensor, Tensor], uniform: Float[Tensor, " 4"]) -> Tensor:
    """A wave of up to one cycle over the field of view per direction, from four uniform numbers."""
    cycles = sum(((2.0 * u - 1.0) * axis for u, axis in zip(uniform, axes, strict=False)), uniform[3])
    return torch.cos(2.0 * pi * cycles)


def _grid(matrix: tuple[int, int, int], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Pixel positions along slice, freq and phase in fields of view, centre 0, shaped to broadcast to the matrix."""
    slice_, freq, phase = ((torch.arange(n, device=device) - n // 2) / n for n in matrix)
    return slice_[:, None, None], freq[:, None], phase
