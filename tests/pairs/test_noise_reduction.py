"""The noise-reduction factor: its formulas, and proof by Monte Carlo that a trained network reaches it.

With the anatomy known the best output is E[target | input]; for Gaussian noise it is linear in the input's noise, and
its slope is one over the factor. Regression of target noise on input noise is therefore what training would find.
"""

from dataclasses import replace
from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucidmr.pairs.noise_reduction import noise_reduction_factor, retained_known_noise, shared_variance
from lucidmr.pairs.simulate import TargetKind
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.reconstruct.settings import Reconstruction
from properties import regression_slope, seeded
from scans import PLAIN, degradation, full, measured_factor

FACTORS = [1.0, 1.5, 2.0, 3.0, 4.0, 8.0]
SAMPLES = 400_000
factors = st.floats(1.0, 8.0)


def test_noise_that_is_only_added_counts_by_its_variance() -> None:
    """1 + sigma_a^2 / sigma_0^2: a target that is sqrt(2) times quieter teaches a factor of 2."""
    assert noise_reduction_factor(1.0 + 1.0, 1.0) == pytest.approx(2.0)
    assert noise_reduction_factor(0.3**2 + 0.1**2, 0.1**2) == pytest.approx(10.0)


def test_equal_noise_teaches_nothing() -> None:
    assert noise_reduction_factor(0.7, 0.7) == 1.0


@given(factor=factors, variance=st.floats(0.01, 100.0), overlap=st.floats(1.0, 1.5))
@settings(max_examples=40, deadline=None)
def test_the_common_noise_gives_the_factor_back(factor: float, variance: float, overlap: float) -> None:
    common = shared_variance(variance, factor, overlap)
    assert common <= variance
    assert noise_reduction_factor(variance, common * overlap) == pytest.approx(factor)


@given(factor=factors, share=st.floats(0.0, 0.9), overlap=st.floats(0.8, 1.5))
@settings(max_examples=40, deadline=None)
def test_the_retained_noise_gives_the_factor_back(factor: float, share: float, overlap: float) -> None:
    retained = retained_known_noise(factor, share, overlap)
    assert noise_reduction_factor(1.0, share * overlap + retained * (1.0 - share)) == pytest.approx(factor)


def test_the_retained_noise_of_clean_data_is_one_over_the_factor() -> None:
    assert retained_known_noise(4.0, 0.0) == 0.25
    assert retained_known_noise(1.0, 0.3) == pytest.approx(1.0)
    assert retained_known_noise(4.0, 0.5) < 0.0  # less is wanted than the raw data hold


@pytest.mark.parametrize(("variance", "covariance"), [(0.0, 1.0), (1.0, 0.0), (1.0, -0.5)])
def test_a_target_without_noise_has_no_factor(variance: float, covariance: float) -> None:
    message = f"input_variance is {variance:g} and covariance {covariance:g}; both must be positive"
    with pytest.raises(ValueError, match=message):
        noise_reduction_factor(variance, covariance)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_an_impossible_inherent_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=rf"inherent_share is {share:g}; it must lie in \[0, 1\)"):
        retained_known_noise(2.0, share)


def gaussian(variance: float, seed: int) -> Tensor:
    return torch.randn(SAMPLES, generator=seeded(seed)) * sqrt(variance)


@pytest.mark.parametrize("factor", FACTORS)
def test_noisy_targets_teach_the_ratio_of_variances(factor: float) -> None:
    shared = gaussian(shared_variance(1.0, factor), 1)
    given_ = shared + gaussian(1.0 - 1.0 / factor, 2)
    slope = regression_slope(given_, shared)
    assert 1.0 / slope == pytest.approx(factor, rel=0.02)
    # Read as a ratio of standard deviations the same pair would be labelled with the root, and the dial would be off.
    label = float(given_.std() / shared.std())
    assert label == pytest.approx(sqrt(factor), rel=0.02)
    if factor > 1.0:
        assert 1.0 / slope != pytest.approx(label, rel=0.02)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.8])
@pytest.mark.parametrize("factor", FACTORS)
def test_low_variance_targets_teach_the_factor(factor: float, share: float) -> None:
    unknown, known = gaussian(share, 3), gaussian(1.0 - share, 4)
    target = unknown + retained_known_noise(factor, share) * known
    slope = regression_slope(unknown + known, target)
    assert slope == pytest.approx(1.0 / factor, abs=0.005)


def test_low_variance_targets_spare_the_irreducible_loss() -> None:
    def irreducible(target: Tensor, given_: Tensor) -> float:
        return float((target - regression_slope(given_, target) * given_).square().mean())

    shared, added = gaussian(0.5, 5), gaussian(0.5, 6)
    assert irreducible(shared, shared + added) == pytest.approx(0.25, rel=0.02)
    assert irreducible(retained_known_noise(2.0, 0.0) * (shared + added), shared + added) < 1e-12


MATRIX = (64, 64)
ALL = Sampling(full(64), full(64))
HALF_PHASE = Sampling(full(64), AxisSampling(40))
PARTIAL = Sampling(AxisSampling(64, 0.8, early=False), AxisSampling(64, 0.625))
HANN = replace(PLAIN, matrix=(1, *MATRIX), window="hann", window_strength=0.7)
SCENARIOS: dict[str, tuple[Sampling, Sampling, Reconstruction]] = {
    "nothing else": (ALL, ALL, replace(PLAIN, matrix=(1, *MATRIX))),
    "filter and zero-filling": (ALL, ALL, replace(HANN, matrix=(1, 80, 96))),
    "k_max and filter": (ALL, HALF_PHASE, HANN),
    "partial Fourier left": (PARTIAL, PARTIAL, replace(HANN, window="tukey")),
    "partial Fourier restored": (
        ALL,
        PARTIAL,
        replace(PLAIN, matrix=(1, *MATRIX), combination="sensitivity_weighted", sensitivities="known"),
    ),
    "all at once": (
        ALL,
        Sampling(AxisSampling(48), AxisSampling(40, 0.7)),
        Reconstruction(
            (1, 72, 80),
            window="hamming",
            window_strength=0.6,
            combination="sensitivity_weighted",
            sensitivities="known",
            levels=65535,
            headroom=1.2,
        ),
    ),
}


@pytest.mark.parametrize("factor", [1.5, 3.0, 6.0])
@pytest.mark.parametrize(("target", "noise_sd"), [("noisy", 0.01), ("low_variance", 0.0), ("low_variance", 0.03)])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_simulated_pairs_teach_the_factor(scenario: str, target: TargetKind, noise_sd: float, factor: float) -> None:
    wanted, sampled, how = SCENARIOS[scenario]
    drawn = degradation(wanted, sampled, noise=0.05, factor=factor)
    assert measured_factor(drawn, how, target, MATRIX, noise_sd) == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("target", ["noisy", "low_variance"])
def test_a_factor_of_one_leaves_the_noise(target: TargetKind) -> None:
    how = replace(HANN, matrix=(1, 72, 64))
    assert measured_factor(degradation(ALL, noise=0.05), how, target, MATRIX, 0.02, 4) == pytest.approx(1.0, abs=1e-3)
