"""The relative L1 loss."""

from math import inf

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lucidmr.train.loss import relative_l1
from properties import seeded


def triple(batch: int = 3, noise: float = 0.1) -> tuple[Tensor, Tensor, Tensor]:
    """Output, target and input; the output's error is half of the input's."""
    target = torch.rand(batch, 1, 8, 6, generator=seeded())
    error = noise * torch.randn(batch, 1, 8, 6, generator=seeded(1))
    return target + 0.5 * error, target, target + error


def test_a_perfect_output_costs_nothing() -> None:
    _, target, given_ = triple()
    assert float(relative_l1(target, target, given_, 0.005)) == 0.0


def test_it_is_the_error_relative_to_that_of_the_input() -> None:
    output, target, given_ = triple()
    assert float(relative_l1(output, target, given_, 0.0)) == pytest.approx(0.5)
    assert float(relative_l1(given_, target, given_, 0.0)) == pytest.approx(1.0)


@given(scale=st.floats(0.01, 100.0))
@settings(max_examples=20, deadline=None)
def test_without_a_floor_every_noise_level_counts_alike(scale: float) -> None:
    assert float(relative_l1(*triple(noise=scale), 0.0)) == pytest.approx(0.5, rel=1e-3)


def test_every_sample_counts_alike() -> None:
    loud, faint = triple(1, 1.0), triple(1, 0.01)
    faint_only_wrong = [torch.cat([a, b]) for a, b in zip((loud[1], *loud[1:]), faint, strict=True)]
    loud_only_wrong = [torch.cat([a, b]) for a, b in zip(loud, (faint[1], *faint[1:]), strict=True)]
    assert float(relative_l1(*faint_only_wrong, 0.0)) == pytest.approx(0.25, rel=1e-3)
    assert float(relative_l1(*loud_only_wrong, 0.0)) == pytest.approx(0.25, rel=1e-3)


def test_the_floor_spares_what_is_already_right() -> None:
    output, target, _ = triple(noise=0.01)
    loss = float(relative_l1(output, target, target, 0.05))
    assert loss == pytest.approx(float((output - target).abs().mean()) / 0.05, rel=1e-4)


def test_an_infinite_floor_is_the_plain_loss() -> None:
    output, target, given_ = triple()
    expected = torch.nn.functional.l1_loss(output, target)
    torch.testing.assert_close(relative_l1(output, target, given_, inf), expected)


def test_gradients_are_finite_and_point_away_from_the_target() -> None:
    output, target, _ = triple()
    output.requires_grad_()
    relative_l1(output, target, target, 0.005).backward()
    assert torch.equal(output.grad.sign(), (output - target).sign().detach())
    assert torch.isfinite(output.grad).all()
