"""Integer storage."""

from math import pi
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lucidmr.reconstruct.component import Component
from lucidmr.reconstruct.quantize import quantize, stored_range
from properties import noise_sd, seeded


@given(levels=st.integers(1, 65535), low=st.floats(-10, 10), span=st.floats(1e-3, 1e4), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_error_is_at_most_half_a_step(levels: int, low: float, span: float, seed: int) -> None:
    image = low + torch.rand(1, 8, 8, generator=seeded(seed)) * span
    stored = quantize(image, levels, low, low + span)
    assert float((stored - image).abs().max()) <= 0.5 * span / levels + 1e-6 * (span + abs(low))


def test_the_levels_are_whole_numbers_up_to_the_highest() -> None:
    stored = quantize(torch.linspace(-3.0, 9.0, 500).view(1, 20, 25), 15, -3.0, 9.0)
    integers = (stored + 3.0) * 15 / 12.0
    torch.testing.assert_close(integers, integers.round(), atol=1e-5, rtol=0)
    assert set(integers.round().flatten().tolist()) == set(range(16))


def test_what_lies_outside_is_clipped() -> None:
    assert quantize(torch.tensor([[[3.0, 0.5, -7.0]]]), 100, -1.0, 1.0).flatten().tolist() == pytest.approx(
        [1, 0.5, -1]
    )


def test_storing_twice_changes_nothing_more() -> None:
    once = quantize(torch.rand(1, 9, 9, generator=seeded()), 255, 0.0, 0.9)
    torch.testing.assert_close(quantize(once, 255, 0.0, 0.9), once, atol=1e-7, rtol=0)


def test_every_image_of_a_batch_may_have_its_own_range(device: torch.device) -> None:
    images = torch.rand(3, 1, 6, 6, generator=seeded()).to(device)
    tops = images.amax((-3, -2, -1), keepdim=True)
    torch.testing.assert_close(quantize(images, 4095, 0.0, tops)[1], quantize(images[1], 4095, 0.0, float(tops[1])))


@pytest.mark.parametrize("kind", get_args(Component))
@pytest.mark.parametrize("levels", [2, 4095, 65535])
def test_the_range_of_a_component_holds_it_and_stores_zero_exactly(kind: Component, levels: int) -> None:
    low, high = stored_range(kind, levels, 2.0)
    assert high > low
    if levels % 2 or kind != "phase":
        assert float(quantize(torch.zeros(1, 1, 1), levels, low, high)) == pytest.approx(0.0, abs=1e-6)
    extremes = {"magnitude": (0.0, 2.0), "phase": (-pi, pi)}.get(kind, (-2.0, 2.0))
    stored = quantize(torch.tensor([[extremes]]), levels, low, high).flatten().tolist()
    assert stored == pytest.approx(extremes, abs=1.01 * (high - low) / levels)


def test_twelve_bit_phase_is_in_steps_of_two_over_4096_of_pi() -> None:
    assert stored_range("phase", 4095, 1.0) == pytest.approx((-pi, pi * 4094 / 4096))


def test_noise_grows_by_that_of_rounding() -> None:
    """A step of q adds q^2 / 12 to the variance."""
    image = torch.randn(1, 300, 300, generator=seeded())
    assert noise_sd(quantize(image, 10, -5.0, 5.0)) == pytest.approx((1 + 1 / 12) ** 0.5, rel=0.02)


def test_impossible_scales_are_refused() -> None:
    image = torch.zeros(1, 2, 2)
    with pytest.raises(ValueError, match="levels is 0; it must be at least 1"):
        quantize(image, 0, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"low is 1.0 and high 1.0; high must be above low"):
        quantize(image, 255, 1.0, 1.0)
    with pytest.raises(ValueError, match="top is -2; it must be above 0"):
        stored_range("magnitude", 255, -2.0)
    with pytest.raises(ValueError, match="levels is 1; it must be at least 2"):
        stored_range("real", 1, 1.0)
