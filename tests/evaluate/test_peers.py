"""Peers: each tuned to the noise reduction that is wanted."""

import pytest
import torch

from lucidmr.enhance.probe import NoiseEstimate, band_noise, probe
from lucidmr.evaluate.peers import DENOISERS, remove_gibbs, tune, unsharp_mask
from lucidmr.physics.phantoms import anatomy_phantom, image
from properties import seeded

NOISE = NoiseEstimate(5.0, 1.0, 1.0)
FAST = [peer for peer in DENOISERS if peer.name != "BM3D"]


@pytest.fixture(scope="module")
def noisy():
    return 100.0 * image(anatomy_phantom(), 128, 128).real.float() + band_noise((128, 128), NOISE, seeded(99))


@pytest.mark.parametrize("peer", FAST, ids=lambda peer: peer.name)
def test_the_noise_reduction_is_the_wanted_one(peer, noisy):
    pytest.importorskip(peer.package)
    tuned = tune(peer, noisy, NOISE, 1.8)
    assert tuned.noise_reduction == pytest.approx(1.8, rel=0.05)
    level = 0.05 / NOISE.sd

    def process(planes):
        return torch.stack([peer.method(plane * level, tuned.strength * 0.05) / level for plane in planes])

    fresh = [band_noise((1, 128, 128), NOISE, seeded(7 + turn)) for turn in range(2)]
    assert probe(process, lambda planes: planes, noisy[None], fresh).homogeneous == pytest.approx(1.8, rel=0.15)


def test_bm3d_is_tuned_on_the_middle(noisy):
    pytest.importorskip("bm3d")
    peer = next(peer for peer in DENOISERS if peer.name == "BM3D")
    assert tune(peer, noisy, NOISE, 2.0).noise_reduction == pytest.approx(2.0, rel=0.1)


def test_a_factor_of_one_leaves_the_image(noisy):
    assert tune(FAST[0], noisy, NOISE, 1.0).image is noisy


def test_unsharp_masking_keeps_flat_regions_and_steepens_edges():
    step = (torch.arange(32) >= 16).float().expand(32, 32)
    sharp = unsharp_mask(step, 1.0)
    assert torch.allclose(sharp[:, :8], torch.zeros(32, 8), atol=1e-6)
    assert float(sharp.diff(dim=1).max()) > 1.2
    assert torch.equal(unsharp_mask(step, 0.0), step)


def test_gibbs_removal_lowers_ringing():
    pytest.importorskip("dipy")
    ringing = torch.fft.fft(torch.fft.ifft((torch.arange(512) % 512 < 200).float())[:32].repeat(1), n=64).real
    plane = ringing.expand(64, 64).contiguous()
    removed = remove_gibbs(plane)
    assert removed is not None
    assert float(removed.diff(dim=1).abs().sum()) < float(plane.diff(dim=1).abs().sum())
