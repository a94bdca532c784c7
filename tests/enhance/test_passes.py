import pytest
import torch

from lucidmr.enhance.passes import Passes
from lucidmr.physics.image_noise import local_mean

WHOLE = (8, 10)


def half(stacks, _):
    """Takes half of the middle slice for noise."""
    middle = stacks.shape[1] // 2
    return torch.cat([0.5 * stacks[:, middle : middle + 1], stacks[:, middle : middle + 1]], 1)


def nothing(stacks):
    return torch.zeros_like(stacks[:, :1])


def stacks(slices):
    return torch.rand(2, slices, 8, 10, generator=torch.Generator().manual_seed(1))


def fine(noise):
    """What is not smooth of it."""
    return noise - local_mean(noise, WHOLE)


def left_half():
    where = torch.zeros(2, 1, 8, 10)
    where[..., :5] = 1.0
    return where


@pytest.mark.parametrize("slices", [1, 3])
def test_the_first_pass_acts_everywhere_later_ones_in_homogeneous_tissue(slices):
    given = stacks(slices)
    passes, middle = Passes(half, given, nothing(given), left_half, WHOLE), given[:, slices // 2 : slices // 2 + 1]
    first = passes(1.0)
    assert torch.equal(first, torch.cat([0.5 * middle, middle], 1))
    assert torch.equal(passes.asked, middle)
    second = passes(1.0)
    assert torch.equal(passes.asked, 0.5 * middle)
    assert torch.equal(second[:, :1], fine(0.25 * middle) * left_half())
    # Details are no noise: they may be added anywhere.
    assert torch.equal(second[:, 1:], 0.5 * middle)
    third = passes(1.0)
    left = 0.5 * middle - second[:, :1]
    assert torch.equal(third[:, :1], fine(0.5 * left) * left_half())
    assert not third[:, 0, :, 5:].any()


def test_the_first_pass_may_spare_structure_too():
    given = stacks(1)
    passes = Passes(half, given, nothing(given), left_half, WHOLE, sparing=True)
    assert torch.equal(passes(1.0)[:, :1], 0.5 * given * left_half())
    left = given - 0.5 * given * left_half()
    assert torch.equal(passes(1.0)[:, :1], fine(0.5 * left) * left_half())


def test_the_noise_floor_comes_down_once():
    ones = torch.ones(1, 1, 64, 64)
    passes = Passes(half, ones, nothing(ones), lambda: ones, (64, 64))
    assert float(passes(1.0)[:, 0].mean()) == pytest.approx(0.5)
    assert float(passes(1.0)[:, 0].abs().max()) < 1e-6


def test_windows_are_smoothed_as_the_whole_image_is():
    values = torch.rand(1, 1, 256, 256, generator=torch.Generator().manual_seed(1))
    window = local_mean(values[..., 64:192, 64:192], (256, 256))
    assert torch.allclose(window[..., 16:-16, 16:-16], local_mean(values)[..., 80:176, 80:176], atol=1e-5)


def test_neighbouring_slices_stay_as_they_are():
    given = stacks(3)
    passes = Passes(half, given, nothing(given), left_half, WHOLE)
    passes(1.0), passes(1.0)
    assert torch.equal(passes.left[:, ::2], given[:, ::2])
    assert not torch.equal(passes.left[:, 1], given[:, 1])


def test_homogeneity_is_looked_for_once_and_where_it_is_needed():
    times = []

    def counted():
        times.append(1)
        return left_half()

    passes = Passes(half, stacks(1), nothing(stacks(1)), counted, WHOLE)
    passes(1.0)
    assert times == []
    passes(1.0), passes(1.0)
    assert times == [1]


def test_the_network_hears_what_it_is_told():
    told = []

    def listening(given, times):
        told.append(times)
        return half(given, times)

    passes = Passes(listening, stacks(1), nothing(stacks(1)), left_half, WHOLE)
    passes(1.0), passes(3.5)
    assert told == [1.0, 3.5]


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("sparing", [False, True])
def test_the_network_is_asked_first_about_what_is_significant(slices, sparing):
    given = stacks(slices)
    middle = given[:, slices // 2 : slices // 2 + 1]
    passes = Passes(half, given, 0.2 * middle, left_half, WHOLE, sparing)
    noise, details = passes(1.0).split(1, 1)
    where = left_half() if sparing else 1.0
    # Its mean with it: it is no network's guess.
    assert torch.allclose(noise, where * (0.2 + 0.5 * 0.8) * middle)
    assert torch.allclose(details, 0.8 * middle)
    assert torch.equal(passes.asked, middle)
    # Only once.
    left = middle - noise
    assert torch.allclose(passes.left[:, slices // 2 : slices // 2 + 1], left)
    assert torch.allclose(passes(1.0)[:, :1], fine(0.5 * left) * left_half(), atol=1e-7)


def test_a_network_without_details_spares_structure_in_later_passes_too():
    given = stacks(1)
    passes = Passes(lambda left, told: half(left, told)[:, :1], given, nothing(given), left_half, WHOLE)
    assert torch.equal(passes(1.0), 0.5 * given)
    assert torch.equal(passes(1.0), fine(0.25 * given) * left_half())
