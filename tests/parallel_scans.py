"""Simulated multi-coil scans for the tests of parallel imaging."""

from math import pi

import torch
from torch import Tensor

from lucidmr.physics.analytic import kspace as analytic_kspace
from lucidmr.physics.fourier import to_image, to_kspace
from lucidmr.physics.phantoms import anatomy_phantom
from properties import seeded


def array_maps(n_coils: int, matrix: tuple[int, int, int], seed: int = 0) -> Tensor:
    """Two rings of loops (one in 2D) around the (slice, freq, phase) field of view; root sum of squares 1."""
    axes = [(torch.arange(n) - n // 2) / n for n in matrix]
    s, f, p = torch.meshgrid(*axes, indexing="ij")
    jitter = torch.rand(3, n_coils, 1, 1, 1, generator=seeded(seed))
    index = torch.arange(n_coils)[:, None, None, None]
    angle = 2 * pi * (index + 0.5 * jitter[0]) / n_coils
    ring = (index % 2 - 0.5) * 0.7 if matrix[0] > 1 else torch.zeros_like(angle)
    df, dp, ds = f - 0.7 * torch.cos(angle), p - 0.7 * torch.sin(angle), s - ring
    magnitude = ((0.4 + 0.1 * jitter[1]) ** 2 + df**2 + dp**2 + ds**2) ** -1.5
    maps = torch.polar(magnitude, torch.atan2(dp, df) + 2 * pi * jitter[2] + 2 * s)
    return maps / maps.abs().square().sum(0).sqrt()


def head(matrix: tuple[int, int, int]) -> Tensor:
    """The anatomy phantom as a complex image; in 3D its coarse parts, a slab with air around it."""
    image = torch.zeros(matrix, dtype=torch.complex64)
    count = None if matrix[0] == 1 else 30
    margin = matrix[0] // 6
    inside = range(margin, matrix[0] - margin)
    for index in inside:
        position = (index - matrix[0] // 2) / len(inside)
        image[index] = to_image(analytic_kspace(anatomy_phantom(position)[:count], *matrix[1:]), (-2, -1))
    return image


def full_scan(n_coils: int, matrix: tuple[int, int, int], seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """(image, maps, fully sampled k-space) without noise."""
    image, maps = head(matrix), array_maps(n_coils, matrix, seed)
    return image, maps, to_kspace(image * maps)


def nrmse(image: Tensor, truth: Tensor) -> float:
    return float((image - truth).norm() / truth.norm())
