"""Masks of k_max, partial Fourier, corner cut and undersampling, and the calibration block inside them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lucidmr.physics.sampling import (
    AxisSampling,
    Sampling,
    axis_mask,
    calibration_region,
    plane_mask,
    sampling_mask,
    support,
    support_mask,
)
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling

axes = st.builds(AxisSampling, width=st.integers(1, 64), fraction=st.floats(0.5, 1.0), early=st.booleans())
factors = st.floats(1.0, 4.0)
blocks = st.tuples(st.integers(1, 24), st.integers(1, 24))
patterns = st.one_of(
    st.none(), st.builds(UniformUndersampling, phase=factors, slice=factors, calibration=blocks),
    st.builds(RandomUndersampling, factor=st.just(1.0), calibration=blocks),
)  # fmt: skip
samplings = st.builds(
    Sampling, freq=axes, phase=axes, slice=axes, corner_cut=st.floats(0.0, 1.0), undersampling=patterns
)


@given(axes)
@settings(max_examples=100, deadline=None)
def test_masks_are_one_run_that_holds_dc(axis: AxisSampling) -> None:
    mask = axis_mask(axis)
    sampled = mask.nonzero().flatten()
    assert mask.shape == (axis.width,)
    assert bool(mask[axis.width // 2])
    assert len(sampled) == axis.samples == int(sampled[-1] - sampled[0]) + 1


@given(axes)
@settings(max_examples=100, deadline=None)
def test_the_side_that_is_kept_reaches_k_max(axis: AxisSampling) -> None:
    assert bool(axis_mask(axis)[-1 if axis.early else 0])


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    ("width", "fraction", "samples"), [(16, 1.0, 16), (16, 0.75, 12), (15, 0.75, 11), (16, 0.5, 9), (15, 0.5, 8)]
)
def test_counts(width: int, fraction: float, samples: int, early: bool) -> None:
    assert int(axis_mask(AxisSampling(width, fraction, early)).sum()) == samples


@given(samplings)
@settings(max_examples=100, deadline=None)
def test_masks_are_nested_and_hold_dc(sampling: Sampling) -> None:
    acquired, inside = sampling_mask(sampling), support_mask(sampling)
    assert acquired.shape == inside.shape == sampling.matrix
    assert not bool((acquired & ~inside).any())
    assert bool(acquired[tuple(n // 2 for n in sampling.matrix)])


@given(samplings)
@settings(max_examples=150, deadline=None)
def test_the_calibration_block_is_centred_and_whole(sampling: Sampling) -> None:
    region = calibration_region(sampling)
    assert bool(support_mask(sampling)[region].all())
    for axis, band in zip((sampling.slice, sampling.freq, sampling.phase), region, strict=True):
        assert axis.width // 2 - band.start in ((band.stop - band.start) // 2, (band.stop - band.start - 1) // 2)
    pattern = sampling.undersampling
    if not isinstance(pattern, UniformUndersampling) or pattern.integrated:
        assert bool(sampling_mask(sampling)[region].all())


def test_the_calibration_block_is_as_large_as_it_can_be() -> None:
    full = AxisSampling(40)
    everything = Sampling(full, AxisSampling(33), AxisSampling(20))
    assert calibration_region(everything) == (slice(0, 20), slice(0, 40), slice(0, 33))
    partial = Sampling(
        AxisSampling(40, 0.75), AxisSampling(40, 0.75, early=False), undersampling=UniformUndersampling()
    )
    assert calibration_region(partial) == (slice(0, 1), slice(10, 30), slice(10, 30))
    accelerated = Sampling(full, full, full, 0.0, RandomUndersampling(2.0, (8, 12)))
    assert calibration_region(accelerated) == (slice(16, 24), slice(0, 40), slice(14, 26))


@pytest.mark.parametrize("cut", [0.5, 1.0])
def test_a_corner_cut_shrinks_the_largest_block_in_its_shape(cut: float) -> None:
    sampling = Sampling(AxisSampling(8), AxisSampling(200), AxisSampling(100), cut)
    rows, _, columns = calibration_region(sampling)
    shrink = (1.0 - cut / 2.0) ** 0.5
    assert rows.stop - rows.start == pytest.approx(100 * shrink, abs=2)
    assert columns.stop - columns.start == pytest.approx(200 * shrink, abs=2)


def test_the_corner_cut_goes_from_the_rectangle_to_the_ellipse() -> None:
    n = 100

    def share(cut: float) -> float:
        return float(support(Sampling(AxisSampling(1), AxisSampling(n), AxisSampling(n), cut)).float().mean())

    assert share(0.0) == 1.0
    assert share(1.0) == pytest.approx(torch.pi / 4, abs=0.01)
    assert share(1.0) < share(0.5) < share(0.1) < 1.0


def test_a_corner_cut_means_nothing_in_2d() -> None:
    assert bool(support(Sampling(AxisSampling(8), AxisSampling(9), corner_cut=1.0)).all())


def test_undersampling_applies_to_the_phase_of_a_2d_scan() -> None:
    sampling = Sampling(AxisSampling(6), AxisSampling(12), undersampling=UniformUndersampling(3.0, calibration=(1, 1)))
    assert sampling_mask(sampling)[0].any(0).nonzero().flatten().tolist() == [0, 3, 6, 9]
    assert bool(support_mask(sampling).all())
    assert bool(sampling_mask(sampling.unaccelerated).all())


def test_a_plane_is_made_once_and_may_be_changed() -> None:
    sampling = Sampling(AxisSampling(4), AxisSampling(48), undersampling=RandomUndersampling(2.0, seed=5))
    first = plane_mask(sampling)
    first[:] = False
    assert bool(plane_mask(sampling).any())


def test_partial_fourier_is_seen() -> None:
    assert not Sampling(AxisSampling(8), AxisSampling(8)).is_partial
    assert Sampling(AxisSampling(8), AxisSampling(8, 0.7)).is_partial
    assert Sampling(AxisSampling(8), AxisSampling(8), AxisSampling(8, 0.7)).is_partial


@pytest.mark.parametrize(("width", "fraction"), [(0, 1.0), (8, 0.49), (8, 1.01), (8, float("nan"))])
def test_impossible_axes_are_refused(width: int, fraction: float) -> None:
    message = "width is 0; it must be at least 1" if width == 0 else "fraction is .*; it must lie between 0.5 and 1"
    with pytest.raises(ValueError, match=message):
        AxisSampling(width, fraction)


def test_an_impossible_corner_cut_is_refused() -> None:
    with pytest.raises(ValueError, match=r"corner_cut is 1\.5; it must lie between 0 and 1"):
        Sampling(AxisSampling(8), AxisSampling(8), corner_cut=1.5)
