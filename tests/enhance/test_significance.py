import pytest
import torch

from lucidmr.enhance import significance
from lucidmr.enhance.significance import SIGNIFICANT, insignificant
from lucidmr.physics.image_noise import NoiseEstimate, band_noise
from noisy_head import phantom

SD = 0.05
WHITE = NoiseEstimate(SD, 1.0, 1.0)


def noise(*shape, seed=1):
    return SD * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def left_of(stack, found=WHITE):
    middle = len(stack) // 2
    return stack[middle : middle + 1] - insignificant(stack, found)


def power_within(times):
    """Of white noise, in coefficients that are no more than so many times its standard deviation."""
    limit = torch.tensor(times, dtype=torch.float64)
    density = torch.exp(-0.5 * limit**2) / (2.0 * torch.pi) ** 0.5
    return float(torch.erf(limit / 2.0**0.5) - 2.0 * limit * density)


@pytest.mark.parametrize(
    ("shape", "extents"), [((96, 80), (1.0, 1.0)), ((97, 83), (1.0, 1.0)), ((192, 240), (0.5, 0.4))]
)
@pytest.mark.parametrize("slices", [1, 3])
def test_most_of_plain_noise_is_insignificant(shape, extents, slices):
    found = NoiseEstimate(SD, *extents)
    stack = 0.5 + band_noise((slices, *shape), found, torch.Generator().manual_seed(1))
    left = left_of(stack, found)
    # Blocks that overlap disagree on what is beyond: less than a block's own share of power stays.
    share = float((left - 0.5).square().mean()) / SD**2
    assert 0.5 * (1.0 - power_within(SIGNIFICANT)) < share < 1.05 * (1.0 - power_within(SIGNIFICANT))
    assert float(left.mean()) == pytest.approx(0.5, abs=0.01)


def test_what_is_taken_stays_in_the_band_of_the_noise():
    found = NoiseEstimate(SD, 0.5, 0.75)
    stack = phantom(128)[None] + band_noise((1, 128, 128), found, torch.Generator().manual_seed(1))
    power = torch.fft.fftshift(torch.fft.fft2(insignificant(stack, found)[0])).abs().square()
    assert float(power[32:97, 16:113].sum() / power.sum()) > 0.999


def test_what_stands_out_of_the_noise_stays():
    image = phantom(128)[None]
    left = left_of(image + noise(1, 128, 128))
    assert float((left - image).square().mean()) < 0.75 * SD**2
    # An edge of ten times the noise keeps its height and its place.
    step = torch.zeros(1, 64, 64)
    step[..., 29:] = 10 * SD
    profile = left_of(step + noise(1, 64, 64))[0, 16:48].mean(0)
    assert float(profile[30:40].mean() - profile[18:28].mean()) == pytest.approx(10 * SD, rel=0.03)
    assert float(profile.diff()[28]) > 0.8 * 10 * SD


def test_anatomy_that_goes_on_in_neighbouring_slices_is_told_from_noise():
    faint = phantom(128)[None] / 3.0  # its details are as faint as the noise
    stacks = [faint + noise(3, 128, 128, seed=seed) for seed in range(4)]

    def error(left):
        return float((left - faint).square().mean())

    for stack in stacks:
        assert error(left_of(stack)) < 0.98 * error(left_of(stack[1:2]))


def test_more_slices_are_not_looked_at():
    stack = phantom(64)[None] + noise(7, 64, 64)
    assert torch.equal(insignificant(stack, WHITE), insignificant(stack[2:5], WHITE))


def test_nothing_is_insignificant_without_noise_nor_of_a_flat_image():
    assert not insignificant(phantom(96)[None], NoiseEstimate(0.0, 1.0, 1.0)).any()
    assert float(insignificant(torch.full((3, 64, 64), 0.7), WHITE).abs().max()) < 1e-5


@pytest.mark.parametrize("rows", [20, 21, 96])
def test_strips_leave_no_trace(monkeypatch, rows):
    images = phantom(96)[None, :rows] + noise(1, rows, 96)
    at_once = insignificant(images, WHITE)
    monkeypatch.setattr(significance, "_STRIP", 16)
    assert torch.allclose(insignificant(images, WHITE), at_once, atol=1e-6)


def test_images_smaller_than_a_block():
    images = noise(1, 12, 5)
    assert insignificant(images, NoiseEstimate(SD, 0.5, 0.5)).shape == images.shape
