"""Small raw scans whose truth is known."""

from dataclasses import replace

import torch
from torch import Tensor

from lucidmr.degrade.draw import Degradation
from lucidmr.pairs.simulate import TargetKind, reconstruct_pair
from lucidmr.physics.analytic import Ellipse, kspace
from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import IN_PLANE, to_image, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.raw.scan import RawScan
from lucidmr.reconstruct.settings import Reconstruction
from properties import regression_slope, seeded

DISC = Ellipse((0.0, 0.0), (0.42, 0.38))
PLAIN = Reconstruction((1, 48, 48), levels=65535)
"""A reconstruction of a 48 x 48 scan that does nothing."""


def disc_scan(matrix: tuple[int, int] = (48, 48), coils: int = 1, noise_sd: float = 0.0, seed: int = 0) -> RawScan:
    """A disc of signal 1 seen by a ring of coils, with noise of its own."""
    maps = loop_array_maps(coils, (1, *matrix), seeded(7))
    samples = to_kspace(maps * to_image(kspace([DISC], *matrix), IN_PLANE))
    return RawScan(samples + complex_noise(tuple(samples.shape), noise_sd, seeded(seed)), noise_sd, 1.0, maps, "disc")


def inside(matrix: tuple[int, ...]) -> Tensor:
    """Pixels of the disc that are far from its edge, on the last two axes of a matrix."""
    freq, phase = (torch.arange(n) / n - 0.5 for n in matrix[-2:])
    return torch.hypot(freq[:, None], phase[None, :]) < 0.24


def full(n: int) -> AxisSampling:
    """Every sample of an axis."""
    return AxisSampling(n)


def degradation(
    target: Sampling, degraded: Sampling | None = None, noise: float = 0.0, factor: float = 1.0, seed: int = 0
) -> Degradation:
    """A degradation written out; the input is sampled as the target where nothing else is said."""
    return Degradation(target, degraded or target, noise, factor, seed)


def measured_factor(
    drawn: Degradation,
    how: Reconstruction,
    target: TargetKind,
    matrix: tuple[int, int],
    noise_sd: float,
    replicas: int = 32,
    coils: int = 2,
) -> float:
    """One over the slope of target noise on input noise in the disc, over replicas of all noise."""
    clean = disc_scan(matrix, coils)
    pairs = []
    for seed in range(replicas):
        inherent = complex_noise(tuple(clean.kspace.shape), noise_sd, seeded(1000 + seed))
        scan = replace(clean, kspace=clean.kspace + inherent, noise_sd=noise_sd)
        pairs.append(torch.stack(reconstruct_pair(scan, replace(drawn, noise_seed=seed), how, target)[:2]))
    noise = torch.stack(pairs)
    noise = (noise - noise.mean(0))[..., inside(how.matrix)]
    return 1.0 / regression_slope(noise[:, 0], noise[:, 1])
