"""One image made into many."""

import pytest
import torch

from lucidmr.raw.augment import LEAST_MATRIX, augmented, cut_out, excited, slab_around
from lucidmr.raw.pseudo import NativeSlices, PseudoRaw, pseudo_raw
from properties import seeded


def wedge(slices: int = 1) -> torch.Tensor:
    """A bright corner of each first slice's first quarter: it tells every orientation."""
    images = torch.zeros(slices, 96, 104)
    images[: (slices + 1) // 2, :48, :52] = 1.0
    return images


def test_every_orientation_occurs() -> None:
    seen = set()
    for seed in range(300):
        images, _ = augmented(wedge(2), 0.0, seeded(seed))
        n_slice, n_freq, n_phase = images.shape
        bright = images > 0.3 * images.amax()
        halves = (bright[: n_slice // 2], bright[:, : n_freq // 2], bright[..., : n_phase // 2])
        seen.add((n_freq > n_phase, *(bool(half.sum() > 0.5 * bright.sum()) for half in halves)))
    assert len(seen) == 16


def test_the_noise_in_tissue_is_told() -> None:
    """It changes with resolution and contrast, and with the slope of the tone curve at the tissue's signal."""
    flat = 1.0 + 0.02 * torch.randn(2, 160, 160, generator=seeded(0))
    flat[:, :16] = 3.0  # the curve is drawn over the whole range of signals
    told, measured = [], []
    for seed in range(30):
        images, noise_sd = augmented(flat, 0.02, seeded(seed))
        rows = images.shape[1] // 4
        tissue = images[:, rows : 3 * rows, rows : 3 * rows]
        told.append(noise_sd)
        # Along rows and columns lies the ringing of what is bright.
        noise = tissue - tissue.mean(1, keepdim=True) - tissue.mean(2, keepdim=True) + tissue.mean((1, 2), keepdim=True)
        measured.append(float(noise.square().mean().sqrt()))
    assert max(told) > 1.5 * min(told)
    assert measured == pytest.approx(told, rel=0.1)


def test_air_stays_dark_and_contrast_is_turned_over_now_and_then() -> None:
    tissues = torch.zeros(1, 96, 96)
    tissues[:, 20:40, 20:76], tissues[:, 40:76, 20:76] = 0.7, 1.6
    turned = 0
    for seed in range(60):
        images, _ = augmented(tissues, 0.0, seeded(seed))
        values = images.flatten().sort().values
        assert float(values[len(values) // 3]) < 0.15 * float(values[-1])
        bright = (images > 0.8 * images.amax()).float().mean() * 96 * 96
        turned += bool(bright < 1500.0)  # the smaller piece is the brighter one
    assert 6 <= turned <= 25


@pytest.mark.parametrize("tighter", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_cut_image_is_small_enough_and_fades_at_its_borders(seed: int, tighter: bool) -> None:
    cut = cut_out(torch.ones(1, 200, 240), 150 * 150, seeded(seed), tighter)
    assert cut[0].numel() <= 1.05 * 150 * 150
    assert min(cut.shape[1:]) >= LEAST_MATRIX
    assert float(cut[0, 20, 20]) == 1.0
    for line in (cut[0, 0], cut[0, -1]):
        assert float(line.amax()) < 0.1 or cut.shape[1] == 200


def test_what_is_small_enough_is_not_cut() -> None:
    whole = torch.rand(1, 70, 80, generator=seeded(1))
    assert torch.equal(cut_out(whole, 70 * 80, seeded(0), tighter=False), whole)


@pytest.mark.parametrize("count", [8, 30, 200])
def test_a_slab_holds_its_slice(count: int) -> None:
    for seed in range(20):
        index = seed * (count - 1) // 19
        slab = slab_around(index, count, seeded(seed))
        assert 0 <= slab.start <= index < slab.stop <= count
        assert slab.stop - slab.start == count if count < 16 else 16 <= slab.stop - slab.start <= 48


def test_a_slab_fades_at_its_ends() -> None:
    profile = excited(torch.ones(16, 2, 2))[:, 0, 0]
    assert torch.equal(profile, profile.flip(0))
    assert float(profile[0]) < 0.2
    assert torch.equal(profile[2:14], torch.ones(12))


def test_a_slab_becomes_one_3d_scan() -> None:
    images = 100.0 * (1.0 + 0.1 * torch.rand(40, 80, 72, generator=seeded(3)))
    volume = NativeSlices(images, 1.0, 105.0, "v", is_volume=True)
    scan = pseudo_raw(volume, slice(4, 24), seeded(1), augment=False)
    assert scan.matrix == (20, 80, 72)
    assert scan.noise_sd == pytest.approx(1.0 / 105.0)
    assert scan.maps is not None
    assert scan.source == "v[4]"


@pytest.mark.parametrize("slab", [False, True])
def test_a_stored_record_makes_the_same_scan(slab: bool) -> None:
    images = NativeSlices(torch.rand(40, 80, 72, generator=seeded(3)), 0.01, 0.7, "v", is_volume=True)
    how = PseudoRaw(7, slab, augment=True)
    chosen = how.chosen(20, 40)
    part = NativeSlices(images.images[chosen], 0.01, 0.7, "v")
    one, same = how.scan(part, "v[20]"), PseudoRaw(7, slab, augment=True).scan(part, "v[20]")
    assert torch.equal(one.kspace, same.kspace)
    assert (one.matrix[0] > 1) == slab
    assert one.source == "v[20]"
