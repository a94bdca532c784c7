"""Masks of k_max and partial Fourier along one axis."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lucidmr.physics.sampling import AxisSampling, axis_mask

axes = st.integers(2, 64).flatmap(
    lambda n: st.tuples(
        st.just(n), st.builds(AxisSampling, width=st.integers(1, n), fraction=st.floats(0.5, 1.0), early=st.booleans())
    )
)


@given(axes)
@settings(max_examples=100, deadline=None)
def test_masks_are_one_run_that_holds_dc(axis: tuple[int, AxisSampling]) -> None:
    n, sampling = axis
    mask = axis_mask(n, sampling)
    sampled = mask.nonzero().flatten()
    assert mask.shape == (n,)
    assert bool(mask[n // 2])
    assert len(sampled) == sampling.samples == int(sampled[-1] - sampled[0]) + 1


@given(axes)
@settings(max_examples=100, deadline=None)
def test_the_side_that_is_kept_reaches_k_max(axis: tuple[int, AxisSampling]) -> None:
    n, sampling = axis
    sampled = axis_mask(n, sampling).nonzero().flatten() - n // 2
    first = -(sampling.width // 2)
    if sampling.early:  # samples of negative k are missing
        assert int(sampled[-1]) == first + sampling.width - 1
    else:
        assert int(sampled[0]) == first


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    ("n", "width", "fraction", "samples"),
    [(16, 16, 1.0, 16), (16, 16, 0.75, 12), (15, 15, 0.75, 11), (16, 16, 0.5, 9), (15, 15, 0.5, 8), (32, 16, 0.75, 12)],
)
def test_counts(n: int, width: int, fraction: float, samples: int, early: bool) -> None:
    assert int(axis_mask(n, AxisSampling(width, fraction, early)).sum()) == samples


@pytest.mark.parametrize(("n", "width", "band"), [(8, 4, (2, 6)), (8, 3, (3, 6)), (9, 4, (2, 6)), (9, 3, (3, 6))])
def test_k_max_is_centred_on_dc(n: int, width: int, band: tuple[int, int]) -> None:
    expected = torch.zeros(n, dtype=torch.bool)
    expected[slice(*band)] = True
    assert torch.equal(axis_mask(n, AxisSampling(width)), expected)


@given(n=st.integers(1, 40), extra=st.integers(0, 10))
@settings(max_examples=30, deadline=None)
def test_a_width_of_the_axis_or_more_keeps_all(n: int, extra: int) -> None:
    assert bool(axis_mask(n, AxisSampling(n + extra)).all())


@pytest.mark.parametrize(("width", "fraction"), [(0, 1.0), (8, 0.49), (8, 1.01), (8, float("nan"))])
def test_impossible_samplings_are_refused(width: int, fraction: float) -> None:
    message = "width is 0; it must be at least 1" if width == 0 else "fraction is .*; it must lie between 0.5 and 1"
    with pytest.raises(ValueError, match=message):
        AxisSampling(width, fraction)
