"""Noise is white afterwards, and coils that do not work are found."""

import pytest
import torch

from lucidmr.raw.noise_estimate import noise_covariance
from lucidmr.raw.prewhiten import mix, whitening, working_coils
from measurements import covariance, noise_of


@pytest.mark.parametrize("coils", [1, 5, 32])
def test_noise_is_white_afterwards(coils) -> None:
    psi = 1e-8 * covariance(coils)
    matrix = whitening(noise_covariance(noise_of(psi, 50_000, seed=1)))
    fresh = noise_of(psi, 50_000, seed=2).reshape(coils, 1, 250, 200)
    found = noise_covariance(mix(matrix, fresh).flatten(1))
    assert float((found - torch.eye(coils)).abs().max()) < 0.04


def test_all_coils_of_a_good_array_work() -> None:
    assert working_coils(covariance(8)) == (list(range(8)), {})


def test_broken_dead_and_copied_coils_are_found() -> None:
    """As arrays fail: preamplifiers that oscillate, a cable that hangs loose, one channel wired twice."""
    samples = noise_of(covariance(8), 20_000)
    samples[2] *= 5.0
    samples[4] = 0.0
    samples[7] = 0.5j * samples[0]
    kept, broken = working_coils(noise_covariance(samples))
    assert kept == [0, 1, 3, 5, 6]
    assert set(broken) == {2, 4, 7}
    assert "times the median coil's" in broken[2]
    assert "that of other coils" in broken[7]


def test_no_coil_works_without_noise() -> None:
    assert working_coils(torch.zeros(2, 2, dtype=torch.complex64))[0] == []


def test_a_singular_covariance_is_refused() -> None:
    with pytest.raises(ValueError, match="not positive definite"):
        whitening(torch.zeros(2, 2, dtype=torch.complex64))
