"""Undersampling: a projection that keeps what was acquired as it was."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucidmr.degrade.apply import undersample
from lucidmr.degrade.draw import Sampling
from lucidmr.physics.sampling import AxisSampling
from properties import assert_adjoint, assert_linear, random_complex

axis_samplings = st.builds(AxisSampling, width=st.integers(1, 12), fraction=st.floats(0.5, 1.0), early=st.booleans())
samplings = st.builds(Sampling, axis_samplings, axis_samplings)


@given(samplings)
@settings(max_examples=40, deadline=None)
def test_applying_twice_is_applying_once(sampling: Sampling) -> None:
    once = undersample(random_complex(2, 12, 11), sampling)
    assert torch.equal(undersample(once, sampling), once)


@given(samplings)
@settings(max_examples=40, deadline=None)
def test_samples_are_kept_or_zero_and_their_number_is_right(sampling: Sampling) -> None:
    samples = random_complex(2, 12, 12)
    kept = undersample(samples, sampling)
    changed = kept != samples
    assert not kept[changed].any()
    assert int((~changed[0]).sum()) == sampling.freq.samples * sampling.phase.samples
    assert kept[1, 6, 6] == samples[1, 6, 6]  # DC


def test_full_sampling_changes_nothing() -> None:
    samples = random_complex(3, 10, 9)
    assert torch.equal(undersample(samples, Sampling(AxisSampling(10), AxisSampling(9))), samples)


def test_each_axis_follows_its_own_sampling() -> None:
    kept = undersample(random_complex(1, 8, 8), Sampling(AxisSampling(4), AxisSampling(8, 0.75, early=False)))[0] != 0
    assert kept.any(1).nonzero().flatten().tolist() == [2, 3, 4, 5]
    assert kept.any(0).nonzero().flatten().tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("early", [True, False])
def test_it_is_linear_and_its_own_adjoint(early: bool) -> None:
    sampling = Sampling(AxisSampling(6, 0.6, early), AxisSampling(9))

    def project(samples: Tensor) -> Tensor:
        return undersample(samples, sampling)

    assert_linear(project, 2, 8, 9)
    assert_adjoint(project, project, (2, 8, 9), (2, 8, 9))
