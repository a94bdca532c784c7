"""Peers: each tuned to the noise reduction that is wanted."""

from dataclasses import replace

import pytest
import torch

from lucidmr.enhance.probe import probe
from lucidmr.evaluate.peers import DENOISERS, remove_gibbs, sharpened, tune, unsharp_mask
from lucidmr.physics.image_noise import NoiseEstimate, band_noise
from lucidmr.physics.phantoms import anatomy_phantom, image
from properties import seeded

NOISE = NoiseEstimate(5.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def noisy():
    return 100.0 * image(anatomy_phantom(), 128, 128).real.float() + band_noise((128, 128), NOISE, seeded(99))


@pytest.mark.parametrize("peer", DENOISERS, ids=lambda peer: peer.name)
def test_the_noise_reduction_is_the_wanted_one(peer, noisy):
    pytest.importorskip(peer.package)
    tuned = tune(peer, noisy, NOISE, 1.8)
    assert tuned.noise_reduction == pytest.approx(1.8, rel=0.05)
    level = 0.05 / NOISE.sd

    def process(planes):
        return torch.stack([peer.method(plane * level, tuned.strength * 0.05) / level for plane in planes])

    fresh = [band_noise((1, 128, 128), NOISE, seeded(7 + turn)) for turn in range(2)]
    assert probe(process, lambda planes: planes, noisy[None], fresh).homogeneous == pytest.approx(1.8, rel=0.15)


def test_a_factor_of_one_leaves_the_image(noisy):
    assert tune(DENOISERS[0], noisy, NOISE, 1.0).image is noisy


def test_a_method_that_only_overshoots_is_not_used(noisy):
    strong = replace(DENOISERS[0], method=lambda plane, _: 0.01 * plane)
    tuned = tune(strong, noisy, NOISE, 1.05)
    assert (tuned.strength, tuned.noise_reduction) == (0.0, 1.0)
    assert tuned.image is noisy


def test_unsharp_masking_keeps_flat_regions_and_steepens_edges():
    step = (torch.arange(32) >= 16).float().expand(32, 32)
    sharp = unsharp_mask(step, 1.0)
    assert torch.allclose(sharp[:, :8], torch.zeros(32, 8), atol=1e-6)
    assert float(sharp.diff(dim=1).max()) > 1.2
    assert torch.equal(unsharp_mask(step, 0.0), step)


def test_unsharp_masking_reaches_a_wanted_sharpness(noisy):
    def steepest(image):
        return float(image.diff(dim=1).abs().max() / noisy.diff(dim=1).abs().max())

    assert steepest(sharpened(noisy, steepest, 1.6)) == pytest.approx(1.6, rel=0.05)
    assert sharpened(noisy, steepest, 1.0) is noisy
    assert sharpened(noisy, steepest, float("nan")) is noisy


def test_gibbs_removal_lowers_ringing():
    pytest.importorskip("dipy")
    ringing = torch.fft.fft(torch.fft.ifft((torch.arange(512) % 512 < 200).float())[:32].repeat(1), n=64).real
    plane = ringing.expand(64, 64).contiguous()
    removed = remove_gibbs(plane)
    assert removed is not None
    assert float(removed.diff(dim=1).abs().sum()) < float(plane.diff(dim=1).abs().sum())
