"""Virtual coils keep the signal, and white noise white."""

import pytest
import torch

from lucidmr.physics.noise import complex_noise
from lucidmr.raw.coil_compression import compression
from lucidmr.raw.noise_estimate import noise_covariance
from lucidmr.raw.prewhiten import mix
from measurements import phantom
from properties import random_complex, seeded


def test_rows_are_orthonormal_and_noise_stays_white() -> None:
    matrix = compression(phantom((1, 64, 64), 12), 0.0, 1.0, 0.99, 6)
    torch.testing.assert_close(matrix @ matrix.mH, torch.eye(len(matrix)) + 0j, atol=1e-5, rtol=0.0)
    noise = mix(matrix, complex_noise((12, 1, 200, 200), 1.0, seeded()))
    found = noise_covariance(noise.flatten(1))
    assert float((found - torch.eye(len(matrix))).abs().max()) < 0.04


@pytest.mark.parametrize("energy", [0.5, 0.95, 0.999, 1.0])
def test_the_wanted_energy_is_kept_with_the_fewest_coils(energy) -> None:
    kspace = phantom((1, 64, 64), 12, scans=2)
    whole = float(kspace.abs().double().square().sum())
    matrix = compression(kspace, 0.0, 1.0, energy, 12)
    kept = [mix(matrix[:n], kspace).abs().double().square().sum() for n in (len(matrix) - 1, len(matrix))]
    share = [float(part) / whole for part in kept]
    assert share[1] >= energy - 1e-5
    assert len(matrix) == 1 or share[0] < energy


def test_the_maximum_holds() -> None:
    assert len(compression(phantom((1, 64, 64), 12), 0.0, 1.0, 1.0, 3)) == 3


def test_coils_are_not_kept_for_their_noise() -> None:
    """One coil's signal mixed into eight: one virtual coil holds all of it, however noisy it is."""
    signal = phantom((1, 64, 64), 1, snr=10.0)
    mixed = mix(random_complex(8, 1), signal) + complex_noise((1, 8, 1, 64, 64), 1.0, seeded())
    assert len(compression(mixed, 1.0, 1.0, 0.99, 8)) == 1
    assert len(compression(mixed, 0.0, 1.0, 0.99, 8)) > 1
