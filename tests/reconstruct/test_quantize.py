"""Integer storage."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lucidmr.reconstruct.quantize import quantize
from properties import seeded


@given(levels=st.integers(1, 65535), top=st.floats(1e-3, 1e4), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_error_is_at_most_half_a_step(levels: int, top: float, seed: int) -> None:
    image = torch.rand(8, 8, generator=seeded(seed)) * top
    stored = quantize(image, levels, top)
    assert float((stored - image).abs().max()) <= 0.5 * top / levels + 1e-6 * top


def test_the_levels_are_whole_numbers_up_to_the_highest() -> None:
    integers = quantize(torch.linspace(0, 12.0, 500).view(20, 25), 15, 12.0) * 15 / 12.0
    torch.testing.assert_close(integers, integers.round(), atol=1e-5, rtol=0)
    assert set(integers.round().flatten().tolist()) == set(range(16))


def test_what_lies_above_the_top_is_clipped() -> None:
    assert quantize(torch.tensor([[3.0, 0.5]]), 100, 1.0).tolist() == [[1.0, 0.5]]


def test_storing_twice_changes_nothing_more() -> None:
    once = quantize(torch.rand(9, 9, generator=seeded()), 255, 0.9)
    torch.testing.assert_close(quantize(once, 255, 0.9), once, atol=1e-7, rtol=0)


@pytest.mark.parametrize(("levels", "top"), [(0, 1.0), (255, 0.0), (255, -2.0)])
def test_impossible_scales_are_refused(levels: int, top: float) -> None:
    with pytest.raises(ValueError, match=f"levels is {levels} and top {top:g}; both must be positive"):
        quantize(torch.zeros(2, 2), levels, top)
