"""The noise floor of magnitude images against scans whose noise is known."""

import pytest
import torch

from lucidmr.physics.body import body_mask
from lucidmr.physics.noise_floor import floor_in, noise_floor
from noisy_head import SIGNAL, acquire, masked, phantom, root_sum_of_squares
from properties import seeded

COILS = [1, 4, 16]


def mean_of_scans(truth, sd, coils, count=64):
    """What is left of magnitude images when all of the noise but its mean is taken off."""
    return torch.stack([root_sum_of_squares(truth, sd, coils, seed) for seed in range(count)]).mean(0)


@pytest.mark.parametrize("coils", COILS)
def test_the_floor_is_the_mean_of_air(coils):
    truth = phantom(192)
    sd = 0.15 * SIGNAL / coils**0.5
    air = root_sum_of_squares(torch.zeros(400, 400), sd, coils).mean()
    for image in (root_sum_of_squares(truth, sd, coils), mean_of_scans(truth, sd, coils)):
        assert noise_floor(image, truth > 0.01, sd) == pytest.approx(float(air), rel=0.05)


@pytest.mark.parametrize("coils", COILS)
def test_without_its_floor_an_image_is_what_was_scanned(coils):
    truth = phantom(192)
    sd = 0.1 * SIGNAL / coils**0.5
    image = mean_of_scans(truth, sd, coils)
    level = noise_floor(image, truth > 0.01, sd)
    left = image - floor_in(image, level)
    air, body, bright = truth < 1e-4, truth > 0.02, truth > 0.5 * SIGNAL
    assert float(left[air].mean()) < 0.1 * level
    assert float((left - truth)[bright].mean().abs()) < 0.01 * SIGNAL
    wrong, mended = ((one - truth)[body].square().mean() for one in (image, left))
    assert float(mended) < 0.6 * float(wrong)


@pytest.mark.parametrize("coils", COILS)
def test_of_bright_tissue_as_much_goes_as_noise_has_added(coils):
    truth, sd = torch.ones(64, 64), 0.1
    image = mean_of_scans(truth, sd, coils)
    level = float(root_sum_of_squares(torch.zeros(400, 400), sd, coils).mean())
    added = float((image - truth).mean())
    # Of a single channel half as much is added: the other half of the noise lies along the signal.
    assert 0.8 * added < float(floor_in(image, level).mean()) < 2.0 * added


def test_masked_air_has_no_floor():
    truth = phantom(128)
    image = masked(acquire(truth, SIGNAL / 5, (128, 128)), truth)
    body = body_mask(image)
    assert bool((~body & (image != 0)).any())  # dark tissue is not air
    assert noise_floor(image, body, SIGNAL / 5) == 0.0
    assert torch.equal(floor_in(image, 0.0), torch.zeros_like(image))


def test_noise_without_a_mean_has_next_to_no_floor():
    truth = phantom(128)
    image = truth + 0.1 * torch.randn(truth.shape, generator=seeded())
    assert noise_floor(image, truth > 0.01, 0.1) < 0.01


def test_an_offset_is_no_floor():
    truth = phantom(128)
    image = root_sum_of_squares(truth, 0.05 * SIGNAL)
    body = body_mask(image)
    assert noise_floor(image, body, 0.05 * SIGNAL) > 0.0
    assert noise_floor(image + SIGNAL, body, 0.05 * SIGNAL) == 0.0
    assert noise_floor(image, body, 0.0) == 0.0


def test_nothing_appears_where_there_is_nothing():
    image = torch.zeros(64, 64)
    image[:, 32:] = -0.1
    assert torch.equal(floor_in(image, 0.5), torch.zeros_like(image))
