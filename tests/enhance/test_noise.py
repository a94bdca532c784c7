"""The noise of an image: statistic and gauge."""

import pytest
import torch

from lucidmr.enhance.noise import measure_noise
from lucidmr.network.noise_gauge import NoiseGauge
from lucidmr.physics.image_noise import NoiseEstimate, estimate_noise
from noisy_head import SIGNAL, acquire, phantom


@pytest.mark.parametrize("snr", [8, 20, 50])
@pytest.mark.parametrize("grid", [(192, 192), (300, 384)])
def test_the_packaged_gauge_knows_the_noise_of_a_phantom(snr: float, grid: tuple[int, int]) -> None:
    image = acquire(phantom(192), SIGNAL / snr, grid)
    assert measure_noise(image).sd == pytest.approx(SIGNAL / snr, rel=0.3)


def test_slices_are_judged_together_and_units_do_not_matter() -> None:
    image = acquire(phantom(128), SIGNAL / 20, (128, 128))
    once = measure_noise(image)
    assert measure_noise(torch.stack([image] * 3)).sd == pytest.approx(once.sd, rel=0.02)
    assert measure_noise(1000 * image).sd == pytest.approx(1000 * once.sd, rel=1e-3)
    assert (once.extent_freq, once.extent_phase) == (1.0, 1.0)


def test_a_few_images_of_fine_texture_do_not_decide() -> None:
    texture = 0.05 * SIGNAL * torch.randn(128, 128, generator=torch.Generator().manual_seed(9))
    plain = [acquire(phantom(128, seed), SIGNAL / 40, (128, 128)) for seed in (3, 4, 5)]
    images = torch.stack([*plain, *(image + texture for image in plain[:2])])
    assert measure_noise(images).sd == pytest.approx(measure_noise(torch.stack(plain)).sd, rel=0.2)


def test_empty_slices_say_nothing_of_noise() -> None:
    image = acquire(phantom(128), SIGNAL / 20, (128, 128))
    empty = torch.zeros_like(image)
    found = measure_noise(torch.stack([empty, image, empty, empty]))
    assert found.sd == pytest.approx(measure_noise(image).sd, rel=0.05)


def test_the_gauge_corrects_the_level_alone() -> None:
    gauge = NoiseGauge().eval()
    torch.nn.init.constant_(gauge.head[-1].bias, 2.0**0.5 - 1.0)
    image = acquire(phantom(128), SIGNAL / 20, (256, 256))
    plain, found = estimate_noise(image), measure_noise(image, gauge=gauge)
    assert found.sd == pytest.approx(plain.sd * 2.718281828 ** (2.0**0.5 - 1.0), rel=1e-4)
    assert (found.extent_freq, found.extent_phase) == (plain.extent_freq, plain.extent_phase)


def test_an_empty_image_has_no_noise() -> None:
    assert measure_noise(torch.zeros(64, 64)) == NoiseEstimate(0.0, 1.0, 1.0)
