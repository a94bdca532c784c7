"""Simulated receive arrays and the phase of the object."""

import pytest
import torch
from torch import Tensor

from lucidmr.physics.coils import loop_array_maps, smooth_phase
from properties import seeded

SIDE = 64


def steps(field: Tensor) -> Tensor:
    """Largest absolute difference from one pixel to the next along any axis of (..., slice, freq, phase)."""
    return max(field.diff(dim=axis).abs().amax() for axis in (-3, -2, -1) if field.shape[axis] > 1)


def combined(maps: Tensor) -> Tensor:
    """Root sum of squares."""
    return maps.abs().square().sum(0).sqrt()


@pytest.mark.parametrize("n_coils", [1, 2, 5, 12])
@pytest.mark.parametrize("matrix", [(1, 32, 32), (1, 31, 20), (8, 20, 17)])
def test_the_root_sum_of_squares_is_one(n_coils: int, matrix: tuple[int, int, int]) -> None:
    maps = loop_array_maps(n_coils, matrix, seeded(n_coils))
    assert maps.shape == (n_coils, *matrix)
    assert maps.dtype == torch.complex64
    torch.testing.assert_close(combined(maps), torch.ones(matrix))


@pytest.mark.parametrize("matrix", [(1, SIDE, SIDE), (24, 24, 24)])
def test_shaded_arrays_are_one_at_the_centre_and_brighter_near_the_loops(matrix: tuple[int, int, int]) -> None:
    even, shaded = (loop_array_maps(8, matrix, seeded(3), shaded) for shaded in (False, True))
    shading = combined(shaded)
    assert float(shading[tuple(n // 2 for n in matrix)]) == pytest.approx(1.0, abs=1e-5)
    assert float(shading[:, 0].mean()) > 1.5
    torch.testing.assert_close(shaded / shading, even)


@pytest.mark.parametrize("seed", range(12))
def test_maps_have_no_vortex_anywhere(seed: int) -> None:
    """Around every square of four pixels the phase comes back without a turn, the corners of the image included."""
    phase = loop_array_maps(8, (1, SIDE, SIDE), seeded(seed)).angle()

    def turn(axis: int) -> Tensor:
        return torch.remainder(phase.diff(dim=axis) + torch.pi, 2 * torch.pi) - torch.pi

    rows, columns = turn(-2), turn(-1)
    circulation = rows[..., 1:] - rows[..., :-1] - columns[..., 1:, :] + columns[..., :-1, :]
    assert float(circulation.abs().max()) < 1e-3


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("matrix", [(1, SIDE, SIDE), (32, 32, 32)])
def test_maps_are_smooth_where_the_body_is(seed: int, matrix: tuple[int, int, int]) -> None:
    """Within a quarter of the field of view around the centre the maps turn and fall slowly."""
    maps = loop_array_maps(8, matrix, seeded(seed))
    quarter = matrix[1] // 4
    assert float(steps(maps[..., quarter:-quarter, quarter:-quarter])) * matrix[1] < 8.0


@pytest.mark.parametrize("matrix", [(1, SIDE, SIDE), (16, 32, 32)])
def test_each_coil_sees_its_own_side(matrix: tuple[int, int, int]) -> None:
    maps = loop_array_maps(4, matrix, seeded(5)).abs().flatten(1)
    assert len(set(maps.argmax(1).tolist())) == 4
    assert float(maps.amax(1).min()) > 0.5
    assert float((maps.amax(1) - maps.amin(1)).min()) > 0.2


def test_rings_tell_the_ends_of_the_slab_apart() -> None:
    """The weight of each coil along slice: neighbours in the array look to different ends."""
    along = loop_array_maps(8, (32, 16, 16), seeded(1)).abs().square().mean((2, 3))
    first, last = along[:, :8].mean(1), along[:, -8:].mean(1)
    assert bool((last > 1.5 * first)[1::2].all())
    assert bool((first > 1.5 * last)[0::2].all())


def test_maps_do_not_change_with_the_matrix() -> None:
    coarse, fine = (loop_array_maps(3, (n, n, n), seeded(2)) for n in (12, 24))
    torch.testing.assert_close(fine[:, ::2, ::2, ::2], coarse, atol=1e-5, rtol=1e-5)


def test_seeds_decide() -> None:
    size = (1, 16, 16)
    assert torch.equal(loop_array_maps(3, size, seeded(1)), loop_array_maps(3, size, seeded(1)))
    assert not torch.equal(loop_array_maps(3, size, seeded(1)), loop_array_maps(3, size, seeded(2)))
    assert torch.equal(smooth_phase(size, 1.0, seeded(1)), smooth_phase(size, 1.0, seeded(1)))
    assert not torch.equal(smooth_phase(size, 1.0, seeded(1)), smooth_phase(size, 1.0, seeded(2)))


def test_the_generator_decides_the_device(device: torch.device) -> None:
    generator = torch.Generator(device).manual_seed(0)
    assert loop_array_maps(4, (4, 8, 8), generator).device.type == device.type
    assert smooth_phase((4, 8, 8), 1.0, generator).device.type == device.type


def test_no_coil_is_refused() -> None:
    with pytest.raises(ValueError, match="n_coils is 0; it must be at least 1"):
        loop_array_maps(0, (1, 8, 8), seeded())


@pytest.mark.parametrize("matrix", [(1, 33, 20), (6, 12, 9), (1, 1, 1)])
@pytest.mark.parametrize("strength", [0.0, 0.4, 1.2])
def test_phase_factors_have_magnitude_one(strength: float, matrix: tuple[int, int, int]) -> None:
    torch.testing.assert_close(smooth_phase(matrix, strength, seeded()).abs(), torch.ones(matrix))


@pytest.mark.parametrize("matrix", [(1, SIDE, SIDE), (16, 16, 16)])
def test_the_strength_is_the_standard_deviation_of_the_phase(matrix: tuple[int, int, int]) -> None:
    angle = smooth_phase(matrix, 0.3, seeded(4)).angle()  # too weak to wrap
    assert float(angle.std()) == pytest.approx(0.3, rel=1e-3)
    assert float(angle.mean()) == pytest.approx(0.0, abs=1e-4)
    torch.testing.assert_close(smooth_phase(matrix, 0.0, seeded()), torch.ones(matrix, dtype=torch.complex64))


@pytest.mark.parametrize("seed", range(8))
def test_the_phase_is_smooth(seed: int) -> None:
    assert float(steps(smooth_phase((1, SIDE, SIDE), 1.2, seeded(seed)))) * SIDE < 20.0
    assert float(steps(smooth_phase((32, 32, 32), 1.2, seeded(seed)))) * 32 < 20.0


def test_the_phase_varies_along_slice() -> None:
    phase = smooth_phase((16, 16, 16), 1.0, seeded(1)).angle()
    assert float(phase.std(0).mean()) > 0.2
