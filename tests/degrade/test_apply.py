"""Acquiring less of a scan: what was acquired stays as it was, what was not is zero."""

from math import prod, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucidmr.degrade.apply import acquire
from lucidmr.physics.fourier import resize_kspace, to_image, to_kspace
from lucidmr.physics.sampling import AxisSampling, Sampling, calibration_region, sampling_mask
from lucidmr.physics.undersampling import RandomUndersampling, UniformUndersampling
from properties import assert_adjoint, assert_linear, noise_sd, random_complex

MATRIX = (6, 12, 14)


def axes(longest: int) -> st.SearchStrategy[AxisSampling]:
    return st.builds(AxisSampling, width=st.integers(1, longest), fraction=st.floats(0.5, 1.0), early=st.booleans())


patterns = st.one_of(
    st.none(),
    st.builds(UniformUndersampling, phase=st.floats(1, 4), slice=st.floats(1, 3), calibration=st.just((2, 4))),
    st.builds(RandomUndersampling, factor=st.just(1.5), calibration=st.just((1, 1)), seed=st.integers(0, 99)),
)
samplings = st.builds(
    Sampling, slice=axes(6), freq=axes(12), phase=axes(14), corner_cut=st.floats(0, 1), undersampling=patterns
)
CAIPIRINHA = Sampling(
    AxisSampling(10, 0.7), AxisSampling(12), AxisSampling(6), 1.0, UniformUndersampling(2.0, 2.0, 1, (2, 4))
)


@given(samplings)
@settings(max_examples=60, deadline=None)
def test_samples_are_kept_or_zero(sampling: Sampling) -> None:
    samples = random_complex(2, *MATRIX)
    cropped, mask = resize_kspace(samples, sampling.matrix), sampling_mask(sampling)
    acquired = acquire(samples, sampling)
    assert acquired.sampling == sampling
    assert torch.equal(acquired.kspace[:, mask], cropped[:, mask])
    assert not acquired.kspace[:, ~mask].any()
    assert torch.equal(acquired.calibration, cropped[:, *calibration_region(sampling)])


@given(samplings)
@settings(max_examples=40, deadline=None)
def test_acquiring_twice_is_acquiring_once(sampling: Sampling) -> None:
    once = acquire(random_complex(2, *MATRIX), sampling).kspace
    assert torch.equal(acquire(once, sampling).kspace, once)


def test_full_sampling_changes_nothing() -> None:
    samples = random_complex(3, 4, 10, 9)
    acquired = acquire(samples, Sampling(AxisSampling(10), AxisSampling(9), AxisSampling(4)))
    assert torch.equal(acquired.kspace, samples)
    assert torch.equal(acquired.calibration, samples)


@pytest.mark.parametrize("integrated", [True, False])
def test_calibration_is_fully_sampled_either_way(integrated: bool) -> None:
    pattern = UniformUndersampling(3.0, calibration=(24, 6), integrated=integrated)
    acquired = acquire(random_complex(2, 1, 8, 24), Sampling(AxisSampling(8), AxisSampling(24), undersampling=pattern))
    assert acquired.calibration.shape == (2, 1, 8, 6)
    assert bool(acquired.calibration.abs().gt(0).all())
    assert int((acquired.kspace[0, 0, 0] != 0).sum()) == (8 + 4 if integrated else 8)


def test_it_is_linear() -> None:
    assert_linear(lambda samples: acquire(samples, CAIPIRINHA).kspace, 2, *MATRIX)
    assert_linear(lambda samples: acquire(samples, CAIPIRINHA).calibration, 2, *MATRIX)


def test_on_its_own_matrix_it_is_its_own_adjoint() -> None:
    def project(samples: Tensor) -> Tensor:
        return acquire(samples, CAIPIRINHA).kspace

    assert_adjoint(project, project, (2, 6, 10, 12), (2, 6, 10, 12))


def test_it_is_batched() -> None:
    samples = random_complex(3, 2, *MATRIX)
    together = acquire(samples, CAIPIRINHA)
    for index in range(3):
        alone = acquire(samples[index], CAIPIRINHA)
        assert torch.equal(together.kspace[index], alone.kspace)
        assert torch.equal(together.calibration[index], alone.calibration)


@pytest.mark.parametrize("matrix", [(1, 32, 24), (8, 16, 24)])
def test_signal_stays_and_noise_falls_with_the_matrix(matrix: tuple[int, int, int]) -> None:
    sampling = Sampling(AxisSampling(matrix[1]), AxisSampling(matrix[2]), AxisSampling(matrix[0]))
    raw = (matrix[0], 32, 48)
    noise = acquire(random_complex(20, *raw), sampling).kspace
    assert noise_sd(noise) == pytest.approx(sqrt(prod(matrix) / prod(raw)), rel=0.02)
    constant = to_image(acquire(to_kspace(torch.full((1, *raw), 3.0 + 1.0j)), sampling).kspace)
    torch.testing.assert_close(constant, torch.full((1, *matrix), 3.0 + 1.0j))


def test_the_device_stays(device: torch.device) -> None:
    acquired = acquire(random_complex(2, *MATRIX).to(device), CAIPIRINHA)
    assert acquired.kspace.device.type == acquired.calibration.device.type == device.type
    assert torch.equal(acquired.kspace.cpu(), acquire(random_complex(2, *MATRIX), CAIPIRINHA).kspace)


def test_a_sampling_wider_than_the_scan_is_refused() -> None:
    message = r"sampling.matrix is 1 x 8 x 20 \(slice x freq x phase\); it must not exceed kspace's 1 x 8 x 16"
    with pytest.raises(ValueError, match=message):
        acquire(random_complex(1, 1, 8, 16), Sampling(AxisSampling(8), AxisSampling(20)))
