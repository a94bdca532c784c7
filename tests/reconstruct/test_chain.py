"""The scanner's chain from k-space to the stored image."""

from dataclasses import replace
from math import pi

import pytest
import torch
from torch import Tensor

from lucidmr.degrade.apply import acquire
from lucidmr.physics.analytic import Ellipse, kspace
from lucidmr.physics.coils import loop_array_maps, smooth_phase
from lucidmr.physics.fourier import IN_PLANE, to_image, to_kspace
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from lucidmr.reconstruct.chain import coil_images, filtered, reconstruct, store, unalias
from lucidmr.reconstruct.partial_fourier import PartialFourierMethods
from lucidmr.reconstruct.sensitivities import Sensitivities
from lucidmr.reconstruct.settings import CompressedSensing, Grappa, Reconstruction, Sense
from properties import assert_linear, noise_sd, random_complex, seeded
from scans import DISC, PLAIN, disc_scan, full, inside

FULL = Sampling(full(48), full(48))
N = 64
BODY = (DISC, Ellipse((0.1, 0.1), (0.1, 0.06), 0.3, -0.4), Ellipse((-0.15, -0.1), (0.08, 0.12), 0.0, 0.5))
UNIFORM = UniformUndersampling(2.0, calibration=(1, 20))
RANDOM = RandomUndersampling(2.0, (1, 20), seed=3)


def body_scan(coils: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """k-space, sensitivities and magnitude of a body with smooth phase."""
    maps = loop_array_maps(coils, (1, N, N), seeded(3))
    truth = to_image(kspace(BODY, N, N), IN_PLANE)
    image = truth * smooth_phase((1, N, N), 0.4, seeded(4))
    return to_kspace(maps * image), maps, truth.abs()[None]


def error(found: Tensor, truth: Tensor) -> float:
    return float((found - truth).norm() / truth.norm())


@pytest.mark.parametrize("combination", ["root_sum_of_squares", "sensitivity_weighted", "phase_sum"])
def test_the_scenario_that_does_nothing_gives_the_image(combination: str) -> None:
    scan = disc_scan(coils=3)
    how = replace(PLAIN, combination=combination, sensitivities="known")
    expected = to_image(kspace([DISC], 48, 48), IN_PLANE).abs()
    found = reconstruct(acquire(scan.kspace, FULL), how, scan.maps)
    step = float(expected.amax()) / how.levels
    assert float((found - expected).abs().max()) < 0.6 * step + 1e-5


METHODS: dict[str, tuple[Sampling, Reconstruction]] = {
    "GRAPPA": (Sampling(full(N), full(N), undersampling=UNIFORM), Reconstruction((1, N, N), Grappa())),
    "GRAPPA, separate lines": (
        Sampling(full(N), full(N), undersampling=replace(UNIFORM, integrated=False)),
        Reconstruction((1, N, N), Grappa()),
    ),
    "SENSE": (Sampling(full(N), full(N), undersampling=UNIFORM), Reconstruction((1, N, N), Sense())),
    "SENSE, closed form": (
        Sampling(full(N), full(N), undersampling=replace(UNIFORM, integrated=False)),
        Reconstruction((1, N, N), Sense(), "walsh"),
    ),
    "SENSE 2.5": (
        Sampling(full(N), full(N), undersampling=UniformUndersampling(2.5, calibration=(1, 20))),
        Reconstruction((1, N, N), Sense(), "inati"),
    ),
    "wavelets": (
        Sampling(full(N), full(N), undersampling=RANDOM),
        Reconstruction((1, N, N), CompressedSensing("wavelet", 1e-3)),
    ),
    "total variation": (
        Sampling(full(N), full(N), undersampling=RANDOM),
        Reconstruction((1, N, N), CompressedSensing("total_variation", 1e-3)),
    ),
    "homodyne": (
        Sampling(full(N), AxisSampling(N, 0.625)),
        Reconstruction((1, N, N), partial_fourier=PartialFourierMethods(phase="homodyne")),
    ),
    "GRAPPA and POCS": (
        Sampling(full(N), AxisSampling(N, 0.75), undersampling=UNIFORM),
        Reconstruction((1, N, N), Grappa(), partial_fourier=PartialFourierMethods(phase="pocs")),
    ),
    "SENSE and conjugate synthesis": (
        Sampling(AxisSampling(N, 0.75, early=False), full(N), undersampling=UNIFORM),
        Reconstruction((1, N, N), Sense(), partial_fourier=PartialFourierMethods(freq="conjugate")),
    ),
}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_the_image_back(name: str) -> None:
    samples, maps, truth = body_scan()
    sampling, how = METHODS[name]
    acquired = acquire(samples, sampling)
    empty = Reconstruction((1, N, N))
    without = error(reconstruct(acquired, empty), truth)
    found = error(reconstruct(acquired, how, maps), truth)
    assert found < 0.08
    assert found < 0.6 * without


def test_methods_that_combine_do_so_without_undersampling_too() -> None:
    samples, maps, truth = body_scan()
    how = Reconstruction((1, N, N), Sense(), "known")
    sampling = Sampling(full(N), full(N))
    acquired = acquire(samples, sampling)
    assert unalias(acquired, how, Sensitivities(acquired.calibration, "known", maps)).shape[-4] == 1
    assert error(reconstruct(acquired, how, maps), truth) < 1e-3


def test_three_dimensions_go_the_same_way() -> None:
    matrix = (12, 32, 32)
    truth = torch.zeros(matrix)
    truth[3:9, 6:26, 8:24] = 1.0
    maps = loop_array_maps(8, matrix, seeded(5))
    sampling = Sampling(full(32), full(32), full(12), undersampling=UniformUndersampling(2.0, 1.0, 0, (12, 16)))
    acquired = acquire(to_kspace(maps * truth), sampling)
    for how in (Reconstruction(matrix, Sense(1e-4, 30), "known"), Reconstruction(matrix, Grappa((3, 3, 4), 1e-4))):
        assert error(reconstruct(acquired, how, maps), truth) < 0.05


@pytest.mark.parametrize("matrix", [(1, 48, 48), (1, 70, 96), (1, 61, 53)])
def test_signal_survives_zero_filling_and_filters(matrix: tuple[int, int, int]) -> None:
    how = replace(PLAIN, window="hann", window_strength=0.6, matrix=matrix)
    found = reconstruct(acquire(disc_scan(coils=2).kspace, FULL), how)
    assert found.shape == matrix
    assert float(found[..., inside(matrix)].mean()) == pytest.approx(1.0, abs=0.005)


def test_the_linear_part_is_linear() -> None:
    samples, maps, _ = body_scan(4)
    sampling = Sampling(full(N), full(N), undersampling=UNIFORM)
    how = Reconstruction((1, 72, 65), Grappa(), window="tukey", window_strength=0.5)
    lines = acquire(samples, sampling).calibration
    sensitivities = Sensitivities(lines, "known", maps)

    def chain(raw: Tensor) -> Tensor:
        filled = filtered(replace(acquire(raw, sampling), calibration=lines), how, sensitivities)
        return torch.stack(list(coil_images(filled, how.matrix)))

    assert_linear(chain, 4, 1, N, N)


@pytest.mark.parametrize("name", METHODS)
def test_the_scale_of_the_data_does_not_matter(name: str) -> None:
    samples, maps, _ = body_scan(4)
    sampling, how = METHODS[name]
    one, other = (reconstruct(acquire(scale * samples, sampling), how, maps) for scale in (1.0, 4096.0))
    torch.testing.assert_close(other / 4096.0, one, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("matrix", [(1, 48, 48), (1, 60, 81)])
@pytest.mark.parametrize("name", ["none", "hamming", "fermi"])
@pytest.mark.parametrize("fraction", [1.0, 0.7])
def test_noise_after_windows_and_zero_filling_is_as_predicted(
    matrix: tuple[int, int, int], name: str, fraction: float
) -> None:
    """The root mean square of mask times window over the scan's matrix; zero-filling leaves it."""
    how = replace(PLAIN, window=name, window_strength=0.6, matrix=matrix)
    sampling = Sampling(AxisSampling(44), AxisSampling(40, fraction))
    sensitivities = Sensitivities(torch.ones(1, 1, 8, 8, dtype=torch.complex64), "walsh")

    def single_coil(raw: Tensor, matrix: tuple[int, int, int]) -> Tensor:
        return next(coil_images(filtered(acquire(raw, sampling), how, sensitivities), matrix))

    predicted = noise_sd(single_coil(torch.ones(1, 1, 48, 48, dtype=torch.complex64), (1, 44, 40))) * 2**0.5
    noise = single_coil(random_complex(40, 1, 1, 48, 48), matrix)
    assert noise_sd(noise) == pytest.approx(predicted, rel=0.02)


def test_a_real_component_has_noise_of_both_signs() -> None:
    """Where there is no signal, magnitudes pile up above 0 and real parts do not (PSIR)."""
    scan = disc_scan((N, N), 4, noise_sd=0.05)
    acquired = acquire(scan.kspace, Sampling(full(N), full(N)))
    how = Reconstruction((1, N, N), Sense(), "known")
    magnitude, real = (reconstruct(acquired, replace(how, component=kind), scan.maps) for kind in ("magnitude", "real"))
    air = (slice(None), slice(0, 5))
    assert float(magnitude[air].amin()) >= 0.0
    assert float(real[air].amin()) < -0.05
    assert float(real[air].mean()) < 0.5 * float(magnitude[air].mean())
    disc = inside((N, N))
    assert float(real[..., disc].mean()) == pytest.approx(float(magnitude[..., disc].mean()), rel=0.01)


def test_phase_lies_between_minus_pi_and_pi() -> None:
    samples, maps, _ = body_scan(4)
    how = Reconstruction((1, N, N), Sense(), "known", component="phase")
    found = reconstruct(acquire(samples, Sampling(full(N), full(N))), how, maps)
    assert -pi - 1e-3 <= float(found.amin()) < float(found.amax()) <= pi + 1e-3


def test_prescan_normalization_takes_the_arrays_shading_away() -> None:
    maps = loop_array_maps(8, (1, N, N), seeded(3), shaded=True)
    truth = to_image(kspace([DISC], N, N), IN_PLANE)
    acquired = acquire(to_kspace(maps * truth), Sampling(full(N), full(N)))
    shaded = reconstruct(acquired, Reconstruction((1, N, N)), maps)[..., inside((N, N))]
    how = Reconstruction((1, N, N), normalization="prescan", normalization_strength=1.0)
    even = reconstruct(acquired, how, maps)[..., inside((N, N))]
    assert float(even.std() / even.mean()) < 0.3 * float(shaded.std() / shaded.mean())


def test_headroom_below_one_clips() -> None:
    image = torch.tensor([[[1.0, 0.85, 0.5]]])
    stored = store(image, 1.0, replace(PLAIN, headroom=0.9))
    torch.testing.assert_close(stored, torch.tensor([[[0.9, 0.85, 0.5]]]), atol=1e-4, rtol=0)


def test_missing_sensitivities_are_named() -> None:
    acquired = acquire(random_complex(2, 1, 48, 48), FULL)
    how = replace(PLAIN, combination="sensitivity_weighted", sensitivities="known")
    with pytest.raises(ValueError, match="sensitivities 'known' needs known sensitivities, and the scan has none"):
        reconstruct(acquired, how)
    with pytest.raises(ValueError, match="prescan normalization needs known sensitivities"):
        reconstruct(acquired, replace(PLAIN, normalization="prescan"))


def test_methods_that_do_not_fit_the_sampling_are_named() -> None:
    acquired = acquire(body_scan(4)[0], Sampling(full(N), full(N), undersampling=RANDOM))
    with pytest.raises(ValueError, match="GRAPPA and SENSE need uniform undersampling"):
        reconstruct(acquired, Reconstruction((1, N, N), Grappa()))
