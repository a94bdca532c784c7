"""Ranges that make no sense are refused, by the name of the field."""

import pytest

from lucidmr.degrade.settings import DegradationRanges


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gain_probability": 1.5}, "gain_probability is 1.5; it must lie between 0 and 1"),
        ({"restore_probability": float("nan")}, "restore_probability is nan; it must lie between 0 and 1"),
        ({"base_fraction": (0.5, 1.2)}, r"base_fraction is \(0.5, 1.2\); its values must lie between 0.1 and 1"),
        ({"gain": (0.9, 2.0)}, r"gain is \(0.9, 2\); its values must lie between 1 and 10"),
        ({"partial_fourier": (0.4, 1.0)}, r"partial_fourier is \(0.4, 1\); its values must lie between 0.5 and 1"),
        ({"corner_cut": (0.8, 0.2)}, r"corner_cut is \(0.8, 0.2\); the first must not exceed the second"),
        ({"uniform_phase": ()}, r"uniform_phase is \(\); its values must lie between 1 and 16"),
        ({"uniform_slice": (1.0, 20.0)}, r"uniform_slice is \(1, 20\); its values must lie between 1 and 16"),
        ({"random_factor": (2.0, float("inf"))}, r"random_factor is \(2, inf\); its values must lie between 1 and 16"),
        ({"random_decay": (-1.0, 1.0)}, r"random_decay is \(-1, 1\); its values must lie between 0 and 8"),
        ({"calibration": (0, 24)}, r"calibration is \(0, 24\); its values must lie between 1 and 256"),
        ({"noise": (0.0, 0.1)}, r"noise is \(0, 0.1\); its values must lie between 1e-06 and 100"),
        ({"noise_reduction": (0.5, 2.0)}, r"noise_reduction is \(0.5, 2\); its values must lie between 1 and 100"),
    ],
)
def test_impossible_ranges_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DegradationRanges(**values)


def test_factors_to_choose_from_need_no_order() -> None:
    assert DegradationRanges(uniform_phase=(4.0, 2.0)).uniform_phase == (4.0, 2.0)
