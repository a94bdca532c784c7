"""What was acquired, described from the mask alone."""

import pytest
import torch
from torch import Tensor

from lucidmr.physics.sampling import AxisSampling, Sampling, sampling_mask
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from lucidmr.raw.acquired import describe_sampling

FREQ = AxisSampling(64)


def placed(mask: Tensor, matrix: tuple[int, ...]) -> Tensor:
    """The mask in the middle of a larger, zero-padded matrix."""
    padded = torch.zeros(matrix, dtype=torch.bool)
    parts = [slice(n // 2 - w // 2, n // 2 - w // 2 + w) for n, w in zip(matrix, mask.shape, strict=True)]
    padded[tuple(parts)] = mask
    return padded


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(FREQ, AxisSampling(48)),
        Sampling(FREQ, AxisSampling(63)),
        Sampling(AxisSampling(64, 0.75), AxisSampling(48)),
        Sampling(FREQ, AxisSampling(48, 0.625, early=False)),
        Sampling(FREQ, AxisSampling(48), AxisSampling(32), 1.0),
        Sampling(FREQ, AxisSampling(48, 0.75), AxisSampling(32, 0.75, early=False)),
        Sampling(FREQ, AxisSampling(49), undersampling=UniformUndersampling(2.0, calibration=(1, 17))),
        Sampling(FREQ, AxisSampling(96), AxisSampling(32), undersampling=UniformUndersampling(1.0, 2.0)),
        Sampling(FREQ, AxisSampling(93), AxisSampling(31), undersampling=UniformUndersampling(2.0, 3.0, 1, (7, 11))),
    ],
)
@pytest.mark.parametrize("padding", [0, 6])
def test_a_sampling_is_recognized(sampling, padding) -> None:
    matrix = tuple(n + padding if n > 1 else 1 for n in sampling.matrix)
    found = describe_sampling(placed(sampling_mask(sampling), matrix))
    # What is missing on one side alone could be missing from a matrix that is one sample narrower.
    assert all(0 <= n - same <= bool(padding) for n, same in zip(sampling.matrix, found.matrix, strict=True))
    assert torch.equal(placed(sampling_mask(found), sampling.matrix), sampling_mask(sampling))
    assert (found.undersampling is None) == (sampling.undersampling is None)


def test_a_calibration_scan_of_its_own_is_told() -> None:
    pattern = UniformUndersampling(3.0, calibration=(1, 24), integrated=False)
    given = Sampling(FREQ, AxisSampling(97), undersampling=pattern)
    assert describe_sampling(sampling_mask(given), (1, 24)).undersampling == pattern


def test_a_partial_corner_cut_is_recognized_to_the_rim() -> None:
    given = Sampling(FREQ, AxisSampling(64), AxisSampling(40), 0.6)
    found = describe_sampling(sampling_mask(given))
    same = (sampling_mask(found) == sampling_mask(given)).float().mean()
    assert found.corner_cut == pytest.approx(0.6, abs=0.1)
    assert float(same) > 0.98


def test_a_sample_that_happens_to_be_zero_changes_nothing() -> None:
    mask = torch.ones(1, 64, 48, dtype=torch.bool)
    mask[0, 3, 40] = False
    assert describe_sampling(mask) == Sampling(FREQ, AxisSampling(48))


def circle() -> Tensor:
    radius = torch.hypot(torch.arange(64)[:, None] - 32.0, torch.arange(64) - 32.0)
    return (radius < 32)[None]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.zeros(1, 64, 48, dtype=torch.bool), "nothing was acquired"),
        (circle(), "non-Cartesian"),
        (
            sampling_mask(Sampling(FREQ, AxisSampling(96), undersampling=RandomUndersampling(2.0, (1, 12)))),
            "no pattern",
        ),
        (placed(torch.ones(1, 64, 20, dtype=torch.bool), (1, 64, 96)).roll(30, -1), "centre was not acquired"),
    ],
)
def test_what_no_sampling_describes_is_refused(mask, message) -> None:
    with pytest.raises(ValueError, match=message):
        describe_sampling(mask)
