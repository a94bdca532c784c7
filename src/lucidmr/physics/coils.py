"""Simulated receive arrays: smooth complex sensitivities and the smooth phase of the object itself."""

from math import pi

import torch
from jaxtyping import Complex, Float
from torch import Generator, Tensor

from lucidmr.shapes import CoilMaps


def loop_array_maps(n_coils: int, n_freq: int, n_phase: int, generator: Generator) -> CoilMaps:
    """Sensitivities of a ring of loops at random places around the field of view.

    Each loop's magnitude falls off with the distance r from its centre as (a^2 + r^2)^(-3/2), the on-axis field of a
    loop of radius a; its phase turns with the direction to the pixel, as a birdcage element's does. The maps are
    scaled so that their root sum of squares is 1 everywhere: shading of the combined image is the intensity
    normalization's matter, not the array's.

    Args:
        n_coils: Number of loops, at least 1.
        n_freq: Pixels along freq.
        n_phase: Pixels along phase.
        generator: Source of all randomness.

    Returns:
        Maps (coil, freq, phase), complex64.

    Raises:
        ValueError: ``n_coils`` is not positive.
    """
    if n_coils < 1:
        raise ValueError(f"n_coils is {n_coils}; it must be at least 1")
    freq, phase = _grid(n_freq, n_phase, generator)
    jitter = torch.rand(4, n_coils, 1, 1, generator=generator, device=generator.device)
    angle = 2 * pi * (torch.arange(n_coils, device=generator.device)[:, None, None] + jitter[0]) / n_coils
    distance, radius = 0.55 + 0.35 * jitter[1], 0.3 + 0.3 * jitter[2]
    offset_freq, offset_phase = freq - distance * torch.cos(angle), phase - distance * torch.sin(angle)
    magnitude = (radius**2 + offset_freq**2 + offset_phase**2) ** -1.5
    maps = torch.polar(magnitude, torch.atan2(offset_phase, offset_freq) + 2 * pi * jitter[3])
    return maps / maps.abs().square().sum(0, keepdim=True).sqrt()


def smooth_phase(n_freq: int, n_phase: int, strength: float, generator: Generator) -> Complex[Tensor, "n_freq n_phase"]:
    """A smooth phase factor exp(i phi): field inhomogeneity, eddy currents, transmit and receive phase.

    phi is a random quadratic polynomial plus a few low spatial frequencies (up to two cycles over the field of
    view), scaled to a standard deviation of ``strength`` radians.

    Args:
        n_freq: Pixels along freq.
        n_phase: Pixels along phase.
        strength: Standard deviation of the phase in radians; 0 gives 1 everywhere.
        generator: Source of all randomness.

    Returns:
        complex64 factor of magnitude 1.
    """
    freq, phase = (axis.expand(n_freq, n_phase) for axis in _grid(n_freq, n_phase, generator))
    polynomial = torch.stack([freq, phase, freq**2, phase**2, freq * phase])
    waves = [
        torch.cos(2 * pi * (u * freq + v * phase) + shift)
        for (u, v), shift in zip(
            2.0 * torch.rand(4, 2, generator=generator, device=generator.device) - 1.0,
            2 * pi * torch.rand(4, generator=generator, device=generator.device),
            strict=True,
        )
    ]
    terms = torch.cat([polynomial, 0.3 * torch.stack(waves)])
    weights = torch.randn(len(terms), 1, 1, generator=generator, device=generator.device)
    phi: Float[Tensor, "n_freq n_phase"] = (weights * terms).sum(0)
    phi = (phi - phi.mean()) / phi.std().clamp_min(1e-6)
    return torch.polar(torch.ones_like(phi), strength * phi)


def _grid(n_freq: int, n_phase: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Pixel positions in units of the field of view, (freq, 1) and (1, phase), centre 0."""
    freq = (torch.arange(n_freq, device=generator.device) - n_freq // 2) / n_freq
    phase = (torch.arange(n_phase, device=generator.device) - n_phase // 2) / n_phase
    return freq[:, None], phase[None, :]
