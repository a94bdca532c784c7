import pytest
import torch

from lucidmr.evaluate.truths import thick_truth, without_floor
from lucidmr.raw.pseudo import NativeSlices

NOISE = 0.02
CHANNELS = 32


def disc(side=96):
    place = torch.arange(side) - side / 2 + 0.5
    return (torch.hypot(place[:, None], place) < 0.35 * side).float()


def magnitudes(count, noise=NOISE, channels=CHANNELS):
    """A disc of signal 1, the root sum of squares of some channels, acquired several times."""
    generator = torch.Generator().manual_seed(2)
    signal = disc().expand(count, 96, 96) / channels**0.5
    parts = noise * torch.randn(2 * channels, count, 96, 96, generator=generator)
    parts[:channels] += signal
    return parts.square().sum(0).sqrt()


def test_the_air_of_an_average_gets_dark_and_tissue_as_bright_as_it_is():
    average = magnitudes(16).mean(0, keepdim=True)
    air = disc()[None] == 0
    assert float(average[air].mean()) > 0.1
    dark = without_floor(average, NOISE)
    assert float(dark[air].mean()) < 0.01
    assert float(dark[~air].mean()) == pytest.approx(1.0, abs=0.005)


def test_what_has_no_floor_stays_as_it_is():
    clean = disc()[None] + 0.3 * disc()[None].roll(5, -1)
    assert torch.equal(without_floor(clean, NOISE), clean)


def test_an_offset_brighter_than_noise_can_make_air_is_kept():
    bright = disc()[None] + 0.4
    assert torch.equal(without_floor(bright, NOISE), bright)


def test_thin_slices_are_averaged_and_their_floor_is_judged_by_their_own_noise():
    thin = NativeSlices(magnitudes(32), NOISE, 1.0, "disc", distance=0.3)
    thick = thick_truth(thin)
    assert len(thick.images) == 2
    assert thick.noise_sd == pytest.approx(NOISE / 4)
    # By the noise that is left after averaging, the floor would be too bright to be one.
    assert float(thick.images[:, disc() == 0].mean()) < 0.01
