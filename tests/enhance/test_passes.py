import pytest
import torch

from lucidmr.enhance.passes import Passes


def half(stacks, _):
    """Takes half of the middle slice for noise."""
    middle = stacks.shape[1] // 2
    return torch.cat([0.5 * stacks[:, middle : middle + 1], stacks[:, middle : middle + 1]], 1)


def stacks(slices):
    return torch.rand(2, slices, 8, 10, generator=torch.Generator().manual_seed(1))


def left_half():
    where = torch.zeros(2, 1, 8, 10)
    where[..., :5] = 1.0
    return where


@pytest.mark.parametrize("slices", [1, 3])
def test_the_first_pass_acts_everywhere_later_ones_in_homogeneous_tissue(slices):
    given = stacks(slices)
    passes, middle = Passes(half, given, left_half), given[:, slices // 2 : slices // 2 + 1]
    first = passes(1.0)
    assert torch.equal(first, torch.cat([0.5 * middle, middle], 1))
    assert torch.equal(passes.asked, middle)
    second = passes(1.0)
    assert torch.equal(passes.asked, 0.5 * middle)
    assert torch.equal(second[:, :1], 0.25 * middle * left_half())
    # Details are no noise: they may be added anywhere.
    assert torch.equal(second[:, 1:], 0.5 * middle)
    third = passes(1.0)
    assert torch.equal(third[..., :5], 0.5 * second[..., :5])
    assert not third[:, 0, :, 5:].any()


def test_the_first_pass_may_spare_structure_too():
    given = stacks(1)
    passes = Passes(half, given, left_half, sparing=True)
    assert torch.equal(passes(1.0)[:, :1], 0.5 * given * left_half())
    assert torch.equal(passes(1.0)[:, :1], 0.25 * given * left_half())


def test_neighbouring_slices_stay_as_they_are():
    given = stacks(3)
    passes = Passes(half, given, left_half)
    passes(1.0), passes(1.0)
    assert torch.equal(passes.left[:, ::2], given[:, ::2])
    assert not torch.equal(passes.left[:, 1], given[:, 1])


def test_homogeneity_is_looked_for_once_and_where_it_is_needed():
    times = []

    def counted():
        times.append(1)
        return left_half()

    passes = Passes(half, stacks(1), counted)
    passes(1.0)
    assert times == []
    passes(1.0), passes(1.0)
    assert times == [1]


def test_the_network_hears_what_it_is_told():
    told = []

    def listening(given, times):
        told.append(times)
        return half(given, times)

    passes = Passes(listening, stacks(1), left_half)
    passes(1.0), passes(3.5)
    assert told == [1.0, 3.5]
