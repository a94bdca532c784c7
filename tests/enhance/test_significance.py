import pytest
import torch

from lucidmr.enhance import significance
from lucidmr.enhance.significance import insignificant
from lucidmr.standardize import resample
from noisy_head import phantom

SD = 0.05


def noise(*shape, seed=1):
    return SD * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("shape", "density"), [((96, 80), (1.0, 1.0)), ((97, 83), (1.0, 1.0)), ((192, 240), (0.5, 0.4))]
)
def test_most_of_plain_noise_is_insignificant(shape, density):
    acquired = tuple(round(side * share) for side, share in zip(shape, density, strict=True))
    images = resample(0.5 + noise(2, *acquired), shape)
    left = images - insignificant(images, images, SD, density)
    # 2 times the noise: 26 % of the power are beyond, and overlapping blocks disagree on which.
    assert 2.0 < float(images.std() / left.std()) < 6.0
    assert float(left.mean()) == pytest.approx(0.5, abs=0.01)


def test_what_stands_out_of_the_noise_stays():
    image = phantom(128)[None]
    noisy = image + noise(1, 128, 128)
    left = noisy - insignificant(noisy, noisy, SD, (1.0, 1.0))
    assert float((left - image).square().mean()) < 0.4 * SD**2
    # An edge of ten times the noise keeps its height and its place.
    step = torch.zeros(1, 64, 64)
    step[..., 29:] = 10 * SD
    noisy = step + noise(1, 64, 64)
    left = noisy - insignificant(noisy, noisy, SD, (1.0, 1.0))
    profile = left[0, 16:48].mean(0)
    assert float(profile[30:40].mean() - profile[18:28].mean()) == pytest.approx(10 * SD, rel=0.03)
    assert float(profile.diff()[28]) > 0.8 * 10 * SD


def test_the_original_decides_what_is_significant():
    original, left = noise(1, 64, 64), noise(1, 64, 64, seed=2)
    strong = original + 100 * SD * torch.randn(1, 64, 64, generator=torch.Generator().manual_seed(3))
    assert float(insignificant(left, strong, SD, (1.0, 1.0)).std()) < 0.1 * SD
    assert float(insignificant(left, original, SD, (1.0, 1.0)).std()) > 0.5 * SD


def test_nothing_is_insignificant_without_noise_nor_of_a_flat_image():
    image = phantom(96)[None]
    assert not insignificant(image, image, 0.0, (1.0, 1.0)).any()
    flat = torch.full((1, 64, 64), 0.7)
    assert float(insignificant(flat, flat, SD, (1.0, 1.0)).abs().max()) < 1e-5


def test_images_do_not_mix():
    images = noise(3, 64, 48)
    together = insignificant(images, images, SD, (1.0, 1.0))
    for alone, found in zip(images, together, strict=True):
        assert torch.allclose(insignificant(alone[None], alone[None], SD, (1.0, 1.0))[0], found, atol=1e-6)


@pytest.mark.parametrize("rows", [20, 21, 96])
def test_strips_leave_no_trace(monkeypatch, rows):
    images = phantom(96)[None, :rows] + noise(1, rows, 96)
    at_once = insignificant(images, images, SD, (1.0, 1.0))
    monkeypatch.setattr(significance, "_STRIP", 16)
    assert torch.allclose(insignificant(images, images, SD, (1.0, 1.0)), at_once, atol=1e-6)


def test_images_smaller_than_a_block():
    images = noise(1, 12, 5)
    assert insignificant(images, images, SD, (0.5, 0.5)).shape == images.shape
