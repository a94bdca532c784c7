"""The response by pseudo-replicas of scans large enough that they leave out resolution along freq."""

from dataclasses import replace

import pytest
import torch

from lucidmr.degrade.apply import acquire
from lucidmr.pairs import response
from lucidmr.pairs.response import noise_response
from lucidmr.physics.coils import loop_array_maps
from lucidmr.physics.fourier import to_kspace
from lucidmr.physics.sampling import AxisSampling, Sampling
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.sensitivities import Sensitivities
from lucidmr.reconstruct.settings import Grappa, Reconstruction, Sense, Unaliasing
from properties import seeded
from scans import degradation, full

MATRIX = (8, 144, 64)


@pytest.mark.parametrize("freq", [full(144), AxisSampling(101, 0.8)])
@pytest.mark.parametrize("method", [Sense(), Grappa((1, 5, 4))])
def test_the_factor_needs_no_resolution_along_freq(
    freq: AxisSampling, method: Unaliasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = torch.zeros(MATRIX)
    body[1:7, 20:124, 8:56] = 1.0
    maps = loop_array_maps(8, MATRIX, seeded(3))
    raw = to_kspace(maps * body)
    wanted = Sampling(full(144), full(64), full(8))
    sampled = replace(wanted, freq=freq, undersampling=UniformUndersampling(2.0, calibration=(8, 24)))
    how = Reconstruction(MATRIX, method, "known", window="hann", window_strength=0.5)
    sensitivities = Sensitivities(acquire(raw, sampled).calibration, "known", maps)
    drawn = degradation(wanted, sampled, noise=0.05)
    factors = []
    for enough in (1 << 18, 1):
        monkeypatch.setattr(response, "_ENOUGH_PIXELS", enough)
        factors.append(1.0 / noise_response(raw, 0.05, drawn, how, sensitivities).overlap)
    assert factors[1] == pytest.approx(factors[0], rel=0.05)
    assert factors[0] > 1.5
