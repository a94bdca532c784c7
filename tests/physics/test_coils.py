"""Simulated receive arrays and the phase of the object."""

import pytest
import torch
from torch import Tensor

from lucidmr.physics.coils import loop_array_maps, smooth_phase
from properties import seeded

SIDE = 64


def steps(field: Tensor) -> Tensor:
    """Largest absolute difference of each pixel from its next neighbour along either axis."""
    return torch.maximum(
        (field[..., 1:, :-1] - field[..., :-1, :-1]).abs(), (field[..., :-1, 1:] - field[..., :-1, :-1]).abs()
    )


def central_disc(n: int) -> Tensor:
    """Pixels within 0.45 fields of view of the centre, which the loops stay out of."""
    at = (torch.arange(n - 1) - n // 2) / n
    return torch.hypot(at[:, None], at[None, :]) < 0.45


@pytest.mark.parametrize("n_coils", [1, 2, 5])
@pytest.mark.parametrize("size", [(32, 32), (31, 20)])
def test_the_root_sum_of_squares_is_one(n_coils: int, size: tuple[int, int]) -> None:
    maps = loop_array_maps(n_coils, *size, seeded(n_coils))
    assert maps.shape == (n_coils, *size)
    torch.testing.assert_close(maps.abs().square().sum(0), torch.ones(size))


@pytest.mark.parametrize("seed", range(12))
def test_maps_are_smooth_where_the_body_is(seed: int) -> None:
    """A phase that wraps at a branch cut would step by up to 2; from pixel to pixel a loop turns by 0.2."""
    maps = loop_array_maps(4, SIDE, SIDE, seeded(seed))
    assert float(steps(maps)[:, central_disc(SIDE)].max()) < 0.25


def test_each_coil_sees_its_own_side() -> None:
    maps = loop_array_maps(4, SIDE, SIDE, seeded(5)).abs()
    strongest = maps.flatten(1).argmax(1)
    assert len(set(strongest.tolist())) == 4
    assert float(maps.amax((1, 2)).min()) > 0.5
    assert float((maps.amax((1, 2)) - maps.amin((1, 2))).min()) > 0.2


def test_maps_do_not_change_with_the_matrix() -> None:
    coarse, fine = (loop_array_maps(3, n, n, seeded(2)) for n in (24, 48))
    torch.testing.assert_close(fine[:, ::2, ::2], coarse, atol=1e-5, rtol=1e-5)


def test_seeds_decide() -> None:
    assert torch.equal(loop_array_maps(3, 16, 16, seeded(1)), loop_array_maps(3, 16, 16, seeded(1)))
    assert not torch.equal(loop_array_maps(3, 16, 16, seeded(1)), loop_array_maps(3, 16, 16, seeded(2)))
    assert torch.equal(smooth_phase(16, 16, 1.0, seeded(1)), smooth_phase(16, 16, 1.0, seeded(1)))
    assert not torch.equal(smooth_phase(16, 16, 1.0, seeded(1)), smooth_phase(16, 16, 1.0, seeded(2)))


def test_no_coil_is_refused() -> None:
    with pytest.raises(ValueError, match="n_coils is 0; it must be at least 1"):
        loop_array_maps(0, 8, 8, seeded())


@pytest.mark.parametrize("strength", [0.0, 0.4, 1.2])
def test_phase_factors_have_magnitude_one(strength: float) -> None:
    factor = smooth_phase(33, 20, strength, seeded())
    torch.testing.assert_close(factor.abs(), torch.ones(33, 20))


def test_the_strength_is_the_standard_deviation_of_the_phase() -> None:
    angle = smooth_phase(SIDE, SIDE, 0.3, seeded(4)).angle()  # too weak to wrap
    assert float(angle.std()) == pytest.approx(0.3, rel=1e-3)
    assert float(angle.mean()) == pytest.approx(0.0, abs=1e-4)
    torch.testing.assert_close(smooth_phase(8, 8, 0.0, seeded()), torch.ones(8, 8, dtype=torch.complex64))


@pytest.mark.parametrize("seed", range(8))
def test_the_phase_is_smooth(seed: int) -> None:
    assert float(steps(smooth_phase(SIDE, SIDE, 1.2, seeded(seed))).max()) < 0.3
