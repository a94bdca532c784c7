from functools import cache
from math import sqrt

import pytest
import torch

from lucidmr.physics.fourier import central_band, to_image
from lucidmr.physics.noise import complex_noise
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.combine import root_sum_of_squares, sensitivity_weighted
from lucidmr.reconstruct.g_factor import grappa_g_factor, sense_g_factor
from lucidmr.reconstruct.grappa import grappa, grappa_weights
from lucidmr.reconstruct.sense import sense, sense_lattice
from parallel_scans import array_maps, full_scan
from properties import random_complex, seeded

REPLICAS = 200
FLAT, SLAB = (1, 24, 48), (12, 8, 24)
LATTICES = [
    (UniformUndersampling(phase=2.0, calibration=(12, 24)), FLAT),
    (UniformUndersampling(phase=3.0, calibration=(12, 24)), FLAT),
    (UniformUndersampling(phase=2.0, slice=2.0, calibration=(12, 24)), SLAB),
    (UniformUndersampling(phase=2.0, slice=3.0, shift=1, calibration=(12, 24)), SLAB),
]
NAMES = [f"R{lattice.slice:g}x{lattice.phase:g}shift{lattice.shift}" for lattice, _ in LATTICES]
WIDE = [
    (UniformUndersampling(phase=2.0), (1, 16, 96)),
    (UniformUndersampling(phase=3.0), (1, 16, 96)),
    (UniformUndersampling(phase=2.0, slice=2.0, shift=1, calibration=(16, 24)), (48, 3, 48)),
]
scan = cache(full_scan)


def replicas(shape, sd=1.0):
    return complex_noise((REPLICAS, *shape), sd, seeded(7))


def measured_sd(images):
    """Per pixel and real or imaginary part."""
    return images.abs().square().mean(0).sqrt() / sqrt(2)


def assert_ratio_is_one(measured, predicted, within=0.02):
    """On average over the pixels; a pixel of 200 complex replicas scatters by 3.5 %."""
    ratio = measured / predicted
    assert float(ratio.mean()) == pytest.approx(1.0, abs=within)
    assert float(ratio.std()) < 0.05


@pytest.mark.parametrize(("undersampling", "matrix"), LATTICES, ids=NAMES)
@pytest.mark.parametrize("regularization", [0.0, 0.03])
def test_sense_noise(undersampling, matrix, regularization):
    maps = array_maps(12, matrix)
    images = sense_lattice(replicas(maps.shape), maps, undersampling, regularization)
    g = sense_g_factor(maps, undersampling, regularization)
    assert_ratio_is_one(measured_sd(images), sqrt(undersampling.factor) * g)


def test_sense_noise_of_maps_of_any_scale():
    maps = 3.0 * array_maps(12, FLAT)
    undersampling = UniformUndersampling(phase=2.0)
    images = sense_lattice(replicas(maps.shape), maps, undersampling, 0.0)
    assert_ratio_is_one(measured_sd(images), sqrt(2) * sense_g_factor(maps, undersampling) / 3.0)


def test_iterative_sense_has_the_same_noise():
    maps = array_maps(8, FLAT)
    undersampling = UniformUndersampling(phase=3.0)
    mask = undersampling.lattice(1, FLAT[2])[:, None, :].expand(FLAT)
    images = sense(replicas(maps.shape), maps.expand(REPLICAS, *maps.shape), mask, 0.01, 40)
    assert_ratio_is_one(measured_sd(images), sqrt(3) * sense_g_factor(maps, undersampling, 0.01))


def test_g_is_one_for_orthogonal_aliases_and_never_less():
    ideal = torch.zeros(2, 1, 4, 8, dtype=torch.complex64)
    ideal[0, ..., :4], ideal[1, ..., 4:] = 1.0, 1.0
    undersampling = UniformUndersampling(phase=2.0)
    torch.testing.assert_close(sense_g_factor(ideal, undersampling), torch.ones(1, 4, 8))
    assert sense_g_factor(random_complex(4, 1, 4, 8), undersampling).min() > 1 - 1e-5


def test_g_against_its_textbook_formula():
    maps = random_complex(6, 1, 1, 6)
    g = sense_g_factor(maps, UniformUndersampling(phase=3.0))
    for pixel in range(6):
        aliases = [pixel, (pixel + 2) % 6, (pixel + 4) % 6]
        gram = maps[:, 0, 0, aliases].mH @ maps[:, 0, 0, aliases]
        expected = (torch.linalg.inv(gram)[0, 0] * gram[0, 0]).real.sqrt()
        torch.testing.assert_close(g[0, 0, pixel], expected, atol=1e-3, rtol=1e-3)


def test_caipirinha_lowers_g():
    maps = array_maps(8, (16, 8, 32))
    straight, shifted = (sense_g_factor(maps, UniformUndersampling(phase=2.0, slice=2.0, shift=s)) for s in (0, 1))
    assert shifted.mean() < straight.mean()


def test_no_maps_no_noise():
    maps = array_maps(8, FLAT) * (torch.arange(FLAT[2]) > 5)
    g = sense_g_factor(maps, UniformUndersampling(phase=3.0))
    assert not g[..., :6].any()
    assert torch.isfinite(g).all()


def calibrated(undersampling, matrix):
    image, maps, full = scan(6, matrix)
    full = full + 0.01 * image.abs().max() * random_complex(*full.shape)
    rows, columns = (
        slice(*central_band(n, lines))
        for n, lines in zip((matrix[0], matrix[2]), undersampling.calibration, strict=True)
    )
    kernel = (1, 5, 4) if matrix[0] == 1 else (2, 3, 2)
    return maps, full, grappa_weights(full[..., rows, :, columns], undersampling, kernel)


@pytest.mark.parametrize(("undersampling", "matrix"), WIDE, ids=["R2", "R3", "CAIPI2x2"])
def test_grappa_noise_conjugate_weighted(undersampling, matrix):
    """On planes much wider than the kernel, whose gaps at the rim have fewer sources."""
    maps, full, weights = calibrated(undersampling, matrix)
    lattice = undersampling.lattice(matrix[0], matrix[2])[:, None, :].expand(matrix)
    images = to_image(grappa(replicas(full.shape) * lattice, lattice, weights))
    g = grappa_g_factor(weights, maps)
    assert_ratio_is_one(measured_sd(sensitivity_weighted(images.unbind(-4), maps)), sqrt(undersampling.factor) * g)


def test_grappa_noise_root_sum_of_squares():
    """Noise a hundred times weaker than the signal; where there is none, a root sum of squares is not linear."""
    undersampling, matrix = WIDE[0]
    _, full, weights = calibrated(undersampling, matrix)
    lattice = undersampling.lattice(matrix[0], matrix[2])[:, None, :].expand(matrix)
    clean = to_image(grappa(full * lattice, lattice, weights))
    signal = root_sum_of_squares(clean).abs()
    sd = 1e-3 * float(signal.max())
    noise = to_image(grappa(replicas(full.shape, sd) * lattice, lattice, weights))
    noisy = root_sum_of_squares((clean + noise).unbind(-4)).abs()
    body = signal > 0.1 * signal.max()
    ratio = (noisy.std(0) / (sd * sqrt(2) * grappa_g_factor(weights, clean)))[body]
    assert float(ratio.mean()) == pytest.approx(1.0, abs=0.02)


def test_grappa_without_acceleration():
    maps = array_maps(4, FLAT)
    weights = grappa_weights(random_complex(4, 1, 24, 24), UniformUndersampling(phase=1.0))
    torch.testing.assert_close(grappa_g_factor(weights, maps), torch.ones(FLAT))


def test_coils_must_fit():
    weights = grappa_weights(random_complex(4, 1, 24, 24), UniformUndersampling(phase=2.0))
    with pytest.raises(ValueError, match="combination has 3 coils; it must have the 4 of weights"):
        grappa_g_factor(weights, array_maps(3, FLAT))
