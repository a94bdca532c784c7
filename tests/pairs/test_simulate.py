"""Simulated training pairs: reproducible, described truly, with the noise that was drawn."""

import json
from dataclasses import replace
from math import log2

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucidmr.context import FILLED
from lucidmr.degrade.draw import Degradation
from lucidmr.degrade.settings import DegradationRanges
from lucidmr.pairs import simulate
from lucidmr.pairs.response import NoiseResponse
from lucidmr.pairs.simulate import TargetKind, TrainingPair, crop, reconstruct_pair, simulate_pair, stack
from lucidmr.physics.analytic import image
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.reconstruct.settings import Reconstruction
from lucidmr.standardize import resample
from properties import seeded
from scans import DISC, PLAIN, degradation, disc_scan, full, inside, measured_factor

SCAN = disc_scan(coils=2, noise_sd=0.002)
RANGES = DegradationRanges()
OFTEN = replace(RANGES, gain_probability=0.7, partial_fourier_probability=0.9)
FULL = Sampling(full(48), full(48))
KINDS: list[TargetKind] = ["low_variance", "noisy"]


def simulated(seed: int, target: TargetKind = "low_variance", ranges: DegradationRanges = OFTEN) -> TrainingPair:
    return simulate_pair(SCAN, ranges, seeded(seed), target)


def drawn_of(pair: TrainingPair) -> Degradation:
    return Degradation.from_json(pair.provenance["degradation"])


@pytest.mark.parametrize("target", KINDS)
def test_the_seed_decides_every_bit(target: TargetKind) -> None:
    one, same, other = simulated(5, target), simulated(5, target), simulated(6, target)
    assert torch.equal(one.input, same.input)
    assert torch.equal(one.target, same.target)
    assert (one.grid, one.context, one.provenance) == (same.grid, same.context, same.provenance)
    assert one.context != other.context


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_the_provenance_replays_the_pair(seed: int, target: TargetKind) -> None:
    pair = simulated(seed, target)
    record = json.loads(json.dumps(pair.provenance))
    assert record["source"] == "disc"
    how = Reconstruction.from_json(record["reconstruction"])
    replayed = reconstruct_pair(SCAN, Degradation.from_json(record["degradation"]), how, record["target"])
    assert torch.equal(replayed[0], pair.input)
    assert torch.equal(replayed[1], pair.target)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_context_tells_what_was_done(seed: int) -> None:
    pair = simulated(seed)
    drawn, context = drawn_of(pair), pair.context
    assert context.noise_reduction == pytest.approx(log2(drawn.noise_reduction))
    for direction, pixels in zip(("freq", "phase"), pair.grid, strict=True):
        target, sampled = getattr(drawn.target, direction), getattr(drawn.input, direction)
        told = {name: getattr(context, f"{name}_{direction}") for name in ("extent", "missing", "gain", "restore")}
        assert told["gain"] == pytest.approx(log2(min(target.width / sampled.width, 3.0)))
        assert told["restore"] == pytest.approx(target.fraction - sampled.fraction)
        if getattr(context, f"extent_{direction}_unknown"):
            assert told["extent"] == 0.0
        else:
            assert told["extent"] == pytest.approx(log2(sampled.width / pixels))
        if getattr(context, f"missing_{direction}_unknown"):
            assert told["missing"] == told["restore"] == 0.0
        else:
            assert told["missing"] == pytest.approx(1.0 - sampled.fraction)
    for name in ("extent_slice", "gain_slice", "missing_slice", "restore_slice", "acceleration_phase", "elliptical"):
        assert getattr(context, name) == 0.0


def test_headers_are_silent_now_and_then() -> None:
    contexts = [simulated(seed, ranges=RANGES).context for seed in range(200)]

    def share(name: str) -> float:
        return sum(getattr(context, name) for context in contexts) / len(contexts)

    assert share("extent_freq_unknown") == pytest.approx(0.15, abs=0.1)
    assert share("extent_phase_unknown") == pytest.approx(0.15, abs=0.1)
    assert 0.05 < share("missing_phase_unknown") < 0.25
    assert share("acceleration_phase_unknown") == pytest.approx(0.5, abs=0.14)
    assert {context.acceleration_phase_unknown - context.elliptical_unknown for context in contexts} == {0.0}


@pytest.mark.parametrize("target", KINDS)
def test_input_and_target_are_equal_where_nothing_is_asked(target: TargetKind) -> None:
    given_, wanted, *_ = reconstruct_pair(SCAN, degradation(FULL, noise=0.05), PLAIN, target)
    assert float((given_ - wanted).abs().max()) <= 1.01 * float(given_.amax()) / PLAIN.levels
    assert float((given_ - SCAN_CLEAN).abs().mean()) > 0.02  # the noise that was drawn is in both


SCAN_CLEAN = image([DISC], 48, 48).abs()[None]


@pytest.mark.parametrize("target", KINDS)
def test_a_pair_without_noise_differs_by_its_sampling_alone(target: TargetKind) -> None:
    narrow = Sampling(full(48), AxisSampling(24))
    given_, wanted, *_ = reconstruct_pair(disc_scan(coils=2), degradation(FULL, narrow, noise=1e-6), PLAIN, target)

    def steepest(found: Tensor) -> tuple[float, float]:
        """Along freq and along phase, on lines through the middle of the disc."""
        return float(found[0, :, 24].diff().abs().max()), float(found[0, 24].diff().abs().max())

    (before_freq, before_phase), (after_freq, after_phase) = steepest(given_), steepest(wanted)
    assert before_freq == pytest.approx(after_freq, rel=0.1)
    assert before_phase < 0.75 * after_phase
    for found in (given_, wanted):
        assert float(found[..., inside((48, 48))].mean()) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    "how",
    [
        PLAIN,
        replace(PLAIN, window="hann", window_strength=0.7, matrix=(1, 60, 72)),
        replace(PLAIN, window="fermi", window_strength=0.5, combination="sensitivity_weighted", sensitivities="known"),
    ],
)
@pytest.mark.parametrize("sampled", [FULL, Sampling(AxisSampling(36), AxisSampling(48, 0.65))])
def test_the_input_has_the_noise_that_was_drawn(how: Reconstruction, sampled: Sampling) -> None:
    images = torch.stack(
        [
            reconstruct_pair(
                disc_scan(coils=2, noise_sd=0.01, seed=1000 + seed),
                degradation(FULL, sampled, noise=0.04, factor=2.0, seed=seed),
                how,
                "low_variance",
            )[0]
            for seed in range(40)
        ]
    )
    measured = images.var(0)[..., inside(how.matrix)].mean().sqrt()
    assert float(measured) == pytest.approx(0.04, rel=0.03)


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("how", [PLAIN, replace(PLAIN, window="hann", window_strength=0.7, matrix=(1, 60, 72))])
def test_the_noise_of_a_pair_is_that_of_its_input(how: Reconstruction, target: TargetKind) -> None:
    made = [
        reconstruct_pair(
            disc_scan(coils=2, noise_sd=0.02, seed=1000 + seed), degradation(FULL, noise=0.04, seed=seed), how, target
        )
        for seed in range(40)
    ]
    measured = torch.stack([pair.input for pair in made]).var(0)[..., inside(how.matrix)].mean().sqrt()
    assert sum(pair.noise for pair in made) / len(made) == pytest.approx(float(measured), rel=0.05)


def test_a_noisy_target_promises_no_more_than_it_can_teach() -> None:
    """Raw data that hold a quarter of the input's noise cannot teach more than a factor of four."""
    scan = disc_scan(noise_sd=0.02)
    asked = replace(
        RANGES,
        base_fraction=(1.0, 1.0),
        gain_probability=0.0,
        partial_fourier_probability=0.0,
        leave_noise_probability=0.0,
        noise=(0.02, 0.02),
        noise_reduction=(6.0, 6.0),
    )
    unfiltered = []
    for seed in range(6):
        noisy, known = (simulate_pair(scan, asked, seeded(seed), kind) for kind in ("noisy", "low_variance"))
        assert 2**known.context.noise_reduction == pytest.approx(6.0)
        drawn, how = drawn_of(noisy), Reconstruction.from_json(noisy.provenance["reconstruction"])
        how = replace(how, headroom=1.3)  # clipping is not linear, and the whole disc is at the top
        promised = 2**noisy.context.noise_reduction
        if how.window == "none":
            unfiltered.append(promised)
        assert measured_factor(drawn, how, "noisy", (48, 48), 0.02) == pytest.approx(promised, rel=0.05)
    assert unfiltered == pytest.approx([4.0] * len(unfiltered))
    assert unfiltered


@pytest.mark.parametrize(("overlap", "expected"), [(0.05, 8.0), (0.5, 4.0), (1.4, 1.0)])
def test_a_noisy_target_is_told_as_a_factor_that_can_be_asked_for(monkeypatch, overlap: float, expected: float) -> None:
    """Chains whose noise hardly overlaps, as far undersampling makes them, teach more than any user can ask for."""
    monkeypatch.setattr(simulate, "has_closed_form", lambda *_: True)
    monkeypatch.setattr(simulate, "ideal_response", lambda *_: NoiseResponse(1.0, overlap))
    given_ = degradation(FULL, noise=0.04, factor=1.0 if overlap > 1.0 else 4.0)
    made = reconstruct_pair(disc_scan(noise_sd=0.02), given_, Reconstruction((1, 48, 48)), "noisy")
    assert made.noise_reduction == pytest.approx(expected)


def test_crops_are_parts_of_the_standardized_image() -> None:
    pair = simulated(3)
    whole = resample(torch.stack([pair.input, pair.target]), pair.grid)
    found = torch.stack(crop(pair, 16, (5, 9), 0.1, 2.0))
    torch.testing.assert_close(found, (whole[..., 5:21, 9:25] - 0.1) / 2.0, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("middle", "around"), [(0, [0, 0, 0, 1, 2]), (1, [0, 0, 1, 2, 3]), (4, [2, 3, 4, 5, 6]), (8, [6, 7, 8, 8, 8])]
)
def test_a_stack_repeats_the_end_slices(middle: int, around: list[int]) -> None:
    numbered = torch.arange(9.0)[:, None, None].expand(9, 4, 4)
    found = stack(replace(simulated(0), input=numbered, target=numbered + 100.0), middle, 5)
    assert found.input[:, 0, 0].tolist() == around
    assert found.target[:, 0, 0].tolist() == [100.0 + middle]


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_target_fills_the_grid_about_as_far_as_in_use(seed: int) -> None:
    pair = simulated(seed)
    assert pair.input.shape == pair.target.shape
    zooms = [pixels / stored for pixels, stored in zip(pair.grid, pair.input.shape[1:], strict=True)]
    assert zooms[0] == pytest.approx(zooms[1], rel=0.03)
    target = drawn_of(pair).target
    filled = max(target.freq.width / pair.grid[0], target.phase.width / pair.grid[1])
    assert 0.78 * FILLED < filled < 1.42 * FILLED
