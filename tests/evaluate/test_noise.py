"""Noise reduction in regions and between repetitions, on fields of known noise."""

import math

import pytest
import torch
from torch import Tensor

from lucidmr.evaluate.noise import (
    detrended_sd,
    homogeneous_regions,
    linear_blend,
    noise_reduction,
    repeated_noise_reduction,
)

EVERYWHERE = torch.ones(128, 128, dtype=torch.bool)


def noise(sd: float, seed: int = 0) -> Tensor:
    return sd * torch.randn(128, 128, generator=torch.Generator().manual_seed(seed))


def ramp() -> Tensor:
    return torch.linspace(80, 120, 128)[:, None] + torch.linspace(0, 300, 128)


def test_a_linear_trend_is_not_noise():
    assert detrended_sd(ramp() + noise(2.0), EVERYWHERE) == pytest.approx(2.0, rel=0.02)


def test_a_shifted_bright_region_keeps_its_precision():
    region = torch.zeros_like(EVERYWHERE)
    region[100:110, 100:110] = True
    assert detrended_sd(1e6 + ramp(), region) < 0.1


def test_factor_and_mean_change_of_a_known_processor():
    before = 100 + noise(4.0)
    result = noise_reduction(before, 101 + (before - 100) / 2.5, EVERYWHERE)
    assert result.factor == pytest.approx(2.5, rel=1e-4)
    assert result.mean_change == pytest.approx(0.01, rel=0.1)


def test_no_noise_left_reads_infinite():
    assert math.isinf(noise_reduction(100 + noise(4.0), torch.full((128, 128), 0.0), EVERYWHERE).factor)


def test_a_region_too_small_is_refused():
    region = torch.zeros_like(EVERYWHERE)
    region[0, :9] = True
    with pytest.raises(ValueError, match="9 pixels"):
        noise_reduction(ramp(), ramp(), region)


def test_regions_are_disjoint_and_lie_in_the_flat_half():
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    inside = torch.hypot(y - 64, x - 64) < 55
    image = inside * (100 + torch.where(x < 64, 20 * torch.sin(y) * torch.sin(x), 0)) + noise(1.0)
    regions = homogeneous_regions(image, count=4, radius=5)
    assert regions.shape == (4, 128, 128)
    assert regions.sum(0).max() == 1
    assert x[regions.any(0)].min() > 60
    assert inside[regions.any(0)].all()


def test_no_region_fits_where_there_is_no_body():
    assert homogeneous_regions(torch.zeros(64, 64)).shape == (0, 64, 64)


def test_repetitions_read_the_factor_of_a_known_processor():
    truth = 100 + ramp()
    first, second = truth + noise(3.0, 1), truth + noise(3.0, 2)
    blends = (linear_blend(image, truth, 2.0) for image in (first, second))
    assert repeated_noise_reduction(first, second, *blends) == pytest.approx(2.0, rel=1e-3)


def test_blend_with_factor_one_is_the_input():
    image = noise(1.0)
    assert torch.equal(linear_blend(image, torch.zeros_like(image), 1.0), image)
