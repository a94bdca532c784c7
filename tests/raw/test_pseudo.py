"""Image volumes made into the raw data that could have given them."""

from dataclasses import replace

import pytest
import torch

from lucidmr.physics.analytic import Ellipse, Rectangle, kspace
from lucidmr.physics.fourier import IN_PLANE, resize_kspace, to_image
from lucidmr.physics.noise import complex_noise
from lucidmr.raw.pseudo import MAX_COILS, NativeSlices, native_slices, pseudo_raw, synthetic_raw, thick_slices
from lucidmr.raw.volume import Volume
from lucidmr.reconstruct.combine import root_sum_of_squares, sensitivity_weighted
from properties import seeded

BODY = (
    Ellipse((0.0, 0.0), (0.42, 0.36)),
    Ellipse((0.1, 0.1), (0.1, 0.06), 0.3, -0.4),
    Rectangle((-0.15, -0.05), (0.08, 0.1), 0.2, 0.3),
)
NOISE = 0.03


def stored_volume(native: tuple[int, int], stored: tuple[int, int], scale: float = 400.0) -> Volume:
    """Three slices of the body, acquired on one matrix, stored zero-filled on another, and two of air."""
    samples = kspace(BODY, *native)
    noisy = torch.stack([samples + complex_noise(native, NOISE, seeded(seed)) for seed in range(3)])
    images = to_image(resize_kspace(noisy, stored), IN_PLANE).abs()
    return Volume(torch.cat([images, torch.zeros(2, *stored)]) * scale, "body.nii")


@pytest.mark.parametrize(("native", "stored"), [((96, 80), (128, 112)), ((80, 96), (160, 144)), ((96, 96), (96, 96))])
def test_the_scanners_interpolation_is_undone(native: tuple[int, int], stored: tuple[int, int]) -> None:
    slices = native_slices(stored_volume(native, stored))
    assert slices is not None
    assert slices.images.shape[0] == 3  # without the air
    assert slices.images.shape[1:] == pytest.approx(native, rel=0.07)
    assert slices.signal == pytest.approx(400.0, rel=0.03)
    assert slices.noise_sd == pytest.approx(400.0 * NOISE, rel=0.2)
    assert slices.source == "body.nii"


def test_negative_values_do_not_come_through() -> None:
    volume = stored_volume((96, 96), (96, 96))
    slices = native_slices(Volume(volume.images - 10.0, "shifted"))
    assert slices is not None
    assert float(slices.images.min()) >= 0.0


@pytest.mark.parametrize(
    "images",
    [torch.zeros(3, 96, 96), torch.full((2, 96, 96), -5.0), torch.ones(2, 40, 96)],
    ids=["air", "negative", "too small"],
)
def test_what_holds_nothing_to_learn_from_is_left_out(images: torch.Tensor) -> None:
    assert native_slices(Volume(images, "x")) is None


def flat_slices(noise_sd: float = 8.0) -> NativeSlices:
    """Uniform slices of signal 400, noise with a standard deviation of 8: what a pseudo scan makes of noise shows."""
    noise = noise_sd * torch.randn(4, 64, 72, generator=seeded(1))
    return NativeSlices(400.0 + noise, noise_sd, 400.0, "flat")


def test_the_seed_decides() -> None:
    slices = flat_slices()
    one, same, other = (pseudo_raw(slices, 1, seeded(seed)) for seed in (4, 4, 5))
    assert torch.equal(one.kspace, same.kspace)
    assert one.kspace.shape != other.kspace.shape or not torch.equal(one.kspace, other.kspace)


@pytest.mark.parametrize("seed", range(6))
def test_the_scan_tells_its_own_noise_and_signal(seed: int) -> None:
    """Shading and phase are drawn; the noise relative to the signal stays near the image's."""
    scan = pseudo_raw(flat_slices(), 0, seeded(seed))
    assert scan.signal == pytest.approx(1.0, rel=0.01)
    assert scan.noise_sd == pytest.approx(8.0 / 400.0)
    assert scan.source == "flat[0]"
    image = root_sum_of_squares(to_image(scan.kspace)).abs()[0]
    local_noise = (image[1:] - image[:-1]).std() / 2**0.5 / image.mean()
    assert float(local_noise) == pytest.approx(0.02, rel=0.35)
    assert float(image.median()) == pytest.approx(1.0, rel=0.3)


@pytest.mark.parametrize("seed", range(6))
def test_the_maps_are_those_that_the_scan_was_made_with(seed: int) -> None:
    scan = pseudo_raw(flat_slices(), 0, seeded(seed))
    assert scan.maps is not None
    coils = to_image(scan.kspace)
    combined = sensitivity_weighted(coils, scan.maps)
    torch.testing.assert_close(scan.maps * combined, coils, atol=1e-4, rtol=1e-4)


def test_few_coils_occur_and_many() -> None:
    slices = flat_slices()
    coils = {pseudo_raw(slices, 0, seeded(seed)).n_coils for seed in range(150)}
    assert min(coils) == 1
    assert 13 <= max(coils) <= MAX_COILS
    assert len(coils) > 10


@pytest.mark.parametrize(
    ("spacing", "is_volume"),
    [
        (None, False),
        ((4.0, 0.9, 0.9), False),
        ((1.0, 1.0, 1.0), True),
        ((2.0, 0.5, 0.5), True),
        ((3.0, 1.5, 1.6), True),
    ],
)
def test_slices_near_each_other_are_a_volume(spacing: tuple[float, float, float] | None, is_volume: bool) -> None:
    """Then one without tissue between others stays, as their neighbour."""
    volume = stored_volume((96, 96), (96, 96))
    images = torch.cat([volume.images[:2], torch.zeros(1, 96, 96), volume.images[2:]])
    slices = native_slices(replace(volume, images=images, spacing=spacing))
    assert slices is not None
    assert slices.is_volume == is_volume
    assert len(slices.images) == (4 if is_volume else 3)


@pytest.mark.parametrize("is_3d", [False, True])
def test_synthetic_scans_are_small_and_without_noise(is_3d: bool) -> None:
    for seed in range(4):
        scan = synthetic_raw(is_3d, seeded(seed))
        assert scan.noise_sd == 0.0
        assert scan.source == "synthetic"
        assert scan.maps is not None
        assert (scan.matrix[0] > 1) == is_3d
        assert min(scan.matrix[1:]) >= 64
        assert scan.kspace.numel() <= (4e6 if is_3d else 2.5e5)
    assert torch.equal(scan.kspace, synthetic_raw(is_3d, seeded(3)).kspace)


@pytest.mark.parametrize(("distance", "together"), [(1.0, 5), (1.2, 4), (2.6, 1), (0.2, 10), (None, 1), (0.0, 1)])
def test_thin_slices_make_thick_ones_with_less_noise(distance: float | None, together: int) -> None:
    images = 1.0 + 0.1 * torch.randn(11, 64, 64, generator=seeded(0))
    thin = NativeSlices(images, 0.1, 1.0, "v", is_volume=True, distance=distance)
    thick = thick_slices(thin, 5.0 if distance != 0.2 else 2.0)
    assert len(thick.images) == 11 // together
    torch.testing.assert_close(thick.images[0], images[:together].mean(0))
    assert thick.noise_sd == pytest.approx(0.1 / together**0.5)
    assert float(thick.images.std()) == pytest.approx(thick.noise_sd, rel=0.02)
    assert thick.distance == (pytest.approx(distance * together) if distance else distance)


def test_the_distance_of_native_slices_is_known() -> None:
    volume = stored_volume((96, 80), (128, 112))
    slices = [native_slices(replace(volume, spacing=spacing)) for spacing in (None, (4.0, 1.0, 1.0))]
    assert [one.distance for one in slices if one is not None] == [None, 4.0]
