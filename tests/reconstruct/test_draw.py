"""Drawn scenarios fit what was acquired, are reproducible and survive JSON."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucidmr.degrade.draw import Degradation
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from lucidmr.reconstruct.draw import draw_reconstruction
from lucidmr.reconstruct.settings import CompressedSensing, Grappa, Reconstruction, Sense
from properties import seeded
from scans import degradation, full

PLANE = Sampling(full(64), AxisSampling(64, 0.7))
VOLUME = Sampling(full(64), full(64), AxisSampling(24, 0.8))
PATTERNS = [None, UniformUndersampling(2.0), UniformUndersampling(2.5), RandomUndersampling(3.0)]


def sampled(sampling: Sampling, pattern: UniformUndersampling | RandomUndersampling | None) -> Degradation:
    return degradation(sampling.unaccelerated, replace(sampling, undersampling=pattern))


@given(
    seed=st.integers(0, 10_000),
    sampling=st.sampled_from([PLANE, VOLUME]),
    pattern=st.sampled_from(PATTERNS),
    maps=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_draws_are_reproducible_and_survive_json(
    seed: int, sampling: Sampling, pattern: UniformUndersampling | RandomUndersampling | None, maps: bool
) -> None:
    drawn = sampled(sampling, pattern)
    how = draw_reconstruction(drawn, sampling.matrix, maps, seeded(seed))
    assert how == draw_reconstruction(drawn, sampling.matrix, maps, seeded(seed))
    assert Reconstruction.from_json(json.loads(json.dumps(how.to_json()))) == how
    assert maps or (how.sensitivities != "known" and how.normalization != "prescan")
    assert all(n <= pixels <= 2 * n for n, pixels in zip(sampling.matrix, how.matrix, strict=True))
    assert how.matrix[0] == 1 or sampling is VOLUME
    assert 0.0 <= how.window_strength <= 1.0
    assert how.headroom >= 0.9
    assert how.levels in (4095, 65535)
    assert how.partial_fourier.freq == "zero_fill"  # complete along freq in both
    match pattern:
        case None:
            assert how.unaliasing is None
        case RandomUndersampling():
            assert isinstance(how.unaliasing, CompressedSensing)
        case UniformUndersampling(is_lattice=False):
            assert isinstance(how.unaliasing, Sense)
        case _:
            assert isinstance(how.unaliasing, Sense | Grappa)


def scenarios(sampling: Sampling, pattern: UniformUndersampling | RandomUndersampling | None) -> list[Reconstruction]:
    drawn = sampled(sampling, pattern)
    return [draw_reconstruction(drawn, sampling.matrix, True, seeded(seed)) for seed in range(300)]


def test_every_scenario_is_drawn() -> None:
    drawn = scenarios(PLANE, None)
    assert {how.window for how in drawn} == {"none", "hann", "hamming", "tukey", "fermi", "gaussian", "kaiser"}
    assert {how.window_shape for how in drawn} == {"separable", "radial"}
    assert {how.combination for how in drawn} == {"root_sum_of_squares", "sensitivity_weighted", "phase_sum"}
    assert {how.component for how in drawn} == {"magnitude", "real"}
    assert {how.normalization for how in drawn} == {"none", "prescan", "image_based"}
    assert {how.partial_fourier.phase for how in drawn} == {"zero_fill", "homodyne", "pocs", "conjugate"}
    assert {how.levels for how in drawn} == {4095, 65535}
    assert {how.distortion is None for how in drawn} == {True, False}
    unfiltered = sum(how.window == "none" for how in drawn) / len(drawn)
    plain = sum(how.matrix == (1, 64, 64) for how in drawn) / len(drawn)
    assert unfiltered == pytest.approx(1 / 3, abs=0.12)
    assert plain == pytest.approx(0.5, abs=0.12)


def test_every_unaliasing_method_is_drawn() -> None:
    uniform, random = scenarios(PLANE, PATTERNS[1]), scenarios(PLANE, PATTERNS[3])
    assert {type(how.unaliasing) for how in uniform} == {Grappa, Sense}
    assert {how.unaliasing.prior for how in random} == {"wavelet", "total_variation"}
    assert {how.sensitivities for how in uniform} == {"espirit", "walsh", "inati"}


def test_volumes_are_interpolated_along_slice_too() -> None:
    assert {how.matrix[0] > 24 for how in scenarios(VOLUME, None)} == {True, False}
