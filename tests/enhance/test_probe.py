"""The probe against processors whose noise reduction is known."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lucidmr.enhance.probe import MAX_NRF, probe
from lucidmr.physics.image_noise import NoiseEstimate, band_noise, estimate_noise
from noisy_head import SIGNAL, acquire, phantom


def identity(image: Tensor) -> Tensor:
    return image


def upsampled(image: Tensor) -> Tensor:
    return F.interpolate(image[:, None], scale_factor=2, mode="bicubic", align_corners=False)[:, 0]


def draws(image: Tensor, noise: NoiseEstimate, count: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [band_noise(image.shape, noise, generator) for _ in range(count)]


@pytest.fixture
def scan() -> tuple[Tensor, Tensor]:
    truth = torch.stack([phantom(128, seed) for seed in (1, 2)])
    return truth, torch.stack([acquire(image, SIGNAL / 20, (128, 128)) for image in truth])


@pytest.mark.parametrize("resample", [identity, upsampled])
@pytest.mark.parametrize("factor", [1.0, 1.5, 2.0, 4.0])
def test_a_linear_blend_reads_its_own_factor(scan, resample, factor):
    truth, image = scan
    result = probe(
        lambda noisy: resample(noisy / factor + (1 - 1 / factor) * truth),
        resample,
        image,
        draws(image, estimate_noise(image)),
    )
    assert result.homogeneous == pytest.approx(factor, rel=0.01)
    assert result.body == pytest.approx(factor, rel=0.01)
    assert result.nrf_map.shape == resample(image).shape


def test_a_linear_smoother_reads_its_noise_gain(scan):
    _, image = scan
    result = probe(
        lambda noisy: F.avg_pool2d(noisy[:, None], 3, 1, 1)[:, 0],
        identity,
        image,
        draws(image, NoiseEstimate(0.04, 1.0, 1.0), 8),
    )
    assert result.homogeneous == pytest.approx(3.0, rel=0.05)


def test_the_map_shows_where_noise_was_removed(scan):
    truth, image = scan
    left = torch.arange(128) < 64

    def half(noisy: Tensor) -> Tensor:
        return torch.where(left, noisy, 0.5 * (noisy + truth))

    result = probe(half, identity, image, draws(image, estimate_noise(image)))
    assert result.nrf_map[..., :58].median().item() == pytest.approx(1.0, rel=0.01)
    assert result.nrf_map[..., 70:].median().item() == pytest.approx(2.0, rel=0.01)


def test_a_processor_that_does_not_respond_reads_the_cap(scan):
    truth, image = scan
    result = probe(lambda _: truth, identity, image, draws(image, estimate_noise(image)))
    assert result.homogeneous == MAX_NRF


def test_no_noise_cannot_be_probed(scan):
    _, image = scan
    with pytest.raises(ValueError, match="noise to add is 0"):
        probe(identity, identity, image, [torch.zeros_like(image)])


def test_images_without_a_body_read_nan():
    image = torch.zeros(1, 64, 64)
    result = probe(identity, identity, image, draws(image, NoiseEstimate(1.0, 1.0, 1.0)))
    assert math.isnan(result.homogeneous)
