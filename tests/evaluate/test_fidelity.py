"""Fidelity against skimage and closed forms; harm on changes of known kind."""

import math

import pytest
import torch
from torch import Tensor

from lucidmr.evaluate.fidelity import harm, nrmse, psnr, ssim, whiteness


def field(seed: int, n: int = 160) -> Tensor:
    return torch.randn(n, n, generator=torch.Generator().manual_seed(seed))


def blocks() -> Tensor:
    """Sixteen squares of distinct brightness."""
    levels = 100 + 50 * torch.arange(16.0).reshape(4, 4)[:, torch.tensor([2, 0, 3, 1])]
    return levels.repeat_interleave(40, 0).repeat_interleave(40, 1)


@pytest.mark.parametrize("value_range", [None, 1000.0])
def test_ssim_and_psnr_agree_with_skimage(value_range):
    metrics = pytest.importorskip("skimage.metrics")
    truth, image = blocks(), blocks() + 20 * field(0)
    span = value_range or float(truth.max() - truth.min())
    expected = metrics.structural_similarity(
        truth.numpy(),
        image.numpy(),
        data_range=span,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(image, truth, value_range) == pytest.approx(expected, abs=1e-5)
    expected = metrics.peak_signal_noise_ratio(truth.numpy(), image.numpy(), data_range=span)
    assert psnr(image, truth, value_range) == pytest.approx(expected, abs=1e-3)


def test_identity_is_perfect():
    truth = blocks()
    assert ssim(truth, truth) == pytest.approx(1.0)
    assert math.isinf(psnr(truth, truth))
    assert nrmse(truth, truth) == 0.0


def test_nrmse_of_a_scaled_image_is_the_scale_error():
    assert nrmse(1.1 * blocks(), blocks()) == pytest.approx(0.1, rel=1e-5)


def test_ssim_averages_over_a_stack():
    truth, image = blocks(), blocks() + 20 * field(0)
    stack = ssim(torch.stack([truth, image]), torch.stack([truth, truth]))
    assert stack == pytest.approx(0.5 * (1 + ssim(image, truth)), rel=1e-6)


def test_no_change_is_no_harm():
    assert set(vars(harm(blocks(), blocks())).values()) == {0.0}


def test_removed_noise_looks_like_noise():
    result = harm(blocks() + field(0), blocks())
    assert result.mean_change == pytest.approx(math.sqrt(2 / math.pi) / 750, rel=0.05)
    # The largest of many normal deviates is several times their mean size.
    assert 4.0 < result.largest_change / result.mean_change < 8.0
    assert result.autocorrelation < 0.02
    assert abs(result.edge_correlation) < 0.05


def test_removed_structure_does_not():
    blurred = torch.nn.functional.avg_pool2d(blocks()[None], 5, 1, 2, count_include_pad=False)[0]
    result = harm(blocks(), blurred)
    assert result.autocorrelation > 0.1
    assert result.edge_correlation > 0.5


def test_noise_alone_is_white_and_a_blur_is_not():
    image = 4.0 * blocks() / blocks().max()
    noisy = image + 0.1 * field(1)
    assert whiteness(noisy, noisy - 0.05 * field(1), field(2)).share < 0.03
    blurred = torch.nn.functional.avg_pool2d(noisy[None, None], 5, 1, 2)[0, 0]
    assert whiteness(noisy, blurred, field(2)).share > 0.2
