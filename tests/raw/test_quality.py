"""The checks of the quality gate by themselves; how they are judged is in test_prepare."""

import pytest
import torch

from lucidmr.physics.noise import complex_noise
from lucidmr.physics.sampling import AxisSampling, Sampling, sampling_mask
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.raw.quality import Verdict, clipped_coils, filled_readouts, looks_like_noise, signal_level, spikes
from measurements import phantom
from properties import seeded

MATRIX = (1, 96, 97)


def test_a_verdict_reads_as_a_line() -> None:
    assert str(Verdict("spikes", "on 2 readouts", True, 3)) == "scan 3, spikes: on 2 readouts"
    assert str(Verdict("noise", "there is none", False)) == "noise: there is none"


def test_empty_readouts_are_those_without_even_noise() -> None:
    kspace = phantom(MATRIX, 2) + complex_noise((1, 2, *MATRIX), 1.0, seeded())
    kspace[..., 7] = 0.0
    kspace[..., 50] = 1e-5
    filled = filled_readouts(kspace, torch.ones(1, *MATRIX, dtype=torch.bool))
    assert (~filled[0, 0, 0]).nonzero().flatten().tolist() == [7, 50]


def test_the_clipped_coil_is_named() -> None:
    kspace = phantom(MATRIX, 3) + complex_noise((1, 3, *MATRIX), 1.0, seeded())
    assert clipped_coils(kspace) == []
    parts = torch.view_as_real(kspace)[:, 1]
    parts.clamp_(-0.3 * float(parts.max()), 0.3 * float(parts.max()))
    assert clipped_coils(kspace) == [1]


@pytest.mark.parametrize("noise_sd", [0.0, 1.0])
def test_each_spike_is_counted(noise_sd) -> None:
    kspace = (phantom(MATRIX, 2) + complex_noise((1, 2, *MATRIX), noise_sd, seeded()))[0]
    assert spikes(kspace, noise_sd) == 0
    for line in (3, 60):
        kspace[:, 0, 11, line] += 3000.0
    assert spikes(kspace, noise_sd) == 2


def test_spikes_are_found_in_undersampled_data() -> None:
    pattern = UniformUndersampling(3.0, calibration=(1, 13))
    mask = sampling_mask(Sampling(AxisSampling(96), AxisSampling(97), undersampling=pattern))
    kspace = (phantom(MATRIX, 2) + complex_noise((1, 2, *MATRIX), 1.0, seeded()))[0] * mask
    assert spikes(kspace, 1.0) == 0
    kspace[:, 0, 30, 48 + 30] += 3000.0
    assert spikes(kspace, 1.0) == 1


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(AxisSampling(96), AxisSampling(97)),
        Sampling(AxisSampling(96), AxisSampling(97, 0.625)),
        Sampling(AxisSampling(96), AxisSampling(97), undersampling=UniformUndersampling(2.0, calibration=(1, 25))),
        Sampling(AxisSampling(96), AxisSampling(97), undersampling=UniformUndersampling(2.0, integrated=False)),
    ],
)
def test_the_signal_is_that_of_all_samples(sampling) -> None:
    kspace = phantom(MATRIX, 8, snr=30.0)[0] + complex_noise((8, *MATRIX), 1.0, seeded())
    assert signal_level(kspace * sampling_mask(sampling), 1.0, sampling) == pytest.approx(30.0, rel=0.3)


@pytest.mark.parametrize("coils", [1, 4, 32])
def test_noise_looks_like_noise(coils) -> None:
    whole = Sampling(AxisSampling(96), AxisSampling(97))
    noise = complex_noise((coils, *MATRIX), 1.0, seeded())
    assert looks_like_noise(signal_level(noise, 1.0, whole), coils)
    assert not looks_like_noise(signal_level(noise + phantom(MATRIX, coils, snr=6.0)[0], 1.0, whole), coils)
