"""What every reader of raw data must give."""

from dataclasses import replace

import pytest
import torch

from lucidmr.raw.scan import RawScan
from properties import random_complex

SCAN = RawScan(random_complex(2, 1, 8, 6), 0.1, 1.0, source="here")


def test_k_space_needs_four_axes() -> None:
    with pytest.raises(ValueError, match="kspace has 5 axes; it needs 4: coil, slice, freq, phase"):
        replace(SCAN, kspace=random_complex(1, 2, 1, 8, 6))


@pytest.mark.parametrize("value", [complex("nan"), complex(0, float("inf"))])
def test_values_must_be_finite(value: complex) -> None:
    broken = SCAN.kspace.clone()
    broken[1, 0, 3, 2] = value
    with pytest.raises(ValueError, match="kspace of here holds values that are not finite"):
        replace(SCAN, kspace=broken)


@pytest.mark.parametrize(("noise_sd", "signal"), [(-0.1, 1.0), (0.1, 0.0), (0.1, -2.0), (float("nan"), 1.0)])
def test_noise_and_signal_must_be_possible(noise_sd: float, signal: float) -> None:
    with pytest.raises(ValueError, match=f"noise_sd is {noise_sd:g} and signal {signal:g}; they must be >= 0 and > 0"):
        replace(SCAN, noise_sd=noise_sd, signal=signal)


def test_a_scan_keeps_what_it_is_given() -> None:
    assert torch.equal(SCAN.kspace, random_complex(2, 1, 8, 6))
    assert (SCAN.noise_sd, SCAN.signal, SCAN.maps, SCAN.source) == (0.1, 1.0, None, "here")
    assert (SCAN.matrix, SCAN.n_coils) == ((1, 8, 6), 2)


def test_sensitivities_must_fit() -> None:
    with pytest.raises(ValueError, match=r"maps are \(1, 1, 8, 6\); they must be \(2, 1, 8, 6\) as kspace"):
        replace(SCAN, maps=random_complex(1, 1, 8, 6))
