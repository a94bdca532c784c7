"""Windows: what every one of them must keep, and the meaning of their strength. SciPy's are in tests/oracles."""

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lucidmr.physics.windows import WindowName, noise_gain, positions, profile, window

NAMES = get_args(WindowName)


def test_fermi_has_its_half_height_at_095_of_k_max() -> None:
    k = torch.tensor([0.0, 0.5, 0.95, 0.98])
    expected = torch.tensor([1.0, 1.0, 0.5, 1 / (1 + torch.e ** (0.03 / (0.025 * 0.8)))])
    torch.testing.assert_close(profile(k, "fermi", 0.8), expected, atol=1e-6, rtol=0)


def test_positions_span_k_max_with_dc_at_the_centre() -> None:
    assert positions(4).tolist() == [-1.0, -0.5, 0.0, 0.5]
    assert positions(1).tolist() == [0.0]


@given(name=st.sampled_from(NAMES), n=st.integers(1, 40), strength=st.floats(0.0, 1.0))
@settings(max_examples=80, deadline=None)
def test_windows_keep_dc_and_are_symmetric_and_fall(name: WindowName, n: int, strength: float) -> None:
    weights = window(n, name, strength)
    centre = n // 2
    assert weights.shape == (n,)
    assert float(weights[centre]) == pytest.approx(1.0, abs=1e-6)
    assert float(weights.min()) >= 0.0
    right, left = weights[centre:], weights[: centre + 1].flip(0)
    torch.testing.assert_close(right, left[: len(right)], atol=1e-6, rtol=0)
    assert bool((left.diff() <= 1e-6).all())


@pytest.mark.parametrize("name", NAMES)
def test_strength_zero_is_no_window_and_more_strength_is_more_window(name: WindowName) -> None:
    assert torch.equal(window(17, name, 0.0), torch.ones(17))
    gains = [float(noise_gain(window(64, name, strength))) for strength in (0.0, 0.01, 0.3, 0.6, 1.0)]
    assert gains[1] == pytest.approx(1.0, abs=0.03)
    assert name == "none" or gains == sorted(gains, reverse=True)


@pytest.mark.parametrize("name", ["hann", "hamming"])
def test_strength_blends(name: WindowName) -> None:
    torch.testing.assert_close(window(20, name, 0.3), 0.7 + 0.3 * window(20, name))


@pytest.mark.parametrize("name", NAMES)
def test_beyond_k_max_the_window_keeps_its_edge_value(name: WindowName) -> None:
    edge, beyond = profile(torch.tensor([1.0, 1.4]), name, 0.7)
    assert edge == beyond


def test_the_noise_gain_is_the_root_mean_square() -> None:
    assert float(noise_gain(torch.tensor([[3.0, 4.0], [0.0, 5.0]]))) == pytest.approx(12.5**0.5)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_wrong_strength_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match=f"strength is {strength:g}; it must lie between 0 and 1"):
        window(8, "hann", strength)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_an_unknown_name_is_refused(strength: float) -> None:
    unchecked = getattr(profile, "__wrapped__", profile)  # without the run-time check of types
    with pytest.raises(ValueError, match="window 'welch' is unknown; use none, hann, hamming, tukey, fermi, gauss"):
        unchecked(torch.zeros(3), "welch", strength)
