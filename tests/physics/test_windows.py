"""Anti-ringing windows against SciPy's and against what every window must keep."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import windows

from lucidmr.physics.windows import WindowName, window

NAMES = get_args(WindowName)


def continuous(name: str | tuple[str, float], n: int) -> np.ndarray:
    """SciPy's window as a function of k, sampled at (i - n // 2) / (n / 2): every other point of 2 n + 1."""
    points = windows.get_window(name, 2 * n + 1, fftbins=False)
    return points[n + 2 * (np.arange(n) - n // 2)]


@pytest.mark.parametrize("n", [16, 17])
@pytest.mark.parametrize("name", ["hann", "hamming"])
def test_cosine_windows_are_scipys(name: WindowName, n: int) -> None:
    np.testing.assert_allclose(window(n, n, name).numpy(), continuous(name, n), atol=1e-6)


@pytest.mark.parametrize("n", [16, 17])
@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_tukey_is_scipys(share: float, n: int) -> None:
    np.testing.assert_allclose(window(n, n, "tukey", share).numpy(), continuous(("tukey", share), n), atol=1e-6)


def test_fermi_has_its_half_height_at_095_of_k_max() -> None:
    weights = window(401, 400, "fermi", 0.8)
    assert float(weights[200 + 190]) == pytest.approx(0.5, abs=1e-5)
    transition = 0.1 * 0.8 / 4
    assert float(weights[200 + 196]) == pytest.approx(1 / (1 + np.exp(0.03 / transition)), rel=1e-4)
    assert float(weights[200 + 100]) == pytest.approx(1.0, abs=1e-5)


@given(name=st.sampled_from(NAMES), n=st.integers(1, 40), share=st.floats(0.2, 1.0), strength=st.floats(0.0, 1.0))
@settings(max_examples=80, deadline=None)
def test_windows_keep_dc_and_are_symmetric_and_fall(name: WindowName, n: int, share: float, strength: float) -> None:
    weights = window(n, max(1, round(share * n)), name, strength)
    centre = n // 2
    assert weights.shape == (n,)
    assert float(weights[centre]) == 1.0
    assert float(weights.min()) >= 0.0
    right, left = weights[centre:], weights[: centre + 1].flip(0)
    torch.testing.assert_close(right, left[: len(right)], atol=1e-6, rtol=0)
    assert bool((left.diff() <= 1e-6).all())


@pytest.mark.parametrize("n", [16, 17])
@pytest.mark.parametrize("name", NAMES)
def test_strength_zero_is_no_window(name: WindowName, n: int) -> None:
    assert torch.equal(window(n, n, name, 0.0), torch.ones(n))


@pytest.mark.parametrize("name", ["hann", "hamming"])
def test_strength_blends(name: WindowName) -> None:
    expected = 0.7 + 0.3 * window(20, 16, name)
    torch.testing.assert_close(window(20, 16, name, 0.3), expected)


@pytest.mark.parametrize("name", ["hann", "hamming", "tukey"])
def test_the_width_is_what_was_acquired(name: WindowName) -> None:
    """On a zero-filled axis the window is that of the acquired one, with its edge value outside."""
    inner, outer = window(16, 16, name, 0.5), window(32, 16, name, 0.5)
    torch.testing.assert_close(outer[8:24], inner)
    assert float((outer[:8] - inner[0]).abs().max()) < 1e-6


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_wrong_strength_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match=f"strength is {strength:g}; it must lie between 0 and 1"):
        window(8, 8, "hann", strength)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_an_unknown_name_is_refused(strength: float) -> None:
    unchecked = getattr(window, "__wrapped__", window)  # without the run-time check of types
    with pytest.raises(ValueError, match="window 'kaiser' is unknown; use none, hann, hamming, tukey or fermi"):
        unchecked(8, 8, "kaiser", strength)
