"""The anti-ringing filter in k-space and the low pass."""

import pytest
import torch
from torch import Tensor

from lucidmr.physics.analytic import Rectangle, kspace
from lucidmr.physics.fourier import resize_kspace, to_image
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.windows import noise_gain, profile, window
from lucidmr.reconstruct.filter import WindowShape, anti_ringing, low_pass, window_weights
from lucidmr.reconstruct.partial_fourier import acquired_bands
from properties import assert_adjoint, assert_linear, noise_sd, random_complex

FULL = Sampling(AxisSampling(32), AxisSampling(32))
SHAPES: tuple[WindowShape, ...] = ("separable", "radial")


def test_separable_weights_are_a_product_of_windows() -> None:
    weights = window_weights((6, 20, 27), "hann", 0.6)
    slices, freq, phase = (window(n, "hann", 0.6) for n in (6, 20, 27))
    torch.testing.assert_close(weights, slices[:, None, None] * freq[:, None] * phase)


def test_radial_weights_follow_the_elliptical_radius() -> None:
    weights = window_weights((1, 20, 40), "gaussian", 0.8, "radial")[0]
    torch.testing.assert_close(weights[10], window(40, "gaussian", 0.8))
    torch.testing.assert_close(weights[:, 20], window(20, "gaussian", 0.8))
    assert float(weights[16, 36]) == pytest.approx(float(profile(torch.tensor(1.0), "gaussian", 0.8)))  # 0.6, 0.8
    assert float(weights[0, 0]) == pytest.approx(float(weights[0, 20]))


@pytest.mark.parametrize("shape", SHAPES)
def test_one_partition_gets_no_window_along_slice(shape: WindowShape) -> None:
    assert float(window_weights((1, 32, 32), "hann", 1.0, shape)[0, 16, 16]) == 1.0


def test_none_changes_nothing() -> None:
    samples = random_complex(2, 1, 32, 32)
    assert torch.equal(anti_ringing(samples, FULL, "none", 1.0), samples)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_linear_and_its_own_adjoint(shape: WindowShape) -> None:
    def filtered(samples: Tensor) -> Tensor:
        return anti_ringing(samples, FULL, "hamming", 0.7, shape)

    assert_linear(filtered, 2, 1, 32, 32)
    assert_adjoint(filtered, filtered, (2, 1, 32, 32), (2, 1, 32, 32))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["hann", "hamming", "tukey", "gaussian", "kaiser"])
def test_it_keeps_the_signal_and_reduces_ringing(name: str, shape: WindowShape, device: torch.device) -> None:
    samples = kspace([Rectangle((0.0, 0.0), (0.301, 0.303))], 32, 32, device=device)[None, None]

    def finer(filtered: Tensor) -> Tensor:
        return to_image(resize_kspace(filtered, (1, 128, 128)))[0].real

    plain, smooth = finer(samples), finer(anti_ringing(samples, FULL, name, 1.0, shape))
    assert float(plain.max()) > 1.1
    assert abs(float(smooth.max()) - 1.0) < 0.5 * (float(plain.max()) - 1.0)
    assert float(smooth.mean()) == pytest.approx(float(plain.mean()), rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["hann", "tukey", "fermi", "kaiser"])
def test_noise_falls_to_the_root_mean_square_of_the_weights(name: str, shape: WindowShape) -> None:
    sampling = Sampling(AxisSampling(48, 0.75), AxisSampling(64))
    bands = acquired_bands(sampling)
    weights = bands * window_weights(sampling.matrix, name, 0.5, shape)
    noise = to_image(anti_ringing(random_complex(30, 1, 48, 64) * bands, sampling, name, 0.5, shape))
    assert noise_sd(noise) == pytest.approx(float(noise_gain(weights)), rel=0.02)


def test_the_low_pass_smooths_by_a_gaussian_of_its_width() -> None:
    point = torch.zeros(1, 64, 80)
    point[0, 32, 40] = 1.0
    kernel = low_pass(point, 0.04).real[0]
    assert float(kernel.sum()) == pytest.approx(1.0, abs=1e-4)
    assert float(kernel.min()) > -1e-6
    for axis, n in ((0, 64), (1, 80)):
        distance = (torch.arange(n) - n // 2) / n
        assert float((kernel.sum(1 - axis) * distance.square()).sum()) ** 0.5 == pytest.approx(0.04, rel=1e-3)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"kspace is 1 x 30 x 32 .*; its sampling says 1 x 32 x 32"):
        anti_ringing(random_complex(2, 1, 30, 32), FULL, "hann", 0.5)
    with pytest.raises(ValueError, match="sd is 0; it must be above 0"):
        low_pass(torch.zeros(1, 4, 4), 0.0)
