"""Measurements whose truth is known: phantoms seen by coils whose noise is correlated."""

import torch
from torch import Tensor

from lucidmr.physics.analytic import kspace
from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import IN_PLANE, to_image, to_kspace
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.phantoms import random_phantom
from lucidmr.physics.sampling import Sampling, sampling_mask
from lucidmr.physics.spectrum import typical_signal
from lucidmr.raw.measurement import Measurement
from properties import random_complex, seeded


def covariance(coils: int, seed: int = 0) -> Tensor:
    """A covariance with strong correlations and a mean diagonal of 1."""
    root = random_complex(coils, 2 * coils, seed=seed) + 3.0 * torch.eye(coils, 2 * coils)
    psi = root @ root.mH
    return psi / psi.diagonal().real.mean()


def noise_of(psi: Tensor, samples: int, seed: int = 1) -> Tensor:
    """(coil, sample) noise of a covariance."""
    return torch.linalg.cholesky(psi) @ complex_noise((len(psi), samples), 1.0, seeded(seed))


def phantom(matrix: tuple[int, int, int], coils: int, scans: int = 1, snr: float = 30.0) -> Tensor:
    """Noise-free (scan, coil, slice, freq, phase) of typical signal ``snr``."""
    planes = []
    for seed in range(scans):
        body = to_image(kspace(random_phantom(seeded(seed), 30), *matrix[1:]), IN_PLANE)
        thick = torch.hann_window(matrix[0] + 2, periodic=False)[1:-1, None, None] * body
        images = loop_array_maps(coils, matrix, seeded(5)) * thick
        planes.append(images * (snr / typical_signal(images.norm(dim=0))))
    return to_kspace(torch.stack(planes)).to(torch.complex64)


def measurement(
    matrix: tuple[int, int, int] = (1, 96, 96),
    coils: int = 4,
    scans: int = 1,
    snr: float = 30.0,
    sampling: Sampling | None = None,
    psi: Tensor | None = None,
    **facts,
) -> Measurement:
    """A noisy measurement without a noise scan; the noise level is 1, so that ``snr`` is what it says."""
    samples = phantom(matrix, coils, scans, snr)
    noise = noise_of(torch.eye(coils) + 0j if psi is None else psi, samples[:, 0].numel())
    samples = samples + noise.reshape(coils, scans, *matrix).movedim(1, 0)
    mask = torch.ones(matrix, dtype=torch.bool) if sampling is None else sampling_mask(sampling)
    return Measurement(samples * mask, mask.expand(scans, *matrix), source="phantom", **facts)
