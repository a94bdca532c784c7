"""What an image tells about its acquisition, on phantoms whose acquisition is known."""

import pytest
import torch
from torch import Tensor

from lucidmr.physics.analytic import Ellipse, Rectangle, image, kspace
from lucidmr.physics.fourier import IN_PLANE, resize_kspace, to_image
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.phantoms import anatomy_phantom, random_phantom
from lucidmr.physics.spectrum import acquired_extent, noise_level, typical_signal
from properties import seeded

PHANTOMS = {"anatomy": anatomy_phantom(), "random": random_phantom(seeded(3), 40)}
SIMPLE = (
    Ellipse((0.0, 0.0), (0.42, 0.36)),
    Ellipse((0.1, 0.1), (0.1, 0.06), 0.3, -0.4),
    Rectangle((-0.15, -0.05), (0.08, 0.1), 0.2, 0.3),
)


def scanned(samples: Tensor, noise: float, matrix: tuple[int, int]) -> Tensor:
    """The magnitude image, zero-filled to a matrix, of k-space with noise."""
    noisy = samples + complex_noise(tuple(samples.shape), noise, seeded())
    return to_image(resize_kspace(noisy, matrix), IN_PLANE).abs()[None]


@pytest.mark.parametrize("noise", [0.005, 0.05])
@pytest.mark.parametrize("name", PHANTOMS)
def test_the_extent_is_the_inverse_of_zero_filling(name: str, noise: float) -> None:
    samples = kspace(PHANTOMS[name], 96, 80)
    for matrix in ((96, 120), (144, 160), (192, 80), (128, 112)):
        found = acquired_extent(scanned(samples, noise, matrix))
        assert found == pytest.approx((96 / matrix[0], 80 / matrix[1]), abs=0.05)


def test_what_was_fully_acquired_has_extent_one() -> None:
    for phantom in PHANTOMS.values():
        assert acquired_extent(scanned(kspace(phantom, 96, 80), 0.01, (96, 80))) == (1.0, 1.0)


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.1])
def test_the_noise_level_is_found(noise: float) -> None:
    found = noise_level(scanned(kspace(SIMPLE, 128, 128), noise, (128, 128)))
    assert found == pytest.approx(noise, rel=0.15)


def test_the_noise_level_follows_the_images_units() -> None:
    images = scanned(kspace(SIMPLE, 96, 96), 0.05, (96, 96))
    assert noise_level(1000.0 * images) == pytest.approx(1000.0 * noise_level(images), rel=1e-4)


def test_air_has_no_noise_level_and_no_signal() -> None:
    assert noise_level(torch.zeros(2, 64, 64)) == 0.0
    assert typical_signal(torch.zeros(2, 64, 64)) == 0.0


def test_the_typical_signal_is_that_of_most_tissue() -> None:
    images = image(SIMPLE, 96, 96).abs()[None]
    assert typical_signal(images) == pytest.approx(1.0, abs=0.01)
    assert typical_signal(images + 0.02 * torch.rand(images.shape, generator=seeded())) == pytest.approx(1.0, abs=0.03)
