"""The scanner's chain from k-space to the stored image."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lucidmr.degrade.apply import undersample
from lucidmr.degrade.draw import Sampling
from lucidmr.physics.analytic import kspace
from lucidmr.physics.fourier import to_image
from lucidmr.physics.sampling import AxisSampling
from lucidmr.physics.windows import window
from lucidmr.reconstruct.chain import Reconstruction, coil_images, draw_reconstruction, magnitude, store
from properties import assert_linear, noise_sd, random_complex, seeded
from scans import DISC, PLAIN, disc_scan, full, inside

FULL = Sampling(full(48), full(48))


def test_the_scenario_that_does_nothing_gives_the_image() -> None:
    scan = disc_scan(coils=3)
    expected = to_image(kspace([DISC], 48, 48)).abs()
    for combination in ("root_sum_of_squares", "sensitivity_weighted"):
        how = replace(PLAIN, combination=combination)
        found = magnitude(coil_images(scan.kspace, FULL, how), scan.maps, how)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        stored = store(found, float(found.amax()), how)
        assert float((stored - expected).abs().max()) < 0.6 * float(found.amax()) / how.levels + 1e-5


def test_headroom_below_one_clips() -> None:
    image = torch.tensor([[1.0, 0.85, 0.5]])
    stored = store(image, 1.0, replace(PLAIN, headroom=0.9))
    torch.testing.assert_close(stored, torch.tensor([[0.9, 0.85, 0.5]]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("matrix", [(48, 48), (70, 96), (61, 53)])
def test_signal_survives_zero_filling_and_filters(matrix: tuple[int, int]) -> None:
    how = replace(PLAIN, window="hann", window_strength=0.6, matrix=matrix)
    scan = disc_scan(coils=2)
    found = magnitude(coil_images(scan.kspace, FULL, how), None, how)
    assert found.shape == matrix
    assert float(found[inside(matrix)].mean()) == pytest.approx(1.0, abs=0.005)


def test_the_linear_part_is_linear() -> None:
    how = replace(PLAIN, window="tukey", window_strength=0.5, matrix=(57, 64))
    assert_linear(lambda samples: coil_images(samples, FULL, how), 2, 48, 48)


@pytest.mark.parametrize("matrix", [(48, 48), (60, 81)])
@pytest.mark.parametrize("name", ["none", "hamming", "fermi"])
@pytest.mark.parametrize("fraction", [1.0, 0.7])
def test_noise_after_the_linear_part_is_as_predicted(matrix: tuple[int, int], name: str, fraction: float) -> None:
    """The root mean square of mask times window over the scan's matrix; zero-filling leaves it."""
    how = replace(PLAIN, window=name, window_strength=0.6, matrix=matrix)
    phase = AxisSampling(40, fraction)
    sampling = Sampling(AxisSampling(44), phase)
    weights_freq, weights_phase = window(48, 44, name, 0.6), window(48, 40, name, 0.6)
    weights_freq[:2], weights_freq[-2:] = 0, 0  # 44 of 48 samples
    first = 4 + 40 - phase.samples
    weights_phase[:first], weights_phase[-4:] = 0, 0
    predicted = float((weights_freq[:, None] * weights_phase).square().mean().sqrt())
    noise = coil_images(undersample(random_complex(40, 48, 48), sampling), sampling, how)
    assert noise_sd(noise) == pytest.approx(predicted, rel=0.02)


def test_combinations_agree_without_noise_only() -> None:
    def difference(noise: float) -> float:
        scan = disc_scan(coils=4, noise_sd=noise)
        images = coil_images(scan.kspace, FULL, PLAIN)
        weighted = magnitude(images, scan.maps, replace(PLAIN, combination="sensitivity_weighted"))
        return float((magnitude(images, scan.maps, PLAIN) - weighted).abs().max())

    assert difference(0.0) < 1e-5
    assert difference(0.1) > 0.05


def test_missing_sensitivities_are_named() -> None:
    how = replace(PLAIN, combination="sensitivity_weighted")
    with pytest.raises(ValueError, match="'sensitivity_weighted' needs sensitivities, and the scan has none"):
        magnitude(random_complex(2, 48, 48), None, how)


@given(seed=st.integers(0, 10_000), matrix=st.tuples(st.integers(32, 320), st.integers(32, 320)), maps=st.booleans())
@settings(max_examples=40, deadline=None)
def test_draws_are_valid_reproducible_and_survive_json(seed: int, matrix: tuple[int, int], maps: bool) -> None:
    how = draw_reconstruction(matrix, maps, seeded(seed))
    assert how == draw_reconstruction(matrix, maps, seeded(seed))
    assert Reconstruction.from_json(json.loads(json.dumps(how.to_json()))) == how
    assert maps or how.combination == "root_sum_of_squares"
    assert all(n <= pixels <= 2 * n for n, pixels in zip(matrix, how.matrix, strict=True))
    assert 0.0 <= how.window_strength <= 1.0
    assert how.headroom >= 0.9
    assert how.levels in (4095, 65535)


def test_every_scenario_is_drawn() -> None:
    drawn = [draw_reconstruction((64, 64), True, seeded(seed)) for seed in range(200)]
    assert {how.window for how in drawn} == {"none", "hann", "hamming", "tukey", "fermi"}
    assert {how.combination for how in drawn} == {"root_sum_of_squares", "sensitivity_weighted"}
    assert {how.levels for how in drawn} == {4095, 65535}
    unfiltered = sum(how.window == "none" for how in drawn) / len(drawn)
    plain = sum(how.matrix == (64, 64) for how in drawn) / len(drawn)
    assert unfiltered == pytest.approx(1 / 3, abs=0.14)
    assert plain == pytest.approx(0.5, abs=0.15)
