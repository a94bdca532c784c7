"""Noise level, body and homogeneous tissue of phantoms whose noise is known."""

import pytest
import torch

from lucidmr.physics.body import body_mask
from lucidmr.physics.image_noise import (
    HOMOGENEOUS_FRACTION,
    NoiseEstimate,
    band_noise,
    estimate_noise,
    homogeneity,
    homogeneous_mask,
    local_structure,
)
from noisy_head import SIGNAL, acquire, masked, phantom


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("snr", [10, 30, 100])
@pytest.mark.parametrize(("n", "grid"), [(192, (192, 192)), (128, (256, 256)), (192, (192, 256))])
def test_noise_level_and_band_of_a_known_scan(n, grid, snr, strip):
    truth = phantom(n)
    image = acquire(truth, SIGNAL / snr, grid)
    noise = estimate_noise(masked(image, truth) if strip else image)
    assert noise.sd == pytest.approx(SIGNAL / snr, rel=0.10)
    assert noise.extent_freq == pytest.approx(n / grid[0], abs=0.035)
    assert noise.extent_phase == pytest.approx(n / grid[1], abs=0.035)


def test_noise_level_at_low_snr_is_that_of_tissue_not_of_air():
    image = acquire(phantom(256), SIGNAL / 5, (256, 256))
    assert estimate_noise(image).sd == pytest.approx(SIGNAL / 5, rel=0.10)


def test_rim_is_found_behind_a_hamming_filter():
    image = acquire(phantom(192), SIGNAL / 20, (384, 384), lambda n: torch.hamming_window(n, periodic=False))
    noise = estimate_noise(image)
    assert noise.extent_freq == pytest.approx(0.5, abs=0.03)
    assert noise.extent_phase == pytest.approx(0.5, abs=0.03)


def test_noise_level_scales_with_the_image_and_pools_slices():
    image = acquire(phantom(192), SIGNAL / 20, (192, 192))
    once, scaled = estimate_noise(image), estimate_noise(1000 * image)
    series = estimate_noise(torch.stack([image] * 20))
    assert scaled.sd == pytest.approx(1000 * once.sd, rel=1e-3)
    assert series.sd == pytest.approx(once.sd, rel=0.02)


def test_a_clean_image_has_next_to_no_noise():
    assert estimate_noise(phantom(256)).sd < 0.005 * SIGNAL


def test_an_empty_image_has_no_noise_and_a_full_band():
    assert estimate_noise(torch.zeros(64, 64)) == NoiseEstimate(0.0, 1.0, 1.0)


def test_a_tiny_image_is_not_refused():
    assert estimate_noise(torch.rand(8, 8) + 1).extent_freq == 1.0


@pytest.mark.parametrize(("extent_freq", "extent_phase"), [(1.0, 1.0), (0.5, 0.75), (0.31, 1.0)])
def test_band_noise_has_its_level_and_nothing_outside_its_band(extent_freq, extent_phase):
    noise = NoiseEstimate(2.5, extent_freq, extent_phase)
    drawn = band_noise((4, 128, 160), noise, torch.Generator().manual_seed(0))
    power = torch.fft.fft2(drawn).abs().square().mean(0)
    outside_freq = 2 * torch.fft.fftfreq(128).abs() > extent_freq
    outside_phase = 2 * torch.fft.fftfreq(160).abs() > extent_phase
    assert drawn.std().item() == pytest.approx(2.5, rel=0.03)
    assert power[outside_freq].sum() + power[:, outside_phase].sum() < 1e-6 * power.sum()


def test_band_noise_is_reproducible_and_its_realisations_independent():
    noise = NoiseEstimate(1.0, 0.5, 0.5)
    first = band_noise((64, 64), noise, torch.Generator().manual_seed(5))
    again = band_noise((64, 64), noise, torch.Generator().manual_seed(5))
    other = band_noise((64, 64), noise, torch.Generator().manual_seed(6))
    assert torch.equal(first, again)
    assert abs((first * other).mean().item()) < 0.1


def test_homogeneous_tissue_is_a_fifth_of_the_body_away_from_edges():
    truth = phantom(256)
    image = acquire(truth, SIGNAL / 30, (256, 256))
    body, flat = body_mask(image), homogeneous_mask(image)
    gradient = torch.stack(torch.gradient(truth)).square().sum(0).sqrt()
    assert not (flat & ~body).any()
    assert flat.sum().item() == pytest.approx(HOMOGENEOUS_FRACTION * body.sum().item(), rel=0.02)
    assert gradient[flat].mean() < 0.2 * gradient[body].mean()


def test_homogeneity_is_high_in_flat_tissue_and_low_beside_structure_and_outside() -> None:
    image = phantom(256)[None]
    found, flat = homogeneity(image), homogeneous_mask(image)
    assert float(found.min()) >= 0.0
    assert float(found.max()) <= 1.0
    assert float(found[flat].median()) > 0.85
    assert float(found[local_structure(image) > local_structure(image)[body_mask(image)].quantile(0.8)].max()) < 0.3
    assert float(found[:, :8].max()) == 0.0


def test_noise_moves_homogeneity_little() -> None:
    image = phantom(256)[None]
    noise = 0.05 * SIGNAL * torch.randn(2, *image.shape, generator=torch.Generator().manual_seed(1))
    once, again = (homogeneity(image + one) for one in noise)
    flat = homogeneous_mask(image)
    assert float((once - again)[flat].square().mean().sqrt()) < 0.1
    assert float(once[flat].median()) > 0.8


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_homogeneity_of_images_without_structure(value: float) -> None:
    found = homogeneity(torch.full((1, 64, 64), value))
    assert torch.isfinite(found).all()
    assert float(found[:, 20:44, 20:44].min()) == value


def test_homogeneous_tissue_is_chosen_in_each_image():
    images = torch.stack([phantom(128, seed) for seed in (1, 2)])
    counts = homogeneous_mask(images).sum((-2, -1))
    assert (counts > 500).all()
