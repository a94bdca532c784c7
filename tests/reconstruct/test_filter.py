"""The anti-ringing filter in k-space."""

import pytest
import torch
from torch import Tensor

from lucidmr.degrade.apply import undersample
from lucidmr.degrade.draw import Sampling
from lucidmr.physics.analytic import Rectangle, kspace
from lucidmr.physics.fourier import resize_kspace, to_image
from lucidmr.physics.sampling import AxisSampling
from lucidmr.physics.windows import window
from lucidmr.reconstruct.filter import anti_ringing
from properties import assert_adjoint, assert_linear, noise_sd, random_complex

FULL = Sampling(AxisSampling(32), AxisSampling(32))


def test_it_is_separable_and_relative_to_the_acquired_width() -> None:
    sampling = Sampling(AxisSampling(20), AxisSampling(27))
    weights = anti_ringing(torch.ones(1, 32, 31, dtype=torch.complex64), sampling, "hann", 0.6)[0].real
    torch.testing.assert_close(weights, window(32, 20, "hann", 0.6)[:, None] * window(31, 27, "hann", 0.6))


def test_none_changes_nothing() -> None:
    samples = random_complex(2, 32, 32)
    assert torch.equal(anti_ringing(samples, FULL, "none", 1.0), samples)


def test_it_is_linear_and_its_own_adjoint() -> None:
    def filtered(samples: Tensor) -> Tensor:
        return anti_ringing(samples, FULL, "hamming", 0.7)

    assert_linear(filtered, 2, 32, 32)
    assert_adjoint(filtered, filtered, (2, 32, 32), (2, 32, 32))


@pytest.mark.parametrize("name", ["hann", "hamming", "tukey"])
def test_it_keeps_the_signal_and_reduces_ringing(name: str) -> None:
    samples = kspace([Rectangle((0.0, 0.0), (0.301, 0.303))], 32, 32)[None]

    def finer(filtered: Tensor) -> Tensor:
        return to_image(resize_kspace(filtered, 128, 128))[0].real

    plain, smooth = finer(samples), finer(anti_ringing(samples, FULL, name, 1.0))
    assert float(plain.max()) > 1.1
    assert abs(float(smooth.max()) - 1.0) < 0.5 * (float(plain.max()) - 1.0)
    assert float(smooth.mean()) == pytest.approx(float(plain.mean()), rel=1e-5)


@pytest.mark.parametrize("name", ["hann", "tukey", "fermi"])
def test_noise_falls_to_the_root_mean_square_of_the_weights(name: str) -> None:
    sampling = Sampling(AxisSampling(48, 0.75), AxisSampling(64))
    weights = anti_ringing(undersample(torch.ones(1, 64, 64) + 0j, sampling), sampling, name, 0.5)
    noise = to_image(anti_ringing(undersample(random_complex(20, 64, 64), sampling), sampling, name, 0.5))
    assert noise_sd(noise) == pytest.approx(float(weights.abs().square().mean().sqrt()), rel=0.02)
